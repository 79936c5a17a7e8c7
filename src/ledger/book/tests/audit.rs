use super::*;
use crate::ledger::book::change::AccountSlot;

/// What the audit says about a book in which something was changed behind the rules' back.
fn audited(change: impl Fn(&mut Book)) -> String {
    let mut trial = Trial::with_customers();
    done(trial.operate("ana", vec![transfer(0, 101, 4_000, "1:bia"), deposit(0, 101, 1)]));
    change(&mut trial.book);
    trial.book.verify().unwrap_err()
}

#[test]
fn a_balance_that_does_not_follow_from_its_statement_is_found() {
    let found = audited(|book| book.accounts[0].balance = Centavos::new(7));
    assert_eq!(found, "account 101 at bank 0: the balance differs from the sum of the statement");
}

#[test]
fn a_changed_missing_or_repeated_entry_is_found() {
    let changed = audited(|book| book.accounts[0].statement[1].value = Centavos::new(-3_000));
    assert_eq!(changed, "account 101 at bank 0: an entry does not follow from the one before");
    let missing = audited(|book| _ = book.accounts[0].statement.remove(1));
    assert_eq!(missing, "account 101 at bank 0: an entry does not follow from the one before");
    let empty = audited(|book| book.accounts[1].statement.clear());
    assert_eq!(empty, "account 202 at bank 1: the statement is empty");
    let headless = audited(|book| _ = book.accounts[0].statement.remove(0));
    assert_eq!(
        headless,
        "account 101 at bank 0: the statement does not begin with a single opening"
    );
}

#[test]
fn a_negative_balance_is_found() {
    let found = audited(|book| {
        let entry = &mut book.accounts[0].statement[1];
        (entry.value, entry.balance_after) = (Centavos::new(-10_001), Centavos::new(-1));
    });
    assert_eq!(found, "account 101 at bank 0: a balance is negative");
}

#[test]
fn cash_that_does_not_offset_the_accounts_is_found() {
    let found = audited(|book| book.cash[1] += 1);
    assert_eq!(found, "the cash of bank 1 is -9999 centavos, and not -10000");
}

#[test]
fn money_from_nowhere_is_found() {
    let found = audited(|book| {
        let account = &mut book.accounts[1];
        let entry = account.statement.last_mut().unwrap();
        (entry.value, entry.balance_after) = (Centavos::new(4_001), Centavos::new(14_001));
        account.balance = entry.balance_after;
    });
    assert_eq!(found, "the sum of all entries is 1 centavos, and not zero");
}

#[test]
fn an_account_missing_from_an_index_is_found() {
    let at = |what: &str| format!("account 101 at bank 0: {what}");
    let slot = AccountSlot::new(1);
    let number = audited(|book| _ = book.numbers.insert((BankId(0), number(101)), slot));
    assert_eq!(number, at("is not found by its number"));
    assert_eq!(
        audited(|book| _ = book.keys.remove(&pix("0:ana"))),
        at("is not found by its Pix key")
    );
    assert_eq!(
        audited(|book| _ = book.customers.remove(&user("ana"))),
        at("is missing with one of its holders")
    );
}
