//! A connection between banks, sealed or not, behind one face.

use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_rt::net::{ActixStream, Ready, TcpStream};
use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsStream;

/// A connection.
#[derive(Debug)]
pub(crate) enum Channel {
    /// Everybody on the way can read it.
    Open(TcpStream),
    /// Encrypted, and both ends know who the other one is.
    Sealed(Box<TlsStream<TcpStream>>),
}

/// A connection on its way to another thread.
pub(crate) enum Detached {
    Open(std::net::TcpStream),
    /// Its readiness is still reported by the thread that it comes from: the library that seals it
    /// does not let go of it.
    Sealed(Box<TlsStream<TcpStream>>),
}

impl Channel {
    /// The connection below.
    pub(crate) fn tcp(&self) -> &TcpStream {
        match self {
            Channel::Open(stream) => stream,
            Channel::Sealed(sealed) => sealed.get_ref().0,
        }
    }

    /// Whether it is encrypted.
    pub(crate) fn is_sealed(&self) -> bool {
        matches!(self, Channel::Sealed(_))
    }

    /// What the other end has shown of itself, its own certificate first; `None` on an open one.
    pub(super) fn certificates(&self) -> Option<&[CertificateDer<'static>]> {
        match self {
            Channel::Open(_) => None,
            Channel::Sealed(sealed) => sealed.get_ref().1.peer_certificates(),
        }
    }

    /// Takes it off this thread, so far as that is possible.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn detach(self) -> Result<Detached> {
        Ok(match self {
            Channel::Open(stream) => Detached::Open(stream.into_std()?),
            Channel::Sealed(sealed) => Detached::Sealed(sealed),
        })
    }
}

impl Detached {
    /// Settles on this thread.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn attach(self) -> Result<Channel> {
        Ok(match self {
            Detached::Open(stream) => Channel::Open(TcpStream::from_std(stream)?),
            Detached::Sealed(sealed) => Channel::Sealed(sealed),
        })
    }
}

impl AsyncRead for Channel {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        match &mut *self {
            Channel::Open(stream) => Pin::new(stream).poll_read(context, buffer),
            Channel::Sealed(sealed) => Pin::new(sealed).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Channel {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize>> {
        match &mut *self {
            Channel::Open(stream) => Pin::new(stream).poll_write(context, bytes),
            Channel::Sealed(sealed) => Pin::new(sealed).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        match &mut *self {
            Channel::Open(stream) => Pin::new(stream).poll_write_vectored(context, slices),
            Channel::Sealed(sealed) => Pin::new(sealed).poll_write_vectored(context, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Channel::Open(stream) => stream.is_write_vectored(),
            Channel::Sealed(sealed) => sealed.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        match &mut *self {
            Channel::Open(stream) => Pin::new(stream).poll_flush(context),
            Channel::Sealed(sealed) => Pin::new(sealed).poll_flush(context),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        match &mut *self {
            Channel::Open(stream) => Pin::new(stream).poll_shutdown(context),
            Channel::Sealed(sealed) => Pin::new(sealed).poll_shutdown(context),
        }
    }
}

/// What the HTTP client asks of a connection.
impl ActixStream for Channel {
    fn poll_read_ready(&self, context: &mut Context<'_>) -> Poll<Result<Ready>> {
        ActixStream::poll_read_ready(self.tcp(), context)
    }

    fn poll_write_ready(&self, context: &mut Context<'_>) -> Poll<Result<Ready>> {
        ActixStream::poll_write_ready(self.tcp(), context)
    }
}
