//! Sealed idempotency keys in PostgreSQL: each run in parts, in a schema of their own, the same
//! bytes as in a file.
//!
//! Several threads ask for them, and a session belongs to one: two threads have one each. What the
//! ledger has to know at once does not wait behind a run that is being written or fetched.

use std::borrow::Cow;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel, sync_channel};

use super::address::{Database, Part, Shelf as Address};
use super::caller::Caller;
use super::session::{Purpose, Session, get};
use super::trouble::Trouble;
use super::{AWAY_MAX, rename, schema};
use crate::ids::{BankId, Sha256Digest};
use crate::ledger::book::{Rows, Run};
use crate::machine::name_thread;
use crate::store::shelf::{Contents, end, put, take};
use crate::store::{Shelf, StoreError};

/// Bytes of a part. A look-up reads one, or two.
const PART_BYTES: usize = 1 << 15;

const PARTS: &str =
    "SELECT content FROM runs WHERE run = $1 AND part >= $2 AND part <= $3 ORDER BY part";
const INSERT: &str = "
INSERT INTO runs (run, part, content) SELECT $1, * FROM unnest($2::bigint[], $3::bytea[])";

/// Runs as rows of a database.
#[derive(Clone, Debug)]
pub(in crate::store) struct PgShelf {
    address: Arc<Address>,
    writing: Clerk,
    reading: Clerk,
}

/// A run in the database.
#[derive(Debug)]
struct Kept {
    address: Arc<Address>,
    reading: Clerk,
    number: u64,
}

/// Something to ask a database for.
type Question = Box<dyn FnOnce(&mut Caller) + Send>;

/// A thread with a session of its own; it ends with the last who may ask it.
#[derive(Clone, Debug)]
struct Clerk(Sender<Question>);

impl Clerk {
    fn hire(address: &Address, purpose: Purpose) -> Result<Clerk, StoreError> {
        let mut caller = Caller::new(address.clone(), purpose, AWAY_MAX);
        let (clerk, questions) = channel::<Question>();
        let serving = move || {
            name_thread("keys");
            questions.iter().for_each(|question| question(&mut caller));
        };
        let refused = |error: std::io::Error| StoreError::Open {
            path: address.path(),
            why: error.to_string(),
        };
        std::thread::Builder::new().spawn(serving).map_err(refused)?;
        Ok(Clerk(clerk))
    }

    /// Asks, and waits for the answer.
    fn ask<R: Send + 'static>(
        &self,
        question: impl Fn(&Session) -> Result<R, Trouble> + Send + 'static,
    ) -> Result<R, Trouble> {
        let (tell, told) = sync_channel(1);
        let question = move |caller: &mut Caller| _ = tell.send(caller.ask(question));
        // A thread that has ended drops the question, and says nothing.
        _ = self.0.send(Box::new(question));
        told.recv().unwrap_or_else(|_| Err(Trouble::Away("its thread has ended".into())))
    }
}

impl PgShelf {
    /// The shelf of a bank, which is made if it is not there; a damaged one is put aside: what was
    /// on it can be made again.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be used.
    pub(in crate::store) fn open(database: &Database, bank: BankId) -> Result<Self, StoreError> {
        let address = Arc::new(Address { database: database.clone(), bank, part: Part::Keys });
        let open = || {
            let writing = Clerk::hire(&address, Purpose::Write)?;
            let reading = Clerk::hire(&address, Purpose::Read)?;
            let shelf = PgShelf { address: Arc::clone(&address), writing, reading };
            shelf.prepare().map(|()| shelf)
        };
        match open() {
            Err(damage @ StoreError::Damaged { .. }) => {
                let aside = rename(&address, "damaged")?;
                log::error!("KEYS DAMAGED: {damage}; they are now in {}", aside.display());
                open()
            }
            opened => opened,
        }
    }

    /// Makes the tables if they are not there.
    fn prepare(&self) -> Result<(), StoreError> {
        let name = self.address.schema();
        let found = self.writing.ask(move |session| {
            let found = schema::found(session, &name, (schema::KEYS, schema::KEYS_LAYOUT))?;
            session.query(PARTS, &[&-1_i64, &0_i64, &0_i64])?;
            Ok(found)
        });
        match found.map_err(|trouble| self.unread(&trouble))? {
            Some(schema::KEYS_LAYOUT) => Ok(()),
            _ => Err(self.damaged("the layout of the tables".into())),
        }
    }

    fn unread(&self, trouble: &Trouble) -> StoreError {
        trouble.beside_the_journal(&self.address.path())
    }

