use rusqlite::{Connection, params};

use super::block::{BLOCK_ENTRIES, bounds};
use super::sqlite::{FILE_NAME, SCHEMA_VERSION, SCHEMA_VERSION_1};
use super::*;
use crate::ids::{EventId, Position};
use crate::ledger::past::Links;
use crate::ledger::{Centavos, Details, Entry, EntryKind, Message, PixKey, RefundOf, UserName};

const BANK: BankId = BankId(1);

/// Entries as transfers make them: two each.
pub(super) fn entries(numbers: RangeInclusive<u64>) -> Vec<PastEntry> {
    numbers.map(entry).collect()
}

fn entry(number: u64) -> PastEntry {
    let position = number.div_ceil(2);
    let pays = number % 2 == 1;
    let value = if pays { -1_500 } else { 1_500 };
    let entry = Entry {
        kind: if pays { EntryKind::Transfer } else { EntryKind::Receive },
        value: Centavos::new(value),
        balance_after: Centavos::new(1_000_000 + value),
        at_ms: 1_795_442_602_000 + position as i64,
        made_by: UserName::parse("renata332").unwrap(),
        bank_sender: BankId(2),
        id: EventId::new(BankId(2), &format!("00000000-0000-4000-8000-{position:012}")),
        position: Position(position),
        pix: Some(PixKey::parse("0:pedrinho234").unwrap()),
        details: details(position, !pays),
    };
    let before = EntryNumber(number.saturating_sub(2));
    let links = Links { before, skip: before };
    let account = u32::from(!pays);
    PastEntry { number: EntryNumber(number), account, index: (number - 1) / 2, links, entry }
}

/// What every third transfer says.
fn details(position: u64, other: bool) -> Details {
    if !position.is_multiple_of(3) {
        return Details::default();
    }
    let message = Some(Message::parse("almoço").unwrap());
    let refund_of = position.is_multiple_of(9).then(|| {
        let (entry, position) = (EntryNumber(position), Position(position / 2));
        Box::new(RefundOf { entry, id: EventId::new(BankId(1), "x"), position })
    });
    Details { other: Some(u32::from(other)), message, refund_of, ..Details::default() }
}

struct Disk {
    folder: tempfile::TempDir,
}

impl Disk {
    fn new() -> Disk {
        Disk { folder: tempfile::tempdir().unwrap() }
    }

    fn open(&self) -> PastWriter {
        PastWriter::open(self.folder.path(), BANK).unwrap()
    }

    /// A way to the file behind the writer's back.
    fn file(&self) -> Connection {
        Connection::open(self.folder.path().join(FILE_NAME)).unwrap()
    }
}

/// What a reader finds of these.
fn found(writer: &PastWriter, numbers: Numbers) -> Vec<PastEntry> {
    let mut reader = writer.reader().unwrap();
    numbers.filter_map(|number| reader.find(EntryNumber(number)).unwrap()).collect()
}

#[test]
fn what_was_committed_is_read_and_goes_on_after_a_restart() {
    let disk = Disk::new();
    for (batch, restarts) in [(1..=1, true), (2..=300, true), (301..=512, true), (513..=514, false)]
    {
        let mut writer = disk.open();
        let before = *batch.start() - 1;
        assert_eq!((writer.last().0, writer.on_disk().0), (before, before));
        writer.append(&entries(batch.clone())).unwrap();
        assert_eq!(writer.on_disk().0, before, "not before the commit");
        assert_eq!(writer.commit(restarts).unwrap().0, *batch.end());
        assert_eq!(found(&writer, 1..=600), entries(1..=*batch.end()));
    }
}

#[test]
fn entries_that_are_made_again_change_nothing() {
    let disk = Disk::new();
    disk.open().append(&entries(1..=300)).unwrap();
    let mut writer = disk.open();
    assert_eq!(writer.last().0, 0, "what was not committed is not there");
    writer.append(&entries(1..=300)).unwrap();
    writer.commit(false).unwrap();
    let mut writer = disk.open();
    writer.append(&entries(100..=400)).unwrap();
    writer.commit(false).unwrap();
    assert_eq!(found(&writer, 1..=500), entries(1..=400));
    assert_eq!(writer.missing(), []);
}

