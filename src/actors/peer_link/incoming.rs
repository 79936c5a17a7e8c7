//! The connection that a peer opened to this bank: its frames come in, and echoes go back.

use std::rc::Rc;

use actix::Addr;
use actix_codec::{Framed, FramedParts};
use actix_http::ws::{Codec, Frame, Message as Back};
use actix_rt::task::JoinHandle;
use actix_web::web::BytesMut;
use futures_util::{SinkExt as _, StreamExt as _};

use super::Line;
use crate::actors::buffer::{BufferActor, FromPeer};
use crate::actors::laboratory::{CUT, Laboratory, Passage};
use crate::actors::proofs::{Giver, prove};
use crate::protocol::envelope::EnvelopeAnswer;
use crate::tls::{Detached, Proof};
use crate::wire::{EnvelopeIn, FRAME_BYTES_MAX, NotTakenJson};

/// A connection on which a peer has proved who it is, and what has been read from it already.
pub(crate) struct Accepted {
    /// The connection.
    pub stream: Detached,
    /// Bytes of the first frames.
    pub read: BytesMut,
}

/// Where frames go.
#[derive(Clone)]
pub(super) struct Incoming {
    pub(super) line: Rc<Line>,
    pub(super) buffer: Addr<BufferActor>,
    pub(super) laboratory: Option<Laboratory>,
}

impl Incoming {
    /// Reads frames until the connection ends.
    pub(super) fn start(self, accepted: Accepted) -> JoinHandle<()> {
        actix_rt::spawn(async move {
            let from = self.line.peer;
            if let Err(why) = self.read(accepted).await {
                log::debug!("the connection of bank {from} has ended: {why}");
            }
        })
    }

    /// One frame after the other: the next is read once the buffer has taken the last, so that a
    /// peer that sends faster than this bank works waits.
    async fn read(self, Accepted { stream, read }: Accepted) -> Result<(), String> {
        let stream = stream.attach().map_err(|error| error.to_string())?;
        let proof = Proof::shown_on(&stream);
        let codec = Codec::new().max_size(FRAME_BYTES_MAX);
        let mut framed = Framed::from_parts(FramedParts::with_read_buf(stream, codec, read));
        let mut frames: u64 = 0;
        while let Some(frame) = framed.next().await {
            let frame = frame.map_err(|error| error.to_string())?;
            let transport = &self.line.credentials.transport;
            if proof.as_ref().is_some_and(|proof| !proof.holds(transport)) {
                return Err("its certificate does not hold any more".into());
            }
            let is_closed = self
                .laboratory
                .as_ref()
                .is_some_and(|laboratory| laboratory.passage(self.line.peer) == Passage::Closed);
            if is_closed {
                return Err(CUT.into());
            }
            let back = match frame {
                Frame::Text(text) => {
                    frames += 1;
                    match self.take(&text).await? {
                        EnvelopeAnswer { taken: true, kept: true, .. } => continue,
                        answer => {
                            let said = NotTakenJson { frame: frames, expected: answer.expected };
                            let said = serde_json::to_string(&said).expect("two numbers are JSON");
                            Back::Text(said.into())
                        }
                    }
                }
                Frame::Ping(payload) => Back::Pong(payload),
                Frame::Close(_) => return Ok(()),
                _ => return Err("not a frame of this protocol".into()),
            };
            framed.send(back).await.map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    async fn take(&self, text: &[u8]) -> Result<EnvelopeAnswer, String> {
        let from = self.line.peer;
        let said: EnvelopeIn = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        if said.from != from {
            return Err(format!("it speaks for bank {}", said.from));
        }
        let mut parcel = said.read().map_err(|error| error.to_string())?;
        let Line { me, url, credentials, .. } = &*self.line;
        let (url, secret, transport) = (url.clone(), &credentials.secret, &credentials.transport);
        let giver = Giver { me: *me, from, url, secret, transport };
        // Others' events are refused, whoever has signed them.
        let own = parcel.envelope.events.iter_mut().filter(|event| event.sender == from);
        prove(&giver, own).await;
        self.buffer.send(FromPeer { from, parcel }).await.map_err(|error| error.to_string())
    }
}
