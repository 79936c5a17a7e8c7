//! HTTP, and nothing else: handlers read a request, send it to an actor as a message, and write
//! what came back.
//!
//! [`routes`] is the whole route table; [`refusal`] is the only place with status codes and their
//! texts.

mod account_line;
mod accounts;
mod auth;
mod body;
mod connections;
mod customers;
mod freshness;
mod methods;
mod operations;
mod order;
mod past;
mod peer_room;
mod peers;
mod refusal;
pub(crate) mod routes;
mod share;
mod status;
mod stream;
mod texts;
mod upgrade;
mod visits;

pub(crate) use accounts::{key_meant, opening};
pub(crate) use auth::peer;
pub(crate) use body::receive;
pub(crate) use customers::{Newcomer, prove, user_name};
pub(crate) use freshness::{
    Freshness, MIN_POSITION_HEADER, POSITION_HEADER, is_fresh, mark_figures,
};
pub(crate) use methods::{Methods, at};
pub(crate) use order::{IDEMPOTENCY_HEADER, place};
pub use peer_room::PeerRoom;
pub(crate) use refusal::Refused;
pub(crate) use share::{LookUps, is_company, origin, take_of_customer};

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_http::{HttpService, Protocol};
use actix_rt::net::TcpStream;
use actix_server::Server;
use actix_service::{
    IntoServiceFactory as _, Service as _, ServiceFactoryExt as _, apply_fn_factory, fn_service,
    map_config,
};
use actix_web::App;
use actix_web::dev::AppConfig;
use actix_web::middleware::from_fn;
use actix_web::web::{Data, ServiceConfig};

use self::connections::Bounds;
use self::stream::Portioned;
use self::visits::Visits;
use crate::actors::node::Actors;
use crate::config::{Config, Limits};
use crate::ids::BankId;
use crate::ledger::AccountNumber;
use crate::machine::{cores, descriptors_max, name_thread};

/// The most worker threads where `nodes.json` does not say how many; they only forward, and the
/// actors need the other half of the cores.
const WORKERS_MAX: usize = 4;
/// Connections whose callers have not asked anything yet: whoever calls, also a peer, needs such a
/// place until its first request is here.
const STRANGERS_MAX: usize = 256;
/// File descriptors that the bank keeps for itself: its disk, its threads, and strangers at the
/// heartbeat port,
const DESCRIPTORS_OWN: u64 = 256;
/// and for each bank of the consortium: connections in both directions, at both ports.
const DESCRIPTORS_PER_BANK: u64 = 16;
/// The fewest connections of customers, however few descriptors there are.
const CUSTOMERS_MIN: u64 = 16;
/// How long the server keeps an idle connection; the clients in peers close theirs sooner.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// How long a client may take to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a client may take to read the end of an answer after which the connection closes.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a stopping server waits for answers that are being written, in seconds.
const SHUTDOWN_S: u64 = 2;

/// Draws candidates for a new account's number, most wanted first.
pub type DrawNumbers = Arc<dyn Fn() -> Vec<AccountNumber> + Send + Sync>;

/// What every handler knows: which bank it serves, and where the actors are.
#[derive(Clone)]
pub struct Bank {
    /// This bank.
    pub me: BankId,
    /// The consortium.
    pub config: Arc<Config>,
    /// What peers prove themselves with.
    pub secret: Arc<str>,
    /// The actors.
    pub actors: Actors,
    /// Where account numbers come from.
    pub draw: DrawNumbers,
    /// How much memory the bodies of each peer take.
    pub peer_room: PeerRoom,
}

/// Account numbers from the system's random source.
#[must_use]
pub fn draw_at_random() -> DrawNumbers {
    Arc::new(|| {
        AccountNumber::candidates(&mut || {
            getrandom::u64().expect("the system gives random numbers")
        })
    })
}

/// Starts the server of a bank on a bound port, with the routes that `configure` names.
///
/// # Errors
/// When the system refuses the port or its threads.
pub fn serve<C: FnOnce(&mut ServiceConfig)>(
    bank: Bank,
    listener: TcpListener,
    configure: impl Fn(Data<Bank>) -> C + Clone + Send + 'static,
) -> std::io::Result<Server> {
    let workers = workers(&bank.config.limits);
    let bounds = bounds(&bank, workers);
    let limits_loopback = bank.config.limits.loopback;
    let bank = Data::new(bank);
    let address = listener.local_addr()?;
    // Connections are counted by their kinds below, never by the server: it would let in nobody.
    let server = Server::build()
        .workers(workers)
        .max_concurrent_connections(usize::MAX / 2)
        .shutdown_timeout(SHUTDOWN_S)
        .disable_signals();
    let stopping = server.graceful_shutdown_signal();
    // What `HttpServer` does, and besides it hands over the connections of peers, and closes
    // connections that have to make room for others.
    let service = move || {
        name_thread("http");
        let (stopping, peers, visits) =
            (stopping.clone(), bank.clone(), Visits::new(bounds, limits_loopback));
        let app = App::new().wrap(from_fn(visits::admit)).configure(configure(bank.clone()));
        let app = app.into_factory().map_err(|error: actix_web::Error| error.error_response());
        let visitors = visits.clone();
        let http = HttpService::build()
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            .keep_alive(KEEP_ALIVE)
            .client_request_timeout(HEAD_TIMEOUT)
            .client_disconnect_timeout(CLOSE_TIMEOUT)
            // Nobody waits for the answers of a connection that its client has closed.
            .h1_allow_half_closed(false)
            .local_addr(address)
            .on_connect_ext(move |stream: &Portioned, data| {
                visitors.remember(stream.as_ref(), data);
            })
            .upgrade(fn_service(move |asked| {
                let bank = peers.clone();
                async move { upgrade::upgrade(&bank, asked).await }
            }))
            .finish(map_config(app, move |()| AppConfig::default()));
        apply_fn_factory(http, move |stream: TcpStream, http| {
            // Without it an answer could wait for more to be sent with it.
            let _ = stream.set_nodelay(true);
            let (stay, from) = (visits.enter(&stream), stream.peer_addr().ok());
            stay.of(http.call((Portioned::new(stream), Protocol::Http1, from)))
        })
    };
    Ok(server.listen("bank", listener, service)?.run())
}

fn workers(limits: &Limits) -> usize {
    match limits.http_threads {
        0 => (cores() / 2).clamp(1, WORKERS_MAX),
        threads => threads.into(),
    }
}

fn body_bytes_per_worker(limits: &Limits) -> usize {
    usize::try_from(limits.body_bytes).unwrap_or(usize::MAX).div_ceil(workers(limits))
}

/// How many connections each worker may have. They are dealt out to the workers in turn.
fn bounds(bank: &Bank, workers: usize) -> Bounds {
    let limits = &bank.config.limits;
    let kept = DESCRIPTORS_OWN
        + STRANGERS_MAX as u64
        + DESCRIPTORS_PER_BANK * bank.config.nodes.len() as u64;
    let granted = descriptors_max();
    let customers = granted.saturating_sub(kept).clamp(CUSTOMERS_MIN, limits.connections.into());
    if customers < limits.connections.into() {
        log::warn!(
            "bank {}: room for {customers} connections of customers, as the system grants {granted} file \
             descriptors; limits.connections asks for {}",
            bank.me,
            limits.connections
        );
    }
    let share = |of: usize| of.div_ceil(workers);
    Bounds {
        strangers_max: share(STRANGERS_MAX),
        customers_max: share(usize::try_from(customers).unwrap_or(usize::MAX)),
        per_address_max: share(limits.address.connections as usize),
    }
}