#[test]
fn the_past_of_another_consortium_is_noticed() {
    let disk = Disk::new();
    let mut writer = disk.open();
    writer.append(&entries(1..=10)).unwrap();
    writer.commit(false).unwrap();
    let mut other = entry(1);
    other.entry.id = EventId::new(BankId(0), "another");
    assert!(matches!(disk.open().append(&[other]), Err(StoreError::Damaged { .. })));
    let other_bank = PastWriter::open(disk.folder.path(), BankId(0));
    assert!(matches!(other_bank, Err(StoreError::OtherBank { .. })));
}

/// The block that begins at a number, as another bank sends it.
fn sent(first: u64, last: u64) -> (EntryNumber, Vec<u8>) {
    let block = Written::of(&entries(first..=last));
    (block.first, block.encoder.content().to_vec())
}

#[test]
fn a_gap_is_filled_block_by_block_and_then_all_is_as_if_it_had_never_been() {
    let (complete, lacking) = (Disk::new(), Disk::new());
    let mut whole = complete.open();
    whole.append(&entries(1..=1_400)).unwrap();
    whole.commit(false).unwrap();
    let mut writer = lacking.open();
    writer.append(&entries(1..=300)).unwrap();
    writer.reaches(EntryNumber(1_300));
    writer.append(&entries(1_301..=1_390)).unwrap();
    writer.commit(false).unwrap();
    assert_eq!(writer.missing(), [301..=1_300]);
    assert_eq!(found(&writer, 1..=2_000).len(), 390);
    let mut writer = lacking.open();
    assert_eq!((writer.missing().to_vec(), writer.last().0), (vec![301..=1_300], 1_390));
    for first in [1_281, 513, 257, 1_025] {
        let (first, content) = sent(first, (first + 255).min(1_395));
        assert!(writer.fill(first, &content).unwrap(), "{first}");
    }
    assert_eq!(writer.missing(), [769..=1_024]);
    let mut writer = lacking.open();
    let (first, content) = sent(769, 1_024);
    assert!(writer.fill(first, &content).unwrap());
    assert_eq!(writer.missing(), []);
    writer.append(&entries(1_391..=1_400)).unwrap();
    writer.commit(false).unwrap();
    assert_eq!(found(&writer, 1..=2_000), entries(1..=1_400));
    for first in [1, 257, 513, 769, 1_025, 1_281] {
        let stored = |writer: &PastWriter| {
            writer.reader().unwrap().stored(EntryNumber(first)).unwrap().unwrap().digest
        };
        assert_eq!(stored(&writer), stored(&whole), "{first}");
    }
}

#[test]
fn a_restart_in_the_middle_of_a_gap_keeps_what_is_here_and_goes_on() {
    let disk = Disk::new();
    let mut writer = disk.open();
    writer.append(&entries(1..=10)).unwrap();
    writer.reaches(EntryNumber(511));
    writer.commit(false).unwrap();
    let mut writer = disk.open();
    assert_eq!((writer.missing(), writer.last().0), (&[11..=511][..], 511));
    // A block of one entry, which is complete all the same.
    writer.append(&entries(512..=512)).unwrap();
    writer.commit(false).unwrap();
    let mut writer = disk.open();
    writer.append(&entries(513..=600)).unwrap();
    writer.commit(false).unwrap();
    assert_eq!(found(&writer, 512..=600), entries(512..=600));
    let stored = writer.reader().unwrap().stored(EntryNumber(600)).unwrap().unwrap();
    assert_eq!(stored.first, EntryNumber(513), "blocks are cut where they are everywhere");
}

#[test]
fn what_does_not_fit_a_gap_is_not_taken() {
    let disk = Disk::new();
    let mut writer = disk.open();
    writer.append(&entries(1..=10)).unwrap();
    writer.reaches(EntryNumber(1_000));
    let mut other = entries(1..=256);
    other[3].entry.made_by = UserName::parse("someone").unwrap();
    let contradicts = Written::of(&other).encoder.content().to_vec();
    assert!(!writer.fill(EntryNumber(1), &contradicts).unwrap());
    let (first, too_short) = sent(257, 300);
    assert!(!writer.fill(first, &too_short).unwrap());
    let (_, of_elsewhere) = sent(1_281, 1_536);
    assert!(!writer.fill(EntryNumber(1_281), &of_elsewhere).unwrap());
    assert!(!writer.fill(EntryNumber(2), &sent(2, 257).1).unwrap());
    assert!(!writer.fill(EntryNumber(257), b"nonsense").unwrap());
    assert_eq!(writer.missing(), [11..=1_000]);
    assert_eq!(found(&writer, 1..=2_000), entries(1..=10));
}

