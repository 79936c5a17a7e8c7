//! HTTP, and nothing else: handlers read a request, send it to an actor as a message, and write
//! what came back.
//!
//! [`routes`] is the whole route table; [`refusal`] is the only place with status codes and their
//! texts.

mod account_line;
mod accounts;
mod arrivals;
mod auth;
mod body;
mod common_passwords;
mod connections;
mod customers;
mod entry_line;
mod freshness;
pub mod https;
mod joint;
mod keys;
mod limits;
mod methods;
mod names;
mod operations;
mod order;
mod past;
mod peer_room;
mod peers;
mod profile;
mod refunds;
mod refusal;
pub(crate) mod routes;
mod schedules;
mod sessions;
mod share;
mod status;
mod stream;
mod texts;
mod turns;
mod upgrade;
mod visits;

pub(crate) use accounts::{key_meant, opening};
pub(crate) use arrivals::{Arrival, LAST_EVENT_HEADER, Telling, arrivals};
pub(crate) use auth::{By, Caller, peer};
pub(crate) use body::receive_large;
pub(crate) use common_passwords::has as is_common;
pub(crate) use customers::{Newcomer, log_in, new_password_of, prove, prove_again, user_name};
pub(crate) use entry_line::{Named, named};
pub(crate) use freshness::{
    Freshness, MIN_POSITION_HEADER, POSITION_HEADER, is_fresh, mark_figures,
};
pub(crate) use https::is_encrypted;
pub(crate) use keys::new_key_of;
pub(crate) use limits::Found as LimitsFound;
pub(crate) use methods::{Methods, at};
pub(crate) use operations::{PASSWORD_HEADER, read_package};
pub(crate) use order::{IDEMPOTENCY_HEADER, JOINT_ASKED_MAX, may_move, offset_s, own_only, place};
pub(crate) use past::{lacking, older_is_archived};
pub use peer_room::PeerRoom;
pub(crate) use refunds::{Refundable, refundable};
pub(crate) use refusal::Refused;
pub(crate) use share::{LookUps, is_company, note, origin, take_of_customer};
pub(crate) use turns::{in_turn, read_body};

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_http::error::DispatchError;
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

use self::auth::OpenedBy;
use self::connections::Bounds;
use self::https::Encrypted;
use self::stream::Portioned;
use self::visits::Visits;
use crate::actors::node::Actors;
use crate::config::{Config, Limits};
use crate::ids::BankId;
use crate::ledger::AccountNumber;
use crate::machine::{cores, descriptors_max, name_thread};
use crate::tls::Entrance;

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
    /// Where this bank's certificates are, if peers prove besides with one which bank they are.
    pub certificates: Option<Arc<Path>>,
    /// Whether customers come by HTTPS.
    pub https: bool,
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
    entrance: Entrance,
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
        let app = App::new()
            .wrap(from_fn(https::require))
            .wrap(from_fn(visits::admit))
            .configure(configure(bank.clone()));
        let app = app.into_factory().map_err(|error: actix_web::Error| error.error_response());
        let entrance = Rc::new(entrance.clone());
        let (visitors, by) = (visits.clone(), Rc::clone(&entrance));
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
                visitors.remember(stream.as_ref().tcp(), data);
                data.insert(stream.rest());
                if let Some((bank, proof)) = stream.opened_by() {
                    data.insert(OpenedBy { bank, proof, entrance: Rc::clone(&by) });
                } else if stream.as_ref().is_sealed() {
                    data.insert(Encrypted);
                }
            })
            .upgrade(fn_service(move |asked| {
                let bank = peers.clone();
                async move { upgrade::upgrade(&bank, asked).await }
            }))
            .finish(map_config(app, move |()| AppConfig::default()));
        let open = fn_service(move |stream| open(Rc::clone(&entrance), stream));
        apply_fn_factory(open.and_then(http), move |stream: TcpStream, http| {
            // Without it an answer could wait for more to be sent with it.
            let _ = stream.set_nodelay(true);
            let stay = visits.enter(&stream);
            stay.of(http.call(stream))
        })
    };
    Ok(server.listen("bank", listener, service)?.run())
}

/// What HTTP is spoken on, once it is known who has connected.
async fn open(
    entrance: Rc<Entrance>,
    stream: TcpStream,
) -> Result<(Portioned, Protocol, Option<SocketAddr>), DispatchError> {
    let from = stream.peer_addr().ok();
    let answered = actix_rt::time::timeout(HEAD_TIMEOUT, entrance.answer(stream)).await;
    let answered = answered.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()));
    if let Err(error) = &answered {
        log::debug!("a connection from {from:?} was not let in: {error}");
    }
    let (channel, opened_by) = answered.map_err(DispatchError::Io)?;
    Ok((Portioned::new(channel, opened_by), Protocol::Http1, from))
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
