//! The only place that wires actors together: it starts a node's actors on what its disk holds and
//! tells each where the others are.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, Addr, Arbiter, SyncArbiter};
use tokio::net::TcpListener;

use super::arrivals::{ArrivalsActor, EndLooking};
use super::audit::AuditActor;
use super::buffer::{BufferActor, BufferStatus};
use super::checks::{ChecksActor, Unconfirmed};
use super::clock::ClockActor;
use super::drafts::DraftsActor;
use super::heartbeat::{Answering, HeartbeatActor, Introduction, PeerAddress, answer_pings};
use super::journal::{Flush, JournalActor, JournalReaderActor};
use super::laboratory::Laboratory;
use super::ledger::{HandOver, LedgerActor};
use super::limits::LimitsActor;
use super::passwords::PasswordsActor;
use super::past::{self, Keep, PastActor, PastAddresses, PastReaderActor, Serve, Source};
use super::peer_link::{IsEmpty, Line, PeerLinkActor};
use super::replies::{RepliesActor, Waiting};
use super::routes::{Routes, Wire};
use super::schedules::SchedulesActor;
use super::sessions::SessionsActor;
use super::shelf::{KeepFor, ShelfActor};
use super::time::Monotonic;
use super::view::{Draining, ViewActor};
use super::watch::{EndStreams, Tell, WatchActor};
use crate::config::{Config, CustomerAuth, JournalLimits, Limits, SessionTimes, Settings};
use crate::ids::{BankId, Position};
use crate::ledger::Book;
use crate::machine::{cores, name_thread};
use crate::protocol::checks::Checks;
use crate::protocol::clock::Clock;
use crate::protocol::effect::ClockInput;
use crate::protocol::executor::Executor;
use crate::protocol::ordered_buffer::OrderedBuffer;
use crate::protocol::view::{OnDisk, View};
use crate::session::Lifetime;
use crate::store::past::Past;
use crate::store::recovery::{Recovered, recover};
use crate::store::{Disk, GroupCommit, Owner, Place, Snapshots, StoreError};
use crate::tls::{Credentials, Transport};
use crate::watch::History;

/// The longest that a stopping node waits for what is under way.
const DRAIN_WAIT: Duration = Duration::from_secs(5);
/// The fewest and most threads that hash passwords where `nodes.json` does not say how many.
const PASSWORD_THREADS_MIN: usize = 2;
const PASSWORD_THREADS_MAX: usize = 8;
/// How often it checks meanwhile.
const DRAIN_LOOK: Duration = Duration::from_millis(20);

/// A running node's actors.
#[derive(Clone)]
pub struct Actors {
    /// The parts of the protocol.
    pub routes: Routes,
    /// Who is logged in.
    pub sessions: Addr<SessionsActor>,
    /// What customers have begun and not finished.
    pub drafts: Addr<DraftsActor>,
    /// Who looks at what arrives.
    pub(crate) arrivals: Addr<ArrivalsActor>,
    /// Hashes passwords.
    pub passwords: Addr<PasswordsActor>,
    /// Every entry that was ever made.
    pub past: PastAddresses,
    /// What each customer and each address has used.
    pub limits: Addr<LimitsActor>,
    /// Who did what.
    pub audit: Addr<AuditActor>,
    /// What people may do to the links, where `nodes.json` allows it.
    pub laboratory: Option<Laboratory>,
    /// Where everything is kept.
    pub(crate) folder: PathBuf,
    /// How long reading it took when the node started.
    pub(crate) started_in: Duration,
    /// The threads that the actors live on.
    arbiters: Arc<[Arbiter]>,
}

