//! How much memory one peer may take with what it sends: bodies that are being read or dealt with
//! are counted for each peer. Customers' bodies have nothing to do with it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use actix_web::HttpRequest;
use actix_web::http::header::CONTENT_LENGTH;
use actix_web::web::{Bytes, Payload};

use super::body::receive_up_to;
use super::refusal::Refused;
use crate::ids::BankId;
use crate::wire::PEER_BODY_BYTES_MAX;

/// The most bytes of one peer's bodies at a time: one large answer, and room for what else a peer
/// says at the same time.
pub(super) const PEER_BYTES_MAX: usize = 3 * PEER_BODY_BYTES_MAX;

/// The bytes that each peer takes.
#[derive(Clone, Debug)]
pub struct PeerRoom(Arc<[AtomicUsize]>);

/// Bytes that are given back when this is dropped.
pub(super) struct Reserved {
    room: PeerRoom,
    peer: BankId,
    bytes: usize,
}

impl PeerRoom {
    /// Room for so many banks; nobody takes any.
    #[must_use]
    pub fn new(banks: usize) -> Self {
        PeerRoom((0..banks).map(|_| AtomicUsize::new(0)).collect())
    }

    fn reserve(&self, peer: BankId, bytes: usize) -> Result<Reserved, Refused> {
        let taken = self.0.get(peer.index()).ok_or(Refused::NotAPeer)?;
        let reserved = Reserved { room: self.clone(), peer, bytes };
        if taken.fetch_add(bytes, Ordering::Relaxed) + bytes > PEER_BYTES_MAX {
            // What was added is taken back when `reserved` goes.
            drop(reserved);
            return Err(Refused::Overloaded);
        }
        Ok(reserved)
    }

    /// Reads a peer's body, if there is room for it.
    pub(super) async fn receive(
        &self,
        peer: BankId,
        request: &HttpRequest,
        body: Payload,
        bytes_max: usize,
    ) -> Result<(Bytes, Reserved), Refused> {
        let length = request.headers().get(CONTENT_LENGTH);
        let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
        let reserved = self.reserve(peer, length.unwrap_or(bytes_max).min(bytes_max))?;
        Ok((receive_up_to(body, bytes_max).await?, reserved))
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        if let Some(taken) = self.room.0.get(self.peer.index()) {
            taken.fetch_sub(self.bytes, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_takes_no_more_than_its_room_and_nothing_of_the_others() {
        let room = PeerRoom::new(3);
        let take = |peer, bytes| room.reserve(BankId(peer), bytes);
        let one = take(1, PEER_BYTES_MAX - 1).ok();
        assert!(take(1, 2).is_err() && take(1, 1).is_ok() && take(2, PEER_BYTES_MAX).is_ok());
        drop(one);
        assert!(take(1, PEER_BYTES_MAX).is_ok());
        assert!(take(3, 1).is_err(), "there is no such bank");
    }
}
