//! Answers as a person reads them; shared with the menu.

use super::super::answers::{
    Arrived, Counterparty, Entry, JointLine, Opened, Recipient, Statement, Status, StatusBank,
};
use super::super::api::OwnAccount;
use super::super::banks::Banks;
use super::super::money::Brl;
use super::super::screen::{Screen, Tone, plain};
use super::super::table::{Field, table, table_if_it_fits};
use super::super::texts;
use super::total;
use crate::ids::BankId;
use crate::ledger::{Centavos, PixKey};

/// The accounts at all banks with their total.
pub(in super::super) fn accounts_table(
    screen: Screen,
    accounts: &[OwnAccount],
    name: impl Fn(BankId) -> String,
) -> String {
    let row = |own: &OwnAccount| {
        vec![
            Field::text(name(own.bank)),
            Field::number(own.number.get()),
            Field::text(&own.key),
            Field::money(own.balance),
        ]
    };
    let mut rows: Vec<_> = accounts.iter().map(row).collect();
    let sum = Field::number(total(accounts)).toned(Tone::Title);
    rows.push(vec![
        Field::text(texts::TOTAL).toned(Tone::Title),
        Field::text(""),
        Field::text(""),
        sum,
    ]);
    table(screen, &texts::ACCOUNTS_HEADER, rows)
}

/// An account that was opened, or waits for its holders.
pub(in super::super) fn opened_text(opened: &Opened) -> String {
    let number = opened.num_account.get();
    if opened.waiting_for.is_empty() {
        texts::opened(number, opened.kay_pix.as_str())
    } else {
        plain(&texts::waits_for(number, &opened.waiting_for))
    }
}

/// The joint accounts that wait for their holders.
pub(in super::super) fn joint_table(
    screen: Screen,
    requests: &[JointLine],
    name: impl Fn(BankId) -> String,
) -> String {
    if requests.is_empty() {
        return texts::NO_JOINT.to_owned();
    }
    let row = |joint: &JointLine| {
        let opener = &joint.opener;
        vec![
            Field::text(name(joint.bank)),
            Field::number(joint.num_account.get()),
            Field::text(&joint.kay_pix),
            Field::text(format!("{} ({}, {})", opener.name, opener.user_name, opener.num_cadastro)),
            Field::text(joint.user_names.join(", ")),
            Field::text(joint.waiting_for.join(", ")),
            Field::money(joint.value_init.0),
        ]
    };
    table(screen, &texts::JOINT_HEADER, requests.iter().map(row).collect())
}

/// The banks that the person named, and those that only the other banks know of.
pub(in super::super) fn banks_table(
    screen: Screen,
    banks: &Banks,
    statuses: &[Option<Status>],
    consortium: &[StatusBank],
) -> String {
    let asked = banks.list.iter().zip(statuses).map(|(bank, status)| {
        let state = match status {
            Some(status) if status.ready => Field::text(texts::READY).toned(Tone::Good),
            Some(_) => Field::text(texts::CUT_OFF).toned(Tone::Remark),
            None => Field::text(texts::SILENT).toned(Tone::Bad),
        };
        let (number, name) = match &bank.known {
            Some((number, name)) => (number.to_string(), name.as_str()),
            None => (texts::UNKNOWN.to_owned(), texts::UNKNOWN),
        };
        vec![Field::number(number), Field::text(name), Field::text(&bank.url), state]
    });
    let named = |other: &&StatusBank| {
        banks
            .list
            .iter()
            .all(|bank| bank.known.as_ref().is_none_or(|(number, _)| *number != other.bank))
    };
    // A named bank that does not answer may be one of these.
    let all_known = statuses.iter().all(Option::is_some);
    let others = consortium.iter().filter(|_| all_known).filter(named).map(|other| {
        let state = if other.member {
            Field::text(texts::NOTHING)
        } else {
            Field::text(texts::OUTSIDE).toned(Tone::Bad)
        };
        vec![
            Field::number(other.bank),
            Field::text(&other.name),
            Field::text(texts::NO_ADDRESS),
            state,
        ]
    });
    table(screen, &texts::BANKS_HEADER, asked.chain(others).collect())
}

