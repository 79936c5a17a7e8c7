use super::*;
use crate::ledger::customer::TypePerson;
use crate::ledger::request::{JOINT_OTHERS_MAX, OPENING_MIN};
use crate::ledger::statement::EntryKind;

fn open(trial: &mut Trial, bank: u16, opening: Opening) -> Executed {
    trial.ask(bank, Action::CreateAccount(opening))
}

fn joint(users: &[&str]) -> Opening {
    let users = users.iter().map(|name| user(name)).collect();
    Opening { type_account: TypeAccount::Conjunta, users, ..opening("ana", 700) }
}

fn company(account: u64) -> Opening {
    Opening { type_account: TypeAccount::Pj, ..opening("cia", account) }
}

#[test]
fn an_account_is_opened_at_the_bank_that_is_asked() {
    let mut trial = Trial::with_customers();
    let executed = open(&mut trial, 2, opening("ana", 740_358));
    let position = executed.position;
    assert_eq!(done(executed), Done::AccountCreated { number: number(740_358), key: pix("2:ana") });
    let account = trial.account(2, 740_358);
    assert_eq!((account.opener(), account.type_account), (&user("ana"), TypeAccount::Pf));
    let entry = &trial.statement(2, 740_358)[0];
    assert_eq!(
        (entry.kind, entry.value, entry.balance_after),
        (EntryKind::Opening, account.balance, account.balance)
    );
    assert_eq!((entry.position, entry.bank_sender, entry.at_ms), (position, BankId(2), START_MS));
    assert_eq!((&entry.made_by, entry.pix.as_ref()), (&user("ana"), None));
}

#[test]
fn opening_money_is_cash_of_the_bank() {
    let trial = Trial::with_customers();
    assert_eq!(trial.book.total(), 20_000);
    assert_eq!(trial.book.cash, [-10_000, -10_000, 0]);
}

#[test]
fn only_customers_open_accounts() {
    let mut trial = Trial::with_customers();
    let executed = open(&mut trial, 0, opening("nobody", 700));
    assert_eq!(refusal(executed), Refusal::UnknownCustomer(user("nobody")));
}

#[test]
fn a_bank_that_does_not_take_part_opens_no_account() {
    let mut trial = Trial::with_customers();
    trial.members.remove(BankId(2));
    assert_eq!(refusal(open(&mut trial, 2, opening("ana", 700))), Refusal::BankOffline(BankId(2)));
    assert_eq!(refusal(open(&mut trial, 7, opening("ana", 700))), Refusal::BankOffline(BankId(7)));
}

#[test]
fn people_and_companies_open_accounts_of_their_own_kind() {
    let mut trial = Trial::with_customers();
    let person = Opening { type_account: TypeAccount::Pj, ..opening("ana", 700) };
    let (type_account, type_person) = (TypeAccount::Pj, TypePerson::Pf);
    assert_eq!(
        refusal(open(&mut trial, 2, person)),
        Refusal::WrongTypeAccount { type_account, type_person }
    );
    let (type_account, type_person) = (TypeAccount::Pf, TypePerson::Pj);
    let executed = open(&mut trial, 2, opening("cia", 700));
    assert_eq!(refusal(executed), Refusal::WrongTypeAccount { type_account, type_person });
    done(open(&mut trial, 2, company(700)));
}

#[test]
fn a_joint_account_belongs_to_all_its_holders_at_every_bank() {
    let mut trial = Trial::with_customers();
    done(open(&mut trial, 2, joint(&["bia", "cia"])));
    assert_eq!(*trial.account(2, 700).holders, [user("ana"), user("bia"), user("cia")]);
    for name in ["ana", "bia", "cia"] {
        let last = trial.book.accounts_of(&user(name)).last().unwrap();
        assert_eq!((last.bank, last.number), (BankId(2), number(700)), "{name}");
    }
}

#[test]
fn a_joint_account_has_one_to_nine_other_holders() {
    let mut trial = Trial::with_customers();
    assert_eq!(refusal(open(&mut trial, 2, joint(&[]))), Refusal::JointHolders);
    let names: Vec<_> = (0..=JOINT_OTHERS_MAX).map(|index| format!("user{index}")).collect();
    for (index, name) in names.iter().enumerate() {
        done(
            trial.ask(0, Action::Register(registration(name, &format!("111.000.000-{index:02}")))),
        );
    }
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    assert_eq!(refusal(open(&mut trial, 2, joint(&names))), Refusal::JointHolders);
    done(open(&mut trial, 2, joint(&names[1..])));
}

#[test]
fn joint_holders_exist_and_are_different_people() {
    let mut trial = Trial::with_customers();
    assert_eq!(
        refusal(open(&mut trial, 2, joint(&["nobody"]))),
        Refusal::UnknownCustomer(user("nobody"))
    );
    assert_eq!(refusal(open(&mut trial, 2, joint(&["ana"]))), Refusal::RepeatedHolder(user("ana")));
    assert_eq!(
        refusal(open(&mut trial, 2, joint(&["bia", "bia"]))),
        Refusal::RepeatedHolder(user("bia"))
    );
}

