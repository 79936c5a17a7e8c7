//! What must hold after any sequence of requests, sensible or not.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::snapshot::{pieces, read};
use super::*;
use crate::ids::request::raw;
use crate::ids::{ChainHash, Position};
use crate::ledger::book::remembered::IDEMPOTENCY_WINDOW_MS;
use crate::ledger::keys::{Email, KeyChange, NewKey};
use crate::ledger::limits::{Limit, LimitsChange, Wish};
use crate::ledger::past::{EntryNumber, LateAuditor};
use crate::ledger::refund::{Original, Refund};
use crate::ledger::statement::RefundOf;

const NAMES: [&str; 5] = ["ana", "bia", "cia", "davi", "nobody"];
const NUMBERS: [u64; 4] = [101, 202, 303, 404];
const KEYS: [&str; 9] =
    ["0:ana", "1:bia", "2:cia", "0:303", "1:000.000.000-02", "2:davi", "9:ana", "0:@101", "1:@999"];
const DOCUMENTS: [&str; 4] =
    ["000.000.000-01", "000.000.000-04", "000.000.000-05", "00.000.000/0000-06"];

/// One request on its way to the book.
#[derive(Clone, Debug)]
struct Step {
    of: Circumstances,
    raw: RawRequest,
}

fn any_amount() -> impl Strategy<Value = Amount> {
    prop_oneof![12 => 1..5_000_i64, 1 => Just(i64::MAX), 1 => Just(i64::MAX - 20_000)]
        .prop_map(amount)
}

fn any_note() -> impl Strategy<Value = Option<Note>> {
    let message = select(&[None, Some("almoço"), Some("aluguel")][..]);
    let txid = select(&[None, Some("A1")][..]);
    let note = (message, txid).prop_map(|(message, txid)| Note {
        message: message.map(|text| Message::parse(text).unwrap()),
        txid: txid.map(|text| Txid::parse(text).unwrap()),
    });
    prop_oneof![1 => Just(None), 4 => note.prop_map(Some)]
}

fn any_operation() -> impl Strategy<Value = Operation> {
    let kind = prop_oneof![
        any_amount().prop_map(|value| OperationKind::Deposit { value, sender: None }),
        any_amount().prop_map(|value| OperationKind::Withdraw { value, sender: None }),
        (any_amount(), select(&KEYS[..]), any_note())
            .prop_map(|(value, key, note)| OperationKind::Transfer { value, pix: pix(key), note }),
    ];
    // Mostly accounts that exist from the start, or nothing would ever succeed.
    let any = (0..4_u16, select(&NUMBERS[..]));
    let account = prop_oneof![4 => Just((0, 101)), 4 => Just((1, 202)), 1 => any];
    (account, kind).prop_map(|((bank, account), kind)| Operation {
        bank: BankId(bank),
        account: number(account),
        kind,
    })
}

fn any_opening() -> impl Strategy<Value = Opening> {
    let types = select(vec![TypeAccount::Pf, TypeAccount::Pj, TypeAccount::Conjunta]);
    let pix_types = select(vec![
        PixType::Cpf,
        PixType::Cnpj,
        PixType::UserName,
        PixType::NumConta,
        PixType::Random,
    ]);
    // Mostly parts that fit each other, or hardly any account would be opened.
    let openers =
        prop_oneof![4 => Just("ana"), 4 => Just("bia"), 4 => Just("cia"), 1 => select(&NAMES[..])];
    let users = vec(select(&NAMES[..4]).prop_map(user), 0..3);
    let numbers = vec(select(&NUMBERS[..]).prop_map(number), 0..4);
    let values = (4_000..20_000_i64).prop_map(amount);
    let odd = prop::bool::weighted(0.2);
    let rest = ("[a-c]{1,2}", odd, any::<bool>());
    (openers, types, pix_types, users, values, numbers, rest).prop_map(
        |(opener, type_account, pix_type, users, value_init, numbers, rest)| {
            let (random_key, odd, consent) = rest;
            let fitting = if opener == "cia" { TypeAccount::Pj } else { TypeAccount::Pf };
            let joint = type_account == TypeAccount::Conjunta;
            let (type_account, users) = match (odd, joint) {
                (true, _) => (type_account, users),
                (false, true) => {
                    (type_account, vec![user(if opener == "ana" { "bia" } else { "ana" })])
                }
                (false, false) => (fitting, Vec::new()),
            };
            Opening {
                user_name: user(opener),
                type_account,
                pix_type,
                users,
                value_init,
                numbers,
                random_key,
                consent,
            }
        },
    )
}

