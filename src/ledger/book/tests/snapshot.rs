use super::*;
use crate::ids::{BankId, Position};
use crate::ledger::book::snapshot::{BadSnapshot, SNAPSHOT_PIECE_BYTES};
use crate::ledger::book::{Group, Piece, Pieces};
use crate::protocol::snapshot::SnapshotHead;
use crate::store::restoring::Restoring;

/// The book as pieces.
pub(super) fn pieces(book: &Book) -> Vec<String> {
    Pieces::with_runs(book.present()).collect()
}

/// The book read back from pieces.
pub(super) fn read(pieces: &[String]) -> Result<Book, BadSnapshot> {
    Book::from_snapshot(BANKS, pieces.iter().map(String::as_str))
}

/// What reading a book with a joint account says when one text in it is replaced by another.
fn refusal_of(from: &str, to: &str) -> String {
    let mut trial = Trial::with_customers();
    let joint = Opening {
        type_account: TypeAccount::Conjunta,
        users: vec![user("ana")],
        ..opening("cia", 303)
    };
    done(trial.ask(2, Action::CreateAccount(joint)));
    done(trial.ask_with_key(0, Some("ana"), "k", package(vec![transfer(0, 101, 1_000, "1:bia")])));
    let text = pieces(&trial.book).concat();
    assert!(text.contains(from), "{from} stands in\n{text}");
    read(&[text.replacen(from, to, 1)]).map(|_| ()).unwrap_err().to_string()
}

#[test]
fn an_empty_book_has_a_snapshot_too() {
    let pieces = pieces(&Book::new(BANKS));
    assert_eq!(pieces.len(), 1);
    assert_eq!(read(&pieces).unwrap().position(), Book::new(BANKS).position());
    assert_eq!(read(&[]).unwrap_err(), BadSnapshot::Incomplete);
}

#[test]
fn a_large_book_comes_in_pieces_of_bounded_size_that_end_between_lines() {
    let mut trial = Trial::with_customers();
    for index in 0..15_000 {
        let document = format!("111.{:03}.{:03}-11", index / 1_000, index % 1_000);
        let register = Action::Register(registration(&format!("user{index}"), &document));
        let request = trial.request(None, None, register);
        let executed = trial.book.apply(&undated(0, trial.members), &request.to_raw());
        assert!(executed.outcome.code());
    }
    let pieces = pieces(&trial.book);
    assert!(pieces.len() > 1, "{}", pieces.len());
    assert!(
        pieces
            .iter()
            .all(|piece| piece.ends_with('\n') && piece.len() < SNAPSHOT_PIECE_BYTES + 1_000)
    );
    let restored = read(&pieces).unwrap();
    assert_eq!(restored.customers.len(), trial.book.customers.len());
    assert!(restored.accounts().eq(trial.book.accounts()));
}

#[test]
fn a_snapshot_does_not_grow_with_what_has_happened() {
    let mut trial = Trial::with_customers();
    let bytes = |trial: &Trial| pieces(&trial.book).concat().len();
    let before = bytes(&trial);
    for _ in 0..100 {
        done(trial.operate("ana", vec![deposit(0, 101, 1), transfer(0, 101, 1, "1:bia")]));
    }
    assert!(bytes(&trial) < before + 50, "{} after {before} bytes", bytes(&trial));
}

#[test]
fn a_snapshot_fits_a_consortium_that_has_grown_but_not_one_that_has_shrunk() {
    let pieces = pieces(&Trial::with_customers().book);
    let read = |banks| Book::from_snapshot(banks, pieces.iter().map(String::as_str));
    let grown = read(BANKS + 1).unwrap();
    assert_eq!(grown.banks(), BANKS + 1);
    assert_eq!(
        Pieces::of(grown.present()).collect::<Vec<_>>(),
        pieces,
        "it is the same snapshot still"
    );
    // Bank 2 holds nothing yet, bank 1 does.
    assert!(read(2).is_ok());
    assert!(read(1).unwrap_err().to_string().contains("more banks than there are"));
}

