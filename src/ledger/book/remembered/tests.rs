use std::borrow::Cow;
use std::ops::Range;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

use super::lines::PACKED_MAX;
use super::*;
use crate::ids::{BankId, EventId, Sha256Digest};
use crate::ledger::book::snapshot::pieces_of;
use crate::ledger::outcome::{Done, Outcome, Refusal};

fn claim(number: u8) -> Claim {
    Claim { key: Half([number; 16]), asked: Half([number + 1; 16]) }
}

fn executed(position: u64, id: EventId) -> Executed {
    let outcome = Outcome::Done(Done::PackageExecuted);
    Executed { id, position: Position(position), outcome, operation: None }
}

#[test]
fn a_key_takes_72_bytes_and_a_place_of_four() {
    assert_eq!(size_of::<RememberedKey>(), 72);
}

#[test]
fn places_are_told_apart_beyond_what_four_bytes_count() {
    for (place, start) in [(5, 0), (5, 5), (1 << 32, (1 << 32) - 3), ((7 << 32) + 1, 7 << 32)] {
        assert_eq!(place_of(place as u32, start), place);
    }
}

#[test]
fn keys_are_written_in_lines_and_read_back() {
    let mut remembered = Remembered::new(SPAN);
    for number in 0..200 {
        let usual = EventId::of_drawn(BankId(number.into()), [number; 16]);
        let id = if number == 150 { EventId::new(BankId(0), "x") } else { usual };
        let position = 10 + u64::from(number) * 3;
        remembered.keep(claim(number), executed(position, id), i64::from(number / 7) * 1_000);
    }
    let (mut place, mut lines, mut read) = (0, Vec::new(), Remembered::new(SPAN));
    while let Some((line, next)) = Line::at(|place| remembered.keys().get(place), place) {
        lines.push(next - place);
        let keys = match line {
            Line::One(one) => one.keys(),
            Line::Many(many) => many.keys().unwrap(),
        };
        assert!(read.restore(keys, Position(0)));
        place = next;
    }
    assert_eq!(lines, [PACKED_MAX, 22, 1, 49]);
    let all = |of: &Remembered| {
        let keys = of.keys().iter().map(|key| (key.age_ms, key.executed()));
        keys.collect::<Vec<_>>()
    };
    assert_eq!(all(&read), all(&remembered));
    for number in 0..200 {
        let known = matches!(read.recall(&claim(number)), Recalled::Same(same)
            if same.position.0 == 10 + u64::from(number) * 3);
        let other = Claim { asked: Half([0xff; 16]), ..claim(number) };
        assert!(known && matches!(read.recall(&other), Recalled::Other), "{number}");
    }
}

#[test]
fn what_are_no_keys_is_refused_and_never_panics() {
    let mut remembered = Remembered::new(SPAN);
    for number in 0..3 {
        let id = EventId::of_drawn(BankId(0), [number; 16]);
        remembered.keep(claim(number), executed(number.into(), id), i64::MAX - 1);
    }
    let Some((Line::Many(ManyKeys(text)), _)) = Line::at(|place| remembered.keys().get(place), 0)
    else {
        panic!("they are of the usual kind")
    };
    for end in 1..text.len() {
        let keys = ManyKeys(text[..end].into()).keys();
        assert!(keys.is_none_or(|keys| keys.len() < 3));
        let after = ManyKeys(format!("{}A{}", &text[..end - 1], &text[end..])).keys();
        let _ = after.map(|keys| Remembered::new(SPAN).restore(keys, Position(0)));
    }
    let twice = ManyKeys(text.clone()).keys().unwrap();
    assert!(!remembered.restore(twice, Position(0)));
    assert!(ManyKeys("?".into()).keys().is_none());
}

/// Of a run, with keys of both kinds.
fn sealed(count: u64) -> (Run, Vec<RememberedKey>) {
    let key = |number: u64| {
        let name = Half::of(Sha256::digest(number.to_be_bytes()).into());
        let claim = Claim { key: name, asked: Half([number as u8; 16]) };
        let usual = EventId::of_drawn(BankId(1), [number as u8; 16]);
        let mut executed = executed(1_000 + number * 2, usual);
        if number % 10 == 3 {
            (executed.outcome, executed.operation) = (Outcome::Refused(Refusal::KeyReused), None);
        }
        RememberedKey::new(claim, 50 + number as i64 / 3, executed)
    };
    let keys: Vec<_> = (0..count).map(key).collect();
    (Run::seal(7, &keys), keys)
}

/// Says what it was asked to give up for.
#[derive(Debug)]
struct Damaged(Vec<u8>);

impl Rows for Damaged {
    fn read(&self, range: Range<usize>) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.0[range])
    }

    fn give_up(&self, why: &str) -> ! {
        std::panic::panic_any(why.to_owned())
    }
}

