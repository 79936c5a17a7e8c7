//! A disk on which an fsync has failed.

use sha2::{Digest, Sha256};

use super::*;

/// Marks the disk as a process that ends because of a failed fsync does.
fn put_in_doubt(folder: &Path) {
    let tip = folder.join("journal.tip");
    let bytes = std::fs::read(&tip).unwrap();
    let (disk, commits) = bytes[..44].split_at(36);
    let digest = Sha256::digest([disk, b"\0", commits, b"\0doubt"].concat());
    std::fs::write(&tip, [disk, commits, &digest[..16]].concat()).unwrap();
}

#[test]
fn after_an_fsync_that_failed_a_disk_counts_for_nothing_until_a_view_has_begun_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let prepared = || Change::Prepared {
        plan: plan(0),
        fetched: Vec::new(),
        dropped: Vec::new(),
        learner: false,
    };
    open(folder.path()).write(&[prepared(), Change::Append(held(1))]).unwrap();
    put_in_doubt(folder.path());
    for was_in_doubt in [true, false] {
        let mut store = open(folder.path());
        assert_eq!(
            store.was_in_doubt(),
            was_in_doubt,
            "what was read is written once more, and once"
        );
        let Remembered { learner, fresh, .. } = store.remembered().unwrap();
        assert_eq!((learner, fresh), (true, false), "it has lost something, perhaps");
        assert_eq!(
            contents(&mut store).unwrap().1,
            [held(1).event.order_key()],
            "what it holds it goes on holding"
        );
    }
    open(folder.path()).write(&[Change::Counts]).unwrap();
    assert!(!open(folder.path()).remembered().unwrap().learner);
}

#[test]
fn a_disk_in_doubt_may_be_rescued_and_one_that_has_forgotten_may_not() {
    for (also, may) in [(None, true), (Some(Change::Forgotten), false)] {
        let folder = tempfile::tempdir().unwrap();
        let prepared = Change::Prepared {
            plan: plan(0),
            fetched: Vec::new(),
            dropped: Vec::new(),
            learner: false,
        };
        let mut store = open(folder.path());
        store.write(&[prepared]).unwrap();
        drop(store);
        put_in_doubt(folder.path());
        let mut store = open(folder.path());
        store.write(&also.into_iter().collect::<Vec<_>>()).unwrap();
        assert_eq!(store.declare_rescue().unwrap(), may);
        let Remembered { learner, rescue, .. } = store.remembered().unwrap();
        assert_eq!((learner, rescue), (!may, may));
    }
}

#[test]
fn a_bank_that_is_alone_goes_on_after_an_fsync_that_failed() {
    let folder = tempfile::tempdir().unwrap();
    let alone = Owner { bank: BankId(0), banks: 1 };
    drop(SqliteStore::open(folder.path(), alone).unwrap());
    put_in_doubt(folder.path());
    let mut store = SqliteStore::open(folder.path(), alone).unwrap();
    assert!(store.was_in_doubt() && !store.remembered().unwrap().learner);
}
