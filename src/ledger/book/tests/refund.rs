//! What was received is given back, and never more than that.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::snapshot::{pieces, read};
use super::*;
use crate::ids::Position;
use crate::ledger::past::EntryNumber;
use crate::ledger::refund::{Original, REFUND_WITHIN_MS, Refund};
use crate::ledger::statement::{EntryKind, RefundOf};

impl Trial {
    /// The newest Pix that an account has received and that is no refund, as its bank reads it.
    pub(super) fn received(&self, bank: u16, account: u64) -> Option<Original> {
        let slot = self.book.slot(BankId(bank), number(account))?;
        original(self.past.iter().rfind(|past| past.account == slot.place() && is_original(past))?)
    }

    fn refund(&mut self, by: &str, bank: u16, of: &Original, centavos: i64) -> Executed {
        let request = self.request(Some(by), None, refund(bank, of, centavos));
        self.apply(bank, &request)
    }
}

/// A Pix that was received and is no refund itself.
fn is_original(past: &PastEntry) -> bool {
    let details = &past.entry.details;
    past.entry.kind == EntryKind::Receive && details.other.is_some() && details.refund_of.is_none()
}

/// A Pix as it is asked for today.
fn noted((bank, account): (u16, u64), centavos: i64, key: &str) -> Operation {
    let (value, pix) = (amount(centavos), pix(key));
    let kind = OperationKind::Transfer { value, pix, note: Some(Note::default()) };
    Operation { bank: BankId(bank), account: number(account), kind }
}

/// What a bank says about an entry of its past.
pub(super) fn original(past: &PastEntry) -> Option<Original> {
    let entry = &past.entry;
    let of = RefundOf { entry: past.number, id: entry.id.clone(), position: entry.position };
    let value = Amount::parse(entry.value).ok()?;
    Some(Original { of, at_ms: entry.at_ms, other: entry.details.other?, value })
}

/// A refund from Bia's account.
fn refund(bank: u16, original: &Original, centavos: i64) -> Action {
    Action::Refund(Refund {
        bank: BankId(1),
        account: number(202),
        value: amount(centavos),
        message: Some(Message::parse(&format!("asked at bank {bank}")).unwrap()),
        original: original.clone(),
    })
}

/// Ana has paid Bia R$ 10.00.
fn paid() -> (Trial, Original) {
    let mut trial = Trial::with_customers();
    trial.headers = Some(false);
    done(trial.operate("ana", vec![noted((0, 101), 1_000, "1:bia")]));
    let original = trial.received(1, 202).unwrap();
    (trial, original)
}

#[test]
fn a_refund_goes_back_to_where_the_money_came_from_and_both_statements_say_of_what() {
    let (mut trial, original) = paid();
    assert_eq!(done(trial.refund("bia", 2, &original, 400)), Done::Refunded);
    assert_eq!([trial.balance(0, 101), trial.balance(1, 202)], [9_400, 10_600]);
    let (bia, ana) = (trial.statement(1, 202), trial.statement(0, 101));
    let (sent, came) = (bia.last().unwrap(), ana.last().unwrap());
    assert_eq!((sent.kind, came.kind), (EntryKind::Transfer, EntryKind::Receive));
    assert_eq!((sent.value.get(), came.value.get()), (-400, 400));
    for entry in [sent, came] {
        assert_eq!(entry.details.refund_of.as_deref(), Some(&original.of));
        assert_eq!(entry.details.message.as_ref().unwrap().as_str(), "asked at bank 2");
        // Who gives back does not learn a key.
        assert_eq!((entry.pix.clone(), entry.made_by.clone()), (Some(pix("0:@101")), user("bia")));
    }
    assert_eq!(ana[1].id, original.of.id);
    assert_eq!(trial.book.refunded(original.of.entry), Some(Centavos::new(400)));
}

