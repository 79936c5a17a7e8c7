//! Journals of other releases.

use super::*;

/// The tables of the first release, with two events of which the first is executed.
fn first_release(folder: &Path, user_version: i32) {
    let db = rusqlite::Connection::open(file(folder)).unwrap();
    let tables = "
        PRAGMA journal_mode = WAL;
        CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID, STRICT;
        CREATE TABLE events (
            round INTEGER NOT NULL, coordinator INTEGER NOT NULL, sum INTEGER NOT NULL, sender INTEGER NOT NULL,
            members TEXT NOT NULL, body TEXT NOT NULL, digest BLOB NOT NULL,
            PRIMARY KEY (round, coordinator, sum, sender)
        ) WITHOUT ROWID, STRICT;
        CREATE TABLE executed (
            position INTEGER PRIMARY KEY,
            round INTEGER NOT NULL, coordinator INTEGER NOT NULL, sum INTEGER NOT NULL, sender INTEGER NOT NULL,
            hash BLOB NOT NULL,
            UNIQUE (round, coordinator, sum, sender)
        ) STRICT;
        INSERT INTO meta VALUES ('bank', '1'), ('banks', '3'), ('promised', '{\"round\":7,\"coordinator\":2}');
        PRAGMA application_id = 1316242027;";
    db.execute_batch(tables).unwrap();
    db.pragma_update(None, "user_version", user_version).unwrap();
    let prepared = serde_json::to_string(&plan(1)).unwrap();
    db.execute("INSERT INTO meta VALUES ('prepared', ?1)", [prepared]).unwrap();
    for counter in [1, 2_i64] {
        let event = held(counter.unsigned_abs()).event;
        let (members, body) = ("[0,1,2]", event.wire().get());
        let digest = &Sha256::digest([members, body].join("\0"))[..16];
        let row = rusqlite::params![counter, members, body, digest];
        db.execute("INSERT INTO events VALUES (1, 0, ?1, 0, ?2, ?3, ?4)", row).unwrap();
    }
    db.execute("INSERT INTO executed VALUES (1, 1, 0, 1, 0, ?1)", [&mark(1).hash.0[..]]).unwrap();
}

#[test]
fn a_journal_of_the_first_release_is_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    first_release(folder.path(), 1);
    for _ in 0..2 {
        let mut store = open(folder.path());
        let Remembered { promised, prepared, learner, .. } = store.remembered().unwrap();
        assert_eq!((promised.round, prepared, learner), (7, plan(1), false));
        assert_eq!(contents(&mut store).unwrap(), (vec![1], vec![held(2).event.order_key()]));
    }
    // It keeps its layout, in which events are text, and goes on in it.
    let mut store = open(folder.path());
    store.write(&[Change::Executed(mark(2)), Change::Append(held(3))]).unwrap();
    store.write(&[Change::Settle { through: Position(2) }]).unwrap();
    drop(store);
    let mut store = open(folder.path());
    assert_eq!(contents(&mut store).unwrap(), (vec![1, 2], vec![held(3).event.order_key()]));
    drop(store);
    meddle(folder.path(), "UPDATE events SET body = body || '' WHERE typeof(body) = 'text'");
    meddle(folder.path(), "DELETE FROM executed");
    assert!(is_damaged(&contents(&mut open(folder.path())).unwrap_err()));
}

#[test]
fn a_journal_of_a_later_release_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    first_release(folder.path(), 4);
    let error = SqliteStore::open(folder.path(), OWNER).err().unwrap();
    assert!(error.to_string().contains("version 4, this program knows 1 to 3"), "{error}");

    let folder = tempfile::tempdir().unwrap();
    first_release(folder.path(), 1);
    rusqlite::Connection::open(file(folder.path()))
        .unwrap()
        .execute("DELETE FROM meta WHERE key = 'bank'", [])
        .unwrap();
    let error = SqliteStore::open(folder.path(), OWNER).err().unwrap();
    assert!(is_damaged(&error), "{error}");
}
