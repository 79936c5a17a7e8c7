//! The tables, and how files of earlier versions become files of this one.

use std::path::Path;

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Transaction};
use serde::de::DeserializeOwned;

use super::tables::{SqliteTables, seal_of_events, seal_of_executed};
use crate::ids::{Ballot, BankId, Sha256Digest};
use crate::protocol::view::PreparePlan;
use crate::store::journal::{Beginning, Contents, Head, Seal, Tables, sha256, write_plan};
use crate::store::rows_over::copy;
use crate::store::{Owner, StoreError};

/// Marks a file as ours ("NtBk").
pub(super) const APPLICATION_ID: i32 = 0x4e74_426b;
/// Layout of the tables below.
pub(super) const SCHEMA_VERSION: i32 = 4;
/// The same without signatures,
const SCHEMA_VERSION_3: i32 = 3;
/// and that in which nothing is packed: a journal that has it keeps it.
const SCHEMA_VERSION_2: i32 = 2;
/// The layout of the first release.
pub(super) const SCHEMA_VERSION_1: i32 = 1;

/// The key is an index of its own: in a table without one, every event of more than a kilobyte
/// would begin a new page.
const EVENTS: &str = "
CREATE TABLE events (
    round INTEGER NOT NULL, coordinator INTEGER NOT NULL, sum INTEGER NOT NULL, sender INTEGER NOT NULL,
    members TEXT NOT NULL, body BLOB NOT NULL, digest BLOB NOT NULL,
    PRIMARY KEY (round, coordinator, sum, sender)
) STRICT;
";

/// Beside an event that is signed.
const SIGNATURE: &str = "ALTER TABLE events ADD COLUMN signature BLOB;";

/// Keys grow as positions do, so executed events can be found by walking both tables side by side.
const OTHERS: &str = "
CREATE TABLE head (one INTEGER PRIMARY KEY CHECK (one = 1), content TEXT NOT NULL, digest BLOB NOT NULL) STRICT;
CREATE TABLE plan (one INTEGER PRIMARY KEY CHECK (one = 1), content TEXT NOT NULL) STRICT;
CREATE TABLE executed (
    position INTEGER PRIMARY KEY,
    round INTEGER NOT NULL, coordinator INTEGER NOT NULL, sum INTEGER NOT NULL, sender INTEGER NOT NULL,
    hash BLOB NOT NULL
) STRICT;
CREATE TABLE pieces (
    snapshot INTEGER NOT NULL, place INTEGER NOT NULL, text ANY NOT NULL, digest BLOB NOT NULL,
    PRIMARY KEY (snapshot, place)
) STRICT;
";

/// What a new head is made of.
struct Known {
    owner: Owner,
    promised: Ballot,
    plan: PreparePlan,
    events: Seal,
    executed: Seal,
}

/// Makes the tables in a blank file.
pub(super) fn found(db: &mut Connection, bank: BankId) -> rusqlite::Result<Head> {
    let transaction = db.transaction()?;
    transaction.execute_batch(EVENTS)?;
    transaction.execute_batch(SIGNATURE)?;
    transaction.execute_batch(OTHERS)?;
    let known = Known {
        owner: Owner { bank, banks: 0 },
        promised: Ballot::default(),
        plan: PreparePlan::default(),
        events: Seal::default(),
        executed: Seal::default(),
    };
    finish(transaction, known)
}

/// Turns a file of the first release into one of the second layout in a single step. It had no
/// seals: what its rows hold is believed, and every event still has to match its own digest when it
/// is loaded.
pub(super) fn migrate(db: &mut Connection) -> rusqlite::Result<Head> {
    let transaction = db.transaction()?;
    let missing = || rusqlite::Error::QueryReturnedNoRows;
    let (bank, banks) = (meta(&transaction, "bank")?, meta(&transaction, "banks")?);
    let owner = Owner { bank: bank.ok_or_else(missing)?, banks: banks.ok_or_else(missing)? };
    let promised = meta(&transaction, "promised")?.unwrap_or_default();
    let plan = meta(&transaction, "prepared")?.unwrap_or_default();
    transaction.execute_batch(SIGNATURE)?;
    transaction.execute_batch("ALTER TABLE executed RENAME TO executed_1;")?;
    transaction.execute_batch(OTHERS)?;
    let sql = "INSERT INTO executed SELECT position, round, coordinator, sum, sender, hash FROM executed_1";
    transaction.execute(sql, [])?;
    transaction.execute_batch("DROP TABLE executed_1; DROP TABLE meta;")?;
    let (events, executed) = (seal_of_events(&transaction)?, seal_of_executed(&transaction)?);
    finish(transaction, Known { owner, promised, plan, events, executed })
}