#[test]
fn no_more_is_given_back_than_came_at_whichever_bank() {
    let (mut trial, original) = paid();
    for (bank, centavos) in [(0, 400), (1, 599), (2, 1)] {
        let left =
            Centavos::new(if bank == 0 { 1_000 } else { 1_000 - 400 - 599 * i64::from(bank == 2) });
        let more = trial.refund("bia", bank, &original, i64::try_from(left.get()).unwrap() + 1);
        assert_eq!(refusal(more), Refusal::RefundTooLarge { left });
        done(trial.refund("bia", bank, &original, centavos));
    }
    let none = refusal(trial.refund("bia", 0, &original, 1));
    assert_eq!(none.to_string(), "Falha na operação: Deste Pix só se pode devolver ainda 0.00");
    assert_eq!(none.logged(), "Falha na operação: Devolução maior que o Pix");
    assert_eq!([trial.balance(0, 101), trial.balance(1, 202)], [10_000, 10_000]);
}

#[test]
fn only_who_holds_the_account_that_received_it_gives_back_and_only_what_is_there() {
    let (mut trial, original) = paid();
    for by in ["ana", "cia"] {
        assert!(refusal(trial.refund(by, 1, &original, 1)).is_forbidden(), "{by}");
    }
    let request = trial.request(None, None, refund(1, &original, 1));
    assert_eq!(refusal(trial.apply(1, &request)), Refusal::NoCustomer);
    done(trial.operate("bia", vec![withdraw(1, 202, 10_999)]));
    let short = refusal(trial.refund("bia", 1, &original, 2));
    assert!(matches!(short, Refusal::InsufficientBalance { .. }), "{short}");
    done(trial.refund("bia", 1, &original, 1));
    for absent in [0, 1] {
        trial.members = BankId::all(BANKS).filter(|bank| bank.0 != absent).collect();
        let refused = refusal(trial.refund("bia", 2, &original, 1));
        assert_eq!(refused, Refusal::BankOffline(BankId(absent)));
    }
}

#[test]
fn an_original_of_the_far_future_is_unknown_and_kept_by_nobody() {
    let (mut trial, original) = paid();
    for at_ms in [i64::MAX, trial.at_ms + REFUND_WITHIN_MS + 1] {
        let late = Original { at_ms, ..original.clone() };
        assert_eq!(refusal(trial.refund("bia", 1, &late, 1)), Refusal::UnknownOriginal);
    }
    done(trial.refund("bia", 1, &original, 1));
}

#[test]
fn a_pix_can_be_refunded_for_ninety_days_and_is_then_forgotten() {
    let (mut trial, original) = paid();
    done(trial.refund("bia", 1, &original, 1));
    trial.at_ms = original.at_ms + REFUND_WITHIN_MS;
    // Two banks say that it is so late.
    done(trial.ask(0, Action::Register(registration("davi", "000.000.000-04"))));
    done(trial.refund("bia", 1, &original, 1));
    assert_eq!(trial.book.refunded(original.of.entry), Some(Centavos::new(2)));
    trial.at_ms += 1;
    assert_eq!(refusal(trial.refund("bia", 1, &original, 1)), Refusal::RefundTooLate);
    assert_eq!(trial.book.refunded(original.of.entry), None);
}

#[test]
fn what_contradicts_the_ledger_is_no_pix() {
    let (mut trial, original) = paid();
    let of = original.of.clone();
    let later = |position| RefundOf { position, ..of.clone() };
    let strange = [
        Original { of: later(Position(7_000)), ..original.clone() },
        Original { of: RefundOf { entry: EntryNumber(99), ..of.clone() }, ..original.clone() },
        Original { of: RefundOf { entry: EntryNumber(0), ..of.clone() }, ..original.clone() },
        Original { other: 9, ..original.clone() },
        Original { other: 1, ..original.clone() },
    ];
    for strange in strange {
        assert_eq!(refusal(trial.refund("bia", 1, &strange, 1)), Refusal::UnknownOriginal);
    }
    done(trial.refund("bia", 1, &original, 1));
    // Once a Pix has had a refund, another bank can say nothing else about it.
    let more = Original { value: amount(2_000), ..original.clone() };
    assert_eq!(refusal(trial.refund("bia", 1, &more, 1_500)), Refusal::UnknownOriginal);
    let newer = Original { at_ms: original.at_ms + 1, ..original };
    assert_eq!(refusal(trial.refund("bia", 1, &newer, 1)), Refusal::UnknownOriginal);
}

