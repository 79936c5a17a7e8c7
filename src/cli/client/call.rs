//! One request to one bank, and what is known after it: an answer, or silence that may or may not
//! have had an effect.

use std::time::Duration;

use actix_web::web::Bytes;
use awc::error::{ConnectError, PayloadError, SendRequestError};
use awc::http::Method;
use awc::http::header::{CONTENT_LENGTH, WARNING};
use awc::{ClientRequest, ClientResponse};
use futures_util::Stream;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::super::base_url::BaseUrl;
use super::answers::Said;
use super::session::Password;
use super::texts;
use crate::http::{LAST_EVENT_HEADER, MIN_POSITION_HEADER, PASSWORD_HEADER, POSITION_HEADER};
use crate::wire::{self, escaped};

/// Largest answer that is read, in bytes: a page of a statement is far smaller.
const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Where a bank tells what arrives.
pub(super) const ARRIVALS: &str = "/arrivals";

/// A request to a bank.
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) body: Option<String>,
    /// Present on requests that change something: asking again with it, at any bank, does nothing
    /// twice.
    pub(super) key: Option<String>,
    /// Whether it needs a session.
    pub(super) as_customer: bool,
    /// The only bank that can answer it, as its place in the list.
    pub(super) only_at: Option<usize>,
    /// The customer's password, where they confirm with it.
    pub(super) password: Option<Password>,
}

impl Request {
    pub(super) fn get(path: impl Into<String>) -> Request {
        Request {
            method: Method::GET,
            path: path.into(),
            body: None,
            key: None,
            as_customer: false,
            only_at: None,
            password: None,
        }
    }

    pub(super) fn post(path: impl Into<String>, body: String) -> Request {
        Request { method: Method::POST, body: Some(body), ..Request::get(path) }
    }

    pub(super) fn with_key(self, key: &str) -> Request {
        Request { key: Some(key.to_owned()), ..self }
    }

    pub(super) fn in_session(self) -> Request {
        Request { as_customer: true, ..self }
    }

    pub(super) fn confirmed(self, password: Option<&Password>) -> Request {
        Request { password: password.cloned(), ..self }
    }

    pub(super) fn only_at(self, place: usize) -> Request {
        Request { only_at: Some(place), ..self }
    }
}

/// A complete answer that is not about a problem of the bank itself.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// JSON.
    pub(super) body: Vec<u8>,
    /// Whether the bank says that others may know more.
    pub(super) stale: bool,
    /// The position in the common order at which it was made; 0 if it names none.
    pub(super) position: u64,
}

impl Answer {
    pub(super) fn is_done(&self) -> bool {
        (200..300).contains(&self.status)
    }

    pub(super) fn descript(&self) -> String {
        serde_json::from_slice(&self.body)
            .map_or_else(|_| texts::unreadable(self.status), |said: Said| said.descript)
    }

    /// Whether the request was ordered.
    pub(super) fn has_position(&self) -> bool {
        serde_json::from_slice(&self.body).is_ok_and(|said: Said| said.position.is_some())
    }

    pub(super) fn read<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(&self.body).ok()
    }
}

/// No answer that settles the request.
#[derive(Debug)]
pub(super) struct Silence {
    pub(super) why: String,
    /// Whether the bank may have taken the request nevertheless.
    pub(super) may_have_effect: bool,
    /// Whether the bank could be reached at all.
    pub(super) reached: bool,
}

/// The result of a request to one bank.
pub(super) type Heard = Result<Answer, Silence>;

/// How a request is asked.
#[derive(Clone, Copy, Default)]
pub(super) struct Asking<'a> {
    pub(super) token: Option<&'a str>,
    /// An answer that shows something of the ledger, as that to a login also does, must show
    /// everything through this position.
    pub(super) min_position: u64,
}

/// Asks once. Every request has a connection of its own: one kept open while a person thinks may
/// have been closed meanwhile, and to the client that would look like a bank that took the request
/// and then fell silent.
pub(super) async fn call(
    clients: &Clients,
    url: &BaseUrl,
    request: &Request,
    asking: Asking<'_>,
) -> Heard {
    let mut ask = begun(clients, url, &request.method, &request.path, asking.token);
    if let Some(key) = &request.key {
        ask = ask.insert_header(("idempotency-key", key.as_str()));
    }
    if asking.min_position > 0 {
        ask = ask.insert_header((MIN_POSITION_HEADER, asking.min_position));
    }
    if let Some(password) = &request.password {
        ask = ask.insert_header((PASSWORD_HEADER, escaped(password.reveal()).to_string()));
    }
    let sent = match &request.body {
        Some(body) => {
            ask.insert_header(("content-type", "application/json")).send_body(body.clone()).await
        }
        None => ask.send().await,
    };
    read(sent.map_err(|error| silence(&error))?).await
}

fn begun(
    clients: &Clients,
    url: &BaseUrl,
    method: &Method,
    path: &str,
    token: Option<&str>,
) -> ClientRequest {
    let client = if url.is_encrypted() { &clients.encrypted } else { &clients.open };
    let ask = client.request(method.clone(), url.route(path)).force_close();
    match token {
        Some(token) => ask.insert_header(("authorization", format!("Bearer {token}"))),
        None => ask,
    }
}

/// What a bank says to somebody who wants to be told what arrives.
pub(super) enum Stood<S> {
    /// It is going to tell.
    Stream(S),
    /// It is not.
    Answer(Answer),
}