#[test]
fn every_key_of_a_run_is_found_in_it_and_no_other() {
    for count in [1, 64, 65, 300] {
        let (run, keys) = sealed(count);
        assert_eq!(run.keys(), keys);
        assert!(keys.iter().all(|key| run.find(&key.claim.key).as_ref() == Some(key)));
        let strangers = (0..200_u8).map(|number| Half([number; 16]));
        assert!(strangers.into_iter().all(|key| run.find(&key).is_none()));
        let rows = Arc::new(Damaged(run.content().into_owned()));
        let read = Run::read(&run.content(), run.digest(), rows).unwrap();
        assert_eq!((read.number(), read.keys()), (7, keys));
    }
}

/// Rows that nobody may read.
#[derive(Debug)]
struct Unread;

impl Rows for Unread {
    fn read(&self, range: Range<usize>) -> Cow<'_, [u8]> {
        panic!("{range:?} was read")
    }

    fn give_up(&self, why: &str) -> ! {
        panic!("{why}")
    }
}

#[test]
fn the_outline_of_a_run_is_enough_for_all_that_does_not_ask_for_one_of_its_keys() {
    let (run, keys) = sealed(300);
    let outline = run.outline();
    let outlined = Run::outlined(&outline, run.digest(), Arc::new(Unread)).unwrap();
    assert!(outlined.is_of_use(SPAN) && !outlined.is_of_use(SPAN / 2));
    let restored = |run: &Run| {
        let mut remembered = Remembered::new(SPAN);
        remembered.sieve.push([].iter());
        let (run, marks) = run.clone().without_marks();
        match marks {
            Some(marks) => assert!(remembered.sieve.push_marks(&marks)),
            None => remembered.sieve.push(run.halves().iter()),
        }
        remembered
    };
    let (whole, by_outline) = (restored(&run), restored(&outlined));
    let candidates = |of: &Remembered, key: &Half| of.sieve.candidates(key).collect::<Vec<_>>();
    for key in &keys {
        let found = candidates(&by_outline, &key.claim.key);
        assert_eq!((&found, found.contains(&1)), (&candidates(&whole, &key.claim.key), true));
    }
    let strangers = (0..100_u8).map(|number| Half([number; 16]));
    assert!(strangers.into_iter().all(|key| candidates(&by_outline, &key).is_empty()));
}

#[test]
fn an_outline_of_which_any_byte_has_changed_or_of_another_run_is_none() {
    let (run, _) = sealed(3);
    let mut outline = run.outline();
    let read = |outline: &[u8]| Run::outlined(outline, run.digest(), Arc::new(Unread)).is_some();
    assert!(read(&outline));
    for place in (0..outline.len()).step_by(1_009).chain(0..200) {
        outline[place] ^= 1;
        assert!(!read(&outline), "{place}");
        outline[place] ^= 1;
        assert!(!read(&outline[..place]), "{place}");
    }
    let (other, _) = sealed(4);
    assert!(Run::outlined(&outline, other.digest(), Arc::new(Unread)).is_none());
}

#[test]
fn a_run_of_which_any_byte_has_changed_is_none_and_a_block_of_it_is_not_believed() {
    let (run, keys) = sealed(70);
    let content = run.content().into_owned();
    let mut unread = 0;
    for place in 0..content.len() {
        let mut damaged = content.clone();
        damaged[place] ^= 1 << (place % 8);
        let rows = Arc::new(Damaged(damaged.clone()));
        assert!(Run::read(&damaged, run.digest(), Arc::<Damaged>::clone(&rows)).is_none());
        // Its heading is in memory: what is read again is the blocks.
        let kept = run.kept_in(rows);
        let is_found = |key: &RememberedKey| kept.find(&key.claim.key).as_ref() == Some(key);
        let look = AssertUnwindSafe(|| keys.iter().all(is_found));
        let looked = std::panic::catch_unwind(look);
        match looked {
            Ok(all_found) => unread += usize::from(all_found),
            Err(why) => assert!(why.downcast_ref::<String>().unwrap().contains("of run 7")),
        }
    }
    assert!(unread < 100, "only bytes of the heading may change unseen: {unread}");
    // Texts that have the right digest and are no run.
    for end in 0..content.len() {
        let cut = &content[..end];
        let digest = Sha256Digest(Sha256::digest(cut).into());
        assert!(Run::read(cut, digest, Arc::new(Damaged(cut.to_vec()))).is_none(), "{end}");
    }
}

