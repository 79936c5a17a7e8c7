//! The keys of open accounts: a key never has two owners.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::snapshot::{pieces, read};
use super::*;
use crate::ledger::keys::{Email, KeyChange, NewKey, RandomValue, Telephone};

fn email(text: &str) -> NewKey {
    NewKey::Email(Email::parse(text).unwrap())
}

fn add(bank: u16, account: u64, key: NewKey) -> KeyChange {
    KeyChange::Add { bank: BankId(bank), account: number(account), key }
}

fn remove(key: &str) -> KeyChange {
    KeyChange::Remove { key: pix(key) }
}

fn pass_on(key: &str, to: u64) -> KeyChange {
    KeyChange::Move { key: pix(key), to: number(to) }
}

impl Trial {
    fn change(&mut self, by: &str, change: KeyChange) -> Executed {
        let request = self.request(Some(by), None, Action::Keys(change));
        self.apply(1, &request)
    }

    fn keys(&self, bank: u16, account: u64) -> Vec<String> {
        self.account(bank, account).keys().map(ToString::to_string).collect()
    }

    fn pay(&mut self, key: &str) -> Executed {
        let kind = OperationKind::Transfer {
            value: amount(100),
            pix: pix(key),
            note: Some(Note::default()),
        };
        self.operate("bia", vec![Operation { bank: BankId(1), account: number(202), kind }])
    }
}

/// Ana has another account at her bank, 103, whose key is its number.
fn with_two() -> Trial {
    let mut trial = Trial::with_customers();
    let opening = Opening { pix_type: PixType::NumConta, ..opening("ana", 103) };
    done(trial.ask(0, Action::CreateAccount(opening)));
    trial
}

#[test]
fn an_account_is_paid_by_each_of_its_keys() {
    let mut trial = Trial::with_customers();
    let telephone = NewKey::Telefone(Telephone::parse("(11) 91234-5678").unwrap());
    let random = NewKey::Random(RandomValue::try_from("8d0f-4c".to_owned()).unwrap());
    let added = done(trial.change("ana", add(0, 101, email("Ana@exemplo.com"))));
    assert_eq!(added, Done::KeyAdded { key: pix("0:ana@exemplo.com") });
    for key in [telephone, random, NewKey::Cpf] {
        done(trial.change("ana", add(0, 101, key)));
    }
    let keys = ["0:ana", "0:ana@exemplo.com", "0:+5511912345678", "0:8d0f-4c", "0:000.000.000-01"];
    assert_eq!(trial.keys(0, 101), keys);
    for key in keys {
        done(trial.pay(key));
        let entry = trial.statement(0, 101).pop().unwrap();
        assert_eq!(entry.pix, Some(pix(key)), "the statement has the key that was paid to");
    }
    let more = refusal(trial.change("ana", add(0, 101, NewKey::NumConta)));
    assert_eq!(
        more.to_string(),
        "Falha na operação: Uma conta como esta pode ter até 5 chaves Pix"
    );
}

#[test]
fn a_removed_key_pays_nobody_and_is_free_again() {
    let mut trial = Trial::with_customers();
    done(trial.change("ana", add(0, 101, email("casa@exemplo.com"))));
    done(trial.change("ana", remove("0:ana")));
    assert_eq!(trial.keys(0, 101), ["0:casa@exemplo.com"]);
    assert_eq!(refusal(trial.pay("0:ana")), Refusal::UnknownPixKey(pix("0:ana")));
    done(trial.change("ana", remove("0:casa@exemplo.com")));
    assert_eq!(trial.account(0, 101).key, pix("0:@101"), "only its number names it");
    assert!(trial.keys(0, 101).is_empty());
    done(trial.pay("0:@101"));
    let again = refusal(trial.change("ana", remove("0:@101")));
    assert_eq!(again, Refusal::UnknownPixKey(pix("0:@101")));
    // Bia opens an account there and takes what is free.
    let opening = Opening { pix_type: PixType::Random, ..opening("bia", 303) };
    done(trial.ask(0, Action::CreateAccount(opening)));
    done(trial.change("bia", add(0, 303, email("casa@exemplo.com"))));
    let taken = refusal(trial.change("ana", add(0, 101, email("casa@exemplo.com"))));
    assert_eq!(taken, Refusal::PixKeyTaken(pix("0:casa@exemplo.com")));
}