/// Starts the actors of bank `me` on the journal in `place`; `tell` writes what those who watch are
/// told.
///
/// # Errors
/// [`StoreError`] when the journal cannot be used.
pub fn start(
    me: BankId,
    config: &Config,
    place: &Place,
    credentials: &Credentials,
    pings: TcpListener,
    tell: Tell,
) -> Result<Actors, StoreError> {
    let banks = config.nodes.len();
    let (recovered, started_in) = recovered(me, banks, place)?;
    let Recovered { store, book, past, shelf, disk: on_disk, .. } = recovered;
    let (at, time) = (book.position(), Monotonic::start());
    // The core decides, and talks to the peers; each other thread keeps one thing off it.
    let [core, ledger, disk, reads, past_thread, pulse, watch, gate] =
        ["core", "ledger", "disk", "reads", "past", "pulse", "watch", "gate"].map(thread_named);
    let laboratory = config.laboratory.then(Laboratory::default);
    let unproved = book.runs().map(|run| (run.number(), run.digest())).collect();
    let journal = writer_of(store, book.blank(), config, at)?.with_shelf(Arc::clone(&shelf));
    let executor = Executor::new(me, banks, book, on_disk.state.executed.clone());
    let (history, reader) = (History::new(me, banks, at), journal.reader()?);
    let reader = on(&reads, move || JournalReaderActor::new(reader));
    let past = past_actors(me, config, past, credentials, &past_thread);
    let replies = on(&core, RepliesActor::default);
    let audit = on(&gate, move || AuditActor::new(me, time));
    let sessions = sessions(config, &core, time, replies.clone());
    let shelf = on(&past_thread, move || ShelfActor::new(shelf, unproved));
    let (writer, keeper, told) = (past.writer.clone(), shelf.clone(), sessions.clone());
    let introduction = introduction(me, config, credentials);
    let (times, peers, introduced) = (config.heartbeat, peers(me, config), introduction.clone());
    let (weather, shown_weather) = (laboratory.clone(), laboratory.clone());
    tell_of_signatures(me, &on_disk, &credentials.transport);
    let (clock, buffer) = order(me, config, &credentials.transport);
    let view = View::new(me, banks, on_disk).with_signatures(credentials.transport.signs());
    let streams_max = config.limits.address.streams;
    let routes = Routes {
        me,
        clock: on(&core, move || ClockActor::new(clock, time)),
        buffer: on(&core, move || BufferActor::new(buffer, time)),
        checks: on(&core, move || ChecksActor::new(Checks::new(me, banks), time)),
        replies,
        view: on(&core, move || ViewActor::new(view, banks)),
        ledger: on(&ledger, move || LedgerActor::new(me, executor, time, writer, keeper, told)),
        journal: on(&disk, move || JournalActor::new(journal, reader)),
        heartbeat: on(&pulse, move || HeartbeatActor::new(introduced, times, peers, time, weather)),
        watch: on(&watch, move || WatchActor::new(history, time, shown_weather, tell, streams_max)),
        links: BankId::all(banks)
            .map(|peer| link(&core, line(me, peer, config, credentials), time, &laboratory))
            .collect(),
    };
    wire(&routes, &past, &shelf);
    let (asked, shown) = (routes.clone(), laboratory.clone());
    let answering =
        Answering { introduction, banks, times, routes: asked, time, laboratory: shown };
    pulse.spawn_fn(move || _ = actix_rt::spawn(answer_pings(pings, answering)));
    ask_for_what_is_due(&gate, me, config, &routes, time);
    Ok(Actors {
        routes,
        sessions,
        drafts: on(&core, move || DraftsActor::new(time)),
        arrivals: on(&gate, ArrivalsActor::default),
        passwords: passwords(&gate, config.limits.password_threads),
        past,
        limits: limits(&gate, config.limits, audit.clone(), time),
        audit,
        laboratory,
        folder: place.folder().to_owned(),
        started_in,
        arbiters: [core, ledger, disk, reads, past_thread, pulse, watch, gate].into(),
    })
}

/// Starts what asks for the Pix of days to come.
fn ask_for_what_is_due(
    thread: &Arbiter,
    me: BankId,
    config: &Config,
    routes: &Routes,
    time: Monotonic,
) {
    let asked = (routes.ledger.clone(), routes.replies.clone());
    let zone = config.time_zone.clone();
    on(thread, move || SchedulesActor::new(me, zone, asked, time));
}

/// What stamps events, and what puts them into order.
fn order(me: BankId, config: &Config, transport: &Transport) -> (Clock, OrderedBuffer) {
    let (banks, open) = (config.nodes.len(), config.customer_auth == CustomerAuth::Open);
    let clock = Clock::new(me, banks).with_open_customers(open).with_signer(transport.signer());
    let buffer = OrderedBuffer::new(me, banks).with_open_customers(open);
    (clock, buffer.with_signatures(transport.signs()))
}

