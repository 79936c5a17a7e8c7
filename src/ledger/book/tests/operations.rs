use super::*;
use crate::ledger::statement::EntryKind;

/// The newest entry of an account.
fn newest(trial: &Trial, bank: u16, account: u64) -> Entry {
    trial.statement(bank, account).pop().unwrap()
}

/// Asserts that a package is refused with this text and leaves no trace.
fn assert_refused(trial: &mut Trial, operations: Vec<Operation>, text: &str) {
    let before = trial.book.accounts().cloned().collect::<Vec<_>>();
    assert_eq!(refusal(trial.operate("ana", operations)).to_string(), text);
    assert!(trial.book.accounts().eq(&before));
}

#[test]
fn deposits_and_withdrawals_change_balance_and_cash() {
    let mut trial = Trial::with_customers();
    let executed = trial.operate("ana", vec![deposit(0, 101, 5_000), withdraw(0, 101, 2_000)]);
    assert_eq!(done(executed), Done::PackageExecuted);
    assert_eq!((trial.balance(0, 101), trial.book.cash[0]), (13_000, -13_000));
    let statement = trial.statement(0, 101);
    let values = statement.iter().map(|entry| (entry.kind, entry.value.get()));
    let expected =
        [(EntryKind::Opening, 10_000), (EntryKind::Deposit, 5_000), (EntryKind::Withdraw, -2_000)];
    assert_eq!(values.collect::<Vec<_>>(), expected);
}

#[test]
fn a_transfer_moves_money_between_banks_and_no_cash() {
    let mut trial = Trial::with_customers();
    done(trial.operate("ana", vec![transfer(0, 101, 4_000, "1:bia")]));
    assert_eq!((trial.balance(0, 101), trial.balance(1, 202)), (6_000, 14_000));
    assert_eq!(trial.book.cash, [-10_000, -10_000, 0]);
}

#[test]
fn both_sides_of_a_transfer_say_who_sent_what_to_which_key() {
    let mut trial = Trial::with_customers();
    let executed = trial.operate("ana", vec![transfer(0, 101, 4_000, "1:bia")]);
    let sides = [
        (newest(&trial, 0, 101), EntryKind::Transfer, -4_000),
        (newest(&trial, 1, 202), EntryKind::Receive, 4_000),
    ];
    for (entry, kind, value) in sides {
        assert_eq!((entry.kind, entry.value.get()), (kind, value));
        assert_eq!((&entry.made_by, entry.pix.as_ref()), (&user("ana"), Some(&pix("1:bia"))));
        assert_eq!(
            (&entry.id, entry.position, entry.bank_sender),
            (&executed.id, executed.position, BankId(2))
        );
        assert_eq!(entry.previous_balance(), Centavos::new(10_000));
    }
}

#[test]
fn both_sides_of_a_transfer_have_what_the_payer_said_and_name_each_other() {
    let mut trial = Trial::with_customers();
    let mut pays = transfer(0, 101, 4_000, "1:bia");
    let message = Some(Message::parse("almoço").unwrap());
    let said = Note { message: message.clone(), txid: Some(Txid::parse("PEDIDO7").unwrap()) };
    let OperationKind::Transfer { note, .. } = &mut pays.kind else { unreachable!() };
    *note = Some(said);
    done(trial.operate("ana", vec![pays]));
    for (bank, account, other) in [(0, 101, (BankId(1), 202)), (1, 202, (BankId(0), 101))] {
        let entry = newest(&trial, bank, account);
        assert_eq!(entry.details.message, message);
        assert_eq!(entry.details.txid.as_ref().map(Txid::as_str), Some("PEDIDO7"));
        let named = trial.book.counterparty(&entry).unwrap();
        assert_eq!(named.account.map(|(bank, number)| (bank, number.get())), Some(other));
        assert_eq!((named.name.as_str(), named.document.len()), ("Pedro Silva", 14));
    }
}

/// What older releases wrote must come to the same entries, or the pasts of banks would differ.
#[test]
fn a_transfer_of_an_older_release_comes_to_the_entries_that_it_came_to_then() {
    let mut trial = Trial::with_customers();
    let old = transfer(0, 101, 4_000, "1:bia");
    let text = r#"{"bank":0,"account":101,"kind":{"TRANSFER":{"value":4000,"pix":"1:bia"}}}"#;
    assert_eq!(serde_json::to_string(&old).unwrap(), text);
    done(trial.operate("ana", vec![old]));
    let (sent, received) = (newest(&trial, 0, 101), newest(&trial, 1, 202));
    assert_eq!([&sent.details, &received.details], [&Details::default(); 2]);
    let document = |entry| trial.book.counterparty(entry).map(|other| other.document);
    assert_eq!(document(&sent).as_deref(), Some("***.000.000-**"), "by the key");
    let from = trial.book.counterparty(&received).unwrap();
    assert_eq!((from.account, from.name.as_str()), (None, "Pedro Silva"), "by the user name");
}