#[test]
fn a_key_moves_between_a_customers_accounts_at_its_bank() {
    let mut trial = with_two();
    assert_eq!(done(trial.change("ana", pass_on("0:ana", 103))), Done::KeyMoved);
    assert_eq!(
        (trial.keys(0, 101), trial.keys(0, 103)),
        (vec![], vec!["0:103".into(), "0:ana".into()])
    );
    done(trial.pay("0:ana"));
    assert_eq!((trial.balance(0, 101), trial.balance(0, 103)), (10_000, 10_100));
    let same = refusal(trial.change("ana", pass_on("0:ana", 103)));
    assert_eq!(same, Refusal::PixKeyTaken(pix("0:ana")));
    // Bia's account is at another bank; no account of this number is at the key's.
    for by in ["ana", "bia"] {
        let refused = refusal(trial.change(by, pass_on("0:ana", 202)));
        let expected = match by {
            "ana" => {
                Refusal::NotHolder { bank: BankId(0), account: number(202), user_name: user(by) }
            }
            _ => Refusal::UnknownPixKey(pix("0:ana")),
        };
        assert_eq!(refused, expected);
    }
}

#[test]
fn only_holders_change_keys_and_nobody_takes_away_what_names_another() {
    let mut trial = Trial::with_customers();
    let joint = Opening {
        type_account: TypeAccount::Conjunta,
        users: vec![user("bia")],
        ..opening("ana", 303)
    };
    done(trial.ask(2, Action::CreateAccount(joint)));
    assert!(refusal(trial.change("bia", add(0, 101, email("b@c.de")))).is_forbidden());
    let strangers = refusal(trial.change("bia", remove("0:ana")));
    assert_eq!(strangers, Refusal::UnknownPixKey(pix("0:ana")), "as if nobody had it");
    // `2:ana` names Ana, and is hers to take away.
    assert_eq!(refusal(trial.change("bia", remove("2:ana"))), Refusal::UnknownPixKey(pix("2:ana")));
    done(trial.change("bia", add(2, 303, NewKey::Cpf)));
    assert_eq!(trial.keys(2, 303), ["2:ana", "2:000.000.000-02"]);
    let hers = refusal(trial.change("ana", remove("2:000.000.000-02")));
    assert_eq!(hers, Refusal::UnknownPixKey(pix("2:000.000.000-02")));
    done(trial.change("ana", remove("2:ana")));
    let wrong = refusal(trial.change("ana", add(0, 101, NewKey::Cnpj)));
    assert!(matches!(wrong, Refusal::WrongPixType { .. }), "{wrong}");
    trial.headers = Some(false);
    let request = trial.request(None, None, Action::Keys(remove("0:ana")));
    assert_eq!(refusal(trial.apply(0, &request)), Refusal::NoCustomer);
    trial.members = [BankId(1), BankId(2)].into_iter().collect();
    assert_eq!(refusal(trial.change("ana", remove("0:ana"))), Refusal::BankOffline(BankId(0)));
}

#[test]
fn a_key_that_waits_with_a_joint_account_is_taken() {
    let mut trial = Trial::with_customers();
    let joint = Opening {
        type_account: TypeAccount::Conjunta,
        users: vec![user("bia")],
        consent: true,
        ..opening("ana", 303)
    };
    done(trial.ask(2, Action::CreateAccount(joint)));
    let own = Opening { pix_type: PixType::Random, ..opening("ana", 404) };
    done(trial.ask(2, Action::CreateAccount(own)));
    let taken = refusal(trial.change("ana", add(2, 404, NewKey::UserName)));
    assert_eq!(taken, Refusal::PixKeyTaken(pix("2:ana")));
}

