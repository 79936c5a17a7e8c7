//! For those who watch the node: whether it is alive, whether it takes writes, and where it stands.

use actix_web::{HttpResponse, web};
use serde::Serialize;

use super::Bank;
use super::refusal::Refused;
use super::texts;
use crate::actors::buffer::BufferStatus;
use crate::actors::clock::{ClockState, ClockStatus};
use crate::actors::heartbeat::{ClocksStatus, ConsortiumClock, Paces};
use crate::actors::ledger::Ask;
use crate::actors::past::PastStatus;
use crate::actors::view::{ViewState, ViewStatus};
use crate::config::Settings;
use crate::ids::{Ballot, BankId, BankSet, ChainHash, EventId, Position};
use crate::ledger::Book;
use crate::ledger::past::EntryNumber;
use crate::machine::{folder_bytes, resident_bytes};
use crate::protocol::pace::PaceNow;
use crate::protocol::peer_state::PeerState;
use crate::protocol::report::PeerReport;
use crate::protocol::vector_clock::VectorClock;
use crate::protocol::view::{PhaseName, Reach};

#[derive(Serialize)]
struct Said {
    descript: &'static str,
}

/// `GET /check`
pub(super) async fn check() -> HttpResponse {
    HttpResponse::Ok().json(Said { descript: texts::ALIVE })
}

/// `GET /ready`
pub(super) async fn ready(bank: web::Data<Bank>) -> Result<HttpResponse, Refused> {
    let view = bank.actors.routes.view.send(ViewStatus).await?;
    let clock = bank.actors.routes.clock.send(ClockStatus).await?;
    let Some(reason) = NotReady::of(&view, &clock) else {
        let descript = "ready".to_owned();
        return Ok(HttpResponse::Ok().json(Readiness { ready: true, reason: None, descript }));
    };
    let refused = Refused::from(reason);
    let mut response = HttpResponse::build(refused.status());
    if let Some(header) = refused.header() {
        response.insert_header(header);
    }
    let descript = refused.to_string();
    Ok(response.json(Readiness { ready: false, reason: Some(reason), descript }))
}

#[derive(Serialize)]
struct Readiness {
    ready: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<NotReady>,
    descript: String,
}

/// Why a bank takes no writes.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
enum NotReady {
    /// No majority of the banks is there, or it is about to agree on a view.
    CutOff,
    /// Other banks act in a view without this one.
    Outside,
    /// The node is going down.
    Stopping,
    /// What was stamped makes no progress.
    Stalled,
}

impl NotReady {
    fn of(view: &ViewState, clock: &ClockState) -> Option<Self> {
        if view.ready {
            clock.is_stalled.then_some(NotReady::Stalled)
        } else if view.draining {
            Some(NotReady::Stopping)
        } else if view.reach == Reach::Outside {
            Some(NotReady::Outside)
        } else {
            Some(NotReady::CutOff)
        }
    }
}

impl From<NotReady> for Refused {
    fn from(reason: NotReady) -> Self {
        match reason {
            NotReady::CutOff => Refused::CutOff,
            NotReady::Outside => Refused::Outside,
            NotReady::Stopping => Refused::Stopping,
            NotReady::Stalled => Refused::Stalled,
        }
    }
}

#[derive(Serialize)]
struct Status {
    bank: BankId,
    name: String,
    ready: bool,
    phase: PhaseName,
    reach: Reach,
    voter: bool,
    view: Option<StatusView>,
    banks: Vec<StatusBank>,
    /// In Unix milliseconds; it rests on the clocks of all banks.
    consortium_time_ms: Option<i64>,
    clock: VectorClock,
    queued: usize,
    stalled: bool,
    buffer: Vec<StatusEvent>,
    /// By bank; nothing is known of a bank that is not a member.
    durable_clocks: Vec<Option<VectorClock>>,
    position: Position,
    hash: ChainHash,
    past: StatusPast,
    footprint: StatusFootprint,
    settings: Settings,
}

/// What the bank takes of its machine.
#[derive(Serialize)]
struct StatusFootprint {
    memory_bytes: Option<u64>,
    disk_bytes: u64,
    start_ms: u64,
}