#[test]
fn a_damaged_block_is_noticed_forgotten_and_filled_again() {
    let disk = Disk::new();
    let mut writer = disk.open();
    writer.append(&entries(1..=1_000)).unwrap();
    writer.commit(false).unwrap();
    damage(&disk, 257);
    let read = writer.reader().unwrap().find(EntryNumber(300));
    assert!(matches!(read, Err(StoreError::Damaged { .. })), "{read:?}");
    writer.forget(EntryNumber(300)).unwrap();
    assert_eq!(writer.missing(), [257..=512]);
    assert_eq!(writer.reader().unwrap().find(EntryNumber(300)).unwrap(), None);
    let (first, content) = sent(257, 512);
    assert!(writer.fill(first, &content).unwrap());
    assert_eq!(found(&writer, 1..=2_000), entries(1..=1_000));
}

/// Changes a byte of the block that begins with an entry.
fn damage(disk: &Disk, first: u64) {
    let flip =
        "UPDATE blocks SET content = CAST('x' || substr(content, 2) AS BLOB) WHERE first = ?1";
    assert_eq!(disk.file().execute(flip, [first as i64]).unwrap(), 1);
}

#[test]
fn a_past_of_an_earlier_release_is_read_and_goes_on() {
    let disk = Disk::new();
    let mut writer = disk.open();
    writer.append(&entries(1..=300)).unwrap();
    writer.commit(false).unwrap();
    // As it was before blocks were packed.
    for (first, last) in [(1, 256), (257, 300)] {
        let block = Written::of(&entries(first..=last));
        let plain = "UPDATE blocks SET content = ?1 WHERE first = ?2 AND length(content) > ?3";
        let content = block.encoder.content();
        let row = params![content, first as i64, 40];
        assert_eq!(disk.file().execute(plain, row).unwrap(), 1);
    }
    disk.file().pragma_update(None, "user_version", SCHEMA_VERSION_1).unwrap();
    drop(writer);
    let mut writer = disk.open();
    assert_eq!(found(&writer, 1..=400), entries(1..=300));
    writer.append(&entries(301..=400)).unwrap();
    writer.commit(false).unwrap();
    drop(writer);
    let writer = disk.open();
    assert_eq!(found(&writer, 1..=400), entries(1..=400));
    let version = "SELECT user_version FROM pragma_user_version";
    let version: i32 = disk.file().query_row(version, [], |row| row.get(0)).unwrap();
    assert_eq!(version, SCHEMA_VERSION);
}

fn forgotten(writer: &mut PastWriter) -> Vec<u64> {
    writer.take_forgotten().iter().map(|number| number.0).collect()
}

#[test]
fn a_block_that_is_damaged_is_forgotten_by_itself_while_its_rest_is_filled() {
    let disk = Disk::new();
    let mut writer = disk.open();
    writer.append(&entries(1..=300)).unwrap();
    writer.reaches(EntryNumber(700));
    writer.append(&entries(701..=1_000)).unwrap();
    writer.commit(false).unwrap();
    damage(&disk, 257);
    let (first, content) = sent(257, 512);
    assert!(writer.fill(first, &content).unwrap());
    assert_eq!(forgotten(&mut writer), [257]);
    assert_eq!(writer.missing(), [513..=700]);
    assert_eq!(found(&writer, 1..=512), entries(1..=512));
    // Its rest is made again.
    damage(&disk, 701);
    writer.append(&entries(513..=768)).unwrap();
    assert_eq!(forgotten(&mut writer), [701]);
    assert_eq!(writer.missing(), []);
    assert_eq!(found(&writer, 1..=2_000), entries(1..=1_000));
}