/// Makes room for signatures in a file whose head is this one: its events have none.
pub(super) fn make_room(db: &mut Connection, mut head: Head) -> rusqlite::Result<Head> {
    let transaction = db.transaction()?;
    transaction.execute_batch(SIGNATURE)?;
    head.tables = digest_of_tables(&transaction)?;
    head.commits += 1;
    head.write(&rows_of(&transaction))?;
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    transaction.commit()?;
    Ok(head)
}

/// Makes the tables in a blank file, fills them with what another store holds, and proves it before
/// it counts.
///
/// # Errors
/// [`StoreError`] of the side that fails.
pub(super) fn receive<S: Tables>(
    path: &Path,
    db: &mut Connection,
    head: &Head,
    from: &S,
) -> Result<(), StoreError> {
    let failed = |error: rusqlite::Error| StoreError::Failed {
        path: path.to_owned(),
        why: error.to_string(),
    };
    let transaction = db.transaction().map_err(failed)?;
    [EVENTS, SIGNATURE, OTHERS]
        .iter()
        .try_for_each(|sql| transaction.execute_batch(sql))
        .map_err(failed)?;
    let tables = SqliteTables { path, db: &transaction, packs: true };
    copy(from, &tables, head)?;
    let mut head = Head { commits: head.commits + 1, ..head.clone() };
    head.tables = digest_of_tables(&transaction).map_err(failed)?;
    Contents { tables: &tables, head: &head }.prove()?;
    head.write(&tables).map_err(failed)?;
    let committed = (|| {
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
        transaction.commit()
    })();
    committed.map_err(failed)
}

fn finish(transaction: Transaction<'_>, known: Known) -> rusqlite::Result<Head> {
    let Known { owner, promised, plan, events, executed } = known;
    let tables = digest_of_tables(&transaction)?;
    let mut head = Head::beginning(Beginning { owner, promised, tables, events, executed });
    let rows = rows_of(&transaction);
    write_plan(&rows, &mut head, &plan)?;
    head.write(&rows)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    transaction.commit()?;
    Ok(head)
}

/// The tables for a transaction that writes the head and the plan.
fn rows_of<'a>(transaction: &'a Transaction<'_>) -> SqliteTables<'a> {
    SqliteTables { path: Path::new(""), db: transaction, packs: true }
}

/// What the definitions of the tables hash to.
pub(super) fn digest_of_tables(db: &Connection) -> rusqlite::Result<Sha256Digest> {
    let sql = "SELECT group_concat(type || ' ' || name || ' ' || tbl_name || ' ' || coalesce(sql, ''), ';')
        FROM (SELECT * FROM sqlite_schema ORDER BY name)";
    db.query_row(sql, [], |row| row.get::<_, String>(0)).map(|tables| sha256(&tables))
}

/// Whether a file of this layout has no room for signatures.
pub(super) fn is_without_signatures(version: i64) -> bool {
    [SCHEMA_VERSION_2, SCHEMA_VERSION_3].map(i64::from).contains(&version)
}

/// Whether events and pieces are packed in a file.
pub(super) fn packs(db: &Connection) -> rusqlite::Result<bool> {
    let sql = "SELECT type = 'BLOB' FROM pragma_table_info('events') WHERE name = 'body'";
    db.query_row(sql, [], |row| row.get(0))
}

/// What the first release kept under a key.
fn meta<T: DeserializeOwned>(
    transaction: &Transaction<'_>,
    key: &str,
) -> rusqlite::Result<Option<T>> {
    let sql = "SELECT value FROM meta WHERE key = ?1";
    let text: Option<String> = transaction.query_row(sql, [key], |row| row.get(0)).optional()?;
    let conversion =
        |error| rusqlite::Error::FromSqlConversionFailure(0, Type::Text, Box::new(error));
    text.map(|text| serde_json::from_str(&text).map_err(conversion)).transpose()
}