#[test]
fn a_refund_under_a_key_that_was_used_is_not_done_again() {
    let (mut trial, original) = paid();
    let asked = |centavos| refund(1, &original, centavos);
    let first = trial.ask_with_key(0, Some("bia"), "k", asked(5));
    assert_eq!(done(first.clone()), Done::Refunded);
    assert_eq!(trial.ask_with_key(2, Some("bia"), "k", asked(5)), first);
    assert_eq!(refusal(trial.ask_with_key(2, Some("bia"), "k", asked(6))), Refusal::KeyReused);
    assert_eq!(trial.balance(1, 202), 10_995);
}

/// Pays from Ana's account to Bia's or back, or refunds one of the Pix so far.
#[derive(Clone, Debug)]
enum Step {
    Pay { from: bool, centavos: i64 },
    Refund { which: prop::sample::Index, by: &'static str, centavos: i64 },
}

fn any_step() -> impl Strategy<Value = Step> {
    let pay =
        (any::<bool>(), 1..3_000_i64).prop_map(|(from, centavos)| Step::Pay { from, centavos });
    let by = select(&["ana", "bia", "cia"][..]);
    let refund = (any::<prop::sample::Index>(), by, 1..2_000_i64)
        .prop_map(|(which, by, centavos)| Step::Refund { which, by, centavos });
    prop_oneof![1 => pay, 3 => refund]
}

proptest! {
    #[test]
    fn refunds_never_exceed_their_originals(
        steps in vec((any_step(), 0..BANKS as u16), 1..60),
    ) {
        let mut trial = Trial::with_customers();
        trial.headers = Some(false);
        let mut given_back: BTreeMap<EntryNumber, i64> = BTreeMap::new();
        for (step, bank) in steps {
            let originals: Vec<_> =
                trial.past.iter().filter(|past| is_original(past)).cloned().collect();
            match step {
                Step::Pay { from, centavos } => {
                    let (by, place) = if from { ("ana", (0, 101)) } else { ("bia", (1, 202)) };
                    let to = if from { "1:bia" } else { "0:ana" };
                    let paid = package(vec![noted(place, centavos, to)]);
                    let request = trial.request(Some(by), None, paid);
                    trial.apply(bank, &request);
                }
                Step::Refund { .. } if originals.is_empty() => {}
                Step::Refund { which, by, centavos } => {
                    let past = which.get(&originals);
                    let (place, holder) =
                        if past.account == 0 { ((0, 101), "ana") } else { ((1, 202), "bia") };
                    let sum = given_back.entry(past.number).or_default();
                    let fits = *sum + centavos <= i64::try_from(past.entry.value.get()).unwrap();
                    let there = trial.balance(place.0, place.1) >= centavos.into();
                    let refund = Refund {
                        bank: BankId(place.0),
                        account: number(place.1),
                        value: amount(centavos),
                        message: None,
                        original: original(past).unwrap(),
                    };
                    let request = trial.request(Some(by), None, Action::Refund(refund));
                    let executed = trial.apply(bank, &request);
                    prop_assert_eq!(executed.outcome.code(), fits && there && by == holder);
                    *sum += if executed.outcome.code() { centavos } else { 0 };
                    let known = trial.book.refunded(past.number).map_or(0, Centavos::get);
                    prop_assert_eq!(known, i128::from(*sum));
                }
            }
        }
    }
}

#[test]
fn a_snapshot_has_what_was_given_back() {
    let (mut trial, original) = paid();
    assert!(!pieces(&trial.book)[0].contains("refunds"), "as before where nothing was");
    done(trial.refund("bia", 1, &original, 999));
    let written = pieces(&trial.book);
    let mut restored = read(&written).unwrap();
    assert_eq!(pieces(&restored), written);
    let of = Circumstances {
        header: Some(Header { at_ms: START_MS, open: false }),
        ..undated(0, BankSet::all(BANKS))
    };
    for centavos in [2, 1] {
        let request = trial.request(Some("bia"), None, refund(0, &original, centavos)).to_raw();
        let executed = restored.apply(&of, &request);
        assert_eq!(executed.outcome.code(), centavos == 1);
        assert_eq!(trial.book.apply(&of, &request), executed);
    }
    assert_eq!(restored.hash(), trial.book.hash());
    for (from, to) in
        [("\"refunded\":999", "\"refunded\":1001"), ("\"refunded\":999", "\"refunded\":0")]
    {
        assert!(read(&[written.concat().replacen(from, to, 1)]).is_err(), "{to}");
    }
}