#[test]
fn cash_beyond_64_bits_survives() {
    let mut trial = Trial::with_customers();
    for (bank, account) in [(0, 101), (1, 202)] {
        done(trial.operate("ana", vec![deposit(bank, account, i64::MAX - 10_000)]));
    }
    let joint = Opening {
        type_account: TypeAccount::Conjunta,
        users: vec![user("bia")],
        ..opening("ana", 103)
    };
    done(trial.ask(0, Action::CreateAccount(Opening { pix_type: PixType::NumConta, ..joint })));
    assert!(trial.book.cash[0] < i128::from(i64::MIN));
    assert_eq!(read(&pieces(&trial.book)).unwrap().cash, trial.book.cash);
}

#[test]
fn groups_of_which_nothing_has_changed_are_not_written_again_and_all_others_are() {
    let mut trial = Trial::with_customers();
    // Without the trial's own checks after each of them.
    let quickly = |trial: &mut Trial, by: Option<&str>, action: Action| {
        let request = trial.request(by, None, action).to_raw();
        done(trial.book.apply(&undated(0, trial.members), &request));
    };
    let enter = |trial: &mut Trial, index: u64| {
        let document = format!("111.{:03}.{:03}-11", index / 1_000, index % 1_000);
        let name = format!("user{index}");
        quickly(trial, None, Action::Register(registration(&name, &document)));
        quickly(trial, None, Action::CreateAccount(opening(&name, 1_000 + index)));
    };
    (0..9_000).for_each(|index| enter(&mut trial, index));
    // What each group had, and what is written next.
    let mut known = std::collections::BTreeMap::<Group, Vec<String>>::new();
    let mut since = Position::default();
    let mut write = |trial: &Trial| {
        let (mut pieces, mut texts, mut again) =
            (Pieces::of(trial.book.present()), Vec::new(), Vec::new());
        let before = std::mem::take(&mut known);
        while let Some(piece) = pieces.next_piece(since, |group| before.contains_key(&group)) {
            match piece {
                Piece::Text(text, group) => {
                    texts.push(text.clone());
                    again.extend(group);
                    group.into_iter().for_each(|group| {
                        known.entry(group).or_default().push(text.clone());
                    });
                }
                Piece::Unchanged(group) => {
                    texts.extend(before[&group].clone());
                    known.insert(group, before[&group].clone());
                }
            }
        }
        since = trial.book.position();
        assert_eq!(texts, Pieces::of(trial.book.present()).collect::<Vec<_>>());
        again
    };
    let operate = |trial: &mut Trial, operations| quickly(trial, Some("ana"), package(operations));
    let all = write(&trial);
    assert!(all.len() > 4, "{all:?}");
    assert_eq!(write(&trial), []);
    operate(&mut trial, vec![deposit(0, 101, 1)]);
    assert_eq!(write(&trial), [Group::Accounts(0)]);
    operate(&mut trial, vec![transfer(0, 101, 1, "0:user8999")]);
    assert_eq!(write(&trial), [Group::Accounts(0), *all.last().unwrap()]);
    enter(&mut trial, 9_000);
    let last_of_customers = all.iter().rev().find(|of| matches!(of, Group::Customers(_)));
    assert_eq!(write(&trial), [*last_of_customers.unwrap(), *all.last().unwrap()]);
    // A book that was read back knows what has changed since.
    let mut restored = Trial { book: read(&pieces(&trial.book)).unwrap(), ..trial };
    assert_eq!(write(&restored), []);
    operate(&mut restored, vec![deposit(0, 101, 1)]);
    assert_eq!(write(&restored), [Group::Accounts(0)]);
}