/// Who is logged in.
fn sessions(
    config: &Config,
    core: &Arbiter,
    time: Monotonic,
    replies: Addr<RepliesActor>,
) -> Addr<SessionsActor> {
    let SessionTimes { idle_minutes, most_minutes } = config.sessions;
    let ms = |minutes: u32| u64::from(minutes) * 60_000;
    let lifetime = Lifetime { idle_ms: ms(idle_minutes), most_ms: ms(most_minutes) };
    on(core, move || SessionsActor::new(lifetime, time, replies))
}

/// What this bank says first when it calls another.
fn introduction(me: BankId, config: &Config, credentials: &Credentials) -> Introduction {
    Introduction { me, credentials: credentials.clone(), settings: Settings::of(config) }
}

/// Rebuilds the ledger and reports what is wrong with the disk; says how long it took.
fn recovered(me: BankId, banks: usize, place: &Place) -> Result<(Recovered, Duration), StoreError> {
    let began = Instant::now();
    let mut recovered = recover(place.clone(), Owner { bank: me, banks })?;
    tell_of_disk(me, banks, recovered.set_aside.take(), recovered.store.was_in_doubt());
    tell_of_snapshot(me, recovered.fell_back.take());
    let at = recovered.book.position();
    log::info!("bank {me}: journal in {place} up to position {at}");
    Ok((recovered, began.elapsed()))
}

/// Reports what is wrong with the disk that the bank starts with.
fn tell_of_disk(
    me: BankId,
    banks: usize,
    set_aside: Option<(PathBuf, StoreError)>,
    was_in_doubt: bool,
) {
    if let Some((aside, damage)) = set_aside {
        log::error!("bank {me}: JOURNAL DAMAGED: {damage}");
        log::error!(
            "bank {me}: the damaged files are kept in {}; this bank fetches the journal \
             again from the others and does not count towards a majority until then",
            aside.display()
        );
    }
    if was_in_doubt {
        let meaning = match banks {
            1 => "this bank has nobody to learn from and goes on with what it read",
            _ => "this bank does not count towards a majority until a view begins with it",
        };
        log::error!(
            "bank {me}: an fsync failed before this start; everything readable was written again, \
             and {meaning}"
        );
    }
}

/// Reports that events will not be signed any more.
fn tell_of_signatures(me: BankId, disk: &OnDisk, transport: &Transport) {
    if disk.signed_from.is_some() && !transport.signs() {
        log::warn!(
            "bank {me}: EVENTS NOT SIGNED: those on this disk are, and without certificates those from \
             now on are not; once there are certificates again, a bank that lacks them needs a snapshot"
        );
    }
}

/// Reports a snapshot that could not be used.
fn tell_of_snapshot(me: BankId, fell_back: Option<StoreError>) {
    if let Some(why) = fell_back {
        log::error!("bank {me}: SNAPSHOT USELESS: {why}; the whole journal was executed instead");
    }
}

fn writer_of(
    store: Box<dyn Disk>,
    blank: Book,
    config: &Config,
    executed: Position,
) -> Result<GroupCommit, StoreError> {
    let JournalLimits { positions_max: journal_max, snapshot_every: every } = config.journal;
    let when = Snapshots { journal_max, every };
    GroupCommit::new(store, blank).with_snapshots(when, executed)
}

/// A thread for actors.
fn thread_named(name: &'static str) -> Arbiter {
    let arbiter = Arbiter::new();
    arbiter.spawn_fn(move || name_thread(name));
    arbiter
}

/// Where passwords are handed in. With fewer than two threads, one slow hash is everybody's wait.
fn passwords(gate: &Arbiter, threads_asked_for: u16) -> Addr<PasswordsActor> {
    let threads = match threads_asked_for {
        0 => (cores() / 2).clamp(PASSWORD_THREADS_MIN, PASSWORD_THREADS_MAX),
        threads => threads.into(),
    };
    on(gate, move || PasswordsActor::new(threads))
}

fn limits(
    gate: &Arbiter,
    limits: Limits,
    audit: Addr<AuditActor>,
    time: Monotonic,
) -> Addr<LimitsActor> {
    on(gate, move || LimitsActor::new(&limits, audit, time))
}

fn on<A, F>(arbiter: &Arbiter, make: F) -> Addr<A>
where
    A: Actor<Context = actix::Context<A>>,
    F: FnOnce() -> A + Send + 'static,
{
    A::start_in_arbiter(&arbiter.handle(), |_| make())
}