#[test]
fn a_deposit_keeps_the_sender_that_it_names() {
    let mut trial = Trial::with_customers();
    let mut pays_in = deposit(0, 101, 1);
    let OperationKind::Deposit { sender, .. } = &mut pays_in.kind else { unreachable!() };
    *sender = Some(number(202));
    done(trial.operate("ana", vec![pays_in]));
    let entry = newest(&trial, 0, 101);
    assert_eq!((entry.details.sender, trial.book.counterparty(&entry)), (Some(number(202)), None));
}

#[test]
fn only_transfers_name_a_key() {
    let mut trial = Trial::with_customers();
    done(trial.operate("ana", vec![deposit(0, 101, 1), withdraw(0, 101, 1)]));
    assert!(trial.statement(0, 101).iter().all(|entry| entry.pix.is_none()));
}

#[test]
fn operations_run_in_document_order_on_each_others_balances() {
    let mut trial = Trial::with_customers();
    let there_and_on =
        vec![transfer(0, 101, 10_000, "1:bia"), deposit(0, 101, 1), withdraw(0, 101, 1)];
    done(trial.operate("ana", there_and_on));
    assert_eq!((trial.balance(0, 101), trial.balance(1, 202)), (0, 20_000));
    let too_early = vec![withdraw(0, 101, 1), deposit(0, 101, 1)];
    assert_refused(
        &mut trial,
        too_early,
        "Falha na operação: Saldo da conta 101 insuficiente (0.00) no banco 0",
    );
}

#[test]
fn one_failure_cancels_the_whole_package_and_names_the_first_reason() {
    let mut trial = Trial::with_customers();
    let operations = vec![
        deposit(1, 202, 700),
        withdraw(0, 101, 2_000),
        transfer(0, 101, 8_001, "1:bia"),
        transfer(0, 101, 1, "1:nobody"),
    ];
    assert_refused(
        &mut trial,
        operations,
        "Falha na operação: Saldo da conta 101 insuficiente (80.00) no banco 0",
    );
}

#[test]
fn the_whole_balance_may_leave_but_not_a_centavo_more() {
    let mut trial = Trial::with_customers();
    let text = "Falha na operação: Saldo da conta 101 insuficiente (100.00) no banco 0";
    assert_refused(&mut trial, vec![withdraw(0, 101, 10_001)], text);
    assert_refused(&mut trial, vec![withdraw(0, 101, i64::MAX)], text);
    done(trial.operate("ana", vec![withdraw(0, 101, 10_000)]));
    assert_eq!(trial.balance(0, 101), 0);
}

#[test]
fn banks_that_do_not_exist_are_refused() {
    let mut trial = Trial::with_customers();
    assert_refused(
        &mut trial,
        vec![deposit(3, 101, 1)],
        "Falha na operação: Banco 3 não está online",
    );
    assert_refused(
        &mut trial,
        vec![transfer(0, 101, 1, "3:bia")],
        "Falha na operação: Banco 3 não está online",
    );
    assert_refused(
        &mut trial,
        vec![deposit(u16::MAX, 101, 1)],
        "Falha na operação: Banco 65535 não está online",
    );
}

#[test]
fn a_bank_that_is_out_can_neither_be_debited_nor_paid() {
    let mut trial = Trial::with_customers();
    trial.members.remove(BankId(1));
    let text = "Falha na operação: Banco 1 não está online";
    assert_refused(&mut trial, vec![deposit(1, 202, 1)], text);
    assert_refused(&mut trial, vec![withdraw(1, 202, 1)], text);
    assert_refused(&mut trial, vec![transfer(0, 101, 1, "1:bia")], text);
    done(trial.operate("ana", vec![deposit(0, 101, 1)]));
}

#[test]
fn accounts_and_keys_that_do_not_exist_are_refused() {
    let mut trial = Trial::with_customers();
    // Account 202 is at bank 1.
    assert_refused(
        &mut trial,
        vec![deposit(0, 202, 1)],
        "Falha na operação: Conta 202 não encontrada no banco 0",
    );
    let text = "Falha na operação: Chave Pix 0:bia não encontrada";
    assert_refused(&mut trial, vec![transfer(0, 101, 1, "0:bia")], text);
}

#[test]
fn a_transfer_to_the_same_account_is_refused() {
    let mut trial = Trial::with_customers();
    let text = "Falha na operação: Transferência da conta 101 no banco 0 para ela mesma";
    assert_refused(&mut trial, vec![transfer(0, 101, 1, "0:ana")], text);
}

#[test]
fn an_account_is_never_full() {
    let mut trial = Trial::with_customers();
    let most = || deposit(0, 101, i64::MAX);
    for _ in 0..3 {
        done(trial.operate("bia", vec![most(), most()]));
    }
    done(trial.operate("bia", vec![transfer(1, 202, 1, "0:ana")]));
    let held = 6 * i128::from(i64::MAX) + 10_001;
    assert_eq!((trial.balance(0, 101), trial.balance(1, 202)), (held, 9_999));
    done(trial.operate("ana", vec![transfer(0, 101, i64::MAX, "1:bia")]));
    assert_eq!(trial.balance(0, 101), held - i128::from(i64::MAX));
}