#[test]
fn records_that_do_not_add_up_are_refused_with_the_reason() {
    for (from, to, reason) in [
        ("{\"Book\":{\"format\":4", "{\"Book\":{\"format\":5", "another version"),
        ("{\"Book\":{\"format\":4", "{\"Book\":{\"format\":1", "in the wrong order"),
        ("{\"Book\"", "{\"Buch\"", "unknown variant"),
        ("\"customers\":3", "\"customers\":4", "other records than"),
        ("\"keys\":1", "\"keys\":0", "other records than"),
        ("{\"Customer\":[\"bia\"", "{\"Customer\":[\"ana\"", "the customer stands twice"),
        ("000.000.000-02", "000.000.000-01", "the customer stands twice"),
        ("{\"Customer\":[\"bia\"", "{\"Customer\":[\"bob\"", "a holder is no customer"),
        ("{\"Standing\":[1,202", "{\"Standing\":[0,101", "the account stands twice"),
        ("{\"Standing\":[1,202", "{\"Standing\":[7,202", "no holder or no bank"),
        ("\"entries\":5", "\"entries\":6", "have 5 entries, and not 6"),
        (",9000,", ",9001,", "balances and cash add up to 1"),
        (",9000,", ",-9000,", "its balance is negative"),
        ("\"last\":4", "\"last\":9", "leads nowhere"),
        ("[-10000", "[-10001", "balances and cash add up to -1"),
    ] {
        let refusal = refusal_of(from, to);
        assert!(refusal.contains(reason), "{from} → {to}: {refusal}");
    }
}

#[test]
fn lines_in_another_order_are_refused() {
    let text = pieces(&Trial::with_customers().book).concat();
    let mut lines: Vec<_> = text.split_inclusive('\n').map(str::to_owned).collect();
    let (first, last) = (1, lines.len() - 1);
    lines.swap(first, last);
    assert!(read(&lines).is_err());
    assert!(
        read(&[text.clone(), text]).unwrap_err().to_string().contains("the heading stands first")
    );
}

fn restored(blank: Book, head: &SnapshotHead, pieces: &[String]) -> Option<Book> {
    let begun = Restoring::begin(blank);
    let taken = pieces.iter().try_fold(begun, |restoring, piece| restoring.take(piece, None));
    taken.unwrap().finish(head)
}

#[test]
fn any_changed_byte_of_a_piece_is_refused_by_the_head() {
    let book = Trial::with_customers().book;
    let pieces = pieces(&book);
    let executed = crate::protocol::execution::Executions {
        last: crate::protocol::order_key::OrderKey {
            view: crate::ids::Ballot::default(),
            sum: 1,
            sender: BankId(0),
        },
        members: BankSet::all(BANKS),
        clock: vec![1, 0, 0].into(),
    };
    let mut head = SnapshotHead::begun(book.position(), book.hash(), executed);
    pieces.iter().for_each(|piece| _ = head.next_piece(piece.clone()));
    assert!(restored(Book::new(BANKS), &head, &pieces).is_some());
    assert!(restored(Book::new(BANKS), &head, &[]).is_none());
    for (index, piece) in pieces.iter().enumerate() {
        for place in 0..piece.len() {
            let mut bytes = piece.clone().into_bytes();
            bytes[place] ^= 1;
            let mut changed = pieces.clone();
            changed[index] = String::from_utf8_lossy(&bytes).into_owned();
            let read = restored(Book::new(BANKS), &head, &changed);
            assert!(read.is_none(), "byte {place} of piece {index}");
        }
    }
    let elsewhere = SnapshotHead { position: book.position().next(), ..head };
    assert!(restored(Book::new(BANKS), &elsewhere, &pieces).is_none());
}

#[test]
fn balances_wider_than_an_amount_are_read_back() {
    let mut trial = Trial::with_customers();
    done(trial.operate("bia", vec![deposit(0, 101, i64::MAX), deposit(0, 101, i64::MAX)]));
    let pieces = pieces(&trial.book);
    let mut restored = read(&pieces).unwrap();
    assert!(restored.accounts().eq(trial.book.accounts()));
    let request = trial.request(Some("ana"), None, package(vec![withdraw(0, 101, 1)]));
    trial.apply(2, &request);
    restored.apply(&undated(2, trial.members), &request.to_raw());
    assert_eq!(restored.hash(), trial.book.hash());
}

#[test]
fn a_balance_that_its_entries_cannot_have_brought_is_refused() {
    let held = i128::MAX.to_string();
    let why = refusal_of(",9000,", &format!(",{held},"));
    assert!(why.contains("its balance is more than its entries can have brought"), "{why}");
    let why = refusal_of("\"cash\":[", &format!("\"cash\":[{held},{held},"));
    assert!(why.contains("more banks") || why.contains("cannot be added up"), "{why}");
}