fn any_answer() -> impl Strategy<Value = JointAnswer> {
    (0..BANKS as u16, select(&NUMBERS[..]), prop::bool::weighted(0.8)).prop_map(
        |(bank, account, accept)| JointAnswer {
            bank: BankId(bank),
            account: number(account),
            accept,
        },
    )
}

/// What a bank may claim, whether or not there is such a Pix.
fn any_refund() -> impl Strategy<Value = Refund> {
    let place = select(&[(0, 101), (1, 202), (2, 303)][..]);
    let original = (0..30_u64, 0..30_u64, 0..4_u32, any_amount()).prop_map(
        |(entry, position, other, value)| Original {
            of: RefundOf {
                entry: EntryNumber(entry),
                id: EventId::parse("EV0-y").unwrap(),
                position: Position(position),
            },
            at_ms: START_MS,
            other,
            value,
        },
    );
    (place, any_amount(), original).prop_map(|((bank, account), value, original)| Refund {
        bank: BankId(bank),
        account: number(account),
        value,
        message: None,
        original,
    })
}

fn any_key_change() -> impl Strategy<Value = KeyChange> {
    let place = || select(&[(0, 101), (1, 202), (2, 303)][..]);
    let key = || select(&KEYS[..]).prop_map(pix);
    let email = NewKey::Email(Email::parse("a@b.cd").unwrap());
    let new = select(vec![NewKey::Cpf, NewKey::UserName, NewKey::NumConta, email]);
    prop_oneof![
        3 => (place(), new).prop_map(|((bank, account), key)| {
            KeyChange::Add { bank: BankId(bank), account: number(account), key }
        }),
        1 => key().prop_map(|key| KeyChange::Remove { key }),
        1 => (key(), place()).prop_map(|(key, (_, to))| KeyChange::Move { key, to: number(to) }),
    ]
}

fn any_action() -> impl Strategy<Value = Action> {
    let registered = (select(&NAMES[..4]), select(&DOCUMENTS[..]));
    prop_oneof![
        1 => registered.prop_map(|(name, document)| Action::Register(registration(name, document))),
        2 => any_opening().prop_map(Action::CreateAccount),
        2 => any_answer().prop_map(Action::AnswerJoint),
        2 => any_key_change().prop_map(Action::Keys),
        2 => any_refund().prop_map(Action::Refund),
        2 => (any_wish(), any_wish(), any_wish()).prop_map(|(day, night, confirm)| {
            Action::Limits(LimitsChange { day, night, confirm })
        }),
        6 => vec(any_operation(), 1..4).prop_map(package),
    ]
}

fn any_wish() -> impl Strategy<Value = Wish> {
    let limit = (0..20_000_i64).prop_map(|centavos| Limit::try_from(centavos).unwrap());
    prop_oneof![1 => Just(Wish::Keep), 1 => Just(Wish::Unlimited), 4 => limit.prop_map(Wish::Most)]
}

fn any_raw() -> impl Strategy<Value = RawRequest> {
    let by = option::of(prop_oneof![3 => Just("ana"), 3 => Just("bia"), 1 => select(&NAMES[..])]);
    let key = option::weighted(0.3, select(&["k", "l", "m"][..]));
    let (soon, late) = (START_MS + 60_000, START_MS + 3 * IDEMPOTENCY_WINDOW_MS);
    let at_ms = prop_oneof![6 => START_MS..soon, 1 => START_MS..late];
    let offset_s = option::weighted(0.8, select(&[-10_800, -7_200, 0][..]));
    let drawn = (any_action(), by, key, at_ms, any::<(bool, bool)>(), offset_s);
    let sensible = drawn.prop_map(|(action, by, key, at_ms, (own, confirmed), offset_s)| {
        let key = key.map(|key| IdempotencyKey::parse(key).unwrap());
        let id = EventId::parse("EV0-x").unwrap();
        let (at_ms, by) = (Some(at_ms), by.map(user));
        Request { id, at_ms, key, by, own, offset_s, confirmed, action }.to_raw()
    });
    let nonsense = "[a-z{}\"]{0,8}".prop_map(|text| {
        let id = EventId::parse("EV0-x").unwrap();
        RawRequest { id, type_msg: "OPERATIONS".into(), msg: raw(&text) }
    });
    prop_oneof![12 => sensible, 1 => nonsense]
}

