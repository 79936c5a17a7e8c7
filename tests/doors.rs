//! Whatever a fuzzer has found stays in `fuzz/corpus`, and every door goes on taking it, and what a
//! small mutator makes of it: the short form of `fuzz/run`. `DOORS=100000 cargo test --test doors`
//! is a longer one.

#![allow(clippy::unwrap_used)] // In a test a panic is the finding.

#[path = "random/mod.rs"]
mod random;

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;
use std::time::{Duration, Instant};

use netbanking::doors;

use self::random::Random;

/// What takes any bytes.
type Door = fn(&[u8]);

/// The fuzzers' names for the doors.
const DOORS: [(&str, Door); 7] = [
    ("package", doors::package),
    ("br_code", doors::br_code),
    ("frames", doors::frames),
    ("view_messages", doors::view_messages),
    ("journal_record", doors::journal_record),
    ("snapshot", doors::snapshot),
    ("past_block", doors::past_block),
];

/// How many inputs each door gets, unless `DOORS` says otherwise.
const INPUTS: u64 = 3_000;
/// The longest input, in bytes.
const BYTES_MAX: usize = 16_384;
/// What no input may take, on a machine that has much else to do.
const PATIENCE: Duration = Duration::from_secs(30);
/// What is special to some part of a program that reads.
const TOKENS: [&[u8]; 24] = [
    b"0",
    b"-1",
    b"1e999",
    b"0.01",
    b"255",
    b"65535",
    b"65536",
    b"4294967296",
    b"9007199254740993",
    b"4611686018427387904",
    b"9223372036854775807",
    b"9223372036854775808",
    b"18446744073709551615",
    b"18446744073709551616",
    b"null",
    b"true",
    b"[]",
    b"{}",
    b"\"\"",
    b"\"\\u0000\"",
    b"\"\\ud800\"",
    "\u{202e}".as_bytes(),
    b"\n",
    b"\xff",
];

/// What is kept of a door.
fn kept(name: &str) -> Vec<Vec<u8>> {
    let files = fs::read_dir(Path::new("fuzz/corpus").join(name)).unwrap();
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// A place from which up to `most` bytes come.
fn range(random: &mut Random, bytes: &[u8], most: u64) -> std::ops::Range<usize> {
    let from = random.index(bytes.len() + 1);
    let length = random.skewed(1, most) as usize;
    from..(from + length).min(bytes.len())
}

/// A number in a text, or nothing where there is none behind some place.
fn number(random: &mut Random, bytes: &[u8]) -> std::ops::Range<usize> {
    let behind = random.index(bytes.len() + 1);
    let from = bytes[behind..].iter().position(u8::is_ascii_digit).map(|at| behind + at);
    let from = from.unwrap_or(bytes.len());
    let length = bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    from..from + length
}

/// Changes an input in one place; `other` may give a piece to it.
fn change(random: &mut Random, bytes: &mut Vec<u8>, other: &[u8]) {
    let at = random.index(bytes.len() + 1);
    match random.below(9) {
        0 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
        }
        1 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = random.bits() as u8;
            }
        }
        2 => bytes.insert(at, random.bits() as u8),
        3 => drop(bytes.drain(range(random, bytes, 64))),
        4 => {
            let piece = bytes[range(random, bytes, 512)].to_vec();
            bytes.splice(at..at, piece);
        }
        5 => {
            let piece = other[range(random, other, 512)].to_vec();
            bytes.splice(at..at, piece);
        }
        6 => {
            let piece = other[range(random, other, 512)].to_vec();
            bytes.splice(range(random, bytes, 512), piece);
        }
        7 => {
            let token = random.pick(&TOKENS);
            bytes.splice(number(random, bytes), token.iter().copied());
        }
        _ => {
            let token = random.pick(&TOKENS);
            bytes.splice(at..at, token.iter().copied());
        }
    }
    bytes.truncate(BYTES_MAX);
}

#[test]
fn every_door_takes_what_a_mutator_makes_of_what_is_kept() {
    let inputs = std::env::var("DOORS").map_or(INPUTS, |inputs| inputs.parse().unwrap());
    for (name, door) in DOORS {
        let kept = kept(name);
        let began = Instant::now();
        for number in 0..inputs {
            let mut random = Random::new(number);
            let mut bytes = kept[random.index(kept.len())].clone();
            for _ in 0..random.skewed(1, 16) {
                let other = &kept[random.index(kept.len())];
                change(&mut random, &mut bytes, other);
            }
            let asked = Instant::now();
            let taken = catch_unwind(|| door(&bytes)).is_ok() && asked.elapsed() < PATIENCE;
            let text = bytes.escape_ascii();
            assert!(taken, "{name}, input {number}, {:?}: {text}", asked.elapsed());
        }
        println!("{name}: {inputs} inputs, {:?}", began.elapsed());
    }
}

#[test]
fn every_door_takes_what_fuzzers_have_found_and_anything_cut_short() {
    for (name, door) in DOORS {
        let target = Path::new("fuzz/fuzz_targets").join(name).with_extension("rs");
        let target = fs::read_to_string(target).unwrap();
        assert!(target.contains(&format!("doors::{name}(")), "{target}");
        let mut files = 0;
        for file in fs::read_dir(Path::new("fuzz/corpus").join(name)).unwrap() {
            let path = file.unwrap().path();
            println!("{}", path.display());
            let bytes = fs::read(&path).unwrap();
            door(&bytes);
            // Half of it, and all with one byte changed.
            door(&bytes[..bytes.len() / 2]);
            let mut changed = bytes.clone();
            if let Some(byte) = changed.get_mut(bytes.len() / 3) {
                *byte ^= 1;
            }
            door(&changed);
            files += 1;
        }
        assert!(files > 0, "{name} has no corpus");
    }
    let targets = fs::read_dir("fuzz/fuzz_targets").unwrap().count();
    assert_eq!(targets, DOORS.len(), "every target has a door");
}