#[test]
fn asking_again_draws_no_second_random_key() {
    let mut trial = Trial::with_customers();
    let random = |text: &str| {
        let drawn = RandomValue::try_from(text.to_owned()).unwrap();
        Action::Keys(add(0, 101, NewKey::Random(drawn)))
    };
    let first = trial.ask_with_key(0, Some("ana"), "k", random("aa"));
    assert_eq!(trial.ask_with_key(2, Some("ana"), "k", random("bb")), first);
    assert_eq!(trial.keys(0, 101), ["0:ana", "0:aa"]);
}

#[test]
fn a_snapshot_has_all_keys_and_is_as_before_where_there_is_one() {
    let mut trial = with_two();
    assert!(!pieces(&trial.book).concat().contains("Keys"));
    done(trial.change("ana", add(0, 101, email("a@b.cd"))));
    done(trial.change("ana", add(0, 101, NewKey::NumConta)));
    done(trial.change("ana", remove("0:103")));
    let written = pieces(&trial.book);
    let mut restored = read(&written).unwrap();
    assert_eq!(pieces(&restored), written);
    assert_eq!(restored.verify(), Ok(()));
    let moved = trial.request(Some("ana"), None, Action::Keys(pass_on("0:a@b.cd", 103))).to_raw();
    for book in [&mut trial.book, &mut restored] {
        done(book.apply(&undated(1, BankSet::all(BANKS)), &moved));
        assert_eq!(book.verify(), Ok(()));
    }
    assert_eq!(restored.hash(), trial.book.hash());
    for (from, to) in [
        ("\"0:a@b.cd\"", "\"1:a@b.cd\""),
        ("\"0:a@b.cd\"", "\"0:@7\""),
        ("\"0:a@b.cd\"", "\"0:ana\""),
    ] {
        assert!(read(&[written.concat().replacen(from, to, 1)]).is_err(), "{to}");
    }
}

/// One of few keys is added to, removed from or moved to one of few accounts.
fn any_change() -> impl Strategy<Value = KeyChange> {
    let account = || select(&[101_u64, 103, 404][..]).prop_map(number);
    let new = select(vec![
        NewKey::Cpf,
        NewKey::UserName,
        NewKey::NumConta,
        email("a@b.cd"),
        email("e@f.gh"),
    ]);
    let key = || {
        let keys = [
            "0:ana",
            "0:bia",
            "0:101",
            "0:103",
            "0:404",
            "0:a@b.cd",
            "0:e@f.gh",
            "0:000.000.000-01",
        ];
        select(keys.to_vec()).prop_map(pix)
    };
    prop_oneof![
        3 => (account(), new)
            .prop_map(|(account, key)| KeyChange::Add { bank: BankId(0), account, key }),
        2 => key().prop_map(|key| KeyChange::Remove { key }),
        2 => (key(), account()).prop_map(|(key, to)| KeyChange::Move { key, to }),
    ]
}

proptest! {
    #[test]
    fn a_key_never_has_two_owners_and_is_found_by_exactly_one_account(
        steps in vec((any_change(), select(&["ana", "bia"][..])), 1..60),
    ) {
        let mut trial = with_two();
        let theirs = Opening { pix_type: PixType::UserName, ..opening("bia", 404) };
        done(trial.ask(0, Action::CreateAccount(theirs)));
        for (change, by) in steps {
            trial.change(by, change);
            let mut owners: BTreeMap<PixKey, AccountNumber> = BTreeMap::new();
            for account in trial.book.accounts() {
                for key in account.keys() {
                    prop_assert_eq!(owners.insert(key.clone(), account.number), None);
                    let (found, _) = trial.book.pix(key).unwrap();
                    prop_assert_eq!(found.number, account.number);
                }
            }
        }
    }
}
