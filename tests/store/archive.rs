//! Old entries that leave the store for archive files.

use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use netbanking::ledger::past::{EntryNumber, PastEntry};
use netbanking::store::Place;
use netbanking::store::past::archive::{ArchiveError, Block, Stretch, archive, files, read};
use netbanking::store::recovery::{Recovered, whole};

use super::shelf::Shelf;
use super::*;
use crate::played::Played;

/// Everything is older.
const EVER: i64 = i64::MAX;

fn played(events: usize) -> Vec<JournalEntry> {
    let mut played = Played::new();
    played.apart_ms = 1_000;
    (0..events).map(|_| played.entry(10)).collect()
}

fn fill(shelf: &Shelf, entries: &[JournalEntry]) {
    let entries: Vec<_> = entries.iter().cloned().map(Change::Replayed).collect();
    shelf.open().write(&entries).unwrap();
}

fn recovered(shelf: &Shelf) -> Recovered {
    whole(Place::new(shelf.folder.path(), shelf.database()), OWNER).unwrap()
}

/// Moves what is older; returns what was told.
fn moved(shelf: &Shelf, before_ms: i64, folder: &Path) -> Result<Vec<Stretch>, ArchiveError> {
    let Recovered { mut past, book, .. } = recovered(shelf);
    let mut told = Vec::new();
    let mut tell = |stretch: &Stretch| told.push(stretch.last);
    archive(&mut past, &book, before_ms, folder, &mut tell)?;
    let read = |file: netbanking::store::past::archive::Named| read(&file.path, &mut |_| Ok(()));
    let found: Vec<_> = files(folder)?.into_iter().map(read).collect::<Result<_, _>>()?;
    assert!(told.iter().all(|last| found.iter().any(|file| file.last == *last)));
    Ok(found)
}

fn in_store(shelf: &Shelf) -> Vec<PastEntry> {
    let past = recovered(shelf).past;
    let mut reader = past.reader().unwrap();
    let numbers = (1..=past.last().0).map(EntryNumber);
    numbers.filter_map(|number| reader.find(number).unwrap()).collect()
}

fn in_files(folder: &Path) -> Vec<PastEntry> {
    let mut found = Vec::new();
    for file in files(folder).unwrap() {
        let mut take = |block: &Block| {
            found.extend(block.entries.iter().cloned());
            Ok(())
        };
        read(&file.path, &mut take).unwrap();
    }
    found
}

#[test]
fn what_is_old_is_in_files_what_is_not_in_the_store_and_the_next_run_goes_on() {
    let entries = played(150);
    shelf::everywhere(|shelf| {
        fill(shelf, &entries);
        let all = in_store(shelf);
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        assert!(moved(shelf, all[0].entry.at_ms, folder).unwrap().is_empty(), "nothing is older");
        // The last entry of the third block is not.
        let found = moved(shelf, all[767].entry.at_ms, folder).unwrap();
        let range = |stretch: &Stretch| (stretch.first.0, stretch.last.0);
        assert_eq!(found.iter().map(range).collect::<Vec<_>>(), [(1, 512)]);
        assert_eq!(in_files(folder)[..], all[..512]);
        assert_eq!(in_store(shelf)[..], all[512..], "also when the journal was executed again");
        let past = recovered(shelf).past;
        let archived = past.archived().unwrap();
        assert_eq!(archived.until_ms, all[511].entry.at_ms);
        assert_eq!((archived.position, past.missing()), (all[511].entry.position, &[][..]));
        let mut reader = past.reader().unwrap();
        assert_eq!(reader.find(EntryNumber(512)).unwrap(), None);
        assert_eq!(reader.gone(), Some(archived));
        drop((reader, past));

        let found = moved(shelf, EVER, folder).unwrap();
        let whole = all.len() as u64 / 256 * 256;
        assert_eq!(found.iter().map(range).collect::<Vec<_>>(), [(1, 512), (513, whole)]);
        assert_eq!(found[1].after, Some(found[0].chain));
        assert_eq!([in_files(folder), in_store(shelf)].concat(), all);
    });
}