impl StatusFootprint {
    /// It asks the disk, which may hang, so nobody else waits for it.
    async fn of(bank: &Bank) -> Result<Self, Refused> {
        let folder = bank.actors.folder.clone();
        let measured = web::block(move || (resident_bytes(), folder_bytes(&folder))).await;
        let (memory_bytes, disk_bytes) = measured.map_err(|_| Refused::Internal)?;
        let start_ms = u64::try_from(bank.actors.started_in.as_millis()).unwrap_or(u64::MAX);
        Ok(StatusFootprint { memory_bytes, disk_bytes, start_ms })
    }
}

#[derive(Serialize)]
struct StatusPast {
    /// How many there are, in the statements of all accounts.
    entries: EntryNumber,
    /// How many entries have not arrived at this bank yet.
    missing: u64,
    /// The last one that is in archive files, if any is.
    #[serde(skip_serializing_if = "Option::is_none")]
    archived_through: Option<EntryNumber>,
}

#[derive(Serialize)]
struct StatusView {
    #[serde(flatten)]
    ballot: Ballot,
    members: BankSet,
}

#[derive(Serialize)]
struct StatusBank {
    bank: BankId,
    name: String,
    member: bool,
    answers: bool,
    /// Whether it answers, and if not, why.
    #[serde(flatten)]
    state: PeerState,
    /// How far its wall clock is ahead of consortium time, as far as this bank knows.
    clock_offset_ms: Option<i64>,
    /// Whether that is too far.
    clock_off: bool,
    report: Option<PeerReport>,
    pace: PaceNow,
}

#[derive(Serialize)]
struct StatusEvent {
    id: EventId,
    sender: BankId,
    timestamp: VectorClock,
}

/// `GET /status`
pub(super) async fn status(bank: web::Data<Bank>) -> Result<HttpResponse, Refused> {
    let routes = &bank.actors.routes;
    let ViewState { ready, phase, active, reach, voter, peers, .. } =
        routes.view.send(ViewStatus).await?;
    let ClockState { clock, queued, is_stalled } = routes.clock.send(ClockStatus).await?;
    let paces = routes.heartbeat.send(Paces).await?;
    let buffer = routes.buffer.send(BufferStatus).await?;
    let stands = Ask(|book: &Book| (book.position(), book.hash(), book.entries()));
    let (position, hash, entries) = routes.ledger.send(stands).await?;
    let ConsortiumClock { now_ms, clocks } = routes.heartbeat.send(ClocksStatus).await?;
    let past = bank.actors.past.writer.send(PastStatus).await?;
    let missing = past.missing.iter().map(|gap| gap.end() - gap.start() + 1).sum();
    let members = active.map(|(_, members)| members).unwrap_or_default();
    let peers = BankId::all(bank.config.nodes.len()).zip(peers).zip(clocks).zip(paces);
    let banks = peers.map(|(((peer, (state, report)), clock), pace)| StatusBank {
        bank: peer,
        name: bank.config.nodes[peer.index()].name.clone(),
        member: members.contains(peer),
        answers: state == PeerState::Up,
        state,
        clock_offset_ms: clock.offset_ms,
        clock_off: clock.is_off,
        report,
        pace,
    });
    let waiting = buffer.waiting.iter().map(|event| StatusEvent {
        id: event.id.clone(),
        sender: event.sender,
        timestamp: event.timestamp.clone(),
    });
    let durable_clocks = BankId::all(bank.config.nodes.len())
        .map(|bank| buffer.durable.get(&bank).cloned())
        .collect();
    Ok(HttpResponse::Ok().json(Status {
        bank: bank.me,
        name: bank.config.nodes[bank.me.index()].name.clone(),
        ready: ready && !is_stalled,
        phase,
        reach,
        voter,
        view: active.map(|(ballot, members)| StatusView { ballot, members }),
        banks: banks.collect(),
        consortium_time_ms: now_ms,
        clock,
        queued,
        stalled: is_stalled,
        buffer: waiting.collect(),
        durable_clocks,
        position,
        hash,
        past: StatusPast {
            entries,
            missing,
            archived_through: past.archived.map(|archived| archived.through),
        },
        footprint: StatusFootprint::of(&bank).await?,
        settings: Settings::of(&bank.config).without_addresses(),
    }))
}