#[test]
fn a_block_that_is_damaged_at_a_start_is_forgotten_by_itself_and_made_again() {
    let disk = Disk::new();
    let mut writer = disk.open();
    writer.append(&entries(1..=700)).unwrap();
    writer.commit(false).unwrap();
    damage(&disk, 257);
    damage(&disk, 513);
    // The last one is looked at when the file is opened, another one when the first entry is made.
    let mut writer = disk.open();
    assert_eq!(forgotten(&mut writer), [513]);
    assert_eq!((writer.missing(), writer.last().0), (&[513..=700][..], 700));
    writer.append(&entries(257..=710)).unwrap();
    assert_eq!(forgotten(&mut writer), [257]);
    writer.commit(false).unwrap();
    assert_eq!(writer.missing(), []);
    assert_eq!(found(&writer, 1..=2_000), entries(1..=710));
    let writer = disk.open();
    assert_eq!(found(&writer, 1..=2_000), entries(1..=710));
}

#[test]
fn a_row_that_is_not_where_it_belongs_keeps_nothing_from_being_filled() {
    let disk = Disk::new();
    let mut writer = disk.open();
    writer.append(&entries(1..=1_000)).unwrap();
    writer.commit(false).unwrap();
    let moved = "UPDATE blocks SET first = 400 WHERE first = 1";
    assert_eq!(disk.file().execute(moved, []).unwrap(), 1);
    for number in [1, 257] {
        writer.forget(EntryNumber(number)).unwrap();
        let (first, content) = sent(number, number + 255);
        assert!(writer.fill(first, &content).unwrap());
    }
    assert_eq!(writer.missing(), []);
    assert_eq!(found(&writer, 1..=2_000), entries(1..=1_000));
}

/// A file with small pages, so that it has few bytes, and the blocks in it.
fn small_file() -> (Vec<u8>, Vec<(EntryNumber, Vec<u8>)>) {
    let disk = Disk::new();
    let file = disk.folder.path().join(FILE_NAME);
    let pages = "PRAGMA page_size = 512; PRAGMA journal_mode = WAL";
    Connection::open(&file).unwrap().execute_batch(pages).unwrap();
    let mut writer = disk.open();
    // A block that is complete has more bytes than others differ in.
    for numbers in [1..=12, 13..=20] {
        writer.append(&entries(numbers)).unwrap();
        writer.close_block();
    }
    writer.append(&entries(21..=24)).unwrap();
    writer.commit(true).unwrap();
    drop(writer);
    (std::fs::read(file).unwrap(), vec![sent(1, 24)])
}

/// Reads all entries as a node does, which forgets what it finds damaged; returns what is there.
fn read_all(past: &mut Past, place: usize) -> Vec<PastEntry> {
    let open = past.opener();
    let mut found = Vec::new();
    for number in 1..=24 {
        let mut reader = open().unwrap();
        match reader.find(EntryNumber(number)) {
            Ok(entry) => {
                let is_missing = past.missing().iter().any(|gap| gap.contains(&number));
                assert!(entry.is_some() || is_missing, "byte {place}: entry {number} vanished");
                found.extend(entry);
            }
            Err(StoreError::Damaged { .. }) => past.forget(reader.damaged()).unwrap(),
            Err(error) => panic!("{error}"),
        }
    }
    found
}

#[test]
fn a_change_to_any_byte_of_the_past_is_noticed_or_harmless_and_can_be_mended() {
    let (bytes, blocks) = small_file();
    let expected = entries(1..=24);
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    for place in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[place] ^= 1 << (place % 8);
        for file in std::fs::read_dir(folder.path()).unwrap() {
            let path = file.unwrap().path();
            let _ = std::fs::remove_file(&path).or_else(|_| std::fs::remove_dir_all(&path));
        }
        std::fs::write(folder.path().join(FILE_NAME), &flipped).unwrap();
        let mut past = Past::open(folder.path(), BANK).unwrap();
        past.reaches(EntryNumber(24));
        past.commit(false).unwrap();
        let found = read_all(&mut past, place);
        assert!(found.iter().all(|past| expected.contains(past)), "byte {place}");
        for (first, content) in &blocks {
            past.fill(*first, content).unwrap();
        }
        assert_eq!(past.missing(), [], "byte {place}");
        assert_eq!(read_all(&mut past, place), expected, "byte {place}");
    }
}