#[test]
fn a_file_whose_rows_were_not_let_go_is_held_against_them_and_they_go() {
    let entries = played(60);
    shelf::everywhere(|shelf| {
        let other = shelf.another();
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        [shelf, &other].into_iter().for_each(|shelf| fill(shelf, &entries));
        let all = in_store(shelf);
        moved(&other, EVER, folder).unwrap();
        let file = files(folder).unwrap().remove(0).path;
        let before = std::fs::read(&file).unwrap();
        // The file of a bank with another past proves nothing.
        let mut another = Played::new();
        another.id_digits = 2;
        let elsewhere = shelf.another();
        let others: Vec<_> = (0..60).map(|_| another.entry(10)).collect();
        fill(&elsewhere, &others);
        let why = moved(&elsewhere, EVER, folder).unwrap_err();
        assert!(matches!(why, ArchiveError::HalfDone { .. }), "{why}");
        assert!(recovered(&elsewhere).past.archived().is_none());
        // Nor does a damaged one.
        let mut damaged = before.clone();
        damaged[before.len() / 2] ^= 1;
        std::fs::write(&file, damaged).unwrap();
        let why = moved(shelf, EVER, folder).unwrap_err();
        assert!(matches!(why, ArchiveError::HalfDone { .. }), "{why}");
        assert_eq!(in_store(shelf), all);

        std::fs::write(&file, &before).unwrap();
        std::fs::write(file.with_extension("gz.part"), "a run that was killed").unwrap();
        moved(shelf, EVER, folder).unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), before);
        assert_eq!([in_files(folder), in_store(shelf)].concat(), all);
    });
}

/// One file of one block.
fn small_file() -> (tempfile::TempDir, PathBuf) {
    let shelf = Shelf::of_files();
    fill(&shelf, &played(20));
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(moved(&shelf, EVER, folder.path()).unwrap().len(), 1);
    let path = files(folder.path()).unwrap().remove(0).path;
    (folder, path)
}

fn is_refused(path: &Path) -> bool {
    matches!(read(path, &mut |_| Ok(())), Err(ArchiveError::Damaged { .. }))
}

#[test]
fn every_byte_of_a_file_and_of_its_sum_that_was_changed_or_cut_off_is_found() {
    let (_folder, path) = small_file();
    let sum = PathBuf::from(format!("{}.sha256", path.display()));
    for file in [&path, &sum] {
        let whole = std::fs::read(file).unwrap();
        for place in 0..whole.len() {
            let mut changed = whole.clone();
            changed[place] ^= 1 << (place % 8);
            std::fs::write(file, &changed).unwrap();
            assert!(is_refused(&path), "{} at {place}", file.display());
            std::fs::write(file, &whole[..place]).unwrap();
            assert!(is_refused(&path), "{} cut off at {place}", file.display());
        }
        std::fs::write(file, whole).unwrap();
    }
    assert!(read(&path, &mut |_| Ok(())).is_ok());
    std::fs::remove_file(sum).unwrap();
    assert!(is_refused(&path), "without its sum");
}

#[test]
fn an_entry_that_somebody_has_changed_is_found_by_the_banks_digest_although_the_sum_is_right() {
    let (_folder, path) = small_file();
    let mut text = String::new();
    GzDecoder::new(std::fs::File::open(&path).unwrap()).read_to_string(&mut text).unwrap();
    let write = |text: &[u8]| {
        let mut out = GzEncoder::new(Vec::new(), Compression::fast());
        out.write_all(text).unwrap();
        let packed = out.finish().unwrap();
        let hash = sha2::Digest::finalize(<sha2::Sha256 as sha2::Digest>::new_with_prefix(&packed));
        let digits: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        let name = path.file_name().unwrap().to_str().unwrap();
        std::fs::write(&path, packed).unwrap();
        let sum = format!("{}.sha256", path.display());
        std::fs::write(sum, format!("{digits}  {name}\n")).unwrap();
    };
    write(text.as_bytes());
    assert!(read(&path, &mut |_| Ok(())).is_ok());
    let second = text.lines().nth(2).unwrap();
    for (field, other) in [("value", "-900.00"), ("balance", "1.00"), ("made_by", "bia")] {
        let value: serde_json::Value = serde_json::from_str(second).unwrap();
        let old = format!("\"{field}\":{}", value[field]);
        assert!(second.contains(&old), "{second}");
        let changed = second.replace(&old, &format!("\"{field}\":\"{other}\""));
        write(text.replace(second, &changed).as_bytes());
        assert!(is_refused(&path), "{field}");
    }
    let without: Vec<_> = text.lines().filter(|line| *line != second).collect();
    write(without.join("\n").as_bytes());
    assert!(is_refused(&path), "a line is gone");
    write(format!("{text}{second}\n").as_bytes());
    assert!(is_refused(&path), "a line too many");
}
