//! The connection for envelopes at a real bank: who may open it, what is said on it, and what ends
//! it.

use std::time::{Duration, Instant};

use awc::BoxedSocket;
use awc::error::WsClientError;
use awc::ws::{Codec, Frame, Message};
use futures_util::{SinkExt as _, StreamExt as _};
use netbanking::wire::{self, BANK_HEADER, STREAM_PATH};
use serde_json::json;

use crate::cluster::Cluster;
use crate::processes::bank::SECRET;

type Stream = actix_codec::Framed<BoxedSocket, Codec>;

const PATIENCE: Duration = Duration::from_secs(20);

/// One bank of two; the other one is played by the test.
async fn bank() -> Cluster {
    let cluster = Cluster::prepare(2, "sessions");
    cluster.start_bank(0);
    let deadline = Instant::now() + PATIENCE;
    while connect(&cluster, STREAM_PATH, SECRET, "1").await.is_err() {
        assert!(Instant::now() < deadline, "the bank does not start");
        actix_rt::time::sleep(Duration::from_millis(10)).await;
    }
    cluster
}

async fn connect(
    cluster: &Cluster,
    path: &str,
    secret: &str,
    bank: &str,
) -> Result<Stream, WsClientError> {
    let request = wire::client(1, PATIENCE)
        .ws(format!("http://127.0.0.1:{}{path}", cluster.ports(0).0))
        .header("authorization", format!("Bearer {secret}"))
        .header(BANK_HEADER, bank);
    request.connect().await.map(|(_, stream)| stream)
}

async fn opened(cluster: &Cluster) -> Stream {
    connect(cluster, STREAM_PATH, SECRET, "1").await.unwrap()
}

/// The next thing that the bank says; `None` once it has closed the connection.
async fn said(stream: &mut Stream) -> Option<Frame> {
    let said = actix_rt::time::timeout(PATIENCE, stream.next()).await;
    said.expect("the bank says something, or closes the connection").and_then(Result::ok)
}

#[actix_rt::test]
async fn only_a_peer_with_the_secret_opens_a_stream_and_only_there() {
    let cluster = bank().await;
    for (path, secret, bank, status) in [
        (STREAM_PATH, "not the secret", "1", 401),
        (STREAM_PATH, SECRET, "0", 401),
        (STREAM_PATH, SECRET, "2", 401),
        (STREAM_PATH, SECRET, "x", 401),
        ("/", SECRET, "1", 404),
        ("/check", SECRET, "1", 404),
    ] {
        match connect(&cluster, path, secret, bank).await {
            Err(WsClientError::InvalidResponseStatus(refused)) => assert_eq!(refused, status),
            other => panic!("{path} as bank {bank}: {:?}", other.map(|_| "opened")),
        }
    }
}

#[actix_rt::test]
async fn frames_are_counted_a_probe_is_echoed_behind_them_and_what_is_not_taken_is_named() {
    let cluster = bank().await;
    let mut stream = opened(&cluster).await;
    // This bank acts in no view.
    let envelope = json!({"from": 1, "view": {"round": 7, "coordinator": 1}}).to_string();
    stream.feed(Message::Text(envelope.clone().into())).await.unwrap();
    stream.feed(Message::Text(envelope.into())).await.unwrap();
    stream.send(Message::Ping("2".into())).await.unwrap();
    for frame in [1, 2] {
        let expected = json!({"frame": frame, "expected": 0});
        match said(&mut stream).await {
            Some(Frame::Text(text)) => {
                assert_eq!(serde_json::from_slice::<serde_json::Value>(&text).unwrap(), expected);
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(said(&mut stream).await, Some(Frame::Pong("2".into())));
}

#[actix_rt::test]
async fn nonsense_ends_the_stream_and_a_further_stream_replaces_the_one_before() {
    let cluster = bank().await;
    let nonsense = [
        Message::Text("{".into()),
        Message::Text(json!({"from": 0}).to_string().into()),
        Message::Text(json!({"from": 1, "view": 5}).to_string().into()),
        Message::Binary("bytes".into()),
        Message::Close(None),
    ];
    for message in nonsense {
        let mut stream = opened(&cluster).await;
        stream.send(message).await.unwrap();
        assert_eq!(said(&mut stream).await, None);
    }
    let mut first = opened(&cluster).await;
    first.send(Message::Ping("0".into())).await.unwrap();
    assert_eq!(said(&mut first).await, Some(Frame::Pong("0".into())));
    let mut second = opened(&cluster).await;
    assert_eq!(said(&mut first).await, None);
    second.send(Message::Ping("0".into())).await.unwrap();
    assert_eq!(said(&mut second).await, Some(Frame::Pong("0".into())));
}