#[test]
fn a_customer_debits_only_accounts_they_hold() {
    let mut trial = Trial::with_customers();
    for operation in [withdraw(1, 202, 1), transfer(1, 202, 1, "0:ana")] {
        let refusal = refusal(trial.operate("ana", vec![operation]));
        assert_eq!(
            refusal,
            Refusal::NotHolder { bank: BankId(1), account: number(202), user_name: user("ana") }
        );
        assert!(refusal.is_forbidden());
    }
    assert_eq!(trial.balance(1, 202), 10_000);
}

#[test]
fn where_customers_touch_only_their_own_accounts_nothing_tells_whether_there_are_others() {
    let mut trial = Trial::with_customers();
    for account in [202, 999] {
        for operation in [deposit(1, account, 1), withdraw(1, account, 1)] {
            let mut request = trial.request(Some("ana"), None, package(vec![operation.clone()]));
            request.own = true;
            let expected = Refusal::NotHolder {
                bank: BankId(1),
                account: number(account),
                user_name: user("ana"),
            };
            assert_eq!(refusal(trial.apply(2, &request)), expected);
            let tried =
                trial.book.try_out(&user("ana"), &[operation], BankSet::all(BANKS), true, None);
            assert_eq!(tried.failed, Some(expected));
        }
    }
    let own = vec![deposit(0, 101, 1), transfer(0, 101, 2, "1:bia")];
    let mut request = trial.request(Some("ana"), None, package(own));
    request.own = true;
    done(trial.apply(2, &request));
}

#[test]
fn in_laboratories_anybody_may_deposit_into_any_account() {
    let mut trial = Trial::with_customers();
    done(trial.operate("ana", vec![deposit(1, 202, 1)]));
    assert_eq!(newest(&trial, 1, 202).made_by, user("ana"));
}

#[test]
fn every_holder_of_a_joint_account_debits_it_in_their_own_name() {
    let mut trial = Trial::with_customers();
    let joint = Opening {
        type_account: TypeAccount::Conjunta,
        users: vec![user("bia")],
        ..opening("ana", 700)
    };
    done(trial.ask(2, Action::CreateAccount(joint)));
    done(trial.operate("bia", vec![withdraw(2, 700, 1)]));
    assert_eq!(newest(&trial, 2, 700).made_by, user("bia"));
}

#[test]
fn somebody_who_is_not_a_customer_can_do_nothing() {
    let mut trial = Trial::with_customers();
    let executed = trial.operate("nobody", vec![deposit(0, 101, 1)]);
    assert_eq!(refusal(executed), Refusal::UnknownCustomer(user("nobody")));
}

#[test]
fn in_a_laboratory_without_sessions_the_account_itself_acts() {
    let mut trial = Trial::with_customers();
    let joint = Opening {
        type_account: TypeAccount::Conjunta,
        users: vec![user("bia")],
        ..opening("ana", 700)
    };
    done(trial.ask(2, Action::CreateAccount(joint)));
    done(trial.ask(0, package(vec![withdraw(1, 202, 1), transfer(2, 700, 1, "1:bia")])));
    let statement = trial.statement(1, 202);
    let names = statement.iter().map(|entry| entry.made_by.as_str());
    assert_eq!(names.collect::<Vec<_>>(), ["bia", "bia", "ana"]);
}

#[test]
fn ledger_time_never_goes_back() {
    let mut trial = Trial::with_customers();
    for (at_ms, expected) in
        [(START_MS + 5, START_MS + 5), (START_MS, START_MS + 5), (i64::MIN, START_MS + 5)]
    {
        trial.at_ms = at_ms;
        done(trial.operate("ana", vec![deposit(0, 101, 1)]));
        assert_eq!((newest(&trial, 0, 101).at_ms, trial.book.time_ms()), (expected, expected));
    }
}

#[test]
fn entries_share_names_ids_and_keys_instead_of_owning_them() {
    let mut trial = Trial::with_customers();
    done(trial.operate("ana", vec![transfer(0, 101, 1, "1:bia")]));
    let (sent, received) = (newest(&trial, 0, 101), newest(&trial, 1, 202));
    let customer = trial.book.customer(&user("ana")).unwrap();
    for entry in [&sent, &received] {
        assert!(std::ptr::eq(entry.made_by.as_str(), customer.user_name.as_str()));
        assert!(std::ptr::eq(
            entry.pix.as_ref().unwrap().as_str(),
            trial.account(1, 202).key.as_str()
        ));
        assert!(std::ptr::eq(entry.id.as_str(), sent.id.as_str()));
    }
}
