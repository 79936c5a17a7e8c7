use super::*;
use crate::ledger::past::{EntryNumber, LateAuditor};
use crate::ledger::statement::EntryKind;

/// Ana has paid Bia R$ 40.00 and got a centavo.
fn trial() -> Trial {
    let mut trial = Trial::with_customers();
    done(trial.operate("ana", vec![transfer(0, 101, 4_000, "1:bia"), deposit(0, 101, 1)]));
    trial
}

/// What the audit says about a book in which something was changed behind the rules' back.
fn audited(change: impl Fn(&mut Book)) -> String {
    let mut trial = trial();
    change(&mut trial.book);
    trial.book.verify().unwrap_err()
}

/// What the audit says about a past in which something was changed, compared with the book.
fn past_audited(change: impl Fn(&mut Vec<PastEntry>)) -> String {
    let mut trial = trial();
    change(&mut trial.past);
    let mut auditor = Auditor::default();
    let taken = trial.past.iter().try_for_each(|past| auditor.take(past));
    taken.and_then(|()| trial.book.agrees_with(&auditor)).unwrap_err()
}

#[test]
fn a_changed_missing_or_repeated_entry_is_found() {
    // The entries are numbered by account: Ana's opening, Bia's, Ana's two, Bia's.
    let changed = past_audited(|past| past[2].entry.value = Centavos::new(-3_000));
    assert_eq!(changed, "entry 3: does not follow from the one before");
    let missing = past_audited(|past| _ = past.remove(2));
    assert_eq!(missing, "entry 4: is not the next one");
    let last = past_audited(|past| _ = past.pop());
    assert!(last.contains("the past has 4 entries of 2 accounts, and the ledger 5 of 2"), "{last}");
    let headless = past_audited(|past| past[1].entry.kind = EntryKind::Deposit);
    assert_eq!(headless, "entry 2: the statement does not begin with a single opening");
    let link = past_audited(|past| past[4].links.before = EntryNumber(1));
    assert_eq!(link, "entry 5: its links are not those of its account");
    let other = past_audited(|past| past[3].account = 1);
    assert_eq!(other, "entry 4: its links are not those of its account");
}

/// The same of the entries after the second one.
fn late_audited(change: impl Fn(&mut Trial)) -> String {
    let mut trial = trial();
    change(&mut trial);
    let mut auditor = LateAuditor::after(EntryNumber(2));
    let taken = trial.past.iter().skip(2).try_for_each(|past| auditor.take(past));
    taken.and_then(|()| trial.book.agrees_after(&auditor)).unwrap_err()
}

#[test]
fn a_changed_missing_or_repeated_entry_is_found_also_where_older_ones_are_not_seen() {
    let changed = late_audited(|trial| trial.past[3].entry.value = Centavos::new(2));
    assert_eq!(changed, "entry 4: does not follow from the one before");
    let missing = late_audited(|trial| _ = trial.past.remove(2));
    assert_eq!(missing, "entry 4: is not the next one");
    let last = late_audited(|trial| _ = trial.past.pop());
    assert_eq!(last, "the past has 4 entries, and the ledger 5");
    let link = late_audited(|trial| trial.past[3].links.before = EntryNumber(1));
    assert_eq!(link, "entry 4: its links are not those of its account");
    let first = late_audited(|trial| trial.past[2].links.before = EntryNumber(3));
    assert_eq!(first, "entry 3: its links are not those of its account");
    let skip = late_audited(|trial| trial.past[2].links.skip = EntryNumber(3));
    assert_eq!(skip, "entry 3: its links are not those of its account");
    let opening = late_audited(|trial| trial.past[4].entry.kind = EntryKind::Opening);
    assert_eq!(opening, "entry 5: the statement does not begin with a single opening");
    let balance = |trial: &mut Trial| {
        trial.book.accounts.get_mut(1).unwrap().balance = Centavos::new(6_000);
    };
    let differs = late_audited(balance);
    assert!(differs.ends_with("at bank 1: differs from its entries"), "{differs}");
}

#[test]
fn a_negative_balance_is_found() {
    let found = past_audited(|past| {
        let entry = &mut past[2].entry;
        (entry.value, entry.balance_after) = (Centavos::new(-10_001), Centavos::new(-1));
    });
    assert_eq!(found, "entry 3: the balance is negative");
    let found = audited(|book| book.accounts.get_mut(0).unwrap().balance = Centavos::new(-1));
    assert_eq!(found, "account 101 at bank 0: its balance is negative");
}

#[test]
fn a_balance_that_does_not_follow_from_its_entries_is_found() {
    let mut trial = trial();
    trial.book.accounts.get_mut(0).unwrap().balance = Centavos::new(6_000);
    let found = trial.book.agrees_with(&trial.auditor).unwrap_err();
    assert_eq!(found, "account 101 at bank 0 differs from its entries");
}

#[test]
fn cash_that_does_not_offset_the_accounts_is_found() {
    let found = audited(|book| book.cash[1] += 1);
    assert_eq!(found, "balances and cash add up to 1 centavos, and not to zero");
    let mut trial = trial();
    (trial.book.cash[0], trial.book.cash[1]) = (trial.book.cash[1], trial.book.cash[0]);
    assert_eq!(trial.book.verify(), Ok(()), "the sum is right");
    assert!(trial.book.agrees_with(&trial.auditor).unwrap_err().starts_with("the cash of a bank"));
}

#[test]
fn a_trail_that_leads_nowhere_is_found() {
    let found = audited(|book| book.entries = EntryNumber(6));
    assert_eq!(found, "the accounts have 5 entries, and not 6");
    let found = audited(|book| book.entries = EntryNumber(2));
    assert_eq!(found, "account 101 at bank 0: the trail of its entries leads nowhere");
    let found = audited(|book| book.accounts.get_mut(1).unwrap().trail = Default::default());
    assert_eq!(found, "account 202 at bank 1: the trail of its entries leads nowhere");
}

#[test]
fn an_account_missing_from_an_index_is_found() {
    let at = |what: &str| format!("account 101 at bank 0: {what}");
    let number = audited(|book| {
        let is_it = |place| place == 0;
        book.by_number.remove(&(BankId(0), number(101)), is_it);
    });
    assert_eq!(number, at("is not found by its number"));
    assert_eq!(
        audited(|book| book.by_key.remove(&"0:ana", |place| place == 0)),
        at("is not found by one of its Pix keys")
    );
    assert_eq!(
        audited(|book| book.by_user_name.remove(&"ana", |place| place == 0)),
        at("is missing with one of its holders")
    );
}