    /// Nothing has to be put aside because something cannot be written.
    fn unwritten(&self, trouble: &Trouble) -> StoreError {
        match self.unread(trouble) {
            StoreError::Damaged { path, why } => StoreError::Failed { path, why },
            other => other,
        }
    }
}

impl Contents for PgShelf {
    fn numbers(&self) -> Result<Vec<u64>, StoreError> {
        let read = self.writing.ask(|session| {
            let rows = session.query("SELECT DISTINCT run FROM runs ORDER BY run", &[])?;
            rows.iter().map(|row| get::<i64>(row, 0).map(i64::unsigned_abs)).collect()
        });
        read.map_err(|trouble| self.unread(&trouble))
    }

    fn content(&self, number: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let read = self.writing.ask(move |session| parts(session, number, 0, i64::MAX));
        read.map_err(|trouble| self.unread(&trouble))
    }

    fn write(&self, number: u64, content: &[u8]) -> Result<(), StoreError> {
        let parts: Vec<_> = content.chunks(PART_BYTES).map(<[u8]>::to_vec).collect();
        let numbers: Vec<_> = (0..).take(parts.len()).collect::<Vec<i64>>();
        let written = self.writing.ask(move |session| {
            session.execute_batch("BEGIN")?;
            session.query("DELETE FROM runs WHERE run = $1", &[&sql(number)])?;
            session.execute_and_commit(INSERT, &[&sql(number), &numbers, &parts])
        });
        written.map_err(|trouble| self.unwritten(&trouble))
    }

    fn make_safe(&self, number: u64) -> Result<(), StoreError> {
        // A transaction that changes nothing waits for nothing, and one that was cut short may be
        // here and not yet be where its replica is.
        let touch = "UPDATE runs SET part = part WHERE run = $1 AND part = 0";
        let touched = self.writing.ask(move |session| session.query(touch, &[&sql(number)]));
        touched.map(|_| ()).map_err(|trouble| self.unwritten(&trouble))
    }

    fn rows(&self, number: u64) -> Result<Option<Arc<dyn Rows>>, StoreError> {
        let (address, reading) = (Arc::clone(&self.address), self.reading.clone());
        Ok(Some(Arc::new(Kept { address, reading, number })))
    }

    fn damaged(&self, why: String) -> StoreError {
        StoreError::Damaged { path: self.address.path(), why }
    }
}

impl Shelf for PgShelf {
    fn put(&self, run: &Run) -> Result<Run, StoreError> {
        put(self, run)
    }

    fn take(&self, number: u64, digest: Sha256Digest) -> Result<Option<Run>, StoreError> {
        take(self, number, digest)
    }

    fn drop_before(&self, number: u64) -> Result<(), StoreError> {
        let delete = "DELETE FROM runs WHERE run < $1";
        let dropped = self.writing.ask(move |session| session.query(delete, &[&sql(number)]));
        dropped.map(|_| ()).map_err(|trouble| self.unwritten(&trouble))
    }
}

impl Kept {
    fn path(&self) -> PathBuf {
        self.address.path()
    }
}

impl Rows for Kept {
    fn read(&self, range: Range<usize>) -> Cow<'_, [u8]> {
        let (number, first) = (self.number, range.start / PART_BYTES);
        let last = range.end.saturating_sub(1) / PART_BYTES;
        let read = self.reading.ask(move |session| {
            let [first, last] = [first, last].map(|part| sql(part as u64));
            parts(session, number, first, last)
        });
        match read {
            Ok(content) => {
                let start = range.start - first * PART_BYTES;
                let content = content.unwrap_or_default();
                match content.get(start..start + range.len()) {
                    Some(bytes) => Cow::Owned(bytes.to_vec()),
                    None => self.give_up(&format!("a part of run {number} is gone")),
                }
            }
            Err(trouble) => end(&trouble.beside_the_journal(&self.path())),
        }
    }

    fn give_up(&self, why: &str) -> ! {
        end(&StoreError::Damaged { path: self.path(), why: why.to_owned() })
    }
}

/// The bytes of some parts of a run; `None` if none of them is here.
fn parts(
    session: &Session,
    number: u64,
    first: i64,
    last: i64,
) -> Result<Option<Vec<u8>>, Trouble> {
    let rows = session.query(PARTS, &[&sql(number), &first, &last])?;
    let parts: Vec<&[u8]> = rows.iter().map(|row| get(row, 0)).collect::<Result<_, _>>()?;
    Ok((!parts.is_empty()).then(|| parts.concat()))
}

fn sql(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
