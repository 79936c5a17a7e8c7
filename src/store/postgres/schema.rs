//! The tables, each part of a bank's in a schema of its own.

use super::session::{Session, get};
use super::trouble::Trouble;
use crate::ids::Sha256Digest;
use crate::store::journal::sha256;

/// Layout of the journal's tables below.
pub(super) const JOURNAL_LAYOUT: i32 = 1;
/// Layout of the past's. Before it, all blocks were in one table: see `partitions`.
pub(super) const PAST_LAYOUT: i32 = 2;
/// Layout of that of sealed keys.
pub(super) const KEYS_LAYOUT: i32 = 1;

/// What is packed is not packed once more.
pub(super) const JOURNAL: &str = "
CREATE TABLE layout (one int PRIMARY KEY CHECK (one = 1), version int NOT NULL);
CREATE TABLE head (one int PRIMARY KEY CHECK (one = 1), content text NOT NULL, digest bytea NOT NULL);
CREATE TABLE plan (one int PRIMARY KEY CHECK (one = 1), content text NOT NULL);
CREATE TABLE events (
    round bigint NOT NULL, coordinator bigint NOT NULL, sum bigint NOT NULL, sender bigint NOT NULL,
    members text NOT NULL, body bytea NOT NULL, digest bytea NOT NULL, signature bytea,
    PRIMARY KEY (round, coordinator, sum, sender)
);
CREATE TABLE executed (
    position bigint PRIMARY KEY,
    round bigint NOT NULL, coordinator bigint NOT NULL, sum bigint NOT NULL, sender bigint NOT NULL,
    hash bytea NOT NULL
);
CREATE TABLE pieces (
    snapshot bigint NOT NULL, place bigint NOT NULL, text bytea NOT NULL, digest bytea NOT NULL,
    PRIMARY KEY (snapshot, place)
);
ALTER TABLE events ALTER COLUMN body SET STORAGE EXTERNAL;
ALTER TABLE pieces ALTER COLUMN text SET STORAGE EXTERNAL;
";

pub(super) const PAST: &str = "
CREATE TABLE layout (one int PRIMARY KEY CHECK (one = 1), version int NOT NULL);
CREATE TABLE head (one int PRIMARY KEY CHECK (one = 1), content text NOT NULL, digest bytea NOT NULL);
CREATE TABLE blocks (
    first bigint PRIMARY KEY, last bigint NOT NULL, content bytea NOT NULL, digest bytea NOT NULL
) PARTITION BY RANGE (first);
ALTER TABLE blocks ALTER COLUMN content SET STORAGE EXTERNAL;
CREATE TABLE partitions (number bigint PRIMARY KEY);
";

/// What is in a run does not let itself be packed: it is hashes.
pub(super) const KEYS: &str = "
CREATE TABLE layout (one int PRIMARY KEY CHECK (one = 1), version int NOT NULL);
CREATE TABLE runs (
    run bigint NOT NULL, part bigint NOT NULL, content bytea NOT NULL, PRIMARY KEY (run, part)
);
ALTER TABLE runs ALTER COLUMN content SET STORAGE EXTERNAL;
";

/// Whether the schema that the session's search path names is there.
pub(super) fn is_there(session: &Session, schema: &str) -> Result<bool, Trouble> {
    let sql = "SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = $1)";
    get(&session.one(sql, &[&schema])?, 0)
}

/// Makes a schema and the tables in it, within the transaction that is open.
pub(super) fn make(
    session: &Session,
    schema: &str,
    tables: &str,
    layout: i32,
) -> Result<(), Trouble> {
    session.execute_batch(&format!(
        "CREATE SCHEMA {schema}; {tables} INSERT INTO layout VALUES (1, {layout});"
    ))
}

/// Makes these tables of this layout where there is no schema of that name; answers the layout of
/// what is there then.
pub(super) fn found(
    session: &Session,
    name: &str,
    (tables, version): (&str, i32),
) -> Result<Option<i32>, Trouble> {
    if !is_there(session, name)? {
        session.execute_batch("BEGIN")?;
        make(session, name, tables, version)?;
        session.execute_batch("COMMIT")?;
    }
    layout(session, name)
}

/// The layout of the tables that are there; `None` if they are none of ours.
pub(super) fn layout(session: &Session, schema: &str) -> Result<Option<i32>, Trouble> {
    let sql =
        "SELECT EXISTS (SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = $1 AND c.relname = 'layout')";
    if !get::<bool>(&session.one(sql, &[&schema])?, 0)? {
        return Ok(None);
    }
    let rows = session.query("SELECT version FROM layout WHERE one = 1", &[])?;
    rows.first().map(|row| get(row, 0)).transpose()
}

/// What the definitions of the tables hash to.
pub(super) fn digest_of_tables(session: &Session, schema: &str) -> Result<Sha256Digest, Trouble> {
    let sql = "SELECT coalesce(string_agg(line, ';' ORDER BY line COLLATE \"C\"), '') FROM (
            SELECT format('%s %s %s %s %s', c.relname, a.attnum, a.attname,
                format_type(a.atttypid, a.atttypmod), a.attnotnull) AS line
            FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
            JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = $1 AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
            UNION ALL
            SELECT format('%s %s %s', c.relname, k.contype, k.conkey) AS line
            FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
            JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = $1 AND k.contype = 'p'
        ) lines";
    let tables: String = get(&session.one(sql, &[&schema])?, 0)?;
    Ok(sha256(&tables))
}