/// The person whom a payer would pay.
pub(in super::super) fn recipient_line(recipient: &Recipient, key: &PixKey) -> String {
    let Recipient { name, num_cadastro, bank_name, type_person } = recipient;
    let (name, document, bank) = (plain(name), plain(num_cadastro), plain(bank_name));
    texts::recipient(&name, *type_person, &document, &bank, key.as_str())
}

/// The account's head and its entries, newest last.
pub(in super::super) fn statement_tables(screen: Screen, statement: &Statement) -> String {
    let Statement { num_account, balance, name, kay_pix, type_account, user_names, transactions } =
        statement;
    let head = texts::statement_head(
        num_account.get(),
        &plain(name),
        &plain(&user_names.join(", ")),
        texts::type_account(*type_account),
        kay_pix.as_str(),
        &Brl(balance.0).to_string(),
    );
    let wide = transactions.iter().map(wide_row).collect();
    let narrow = || {
        let rows = transactions.iter().map(narrow_row).collect();
        table(screen, &texts::NARROW_STATEMENT_HEADER, rows)
    };
    let entries = table_if_it_fits(screen, &texts::STATEMENT_HEADER, wide).unwrap_or_else(narrow);
    format!("{head}\n{entries}")
}

fn wide_row(entry: &Entry) -> Vec<Field> {
    let (date, time) = texts::date_and_time(&entry.at);
    vec![
        Field::text(date),
        Field::text(time),
        Field::text(texts::entry_title(entry.kind, entry.refund_of.is_some())),
        Field::text(who(entry)),
        value(entry),
        Field::money(entry.app_balance.0),
        Field::text(said(entry).unwrap_or_else(|| texts::NOTHING.to_owned())),
    ]
}

/// The same in fewer columns with several lines each.
fn narrow_row(entry: &Entry) -> Vec<Field> {
    let (date, time) = texts::date_and_time(&entry.at);
    let mut about = vec![texts::entry_title(entry.kind, entry.refund_of.is_some()).to_owned()];
    about.push(who(entry));
    about.extend(said(entry));
    vec![
        Field::lines([date, time]).solid(),
        Field::lines(about),
        value(entry),
        Field::money(entry.app_balance.0),
    ]
}

/// Who is on the other side; where that is cash, who did it.
fn who(entry: &Entry) -> String {
    match &entry.counterparty {
        Some(Counterparty { name, bank_name: Some(bank) }) => format!("{name} · {bank}"),
        Some(Counterparty { name, bank_name: None }) => name.clone(),
        None => texts::by(&entry.made_by),
    }
}

/// What the payer said, and the charge that was paid.
fn said(entry: &Entry) -> Option<String> {
    let txid = entry.txid.as_deref().map(texts::charge);
    let said: Vec<_> = entry.message.clone().into_iter().chain(txid).collect();
    (!said.is_empty()).then(|| said.join(" · "))
}

fn value(entry: &Entry) -> Field {
    let value = entry.value.0;
    let tone = if value < Centavos::ZERO { Tone::Bad } else { Tone::Good };
    Field::money(value).toned(tone)
}

/// A Pix that has just arrived in an account of the bank that is called so.
pub(in super::super) fn arrived_line(arrived: &Arrived, bank: &str) -> String {
    let Arrived { num_account, balance, transaction, .. } = arrived;
    let account = texts::account(bank, num_account.get());
    let (who, said) = (plain(&who(transaction)), said(transaction).map(|said| plain(&said)));
    let (value, balance) = (Brl(transaction.value.0), Brl(balance.0));
    texts::arrived(&transaction.at, &value.to_string(), &who, said.as_deref())
        + &texts::arrived_in(&account, &balance.to_string())
}

/// How an account is shown where one of several is to be chosen.
pub(in super::super) fn account_label(own: &OwnAccount, bank: &str) -> String {
    format!("{} · {}", texts::account(bank, own.number.get()), Brl(own.balance))
}
