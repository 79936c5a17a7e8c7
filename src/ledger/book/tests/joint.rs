//! Joint accounts wait for their holders.

use super::snapshot::{pieces, read};
use super::*;
use crate::ids::request::raw;
use crate::ledger::joint::{JOINT_WAITING_MAX, JOINT_WAITS_MS};

/// Ana wants account 303 at bank 2, with her user name as its key, together with others.
fn joint(others: &[&str]) -> Opening {
    Opening {
        type_account: TypeAccount::Conjunta,
        users: others.iter().map(|name| user(name)).collect(),
        consent: true,
        ..opening("ana", 303)
    }
}

/// Ana's account waits for these.
fn asked(others: &[&str]) -> Trial {
    let mut trial = Trial::with_customers();
    let executed = trial.ask(2, Action::CreateAccount(joint(others)));
    let Done::JointAsked { number: drawn, key, waiting_for } = done(executed) else { panic!() };
    assert_eq!((drawn, key), (number(303), pix("2:ana")));
    assert_eq!(waiting_for, others.iter().map(|name| user(name)).collect::<Vec<_>>());
    trial
}

impl Trial {
    fn answer(&mut self, by: &str, accept: bool) -> Executed {
        let answer = JointAnswer { bank: BankId(2), account: number(303), accept };
        let request = self.request(Some(by), None, Action::AnswerJoint(answer));
        self.apply(1, &request)
    }

    fn waits_for(&self, name: &str) -> bool {
        let user = user(name);
        self.book.joint_requests_of(&user).any(|request| request.waits_for(&user))
    }
}

const NONE: &str =
    "Falha na operação: Não há conta conjunta 303 no banco 2 que espere a sua resposta";

#[test]
fn an_account_opens_when_the_last_of_its_holders_has_accepted() {
    let mut trial = asked(&["bia", "cia"]);
    assert!(trial.waits_for("bia") && trial.waits_for("cia") && !trial.waits_for("ana"));
    let accepted = done(trial.answer("bia", true));
    assert_eq!(accepted, Done::JointAccepted { waiting_for: vec![user("cia")] });
    assert_eq!(refusal(trial.answer("bia", true)).to_string(), NONE);
    assert_eq!(trial.book.account(BankId(2), number(303)), None);
    let opened = done(trial.answer("cia", true));
    assert_eq!(opened, Done::AccountCreated { number: number(303), key: pix("2:ana") });
    assert_eq!(*trial.account(2, 303).holders, ["ana", "bia", "cia"].map(user));
    let first = &trial.statement(2, 303)[0];
    assert_eq!((first.made_by.as_str(), first.balance_after.get()), ("ana", 10_000));
    assert_eq!(trial.book.joint_requests_of(&user("ana")).count(), 0);
    done(trial.operate("bia", vec![withdraw(2, 303, 1)]));
    assert_eq!(refusal(trial.answer("cia", false)).to_string(), NONE);
}

#[test]
fn until_then_it_neither_pays_nor_is_paid() {
    let mut trial = asked(&["bia"]);
    for operation in [deposit(2, 303, 1), withdraw(2, 303, 1), transfer(2, 303, 1, "1:bia")] {
        let expected = Refusal::UnknownAccount { bank: BankId(2), account: number(303) };
        assert_eq!(refusal(trial.operate("ana", vec![operation])), expected);
    }
    let paid = trial.operate("bia", vec![transfer(1, 202, 1, "2:ana")]);
    assert_eq!(refusal(paid), Refusal::UnknownPixKey(pix("2:ana")), "as if there were none");
    assert_eq!(trial.book.pix(&pix("2:ana")), None);
}

#[test]
fn any_holder_and_the_opener_can_end_the_request_and_nobody_else() {
    for by in ["ana", "bia"] {
        let mut trial = asked(&["bia"]);
        assert_eq!(refusal(trial.answer("cia", false)).to_string(), NONE);
        assert_eq!(refusal(trial.answer("cia", true)).to_string(), NONE);
        assert_eq!(refusal(trial.answer("ana", true)).to_string(), NONE, "she did by asking");
        assert_eq!(done(trial.answer(by, false)), Done::JointEnded);
        assert_eq!(refusal(trial.answer("bia", true)).to_string(), NONE);
        // Number and key are free again.
        done(trial.ask(2, Action::CreateAccount(opening("ana", 303))));
    }
    let mut trial = asked(&["bia"]);
    let answer = JointAnswer { bank: BankId(2), account: number(303), accept: true };
    assert_eq!(refusal(trial.ask(2, Action::AnswerJoint(answer))), Refusal::NoCustomer);
}

