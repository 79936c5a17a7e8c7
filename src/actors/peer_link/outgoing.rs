//! The connection that this bank opened to a peer: frames go out on it, echoes come back.

use std::time::Duration;

use actix::Addr;
use actix_rt::task::JoinHandle;
use actix_rt::time::{Instant, sleep_until};
use awc::error::WsClientError;
use awc::http::StatusCode;
use awc::ws::{Frame, Message, WebsocketsRequest};
use futures_util::{Sink, SinkExt as _, Stream, StreamExt as _};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::{Delivered, PeerLinkActor};
use crate::protocol::outbox::Delivery;
use crate::wire::NotTakenJson;

/// The largest thing that a peer says on this connection, in bytes.
const ANSWER_BYTES_MAX: usize = 1024;

/// A connection that is being opened, or is open. Dropped, it ends.
pub(super) struct Outgoing {
    /// Its number.
    pub(super) line: u64,
    /// What is to leave, and not before when. The outbox bounds how much that is.
    queue: UnboundedSender<(Message, Option<Instant>)>,
    running: JoinHandle<()>,
}

impl Outgoing {
    /// Opens the connection of this number; what becomes of it is reported to the link.
    pub(super) fn open(line: u64, request: WebsocketsRequest, link: Addr<PeerLinkActor>) -> Self {
        let (queue, queued) = unbounded_channel();
        let running = actix_rt::spawn(async move {
            let delivery = match request.max_frame_size(ANSWER_BYTES_MAX).connect().await {
                Ok((_, framed)) => {
                    link.do_send(Delivered(Delivery::Opened(line)));
                    let (sink, stream) = framed.split();
                    // Whichever ends first ends the connection.
                    tokio::select! {
                        () = write(sink, queued) => {}
                        () = listen(line, stream, &link) => {}
                    }
                    Delivery::Ended(line)
                }
                Err(WsClientError::InvalidResponseStatus(StatusCode::NOT_FOUND)) => {
                    Delivery::UnknownRoute(line)
                }
                Err(error) => {
                    log::debug!("no connection to a peer: {error}");
                    Delivery::Ended(line)
                }
            };
            link.do_send(Delivered(delivery));
        });
        Outgoing { line, queue, running }
    }

    /// Sends a message after everything sent before, and after a delay.
    pub(super) fn send(&self, message: Message, delay: Option<Duration>) {
        // If the task has ended, the link hears of that.
        let _ = self.queue.send((message, delay.map(|delay| Instant::now() + delay)));
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        self.running.abort();
    }
}

/// Writes what is queued; everything that has gathered leaves together.
async fn write(
    mut sink: impl Sink<Message> + Unpin,
    mut queued: UnboundedReceiver<(Message, Option<Instant>)>,
) {
    while let Some(first) = queued.recv().await {
        let mut next = Some(first);
        while let Some((message, not_before)) = next {
            if let Some(not_before) = not_before {
                if sink.flush().await.is_err() {
                    return;
                }
                sleep_until(not_before).await;
            }
            if sink.feed(message).await.is_err() {
                return;
            }
            next = queued.try_recv().ok();
        }
        if sink.flush().await.is_err() {
            return;
        }
    }
}

/// Passes on what the peer says of the frames until the connection ends.
async fn listen<E>(
    line: u64,
    mut stream: impl Stream<Item = Result<Frame, E>> + Unpin,
    link: &Addr<PeerLinkActor>,
) {
    while let Some(Ok(frame)) = stream.next().await {
        let delivery = match frame {
            Frame::Pong(frames) => std::str::from_utf8(&frames)
                .ok()
                .and_then(|frames| frames.parse().ok())
                .map(|frames| Delivery::Confirmed { line, frames }),
            Frame::Text(text) => {
                serde_json::from_slice(&text).ok().map(|NotTakenJson { frame, expected }| {
                    Delivery::NotTaken { line, frame, expected }
                })
            }
            _ => None,
        };
        let Some(delivery) = delivery else { return };
        link.do_send(Delivered(delivery));
    }
}
