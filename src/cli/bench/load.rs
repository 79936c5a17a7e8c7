//! The load itself: clients that send packages at the pace they are given, and count what comes
//! back.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_web::web::Bytes;
use awc::error::{ConnectError, SendRequestError};
use awc::{FrozenClientRequest, FrozenSendBuilder};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::super::base_url::BaseUrl;
use super::BenchError;
use super::pace::Pace;
use super::package::Packages;
use super::progress::Progress;
use super::random::SplitMix64;
use super::set_up::{Customer, descript};
use super::tally::{Answer, Tally};

/// How long a client waits for an answer; longer than a bank waits for the other banks.
const ANSWER_WAIT: Duration = Duration::from_secs(15);
/// Largest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// How long a client pauses after a failure, so that a bank that is gone does not turn the load
/// into a busy loop.
const FAILURE_PAUSE: Duration = Duration::from_millis(10);

/// Everything that a run consists of.
pub(super) struct Load {
    /// The banks that are asked; client `i` uses the bank `i` modulo their number.
    pub(super) urls: Vec<BaseUrl>,
    /// Who pays and is paid.
    pub(super) customer: Customer,
    /// Transfers in each package.
    pub(super) operations: usize,
    /// When packages are sent.
    pub(super) pace: Rc<Pace>,
    /// Where answers are counted.
    pub(super) tally: Tally,
}

impl Load {
    /// Runs until every client has ended and has all its answers.
    pub(super) async fn run(
        self,
        clients: usize,
        random: &mut SplitMix64,
    ) -> Result<Tally, BenchError> {
        let progress = Progress::begin(self.tally.window());
        let tally = Rc::new(RefCell::new(self.tally));
        let mut running = JoinSet::new();
        for index in 0..clients {
            let bank = index % self.urls.len();
            let client = Client {
                bank,
                request: request(&self.urls[bank], &self.customer.tokens[bank])?,
                packages: Packages::new(
                    Rc::clone(&self.customer.accounts),
                    self.operations,
                    SplitMix64::new(random.next()),
                ),
                tally: Rc::clone(&tally),
            };
            running.spawn_local(client.run(Rc::clone(&self.pace)));
        }
        while !running.is_empty() {
            tokio::select! {
                Some(ended) = running.join_next() => ended.expect("a client does not panic"),
                () = progress.pause() => progress.show(&tally.borrow()),
            }
        }
        Ok(Rc::into_inner(tally).expect("all clients have ended").into_inner())
    }
}

/// `POST /operations` of one client, without what differs from package to package. A connection of
/// its own comes with it.
fn request(url: &BaseUrl, token: &str) -> Result<FrozenClientRequest, BenchError> {
    url.client(ANSWER_WAIT)
        .post(url.route("/operations"))
        .insert_header(("authorization", format!("Bearer {token}")))
        .insert_header(("content-type", "application/json"))
        .freeze()
        .map_err(|error| BenchError::Unexpected { url: url.to_string(), what: error.to_string() })
}

struct Client {
    bank: usize,
    request: FrozenClientRequest,
    packages: Packages,
    tally: Rc<RefCell<Tally>>,
}

impl Client {
    async fn run(mut self, pace: Rc<Pace>) {
        while let Some(due) = pace.next().await {
            let body = Bytes::copy_from_slice(self.packages.draw().as_bytes());
            let key = Uuid::new_v4().to_string();
            let answer = send(self.request.extra_header(("idempotency-key", key)), body).await;
            let failed = matches!(answer, Answer::Failed { .. });
            self.tally.borrow_mut().record(self.bank, due, Instant::now(), answer);
            if failed {
                actix_rt::time::sleep(FAILURE_PAUSE).await;
            }
        }
    }
}

async fn send(request: FrozenSendBuilder, body: Bytes) -> Answer {
    let mut response = match request.send_body(body).await {
        Ok(response) => response,
        Err(error) => {
            return Answer::Failed { kind: kind_of(&error).into(), said: error.to_string() };
        }
    };
    // Read to the end; otherwise the connection would not be reused.
    let body = match response.body().limit(ANSWER_BYTES_MAX).await {
        Ok(body) => body,
        Err(error) => {
            return Answer::Failed { kind: "answer broken off".into(), said: error.to_string() };
        }
    };
    match response.status().as_u16() {
        200 => Answer::Executed,
        400 => Answer::Refused(descript(&body)),
        status => Answer::Failed { kind: status.to_string().into(), said: descript(&body) },
    }
}

fn kind_of(error: &SendRequestError) -> &'static str {
    match error {
        SendRequestError::Timeout => "timeout",
        SendRequestError::Connect(ConnectError::Timeout) => "connect timeout",
        SendRequestError::Connect(_) => "connect",
        _ => "connection broken off",
    }
}