#[test]
fn what_is_missing_is_put_in_its_place_when_it_is_made_again() {
    let disk = Disk::new();
    let mut writer = disk.open();
    writer.append(&entries(1..=300)).unwrap();
    writer.reaches(EntryNumber(700));
    writer.append(&entries(701..=1_000)).unwrap();
    writer.commit(false).unwrap();
    writer.forget(EntryNumber(20)).unwrap();
    assert_eq!(writer.missing(), [1..=256, 301..=700]);
    // A ledger that begins at a snapshot makes only what came after it.
    writer.append(&entries(400..=1_000)).unwrap();
    assert_eq!(writer.missing(), [1..=256, 301..=512]);
    disk.open().append(&entries(1..=1_000)).unwrap();
    let writer = disk.open();
    assert_eq!(writer.missing(), []);
    assert_eq!(found(&writer, 1..=2_000), entries(1..=1_000));
}

#[test]
fn ranges_are_taken_out_of_ranges() {
    assert_eq!(without(&[1..=10, 20..=30], &(5..=24)), [1..=4, 25..=30]);
    assert_eq!(without(&[1..=10], &(3..=4)), [1..=2, 5..=10]);
    assert_eq!(without(&[1..=10], &(0..=99)), [] as [Numbers; 0]);
    assert_eq!(bounds(EntryNumber(BLOCK_ENTRIES)).1, EntryNumber(BLOCK_ENTRIES));
}

fn archived(through: u64) -> Archived {
    let last = entry(through).entry;
    let (until_ms, position) = (last.at_ms, last.position);
    Archived { through: EntryNumber(through), until_ms, position, chain: None }
}

#[test]
fn what_the_others_have_moved_is_given_up_and_what_is_here_of_it_stays() {
    let disk = Disk::new();
    let mut writer = disk.open();
    writer.append(&entries(1..=512)).unwrap();
    writer.reaches(EntryNumber(1_024));
    writer.append(&entries(1_025..=1_300)).unwrap();
    assert!(!writer.give_up(&archived(512)).unwrap(), "nothing of it is missing");
    assert_eq!(writer.archived(), None);
    assert!(writer.give_up(&archived(768)).unwrap());
    assert_eq!((writer.archived(), writer.missing()), (Some(&archived(768)), &[769..=1_024][..]));
    // They have moved more than is missing here.
    assert!(writer.give_up(&archived(1_280)).unwrap());
    let mut writer = disk.open();
    let given_up = writer.archived().unwrap().clone();
    assert_eq!((given_up.through, writer.missing()), (EntryNumber(1_024), &[][..]));
    assert_eq!(given_up.until_ms, entry(1_025).entry.at_ms, "no later than the next one");
    assert_eq!(found(&writer, 1..=1_300), [entries(1..=512), entries(1_025..=1_300)].concat());
    let mut reader = writer.reader().unwrap();
    assert_eq!(reader.find(EntryNumber(600)).unwrap(), None);
    assert_eq!(reader.gone(), Some(&given_up));
    // Nobody wants it back.
    let (first, content) = sent(513, 768);
    assert!(!writer.fill(first, &content).unwrap());
    writer.append(&entries(500..=1_310)).unwrap();
    writer.forget(EntryNumber(600)).unwrap();
    assert_eq!((writer.archived(), writer.missing()), (Some(&given_up), &[][..]));
}

#[test]
fn what_is_in_archive_files_is_not_missing_when_the_store_is_damaged_as_a_whole() {
    let folder = tempfile::tempdir().unwrap();
    let mut past = Past::open(folder.path(), BANK).unwrap();
    past.append(&entries(1..=1_000)).unwrap();
    past.commit(true).unwrap();
    past.let_go(archived(512)).unwrap();
    past.forget(&[]).unwrap();
    assert_eq!((past.archived(), past.missing()), (Some(&archived(512)), &[513..=1_000][..]));
    drop(past);
    let past = Past::open(folder.path(), BANK).unwrap();
    assert_eq!((past.archived(), past.missing()), (Some(&archived(512)), &[513..=1_000][..]));
}