fn any_step() -> impl Strategy<Value = Step> {
    let set = |banks: Vec<u16>| banks.into_iter().map(BankId).collect::<BankSet>();
    let members = prop_oneof![
        6 => Just(BankSet::all(BANKS)),
        1 => vec(0..BANKS as u16, 1..3).prop_map(set),
    ];
    let at_ms =
        prop_oneof![6 => START_MS..START_MS + 60_000, 1 => 0..START_MS + 3 * IDEMPOTENCY_WINDOW_MS];
    let header = option::weighted(0.7, (at_ms, any::<bool>()));
    (0..BANKS as u16, members, header, any_raw()).prop_map(|(bank, members, header, raw)| {
        let header = header.map(|(at_ms, open)| Header { at_ms, open });
        Step { of: Circumstances { header, ..undated(bank, members) }, raw }
    })
}

/// Requests with ids of their own; some are made twice.
fn any_steps() -> impl Strategy<Value = Vec<Step>> {
    vec((any_step(), prop::bool::weighted(0.2)), 1..40).prop_map(|drawn| {
        let mut steps: Vec<Step> = drawn
            .into_iter()
            .flat_map(|(step, again)| std::iter::repeat_n(step, 1 + usize::from(again)))
            .collect();
        for (index, step) in steps.iter_mut().enumerate() {
            step.raw.id = EventId::new(step.of.sender, &index.to_string());
        }
        steps
    })
}

fn apply(book: &mut Book, step: &Step) -> Executed {
    book.apply(&step.of, &step.raw)
}

/// A book that began with some accounts, after these steps, with its hash after each step.
fn played(steps: &[Step]) -> (Book, Vec<Executed>, Vec<ChainHash>) {
    let mut book = Trial::with_customers().book;
    let (mut executed, mut hashes) = (Vec::new(), Vec::new());
    for step in steps {
        executed.push(apply(&mut book, step));
        hashes.push(book.hash());
    }
    (book, executed, hashes)
}

