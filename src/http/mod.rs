//! HTTP, and nothing else: handlers read a request, send it to an actor as a message, and write
//! what came back.
//!
//! [`routes`] is the whole route table; [`refusal`] is the only place with status codes and their
//! texts.

mod account_line;
mod accounts;
mod auth;
mod body;
mod customers;
mod freshness;
mod methods;
mod operations;
mod order;
mod peers;
mod refusal;
pub(crate) mod routes;
mod status;
mod texts;
mod upgrade;

pub(crate) use accounts::{key_meant, opening};
pub(crate) use auth::peer;
pub(crate) use body::receive;
pub(crate) use customers::{Newcomer, prove, user_name};
pub(crate) use freshness::{
    Freshness, MIN_POSITION_HEADER, POSITION_HEADER, is_fresh, mark_figures,
};
pub(crate) use methods::{Methods, at};
pub(crate) use order::{IDEMPOTENCY_HEADER, place};
pub(crate) use refusal::Refused;

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_http::HttpService;
use actix_server::Server;
use actix_service::{IntoServiceFactory as _, ServiceFactoryExt as _, fn_service, map_config};
use actix_web::App;
use actix_web::dev::AppConfig;
use actix_web::web::{Data, ServiceConfig};

use crate::actors::node::Actors;
use crate::config::Config;
use crate::ids::BankId;
use crate::ledger::AccountNumber;

/// The most worker threads; they only forward, and the actors need the other half of the cores.
const WORKERS_MAX: usize = 4;
/// How long the server keeps an idle connection; the clients in peers close theirs sooner.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// How long a client may take to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
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
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let workers = (cores / 2).clamp(1, WORKERS_MAX);
    let bank = Data::new(bank);
    let address = listener.local_addr()?;
    let server = Server::build().workers(workers).shutdown_timeout(SHUTDOWN_S).disable_signals();
    let stopping = server.graceful_shutdown_signal();
    // What `HttpServer` does, and besides it hands over the connections of peers.
    let service = move || {
        let (stopping, peers) = (stopping.clone(), bank.clone());
        let app = App::new().configure(configure(bank.clone())).into_factory();
        let app = app.map_err(|error: actix_web::Error| error.error_response());
        HttpService::build()
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            .keep_alive(KEEP_ALIVE)
            .client_request_timeout(HEAD_TIMEOUT)
            .local_addr(address)
            .tcp_nodelay(true)
            .upgrade(fn_service(move |asked| {
                let bank = peers.clone();
                async move { upgrade::upgrade(&bank, asked).await }
            }))
            .finish(map_config(app, move |()| AppConfig::default()))
            .tcp()
    };
    Ok(server.listen("bank", listener, service)?.run())
}
