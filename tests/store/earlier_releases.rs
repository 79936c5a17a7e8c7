//! Journals of other releases.

use netbanking::ids::signature::{CertificateId, Signature};

use sha2::{Digest, Sha256};

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

/// Turns a file into one of the release before events were signed, without room for signatures.
fn without_signatures(folder: &Path, version: i32) {
    let db = rusqlite::Connection::open(file(folder)).unwrap();
    db.execute_batch("ALTER TABLE events DROP COLUMN signature").unwrap();
    db.pragma_update(None, "user_version", version).unwrap();
    let sql = "SELECT group_concat(type || ' ' || name || ' ' || tbl_name || ' ' || coalesce(sql, ''), ';')
        FROM (SELECT * FROM sqlite_schema ORDER BY name)";
    let tables: String = db.query_row(sql, [], |row| row.get(0)).unwrap();
    let head: String = db.query_row("SELECT content FROM head", [], |row| row.get(0)).unwrap();
    let mut head: serde_json::Value = serde_json::from_str(&head).unwrap();
    let digest = Sha256::digest(tables);
    head["tables"] = digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into();
    let head = head.to_string();
    let digest = &Sha256::digest(&head)[..];
    db.execute("UPDATE head SET content = ?1, digest = ?2", rusqlite::params![head, digest])
        .unwrap();
}

#[test]
fn a_journal_from_before_events_were_signed_goes_on_being_read_and_takes_signed_ones() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    contents(&mut store).unwrap();
    let appended = [Change::Append(held(1)), Change::Append(held(2)), Change::Executed(mark(1))];
    store.write(&appended).unwrap();
    drop(store);
    without_signatures(folder.path(), 3);
    let Held { event, members } = held(3);
    let signature = Signature { by: CertificateId([0; 16]), members, seal: [0, 7, 0].into() };
    let signed = Arc::new(Event::clone(&event).with_signature(Some(signature.clone())));
    let mut store = open(folder.path());
    assert_eq!(contents(&mut store).unwrap(), (vec![1], vec![held(2).event.order_key()]));
    store.write(&[Change::Append(Held { event: signed, members })]).unwrap();
    drop(store);
    let mut signatures = Vec::new();
    let load = |store: &mut Box<dyn Disk>, signatures: &mut Vec<_>| {
        store.load(&mut |found| {
            if let Found::Held(held) = found {
                signatures.push(held.event.signature().cloned());
            }
            Ok(())
        })
    };
    load(&mut open(folder.path()), &mut signatures).unwrap();
    assert_eq!(signatures, [None, Some(signature)]);
    meddle(folder.path(), "UPDATE events SET signature = NULL WHERE sum = 3");
    assert!(is_damaged(&load(&mut open(folder.path()), &mut signatures).unwrap_err()));
}

#[test]
fn a_journal_of_a_later_release_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    first_release(folder.path(), 5);
    let error = SqliteStore::open(folder.path(), OWNER).err().unwrap();
    assert!(error.to_string().contains("version 5, this program knows 1 to 4"), "{error}");

    let folder = tempfile::tempdir().unwrap();
    first_release(folder.path(), 1);
    rusqlite::Connection::open(file(folder.path()))
        .unwrap()
        .execute("DELETE FROM meta WHERE key = 'bank'", [])
        .unwrap();
    let error = SqliteStore::open(folder.path(), OWNER).err().unwrap();
    assert!(is_damaged(&error), "{error}");
}