#[test]
fn an_account_that_is_not_joint_has_no_other_holders() {
    let mut trial = Trial::with_customers();
    let with_other = |opening| Opening { users: vec![user("bia")], ..opening };
    let executed = open(&mut trial, 2, with_other(opening("ana", 700)));
    assert_eq!(refusal(executed), Refusal::NotJoint(TypeAccount::Pf));
    assert_eq!(
        refusal(open(&mut trial, 2, with_other(company(700)))),
        Refusal::NotJoint(TypeAccount::Pj)
    );
}

#[test]
fn every_type_of_key_is_made_of_what_it_says() {
    let keys = [
        (PixType::Cpf, opening("ana", 700), "2:000.000.000-01"),
        (PixType::UserName, opening("ana", 700), "2:ana"),
        (PixType::NumConta, opening("ana", 700), "2:700"),
        (PixType::Random, opening("ana", 700), "2:8d0f-4c"),
        (PixType::Cnpj, company(700), "2:00.000.000/0000-03"),
    ];
    for (pix_type, opening, key) in keys {
        let mut trial = Trial::with_customers();
        done(open(&mut trial, 2, Opening { pix_type, ..opening }));
        let (account, customer) = trial.book.pix(&pix(key)).unwrap();
        assert_eq!((account.number, &customer.user_name), (number(700), account.opener()), "{key}");
    }
}

#[test]
fn a_person_has_no_cnpj_key_and_a_company_no_cpf_key() {
    let mut trial = Trial::with_customers();
    let (pix_type, type_person) = (PixType::Cnpj, TypePerson::Pf);
    let executed = open(&mut trial, 2, Opening { pix_type, ..opening("ana", 700) });
    assert_eq!(refusal(executed), Refusal::WrongPixType { pix_type, type_person });
    let (pix_type, type_person) = (PixType::Cpf, TypePerson::Pj);
    let executed = open(&mut trial, 2, Opening { pix_type, ..company(700) });
    assert_eq!(refusal(executed), Refusal::WrongPixType { pix_type, type_person });
}

#[test]
fn a_key_is_given_once_at_a_bank_and_again_at_another() {
    let mut trial = Trial::with_customers();
    assert_eq!(
        refusal(open(&mut trial, 0, opening("ana", 700))),
        Refusal::PixKeyTaken(pix("0:ana"))
    );
    done(open(&mut trial, 1, opening("ana", 700)));
    assert_eq!(trial.book.pix(&pix("2:ana")), None);
}

#[test]
fn an_account_is_opened_with_at_least_fifty_reais() {
    let mut trial = Trial::with_customers();
    let with = |centavos| Opening { value_init: amount(centavos), ..opening("ana", 700) };
    assert_eq!(OPENING_MIN, Centavos::new(5_000));
    assert_eq!(refusal(open(&mut trial, 2, with(4_999))), Refusal::OpeningTooSmall);
    done(open(&mut trial, 2, with(5_000)));
}

#[test]
fn the_first_free_number_of_those_drawn_is_taken() {
    let mut trial = Trial::with_customers();
    let pix_type = PixType::NumConta;
    let drawn = |numbers: [u64; 3]| Opening {
        numbers: numbers.map(number).into(),
        pix_type,
        ..opening("ana", 1)
    };
    done(open(&mut trial, 0, drawn([101, 500, 600])));
    assert_eq!(trial.account(0, 500).key, pix("0:500"));
    // 101 is taken at bank 0 only.
    done(open(&mut trial, 2, drawn([101, 500, 600])));
    assert_eq!(trial.account(2, 101).key, pix("2:101"));
}

#[test]
fn where_no_number_is_free_the_customer_may_try_again() {
    let mut trial = Trial::with_customers();
    assert_eq!(refusal(open(&mut trial, 1, opening("ana", 202))), Refusal::NoFreeNumber);
    let none_drawn = Opening { numbers: Vec::new(), ..opening("ana", 202) };
    assert_eq!(refusal(open(&mut trial, 1, none_drawn)), Refusal::NoFreeNumber);
}

#[test]
fn accounts_are_listed_by_bank_and_then_as_they_were_opened() {
    let mut trial = Trial::with_customers();
    for (bank, account) in [(2, 900), (0, 800), (1, 700), (0, 300), (2, 100)] {
        let opening = Opening { pix_type: PixType::NumConta, ..opening("ana", account) };
        done(open(&mut trial, bank, opening));
    }
    let listed =
        trial.book.accounts_of(&user("ana")).map(|account| (account.bank.0, account.number.get()));
    assert_eq!(
        listed.collect::<Vec<_>>(),
        [(0, 101), (0, 800), (0, 300), (1, 700), (2, 900), (2, 100)]
    );
}