fn line(me: BankId, peer: BankId, config: &Config, credentials: &Credentials) -> Option<Line> {
    let url = config.nodes[peer.index()].url();
    (peer != me).then(|| Line { me, peer, url, credentials: credentials.clone() })
}

fn link(
    arbiter: &Arbiter,
    line: Option<Line>,
    time: Monotonic,
    laboratory: &Option<Laboratory>,
) -> Option<Addr<PeerLinkActor>> {
    let (line, laboratory) = (line?, laboratory.clone());
    Some(on(arbiter, move || PeerLinkActor::new(line, time, laboratory)))
}

fn past_actors(
    me: BankId,
    config: &Config,
    past: Past,
    credentials: &Credentials,
    thread: &Arbiter,
) -> PastAddresses {
    let source = |bank: BankId| Source { bank, url: config.nodes[bank.index()].url() };
    let others = BankId::all(config.nodes.len()).filter(|bank| *bank != me);
    let (sources, credentials): (Vec<_>, _) = (others.map(source).collect(), credentials.clone());
    let open = past.opener();
    let writer = on(thread, move || PastActor::new(me, past, sources, credentials));
    let told = writer.clone();
    let readers =
        SyncArbiter::start(past::READERS, move || PastReaderActor::new(open.clone(), told.clone()));
    PastAddresses { writer, readers }
}

fn peers(me: BankId, config: &Config) -> Vec<PeerAddress> {
    let address = |bank: BankId| {
        let node = &config.nodes[bank.index()];
        PeerAddress { bank, address: format!("{}:{}", node.host, node.heartbeat_port) }
    };
    BankId::all(config.nodes.len()).filter(|bank| *bank != me).map(address).collect()
}

fn wire(routes: &Routes, past: &PastAddresses, shelf: &Addr<ShelfActor>) {
    past.writer.do_send(Serve(routes.ledger.clone()));
    shelf.do_send(KeepFor(routes.ledger.clone()));
    routes.clock.do_send(Wire(routes.clone()));
    routes.buffer.do_send(Wire(routes.clone()));
    routes.checks.do_send(Wire(routes.clone()));
    routes.replies.do_send(Wire(routes.clone()));
    routes.view.do_send(Wire(routes.clone()));
    routes.ledger.do_send(Wire(routes.clone()));
    routes.journal.do_send(Wire(routes.clone()));
    routes.heartbeat.do_send(Wire(routes.clone()));
    routes.watch.do_send(Wire(routes.clone()));
    routes.links.iter().flatten().for_each(|link| link.do_send(Wire(routes.clone())));
}

impl Actors {
    /// Takes nothing new and waits, for a bounded time, until what is under way is answered and the
    /// peers have what they need from this bank; when it returns, everything is on disk.
    pub async fn drain(&self) {
        self.routes.view.do_send(Draining);
        self.routes.clock.do_send(ClockInput::Drain);
        self.routes.watch.do_send(EndStreams);
        self.arrivals.do_send(EndLooking);
        let idle = async {
            while !self.is_idle().await {
                actix_rt::time::sleep(DRAIN_LOOK).await;
            }
        };
        if actix_rt::time::timeout(DRAIN_WAIT, idle).await.is_err() {
            log::warn!(
                "bank {}: stopping with requests unanswered; the common order will decide on them",
                self.routes.me
            );
        }
        // An actor that is gone has nothing to write.
        let _ = self.routes.journal.send(Flush).await;
        let _ = self.routes.ledger.send(HandOver).await;
        let _ = self.past.writer.send(Keep).await;
    }

    async fn is_idle(&self) -> bool {
        let routes = &self.routes;
        let waiting = routes.replies.send(Waiting).await.unwrap_or(0);
        let buffered =
            routes.buffer.send(BufferStatus).await.map_or(0, |state| state.waiting.len());
        let unconfirmed = routes.checks.send(Unconfirmed).await.unwrap_or(0);
        let mut links_are_empty = true;
        for link in routes.links.iter().flatten() {
            links_are_empty &= link.send(IsEmpty).await.unwrap_or(true);
        }
        waiting == 0 && buffered == 0 && unconfirmed == 0 && links_are_empty
    }

    /// Ends all actors.
    pub fn stop(&self) {
        self.arbiters.iter().for_each(|arbiter| {
            arbiter.stop();
        });
    }
}