#[test]
fn number_and_key_are_kept_while_an_account_waits() {
    let mut trial = asked(&["bia"]);
    let again = refusal(trial.ask(2, Action::CreateAccount(opening("ana", 304))));
    assert_eq!(again, Refusal::PixKeyTaken(pix("2:ana")));
    let number_taken = refusal(trial.ask(2, Action::CreateAccount(opening("bia", 303))));
    assert_eq!(number_taken, Refusal::NoFreeNumber);
}

#[test]
fn a_request_ends_after_a_week_of_the_ledgers_age() {
    let mut trial = asked(&["bia"]);
    trial.at_ms += JOINT_WAITS_MS - 1;
    done(trial.operate("ana", vec![deposit(0, 101, 1)]));
    assert!(trial.waits_for("bia"));
    trial.at_ms += 1;
    assert_eq!(refusal(trial.answer("bia", true)).to_string(), NONE);
    assert!(!trial.waits_for("bia"));
    done(trial.ask(2, Action::CreateAccount(opening("ana", 303))));
}

#[test]
fn nobody_has_more_than_a_few_accounts_that_wait() {
    let mut trial = Trial::with_customers();
    let one = |index: usize| Opening {
        pix_type: PixType::NumConta,
        numbers: vec![number(900 + index as u64)],
        ..joint(&["bia"])
    };
    for index in 0..JOINT_WAITING_MAX {
        done(trial.ask(2, Action::CreateAccount(one(index))));
    }
    let more = refusal(trial.ask(2, Action::CreateAccount(one(JOINT_WAITING_MAX))));
    assert_eq!(more, Refusal::TooManyJoint);
    // Bia is asked ten times, which does not keep her from asking.
    done(trial.ask(
        2,
        Action::CreateAccount(Opening {
            user_name: user("bia"),
            users: vec![user("ana")],
            ..one(JOINT_WAITING_MAX)
        }),
    ));
}

#[test]
fn an_account_opens_only_while_its_bank_takes_part() {
    let mut trial = asked(&["bia"]);
    trial.members = [BankId(0), BankId(1)].into_iter().collect();
    assert_eq!(refusal(trial.answer("bia", true)), Refusal::BankOffline(BankId(2)));
    trial.members = BankSet::all(BANKS);
    done(trial.answer("bia", true));
}

#[test]
fn a_snapshot_has_what_waits_and_is_as_before_where_nothing_does() {
    let mut trial = asked(&["bia", "cia"]);
    done(trial.answer("cia", true));
    let mut restored = read(&pieces(&trial.book)).unwrap();
    assert_eq!(pieces(&restored), pieces(&trial.book));
    let answer = JointAnswer { bank: BankId(2), account: number(303), accept: true };
    let request = trial.request(Some("bia"), None, Action::AnswerJoint(answer)).to_raw();
    for book in [&mut trial.book, &mut restored] {
        done(book.apply(&undated(1, BankSet::all(BANKS)), &request));
    }
    assert_eq!(restored.hash(), trial.book.hash());
    assert!(!pieces(&trial.book)[0].contains("waiting"));
    for (from, to) in [("[true,false,true]", "[true,true,true]"), ("[true,false,true]", "[true]")] {
        let text = pieces(&{
            let mut trial = asked(&["bia", "cia"]);
            done(trial.answer("cia", true));
            trial.book
        });
        let damaged = text.concat().replacen(from, to, 1);
        assert!(read(&[damaged]).is_err());
    }
}

#[test]
fn what_an_older_bank_wrote_opens_at_once() {
    let mut trial = Trial::with_customers();
    let joint = Opening { consent: false, ..joint(&["bia"]) };
    let request = trial.request(None, None, Action::CreateAccount(joint));
    assert!(!request.to_raw().msg.get().contains("consent"));
    done(trial.apply(2, &request));
    assert_eq!(trial.account(2, 303).holders.len(), 2);
    let strange = RawRequest {
        id: EventId::new(BankId(0), "x"),
        type_msg: "ANSWER_JOINT".into(),
        msg: raw(&serde_json::json!({"by": "bia",
            "action": {"ANSWER_JOINT": {"bank": 9, "account": 7, "accept": true}}})),
    };
    let executed = trial.book.apply(&undated(1, trial.members), &strange);
    assert!(matches!(executed.outcome, Outcome::Refused(Refusal::NoJointRequest { .. })));
}