/// Asks to be told what arrives, after the event of this name.
pub(super) async fn stand(
    clients: &Clients,
    url: &BaseUrl,
    asking: Asking<'_>,
    last: Option<&str>,
) -> Result<Stood<impl Stream<Item = Result<Bytes, PayloadError>> + Unpin + use<>>, Silence> {
    let mut ask = begun(clients, url, &Method::GET, ARRIVALS, asking.token);
    if let Some(last) = last {
        ask = ask.insert_header((LAST_EVENT_HEADER, last));
    }
    let response = ask.send().await.map_err(|error| silence(&error))?;
    if response.status().is_success() {
        return Ok(Stood::Stream(response));
    }
    read(response).await.map(Stood::Answer)
}

async fn read<S>(mut response: ClientResponse<S>) -> Heard
where
    S: Stream<Item = Result<Bytes, PayloadError>> + Unpin,
{
    let lost =
        || Silence { why: texts::CUT_ANSWER.to_owned(), may_have_effect: true, reached: true };
    let body = response.body().limit(ANSWER_BYTES_MAX).await.map_err(|_| lost())?;
    // The client library takes the end of the connection for the end of the body.
    let length = response
        .headers()
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|length| body.len() < length)
        || serde_json::from_slice::<IgnoredAny>(&body).is_err()
    {
        return Err(lost());
    }
    let stale = response.headers().contains_key(WARNING);
    let read_at = response
        .headers()
        .get(POSITION_HEADER)
        .and_then(|position| position.to_str().ok()?.parse().ok());
    let ordered_at = || serde_json::from_slice(&body).ok().and_then(|said: Said| said.position);
    let position = read_at.or_else(ordered_at).unwrap_or(0);
    judge(Answer { status: response.status().as_u16(), body: body.to_vec(), stale, position })
}

/// Distinguishes answers about the request from answers about a problem of the bank itself.
fn judge(answer: Answer) -> Heard {
    let may_have_effect = match answer.status {
        // Never stamped, as the bank itself says.
        429 | 503 => false,
        500.. => true,
        _ => return Ok(answer),
    };
    Err(Silence { why: answer.descript(), may_have_effect, reached: true })
}

fn silence(error: &SendRequestError) -> Silence {
    let (why, reached) = match error {
        SendRequestError::Connect(ConnectError::Timeout) => (texts::CONNECT_TIMEOUT, false),
        // This is the library's name for a connection that ended after the request had gone out.
        SendRequestError::Connect(ConnectError::Disconnected) => (texts::CONNECTION_LOST, true),
        SendRequestError::Connect(_) => (texts::NO_CONNECTION, false),
        SendRequestError::Timeout => (texts::ANSWER_TIMEOUT, true),
        _ => (texts::CONNECTION_LOST, true),
    };
    Silence { why: why.to_owned(), may_have_effect: reached, reached }
}

/// What requests are sent with.
pub(super) struct Clients {
    open: awc::Client,
    encrypted: awc::Client,
}

impl Clients {
    /// Clients that wait `answer_within` for each answer.
    pub(super) fn new(answer_within: Duration) -> Self {
        let (open, encrypted) =
            (wire::client(1, answer_within), wire::client_of_site(1, answer_within));
        Clients { open, encrypted }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(status: u16, body: &str) -> Heard {
        judge(Answer { status, body: body.into(), stale: false, position: 0 })
    }

    #[test]
    fn a_refusal_counts_as_an_answer_and_a_server_error_as_silence() {
        for status in [200, 400, 401, 403, 404, 413] {
            assert!(heard(status, "{}").is_ok(), "{status}");
        }
        for (status, may_have_effect) in
            [(429, false), (503, false), (504, true), (500, true), (502, true)]
        {
            let silence = heard(status, r#"{"descript": "Não agora"}"#).unwrap_err();
            assert_eq!(
                (silence.may_have_effect, silence.why.as_str()),
                (may_have_effect, "Não agora"),
                "{status}"
            );
        }
    }

    #[test]
    fn only_what_was_ordered_has_a_position() {
        assert!(heard(400, r#"{"descript": "x", "position": 7}"#).unwrap().has_position());
        assert!(!heard(400, r#"{"descript": "x"}"#).unwrap().has_position());
        assert_eq!(heard(404, "[]").unwrap().descript(), texts::unreadable(404));
    }

    #[actix_rt::test]
    async fn where_nobody_listens_nothing_can_have_happened() {
        let url: BaseUrl = "http://127.0.0.1:1".parse().unwrap();
        let silence = call(
            &Clients::new(Duration::from_secs(1)),
            &url,
            &Request::get("/ready"),
            Asking::default(),
        )
        .await
        .unwrap_err();
        assert!(!silence.may_have_effect && !silence.reached, "{silence:?}");
    }

    #[actix_rt::test]
    async fn a_connection_that_ends_without_an_answer_leaves_the_outcome_open() {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let url: BaseUrl = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        std::thread::spawn(move || {
            let (mut customer, _) = listener.accept().unwrap();
            let read = std::io::Read::read(&mut customer, &mut [0; 4_096]);
            assert!(read.unwrap() > 0);
        });
        let silence = call(
            &Clients::new(Duration::from_secs(5)),
            &url,
            &Request::get("/ready"),
            Asking::default(),
        )
        .await
        .unwrap_err();
        assert!(silence.may_have_effect && silence.reached, "{silence:?}");
    }
}
