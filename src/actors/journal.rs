//! Owns the store, on a thread of its own: only those who need its fsync wait for it. What other
//! banks ask for is read by a second actor, on another thread, so that it does not hold up an
//! fsync.

use std::time::{Duration, Instant};

use actix::{Actor, Addr, AsyncContext, Context, Handler, Message};

use super::routes::{Post, Wire};
use crate::protocol::effect::{Effect, HeartbeatInput, JournalInput};
use crate::store::{GroupCommit, JournalReader, Read, StoreError};

/// How long execution marks may wait to share a commit that somebody needs, in milliseconds.
const LAZY_COMMIT_MS: u64 = 500;
/// How often a little of a snapshot is written, in milliseconds: so little that a commit which
/// somebody waits for takes hardly longer for it.
const SNAPSHOT_STEP_MS: u64 = 125;
/// Commits that take less than this many milliseconds are not reported.
const TOLD_FROM_MS: u64 = 5;

impl Message for JournalInput {
    type Result = ();
}

/// The actor around [`GroupCommit`].
pub struct JournalActor {
    writer: GroupCommit,
    reader: Addr<JournalReaderActor>,
    flush_is_queued: bool,
    post: Post,
}

impl JournalActor {
    /// An actor that waits to be wired.
    #[must_use]
    pub fn new(writer: GroupCommit, reader: Addr<JournalReaderActor>) -> Self {
        JournalActor { writer, reader, flush_is_queued: false, post: Post::default() }
    }

    fn flush(&mut self) {
        let began = Instant::now();
        let flushed = self.writer.flush(&mut self.post.out);
        end_unless(flushed);
        let took = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        if took >= TOLD_FROM_MS {
            self.post.out.push(Effect::Heartbeat(HeartbeatInput::Fsync(took)));
        }
        self.post.deliver();
        self.read();
    }

    fn read(&mut self) {
        self.writer.take_reads().into_iter().for_each(|read| self.reader.do_send(Look(read)));
    }

    fn step(&mut self) {
        end_unless(self.writer.tick(&mut self.post.out));
        self.post.deliver();
    }
}

/// What is on disk is unknown after a failure; the restart finds out, and reads all of it.
fn end_unless<T>(done: Result<T, StoreError>) -> T {
    done.unwrap_or_else(|error| {
        error.make_next_start_read_all();
        log::error!("{error}");
        log::logger().flush();
        std::process::exit(1);
    })
}

impl Actor for JournalActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        let every = Duration::from_millis;
        context.run_interval(every(SNAPSHOT_STEP_MS), |actor, _| actor.step());
        context.run_interval(every(LAZY_COMMIT_MS), |actor, _| actor.flush());
    }
}

impl Handler<Wire> for JournalActor {
    type Result = ();

    fn handle(&mut self, Wire(routes): Wire, _: &mut Self::Context) {
        self.reader.do_send(Wire(routes.clone()));
        self.post.wire(routes);
    }
}

/// Commit now; answered when it is on disk. The actor queues one behind everything that is already
/// waiting, so that all of it shares one fsync.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Flush;

impl Handler<JournalInput> for JournalActor {
    type Result = ();

    fn handle(&mut self, input: JournalInput, context: &mut Self::Context) {
        self.writer.handle(input);
        if !self.writer.is_urgent() {
            self.read();
        } else if !self.flush_is_queued {
            self.flush_is_queued = true;
            context.address().do_send(Flush);
        }
    }
}

impl Handler<Flush> for JournalActor {
    type Result = ();

    fn handle(&mut self, _: Flush, _: &mut Self::Context) {
        self.flush_is_queued = false;
        self.flush();
    }
}

/// Reads the journal for others.
pub struct JournalReaderActor {
    reader: Box<dyn JournalReader>,
    post: Post,
}

impl JournalReaderActor {
    /// An actor that waits to be wired.
    #[must_use]
    pub fn new(reader: Box<dyn JournalReader>) -> Self {
        JournalReaderActor { reader, post: Post::default() }
    }
}

impl Actor for JournalReaderActor {
    type Context = Context<Self>;
}

impl Handler<Wire> for JournalReaderActor {
    type Result = ();

    fn handle(&mut self, Wire(routes): Wire, _: &mut Self::Context) {
        self.post.wire(routes);
    }
}

/// Read this; everything before it is on disk.
#[derive(Message)]
#[rtype(result = "()")]
struct Look(Read);

impl Handler<Look> for JournalReaderActor {
    type Result = ();

    fn handle(&mut self, Look(read): Look, _: &mut Self::Context) {
        self.post.out.push(end_unless(read.answer(&mut *self.reader)));
        self.post.deliver();
    }
}
