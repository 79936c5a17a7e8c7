//! Owns the past, on a thread of its own; and the readers of it, on others. Nothing that takes part
//! in the order waits for them.
//!
//! The ledger hands entries over when some have gathered, or when somebody is going to read. A read
//! has two parts: the ledger says where an account's entries are, and then a reader walks them.
//! Many readers wait for their turn, a piece of work at a time, at the lowest priority.

mod fetch;

use std::sync::mpsc::SyncSender;
use std::time::Duration;

use actix::{
    Actor, Addr, AsyncContext, Context, Handler, MailboxError, Message, MessageResult, SyncContext,
};

pub(crate) use self::fetch::BLOCKS_MAX;
use self::fetch::Fetcher;
pub use self::fetch::Source;
use super::ledger::{Kept, LedgerActor};
use crate::ids::BankId;
use crate::ledger::past::{EntryNumber, PastEntry};
use crate::machine::{name_thread, yield_to_others};
use crate::store::StoreError;
use crate::store::past::{Archived, Numbers, Past, PastReader};
use crate::tls::Credentials;

/// How many threads read: one may wait for the disk while the other works.
pub(crate) const READERS: usize = 2;
/// How often what is missing is looked after.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The actor around [`Past`].
pub struct PastActor {
    me: BankId,
    past: Past,
    ledger: Option<Addr<LedgerActor>>,
    fetcher: Fetcher,
}

impl PastActor {
    /// An actor that fetches what is missing from these peers. Call it on the arbiter that will run
    /// it.
    #[must_use]
    pub fn new(me: BankId, past: Past, peers: Vec<Source>, credentials: Credentials) -> Self {
        PastActor { me, past, ledger: None, fetcher: Fetcher::new(me, peers, credentials) }
    }

    fn tell_of_damage(&mut self) {
        for (aside, damage) in self.past.take_aside() {
            log::error!("bank {}: PAST DAMAGED: {damage}", self.me);
            log::error!(
                "bank {}: the damaged files are kept in {}; the entries of statements are fetched \
                 again from the others",
                self.me,
                aside.display()
            );
        }
        for number in self.past.take_forgotten() {
            self.tell_of_damaged_block(number);
        }
    }

    fn tell_of_damaged_block(&self, number: EntryNumber) {
        log::error!(
            "bank {}: PAST DAMAGED at entry {number}: it is fetched again from the others",
            self.me
        );
    }

    /// A disk that cannot be written ends the process, as that of the journal does.
    fn or_end<T>(&mut self, done: Result<T, StoreError>) -> T {
        self.tell_of_damage();
        done.unwrap_or_else(|error| {
            log::error!("{error}");
            log::logger().flush();
            std::process::exit(1);
        })
    }

    fn commit(&mut self, sync: bool) {
        let done = self.past.commit(sync);
        let kept = self.or_end(done);
        if let Some(ledger) = &self.ledger {
            ledger.do_send(Kept(kept));
        }
    }
}

impl Actor for PastActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        self.tell_of_damage();
        context.run_interval(LOOK_EVERY, |actor, context| actor.fetch(context));
    }
}

/// The ledger whose entries come; told when they are on disk.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Serve(pub Addr<LedgerActor>);

impl Handler<Serve> for PastActor {
    type Result = ();

    fn handle(&mut self, Serve(ledger): Serve, _: &mut Self::Context) {
        self.ledger = Some(ledger);
    }
}

/// Entries, in their order.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Append(pub Vec<PastEntry>);

impl Handler<Append> for PastActor {
    type Result = ();

    fn handle(&mut self, Append(entries): Append, _: &mut Self::Context) {
        let done = self.past.append(&entries);
        self.or_end(done);
        self.commit(false);
    }
}

/// The ledger has come from another bank's snapshot: there are entries through this one.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Reaches(pub EntryNumber);

impl Handler<Reaches> for PastActor {
    type Result = ();

    fn handle(&mut self, Reaches(last): Reaches, context: &mut Self::Context) {
        self.past.reaches(last);
        self.commit(false);
        self.fetch(context);
    }
}

/// Everything that was handed over has to be on disk, even if the machine loses its power; answered
/// when it is.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Keep;

impl Handler<Keep> for PastActor {
    type Result = ();

    fn handle(&mut self, _: Keep, _: &mut Self::Context) {
        self.commit(true);
    }
}

/// Tells a thread that stops until everything that was handed over before is written.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Settled(pub SyncSender<()>);

impl Handler<Settled> for PastActor {
    type Result = ();

    fn handle(&mut self, Settled(waiting): Settled, _: &mut Self::Context) {
        // Who has given up waiting need not be told.
        let _ = waiting.try_send(());
    }
}

