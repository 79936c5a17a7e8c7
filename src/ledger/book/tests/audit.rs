use super::*;
use crate::ledger::book::change::AccountSlot;

/// What the audit says of a book in which something was changed past the rules.
fn audited(change: impl Fn(&mut Book)) -> String {
    let mut trial = Trial::with_customers();
    done(trial.operate("ana", vec![transfer(0, 101, 4_000, "1:bia"), deposit(0, 101, 1)]));
    change(&mut trial.book);
    trial.book.verify().unwrap_err()
}

#[test]
fn a_balance_that_does_not_follow_from_its_statement_is_found() {
    let found = audited(|book| book.accounts[0].balance = Centavos::new(7));
    assert_eq!(found, "conta 101 no banco 0: o saldo difere da soma do extrato");
}

#[test]
fn a_changed_missing_or_repeated_entry_is_found() {
    let changed = audited(|book| book.accounts[0].statement[1].value = Centavos::new(-3_000));
    assert_eq!(changed, "conta 101 no banco 0: um lançamento não segue do anterior");
    let missing = audited(|book| _ = book.accounts[0].statement.remove(1));
    assert_eq!(missing, "conta 101 no banco 0: um lançamento não segue do anterior");
    let empty = audited(|book| book.accounts[1].statement.clear());
    assert_eq!(empty, "conta 202 no banco 1: o extrato está vazio");
    let headless = audited(|book| _ = book.accounts[0].statement.remove(0));
    assert_eq!(headless, "conta 101 no banco 0: o extrato não começa com uma única abertura");
}

#[test]
fn a_negative_balance_is_found() {
    let found = audited(|book| {
        let entry = &mut book.accounts[0].statement[1];
        (entry.value, entry.balance_after) = (Centavos::new(-10_001), Centavos::new(-1));
    });
    assert_eq!(found, "conta 101 no banco 0: um saldo é negativo");
}

#[test]
fn cash_that_is_not_the_other_side_is_found() {
    let found = audited(|book| book.cash[1] += 1);
    assert_eq!(found, "o caixa do banco 1 tem -9999 centavos, e não -10000");
}

#[test]
fn money_from_nowhere_is_found() {
    let found = audited(|book| {
        let account = &mut book.accounts[1];
        let entry = account.statement.last_mut().unwrap();
        (entry.value, entry.balance_after) = (Centavos::new(4_001), Centavos::new(14_001));
        account.balance = entry.balance_after;
    });
    assert_eq!(found, "a soma de todos os lançamentos é 1 centavos, e não zero");
}

#[test]
fn an_account_that_cannot_be_found_is_found() {
    let at = |what: &str| format!("conta 101 no banco 0: {what}");
    let slot = AccountSlot::new(1);
    let number = audited(|book| _ = book.numbers.insert((BankId(0), number(101)), slot));
    assert_eq!(number, at("não é encontrada pelo número"));
    assert_eq!(
        audited(|book| _ = book.keys.remove(&pix("0:ana"))),
        at("não é encontrada pela chave Pix")
    );
    assert_eq!(
        audited(|book| _ = book.customers.remove(&user("ana"))),
        at("não consta de um de seus titulares")
    );
}
