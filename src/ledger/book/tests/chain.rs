use super::*;
use crate::ids::ChainHash;
use crate::ids::request::raw;

/// The hash after one more request.
fn hash_after(book: &Book, sender: u16, raw: &RawRequest) -> ChainHash {
    let mut book = book.clone();
    book.apply(&undated(sender, BankSet::all(BANKS)), raw);
    book.hash()
}

#[test]
fn every_part_of_a_request_changes_the_hash() {
    let mut trial = Trial::with_customers();
    let request = trial.request(Some("ana"), None, package(vec![deposit(0, 101, 1)]));
    let raw_request = request.to_raw();
    let hash = hash_after(&trial.book, 0, &raw_request);
    assert_eq!(hash_after(&trial.book, 0, &raw_request), hash);
    assert_ne!(hash_after(&trial.book, 1, &raw_request), hash, "the sender");
    let others = [
        Request { id: EventId::new(BankId(0), "other"), ..request.clone() },
        Request { at_ms: request.at_ms.map(|at_ms| at_ms + 1), ..request.clone() },
        Request { by: Some(user("bia")), ..request.clone() },
        Request { action: package(vec![deposit(0, 101, 2)]), ..request },
    ];
    for other in others {
        assert_ne!(hash_after(&trial.book, 0, &other.to_raw()), hash, "{other:?}");
    }
    let other_type = RawRequest { type_msg: "REGISTER".into(), ..raw_request };
    assert_ne!(hash_after(&trial.book, 0, &other_type), hash);
}

#[test]
fn every_part_of_the_header_and_the_resulting_ledger_time_change_the_hash() {
    let mut trial = Trial::with_customers();
    let raw_request = trial.request(Some("ana"), None, package(vec![deposit(0, 101, 1)])).to_raw();
    let hash_with = |book: &Book, header: Option<Header>| {
        let mut book = book.clone();
        book.apply(&Circumstances { header, ..undated(0, BankSet::all(BANKS)) }, &raw_request);
        book.hash()
    };
    let header = Header { at_ms: START_MS + 1, open: false };
    let headers = [
        None,
        Some(header),
        Some(Header { at_ms: START_MS, ..header }),
        Some(Header { open: true, ..header }),
    ];
    let mut hashes = headers.map(|header| hash_with(&trial.book, header)).to_vec();
    let mut later = trial.book.clone();
    later.time.take(BankId(0), START_MS + 2);
    hashes.push(hash_with(&later, Some(header)));
    let distinct: std::collections::BTreeSet<_> = hashes.iter().map(|hash| hash.0).collect();
    assert_eq!(distinct.len(), hashes.len());
}

#[test]
fn a_copy_in_another_state_shows_even_when_its_answers_are_the_same() {
    let mut trial = Trial::with_customers();
    let raw_request = trial.request(Some("ana"), None, package(vec![deposit(0, 101, 1)])).to_raw();
    let mut damaged = trial.book.clone();
    damaged.accounts.get_mut(0).unwrap().balance = Centavos::new(10_001);
    assert_eq!(damaged.hash(), trial.book.hash());
    assert_ne!(hash_after(&damaged, 0, &raw_request), hash_after(&trial.book, 0, &raw_request));
}

#[test]
fn the_same_request_at_another_place_has_another_hash() {
    let mut trial = Trial::new();
    let nonsense =
        RawRequest { id: EventId::new(BankId(0), "x"), type_msg: "X".into(), msg: raw(&1) };
    let mut hashes = vec![trial.book.hash()];
    for _ in 0..3 {
        trial.book.apply(&undated(0, trial.members), &nonsense);
        assert!(!hashes.contains(&trial.book.hash()));
        hashes.push(trial.book.hash());
    }
}

#[test]
fn the_chain_of_a_known_history_has_a_known_hash() {
    // This hash changes whenever what is hashed, a text, or the JSON of the requests changes: such
    // a version cannot share a consortium or a journal with earlier ones.
    let mut trial = Trial::with_customers();
    done(trial.operate("ana", vec![transfer(0, 101, 4_000, "1:bia")]));
    refusal(trial.operate("ana", vec![transfer(0, 101, 4_000, "2:bia")]));
    assert_eq!(
        trial.book.hash().to_string(),
        "3111debc5163f45fdff14e22e637e33d1c6b1d4e36d27b9907bbc162d713a483"
    );
}
