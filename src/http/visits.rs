//! What a worker does about its [`Connections`]: it lets each be served until it has to end, and
//! asks for a place for every request.

use std::cell::RefCell;
use std::future::Future;
use std::os::fd::AsRawFd as _;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use actix_http::{ConnectionType, Extensions};
use actix_rt::net::TcpStream;
use actix_web::ResponseError as _;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::web::{Bytes, Data};
use tokio::sync::oneshot::Receiver;

use super::Bank;
use super::auth::{self, Caller};
use super::body::is_read;
use super::connections::{Bounds, Connections, Crowd, Number};
use super::refusal::{Crowded, Refused};
use super::share::{origin, take_of_address};
use super::stream::Rest;
use crate::actors::time::Monotonic;
use crate::limits::Origin;

/// How often a worker looks for connections that have been quiet for too long.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// How long a request beyond its address's share waits to be told so.
const REFUSED_AFTER: Duration = Duration::from_secs(1);

/// The connections of this worker.
#[derive(Clone)]
pub(super) struct Visits {
    connections: Rc<RefCell<Connections>>,
    limits_loopback: bool,
    time: Monotonic,
}

impl Visits {
    /// A worker without connections; to be made on its thread.
    pub(super) fn new(bounds: Bounds, limits_loopback: bool) -> Self {
        let connections = Rc::new(RefCell::new(Connections::new(bounds)));
        let visits = Visits { connections, limits_loopback, time: Monotonic::start() };
        actix_rt::spawn(sweep(Rc::downgrade(&visits.connections), visits.time));
        visits
    }

    /// Lets a connection in.
    pub(super) fn enter(&self, stream: &TcpStream) -> Stay {
        let (number, now) = (stream.as_raw_fd(), self.time.now());
        let address = stream.peer_addr().ok();
        let from = address.and_then(|from| Origin::of(from.ip(), self.limits_loopback));
        let ends = self.connections.borrow_mut().enter(number, from, now);
        Stay { ends, visit: Visit { number, visits: self.clone() } }
    }

    /// Lets the requests of a connection find it.
    pub(super) fn remember(&self, stream: &TcpStream, data: &mut Extensions) {
        data.insert(Visit { number: stream.as_raw_fd(), visits: self.clone() });
    }
}

async fn sweep(connections: Weak<RefCell<Connections>>, time: Monotonic) {
    loop {
        actix_rt::time::sleep(SWEEP_EVERY).await;
        let Some(connections) = connections.upgrade() else { break };
        connections.borrow_mut().sweep(time.now());
    }
}

/// One of the connections.
#[derive(Clone)]
struct Visit {
    number: Number,
    visits: Visits,
}

impl Visit {
    fn begin(&self, is_peer: bool) -> Result<Answering, Crowd> {
        let now = self.visits.time.now();
        self.visits.connections.borrow_mut().begin(self.number, is_peer, now)?;
        Ok(Answering(self.clone()))
    }
}

/// A connection that may stay until it has to make room for another.
pub(super) struct Stay {
    ends: Receiver<()>,
    visit: Visit,
}

impl Stay {
    /// Serves the connection to its end, or until it has to end.
    pub(super) async fn of<T, E>(
        self,
        served: impl Future<Output = Result<T, E>>,
    ) -> Result<(), E> {
        // What is declared last goes first: the connection's number may be given to another as soon
        // as the connection is gone.
        let served = std::pin::pin!(served);
        let Stay { ends, visit } = self;
        let _left = Left(visit);
        tokio::select! {
            ended = served => ended.map(|_| ()),
            _ = ends => Ok(()),
        }
    }
}

/// While it exists, a connection is being served.
struct Left(Visit);

impl Drop for Left {
    fn drop(&mut self) {
        self.0.visits.connections.borrow_mut().leave(self.0.number);
    }
}

/// While it exists, one of the connection's requests is being answered.
struct Answering(Visit);

impl Drop for Answering {
    fn drop(&mut self) {
        let now = self.0.visits.time.now();
        self.0.visits.connections.borrow_mut().finish(self.0.number, now);
    }
}

/// Answers a request if there is a place for its connection. Of a customer's body that was not read
/// until then, not much more is.
pub(super) async fn admit<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let (visit, rest) = (request.conn_data().cloned(), request.conn_data::<Rest>().cloned());
    let (Some(visit), Some(rest)) = (visit, rest) else {
        return next.call(request).await.map(ServiceResponse::map_into_boxed_body);
    };
    rest.begin();
    let bank = request.app_data::<Data<Bank>>();
    let is_peer =
        bank.is_some_and(|bank| auth::peer(bank, Caller::from(request.request())).is_ok());
    let response = answered(request, next, &visit, is_peer).await?;
    if !is_peer && !is_read(response.request()) {
        rest.limit();
    }
    Ok(response)
}

async fn answered<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
    visit: &Visit,
    is_peer: bool,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let answering = match visit.begin(is_peer) {
        Ok(answering) => answering,
        Err(crowd) => {
            let mut response = Refused::from(crowd).error_response();
            response.head_mut().set_connection_type(ConnectionType::Close);
            return Ok(request.into_response(response));
        }
    };
    if let Err(refused) = admitted_share(&request, is_peer).await {
        // Each connection waits for its answer, so that refusing costs little however fast it asks.
        actix_rt::time::sleep(REFUSED_AFTER).await;
        return Ok(request.into_response(refused.error_response()));
    }
    let response = next.call(request).await?.map_into_boxed_body();
    // An answer that is complete needs nothing more of the bank, however slowly it is read.
    Ok(match response.response().body().size() {
        BodySize::Stream => {
            response.map_body(|_, body| Told { body, _answering: answering }.boxed())
        }
        BodySize::None | BodySize::Sized(_) => response,
    })
}

/// Takes a customer's request off the share of its address.
async fn admitted_share(request: &ServiceRequest, is_peer: bool) -> Result<(), Refused> {
    let request = request.request();
    match (request.app_data::<Data<Bank>>(), origin(request)) {
        (Some(bank), Some(from)) if !is_peer => take_of_address(bank, from, request).await,
        _ => Ok(()),
    }
}

/// A body that is still being written.
struct Told {
    body: BoxBody,
    _answering: Answering,
}

impl MessageBody for Told {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(context)
    }
}

impl From<Crowd> for Crowded {
    fn from(crowd: Crowd) -> Self {
        match crowd {
            Crowd::Customers => Crowded::Customers,
            Crowd::OneAddress => Crowded::AddressConnections,
        }
    }
}
