//! Whatever a fuzzer has found stays in `fuzz/corpus`, and every door goes on taking it.

#![allow(clippy::unwrap_used)] // In a test a panic is the finding.

use std::fs;
use std::path::Path;

use netbanking::doors;

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