#[test]
fn a_run_from_another_bank_is_taken_only_if_a_ledger_would_have_made_it() {
    let (run, keys) = sealed(70);
    let content = run.content().into_owned();
    let taken = |content: &[u8]| {
        // Whoever makes up the bytes makes up the name, too.
        let digest = Sha256Digest(Sha256::digest(content).into());
        Run::received(content.to_vec(), RunName { number: 7, digest })
    };
    let whole = taken(&content).unwrap();
    assert_eq!((whole.name(), whole.keys()), (run.name(), keys));
    let other = RunName { number: 8, ..run.name() };
    assert!(Run::received(content.clone(), other).is_none());
    for place in 0..content.len() {
        let mut damaged = content.clone();
        damaged[place] ^= 1 << (place % 8);
        assert!(Run::received(damaged.clone(), run.name()).is_none(), "byte {place}");
        assert!(taken(&damaged).is_none(), "byte {place}");
        assert!(taken(&content[..place]).is_none(), "the first {place} bytes");
    }
}

#[test]
fn pieces_of_a_run_have_its_keys_in_the_order_in_which_they_came() {
    let (run, keys) = sealed(300);
    let pieces = pieces_of(&run);
    assert_eq!(pieces.len(), 1);
    let mut remembered = Remembered::new(SPAN);
    for line in pieces[0].lines() {
        let (_, text) = line.split_once(':').unwrap();
        let text = text.strip_suffix('}').unwrap();
        let read = match line.starts_with("{\"Keys\"") {
            true => serde_json::from_str::<ManyKeys>(text).unwrap().keys().unwrap(),
            false => serde_json::from_str::<OneKey>(text).unwrap().keys(),
        };
        assert!(remembered.restore(read, Position(0)));
    }
    assert!(remembered.keys().iter().eq(&keys));
}

/// A request with a key: which one, how much later than the one before it comes, and how many
/// positions have none before it.
fn any_requests() -> impl Strategy<Value = Vec<(u8, i64, u64)>> {
    let later = prop_oneof![
        6 => 0..1_000_i64,
        2 => 0..IDEMPOTENCY_WINDOW_MS / 2,
        1 => Just(IDEMPOTENCY_WINDOW_MS),
    ];
    vec((0..12_u8, later, 1..4_u64), 1..80)
}

/// What a snapshot would have.
fn all(remembered: &Remembered) -> Vec<RememberedKey> {
    let sealed = remembered.runs().iter().flat_map(Run::keys);
    sealed.chain(remembered.keys().iter().cloned()).collect()
}

proptest! {
    #[test]
    fn a_key_is_remembered_as_long_whether_it_is_sealed_or_not(
        requests in any_requests(),
        span in 1..9_u64,
        restart in any::<prop::sample::Index>(),
    ) {
        let (mut sealing, mut plain) = (Remembered::new(span), Remembered::new(u64::MAX));
        let (mut age_ms, mut position) = (0, Position(0));
        let restart = restart.index(requests.len());
        for (index, (name, later, positions)) in requests.into_iter().enumerate() {
            age_ms += later;
            for _ in 0..positions {
                sealing.seal(position);
                position = position.next();
            }
            let claim = Claim { key: Half([name; 16]), asked: Half([0; 16]) };
            let unique = [position.0 as u8; 16];
            let done = executed(position.0, EventId::of_drawn(BankId(0), unique));
            for remembered in [&mut sealing, &mut plain] {
                remembered.forget(age_ms);
            }
            let found = sealing.find(&claim.key);
            prop_assert_eq!(&found, &plain.find(&claim.key));
            if found.is_none() {
                sealing.keep(claim, done.clone(), age_ms);
                plain.keep(claim, done, age_ms);
            }
            if index == restart {
                sealing.seal(position);
                let mut restored = Remembered::new(span);
                let keys = all(&sealing);
                prop_assert!(keys.chunks(3).all(|keys| restored.restore(keys.to_vec(), position)));
                restored.restored(position, age_ms);
                prop_assert_eq!(all(&restored), keys.clone());
                let digests = |of: &Remembered| {
                    of.runs().iter().map(|run| (run.number(), run.digest())).collect::<Vec<_>>()
                };
                prop_assert_eq!(digests(&restored), digests(&sealing));
                // The same of runs that are kept.
                let mut kept = Remembered::new(span);
                let runs = sealing.runs().iter().cloned();
                prop_assert!(runs.into_iter().all(|run| kept.restore_run(run, position)));
                let keys: Vec<_> = sealing.keys().iter().cloned().collect();
                prop_assert!(kept.restore(keys.clone(), position));
                kept.restored(position, age_ms);
                prop_assert_eq!(all(&kept), all(&sealing));
                prop_assert_eq!(digests(&kept), digests(&sealing));
                sealing = if restart.is_multiple_of(2) { kept } else { restored };
            }
        }
        prop_assert!(sealing.keys().len() as u64 <= 2 * span, "memory has two spans");
    }
}