proptest! {
    #[test]
    fn after_any_request_the_book_can_be_verified_and_adds_up_to_zero(steps in any_steps()) {
        let mut book = Trial::with_customers().book;
        for step in &steps {
            apply(&mut book, step);
            prop_assert_eq!(book.verify(), Ok(()));
            prop_assert_eq!(book.sum_of_balances_and_cash(), 0);
        }
    }

    #[test]
    fn the_past_adds_up_to_the_present(steps in any_steps()) {
        let mut trial = Trial::with_customers();
        for step in &steps {
            apply(&mut trial.book, step);
            for past in trial.book.take_fresh() {
                prop_assert_eq!(trial.auditor.take(&past), Ok(()));
            }
            prop_assert_eq!(trial.book.agrees_with(&trial.auditor), Ok(()));
        }
    }

    #[test]
    fn the_newer_part_of_the_past_adds_up_to_the_present(
        steps in any_steps(),
        unseen in 0..1_000_u64,
    ) {
        let mut trial = Trial::with_customers();
        let mut past = std::mem::take(&mut trial.past);
        for step in &steps {
            apply(&mut trial.book, step);
            past.extend(trial.book.take_fresh());
        }
        let unseen = EntryNumber(unseen % (past.len() as u64 + 1));
        let mut auditor = LateAuditor::after(unseen);
        for past in past.iter().filter(|past| past.number > unseen) {
            prop_assert_eq!(auditor.take(past), Ok(()));
        }
        prop_assert_eq!(trial.book.agrees_after(&auditor), Ok(()));
    }

    #[test]
    fn every_request_takes_the_next_position(steps in any_steps()) {
        let mut book = Trial::with_customers().book;
        for step in &steps {
            let (next, time_ms) = (book.position().next(), book.time.floor_ms());
            let executed = apply(&mut book, step);
            prop_assert_eq!(book.position(), next);
            prop_assert!(executed.position <= next && executed.position > Position::default());
            prop_assert!(executed.position < next || executed.id == step.raw.id);
            prop_assert!(book.time.floor_ms() >= time_ms && book.time_ms() >= book.time.floor_ms());
        }
    }

    #[test]
    fn a_refused_or_repeated_request_changes_no_balance_and_no_statement(steps in any_steps()) {
        let mut book = Trial::with_customers().book;
        for step in &steps {
            let accounts: Vec<_> = book.accounts().cloned().collect();
            let customers = book.customers.len();
            let executed = apply(&mut book, step);
            if !executed.outcome.code() || executed.position < book.position() {
                prop_assert!(book.accounts().eq(&accounts));
                prop_assert_eq!(book.customers.len(), customers);
            }
        }
    }

    #[test]
    fn the_same_requests_give_the_same_book_at_every_bank(steps in any_steps()) {
        let (left, left_executed, left_hashes) = played(&steps);
        let (right, right_executed, right_hashes) = played(&steps);
        prop_assert_eq!(left_executed, right_executed);
        prop_assert_eq!(left_hashes, right_hashes);
        prop_assert!(left.accounts().eq(right.accounts()));
        prop_assert_eq!(left.total(), right.total());
    }

    #[test]
    fn a_book_read_back_from_its_snapshot_goes_on_as_if_nothing_had_happened(
        before in any_steps(),
        after in any_steps(),
    ) {
        let (mut written, ..) = played(&before);
        let mut restored = read(&pieces(&written)).unwrap();
        prop_assert_eq!(pieces(&restored), pieces(&written));
        for (index, step) in after.iter().enumerate() {
            let mut step = step.clone();
            // Some of these requests have been made before, with the same idempotency key.
            let known = before.get(index).filter(|_| index % 2 == 0);
            step.raw.msg = known.map_or(step.raw.msg, |known| known.raw.msg.clone());
            prop_assert_eq!(apply(&mut restored, &step), apply(&mut written, &step));
            prop_assert_eq!(restored.hash(), written.hash());
        }
        prop_assert!(restored.accounts().eq(written.accounts()));
        for name in NAMES {
            prop_assert_eq!(restored.customer(&user(name)), written.customer(&user(name)));
            prop_assert!(restored.accounts_of(&user(name)).eq(written.accounts_of(&user(name))));
        }
        prop_assert_eq!(pieces(&restored), pieces(&written));
    }

    #[test]
    fn a_book_that_seals_keys_gives_the_same_results_and_goes_on_from_its_snapshots(
        before in any_steps(),
        after in any_steps(),
        span in 1..9_u64,
    ) {
        let mut plain = Trial::with_customers().book;
        let restored = |pieces: &[String]| {
            Book::sealing(BANKS, span).restored(pieces.iter().map(String::as_str)).unwrap()
        };
        let mut sealing = restored(&pieces(&plain));
        for step in before.iter().chain(&after).chain(&before) {
            prop_assert_eq!(apply(&mut sealing, step), apply(&mut plain, step));
            prop_assert_eq!(sealing.hash(), plain.hash());
        }
        let written = pieces(&sealing);
        let mut read = restored(&written);
        prop_assert_eq!(&pieces(&read), &written);
        for step in &after {
            prop_assert_eq!(apply(&mut read, step), apply(&mut plain, step));
            apply(&mut sealing, step);
        }
        prop_assert_eq!(pieces(&read), pieces(&sealing));
    }

    #[test]
    fn one_different_request_makes_every_later_hash_different(
        steps in any_steps(),
        place in any::<prop::sample::Index>(),
        other in any_step(),
    ) {
        let place = place.index(steps.len());
        let mut changed = steps.clone();
        let id = steps[place].raw.id.clone();
        changed[place] = Step { raw: RawRequest { id, ..other.raw }, ..other };
        let said = |step: &Step| (step.of.sender, step.of.header, step.raw.msg.get().to_owned());
        let same = |left, right| said(left) == said(right);
        prop_assume!(!same(&changed[place], &steps[place]));
        let ((_, _, hashes), (_, _, changed)) = (played(&steps), played(&changed));
        prop_assert_eq!(&hashes[..place], &changed[..place]);
        let mut later = hashes[place..].iter().zip(&changed[place..]);
        prop_assert!(later.all(|(left, right)| left != right));
    }
}
