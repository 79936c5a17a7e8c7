//! A connection that is read in small portions. The server's own buffer takes whatever has arrived,
//! up to 128 KiB, before it looks at what it is: of a crowd that sends more than it may, that would
//! be most of the memory.
//!
//! What follows a request that was answered without it, the server would read and throw away, for
//! as long as it comes. Here that has an end ([`Rest`]).

use std::cell::Cell;
use std::future::Future as _;
use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_rt::time::{Sleep, sleep};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::share::CUSTOMER_BODY_BYTES_MAX;
use crate::ids::BankId;
use crate::tls::{Channel, Proof};

/// How much is read before the server looks at it, in bytes.
const PORTION_BYTES: usize = 8 * 1_024;
/// How long the rest of a body is read after its request was answered: a client that has sent all
/// of it by then sees the answer before the connection ends.
const REST_FOR: Duration = Duration::from_secs(2);

/// How many bytes of a connection are still read, where its newest request was answered before all
/// of its body had come.
#[derive(Clone, Debug, Default)]
pub(super) struct Rest(Rc<Cell<Option<usize>>>);

impl Rest {
    /// A request has come: all of it is read.
    pub(super) fn begin(&self) {
        self.0.set(None);
    }

    /// It has been answered; of what it still sends no more is read than a body may have.
    pub(super) fn limit(&self) {
        self.0.set(Some(CUSTOMER_BODY_BYTES_MAX));
    }

    fn take(&self, bytes: usize) {
        self.0.set(self.0.get().map(|left| left.saturating_sub(bytes)));
    }
}

/// A connection, how much may still be read before the server has had a look, and the bank that
/// opened it, if that is proved.
#[derive(Debug)]
pub(super) struct Portioned {
    stream: Channel,
    left: usize,
    opened_by: Option<BankId>,
    rest: Rest,
    /// When the rest has taken too long.
    ends: Option<Pin<Box<Sleep>>>,
}

impl Portioned {
    pub(super) fn new(stream: Channel, opened_by: Option<BankId>) -> Self {
        let (rest, ends) = (Rest::default(), None);
        Portioned { stream, left: PORTION_BYTES, opened_by, rest, ends }
    }

    /// The bank that opened it and how that is proved, if it is.
    pub(super) fn opened_by(&self) -> Option<(BankId, Proof)> {
        self.opened_by.zip(Proof::shown_on(&self.stream))
    }

    /// What limits the rest of an answered request.
    pub(super) fn rest(&self) -> Rest {
        self.rest.clone()
    }

    /// Whether nothing is read now: ready when nothing ever will be.
    fn poll_rest(&mut self, context: &mut Context<'_>) -> Option<Poll<()>> {
        let Some(left) = self.rest.0.get() else {
            self.ends = None;
            return None;
        };
        let ends = self.ends.get_or_insert_with(|| Box::pin(sleep(REST_FOR)));
        let is_over = ends.as_mut().poll(context);
        (is_over.is_ready() || left == 0).then_some(is_over)
    }

    /// The connection itself.
    pub(super) fn into_inner(self) -> Channel {
        self.stream
    }
}

impl AsRef<Channel> for Portioned {
    fn as_ref(&self) -> &Channel {
        &self.stream
    }
}

impl AsyncRead for Portioned {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        if let Some(is_over) = self.poll_rest(context) {
            // To the server it looks as if the client had closed.
            return is_over.map(Ok);
        }
        if self.left == 0 {
            // Nothing else would wake the server: what has arrived has arrived.
            self.left = PORTION_BYTES;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        let bytes = buffer.filled().len() - before;
        self.rest.take(bytes);
        self.left = if read.is_pending() { PORTION_BYTES } else { self.left.saturating_sub(bytes) };
        read
    }
}

impl AsyncWrite for Portioned {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