/// Answered, with the file's generation, once everything that was handed over before is written.
#[derive(Message)]
#[rtype(result = "u32")]
struct Written;

impl Handler<Written> for PastActor {
    type Result = MessageResult<Written>;

    fn handle(&mut self, _: Written, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.past.generation())
    }
}

/// A reader could not make sense of the blocks of these entries or, if it names none, of the whole
/// file.
#[derive(Message)]
#[rtype(result = "()")]
struct Damaged(Vec<EntryNumber>);

impl Handler<Damaged> for PastActor {
    type Result = ();

    fn handle(&mut self, Damaged(numbers): Damaged, context: &mut Self::Context) {
        numbers.iter().for_each(|number| self.tell_of_damaged_block(*number));
        let done = self.past.forget(&numbers);
        self.or_end(done);
        self.fetch(context);
    }
}

/// What is there, and what is missing.
#[derive(Clone, Debug)]
pub struct PastState {
    /// The last entry.
    pub last: EntryNumber,
    /// The entries before it that are not here, in order.
    pub missing: Vec<Numbers>,
    /// The first ones, if they are in archive files.
    pub archived: Option<Archived>,
}

/// Asks for [`PastState`].
#[derive(Message)]
#[rtype(result = "PastState")]
pub struct PastStatus;

impl Handler<PastStatus> for PastActor {
    type Result = MessageResult<PastStatus>;

    fn handle(&mut self, _: PastStatus, _: &mut Self::Context) -> Self::Result {
        MessageResult(PastState {
            last: self.past.last(),
            missing: self.past.missing().to_vec(),
            archived: self.past.archived().cloned(),
        })
    }
}

/// Reads the past; one of several.
pub struct PastReaderActor {
    open: Box<dyn Fn() -> Result<PastReader, StoreError> + Send>,
    reader: Option<(u32, PastReader)>,
    writer: Addr<PastActor>,
}

impl PastReaderActor {
    /// A reader that opens its connection when it is first asked.
    #[must_use]
    pub fn new(
        open: impl Fn() -> Result<PastReader, StoreError> + Send + 'static,
        writer: Addr<PastActor>,
    ) -> Self {
        PastReaderActor { open: Box::new(open), reader: None, writer }
    }

    fn read<R>(
        &mut self,
        generation: u32,
        job: impl FnOnce(&mut PastReader) -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        let (_, mut reader) = match self.reader.take() {
            Some(opened) if opened.0 == generation => opened,
            _ => (generation, (self.open)()?),
        };
        let done = job(&mut reader);
        match &done {
            Err(StoreError::Damaged { .. }) => {
                self.writer.do_send(Damaged(reader.damaged().to_vec()));
            }
            Err(error) => log::warn!("{error}"),
            Ok(_) => self.reader = Some((generation, reader)),
        }
        done
    }
}

impl Actor for PastReaderActor {
    type Context = SyncContext<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        name_thread("past reader");
        yield_to_others();
    }
}

/// A piece of work for a reader.
struct Job<F> {
    generation: u32,
    job: F,
}

impl<F, R> Message for Job<F>
where
    F: FnOnce(&mut PastReader) -> Result<R, StoreError>,
    R: 'static,
{
    type Result = Result<R, StoreError>;
}

impl<F, R> Handler<Job<F>> for PastReaderActor
where
    F: FnOnce(&mut PastReader) -> Result<R, StoreError>,
    R: 'static,
{
    type Result = Result<R, StoreError>;

    fn handle(&mut self, Job { generation, job }: Job<F>, _: &mut Self::Context) -> Self::Result {
        self.read(generation, job)
    }
}

/// Where the past is asked for.
#[derive(Clone)]
pub struct PastAddresses {
    /// The writer.
    pub writer: Addr<PastActor>,
    /// The readers.
    pub readers: Addr<PastReaderActor>,
}

/// Why the past was not read.
#[derive(Debug)]
pub enum Unread {
    /// The disk, or what it holds.
    Store(StoreError),
    /// A part of the node has ended.
    Ended(MailboxError),
}

impl PastAddresses {
    /// Reads everything that the ledger had handed over before; the job should be short, as others
    /// wait for it.
    ///
    /// # Errors
    /// [`Unread`]
    pub async fn read<R: Send + 'static>(
        &self,
        job: impl FnOnce(&mut PastReader) -> Result<R, StoreError> + Send + 'static,
    ) -> Result<R, Unread> {
        let generation = self.writer.send(Written).await.map_err(Unread::Ended)?;
        let read = self.readers.send(Job { generation, job }).await.map_err(Unread::Ended)?;
        read.map_err(Unread::Store)
    }
}
