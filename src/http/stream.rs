//! A connection that is read in small portions. The server's own buffer takes whatever has arrived,
//! up to 128 KiB, before it looks at what it is: of a crowd that sends more than it may, that would
//! be most of the memory.

use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::ids::BankId;
use crate::tls::{Channel, Proof};

/// How much is read before the server looks at it, in bytes.
const PORTION_BYTES: usize = 8 * 1_024;

/// A connection, how much may still be read before the server has had a look, and the bank that
/// opened it, if that is proved.
#[derive(Debug)]
pub(super) struct Portioned {
    stream: Channel,
    left: usize,
    opened_by: Option<BankId>,
}

impl Portioned {
    pub(super) fn new(stream: Channel, opened_by: Option<BankId>) -> Self {
        Portioned { stream, left: PORTION_BYTES, opened_by }
    }

    /// The bank that opened it and how that is proved, if it is.
    pub(super) fn opened_by(&self) -> Option<(BankId, Proof)> {
        self.opened_by.zip(Proof::shown_on(&self.stream))
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
        if self.left == 0 {
            // Nothing else would wake the server: what has arrived has arrived.
            self.left = PORTION_BYTES;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        let bytes = buffer.filled().len() - before;
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
