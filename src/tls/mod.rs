//! Who a bank is to other banks: a certificate from the consortium's own authority, which both
//! sides of every connection between banks show (TLS 1.3), at the port that customers use and at
//! the heartbeat port.
//!
//! A certificate is a bank's if it is valid for the name `bank-N.netbanking` and for no other
//! bank's; where a bank listens does not matter. The files are read again when they change, so
//! certificates are renewed and withdrawn without a stop: a connection that begins uses what is
//! there then.

mod called;
mod channel;
mod files;
mod identity;
mod signers;
mod site;

use std::cell::Cell;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_rt::net::TcpStream;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::Acceptor;
use tokio_rustls::{LazyConfigAcceptor, StartHandshake};
use webpki::EndEntityCert;

pub(crate) use self::called::Called;
pub(crate) use self::channel::{Channel, Detached};
pub(crate) use self::files::{AUTHORITY, CERTIFICATE, KEY, WITHDRAWN};
pub use self::identity::Identity;
pub(crate) use self::signers::Signers;
pub use self::site::Site;
pub(crate) use self::site::call_site;
use crate::ids::BankId;
use crate::ids::signature::{CertificateId, Signature, Signer};

/// The first byte of a connection that begins with a handshake (RFC 8446, section 5.1).
const HANDSHAKE: u8 = 22;
/// What banks say they speak (RFC 7301).
const ALPN: &[u8] = b"netbanking";
/// How often the certificate behind a connection that stays open is looked at again.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(10);

/// Why a bank's certificates cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {why}")]
pub struct BadCertificates {
    file: String,
    why: String,
}

/// The name in a bank's certificate.
#[must_use]
pub(crate) fn name_of(bank: BankId) -> String {
    format!("bank-{bank}.netbanking")
}

/// The bank whose certificate this is, if it is exactly one's.
fn bank_of(chain: &[CertificateDer<'_>], banks: usize) -> Option<BankId> {
    let certificate = EndEntityCert::try_from(chain.first()?).ok()?;
    let is_of = |bank: &BankId| {
        ServerName::try_from(name_of(*bank))
            .is_ok_and(|name| certificate.verify_is_valid_for_subject_name(&name).is_ok())
    };
    let mut named = BankId::all(banks).filter(is_of);
    named.next().filter(|_| named.next().is_none())
}

/// What a bank shows its peers.
#[derive(Clone)]
pub struct Credentials {
    /// The secret that all banks share.
    pub secret: String,
    /// What connections are made of, and so whether there are certificates.
    pub transport: Transport,
}

/// How banks talk to each other.
#[derive(Clone)]
pub enum Transport {
    /// In the open, with nothing but a secret that all know: whoever holds it may speak as any
    /// bank.
    Open,
    /// With a certificate on each side.
    Certified(Box<Identity>),
}

impl Transport {
    /// With the certificates in a folder, if there is one.
    ///
    /// # Errors
    /// [`BadCertificates`] when a file is missing or not what it should be, or others may read the
    /// key.
    pub fn with(folder: Option<&Path>, me: BankId, banks: usize) -> Result<Self, BadCertificates> {
        folder.map_or(Ok(Transport::Open), |folder| {
            Identity::load(folder, me, banks).map(|own| Transport::Certified(Box::new(own)))
        })
    }

    /// The same, which keeps the certificates of signed events in a data folder.
    #[must_use]
    pub(crate) fn keeping_signers_in(self, data: &Path) -> Self {
        match self {
            Transport::Open => Transport::Open,
            Transport::Certified(identity) => {
                Transport::Certified(Box::new(identity.keeping_signers_in(data)))
            }
        }
    }

    /// Whether banks sign their events: where they have certificates.
    #[must_use]
    pub fn signs(&self) -> bool {
        matches!(self, Transport::Certified(_))
    }

    /// What signs this bank's events.
    #[must_use]
    pub fn signer(&self) -> Option<Box<dyn Signer>> {
        match self {
            Transport::Open => None,
            Transport::Certified(identity) => Some(identity.clone()),
        }
    }

    /// Whether a bank has signed a text, by a certificate that is known here.
    #[must_use]
    pub fn is_by(&self, sender: BankId, text: &str, signature: &Signature) -> bool {
        match self {
            Transport::Open => false,
            Transport::Certified(identity) => identity.is_by(sender, text, signature),
        }
    }

    /// Whether a certificate by which events are signed is known here.
    #[must_use]
    pub fn knows(&self, certificate: CertificateId) -> bool {
        match self {
            Transport::Open => false,
            Transport::Certified(identity) => identity.knows(certificate),
        }
    }

    /// A certificate by which events are signed, for another bank, in PEM.
    #[must_use]
    pub(crate) fn certificate(&self, id: CertificateId) -> Option<String> {
        match self {
            Transport::Open => None,
            Transport::Certified(identity) => identity.certificate(id),
        }
    }

    /// Learns of a certificate by which events are signed.
    ///
    /// # Errors
    /// When the consortium's authority does not vouch for it, or it cannot be kept.
    pub fn learn(&self, id: CertificateId, text: &[u8]) -> io::Result<()> {
        match self {
            Transport::Open => Err(io::Error::other("there are no certificates")),
            Transport::Certified(identity) => identity.learn(id, text),
        }
    }

    /// Whether a bank may be asked for a certificate: not soon after it was asked in vain.
    pub(crate) fn may_ask(&self, bank: BankId) -> bool {
        match self {
            Transport::Open => false,
            Transport::Certified(identity) => identity.may_ask(bank),
        }
    }

    /// A bank has not given a certificate for which it was asked.
    pub(crate) fn asked_in_vain(&self, bank: BankId) {
        if let Transport::Certified(identity) = self {
            identity.asked_in_vain(bank);
        }
    }

    /// What a connection that this bank opened to a peer becomes.
    ///
    /// # Errors
    /// When the handshake fails: among others, when it is another bank that answers.
    pub(crate) async fn call(&self, peer: BankId, stream: TcpStream) -> io::Result<Channel> {
        match self {
            Transport::Open => Ok(Channel::Open(stream)),
            Transport::Certified(identity) => identity.call(peer, stream).await,
        }
    }

    /// What a connection to the heartbeat port becomes, and which bank opened it, if that is
    /// proved.
    ///
    /// # Errors
    /// When the caller does not prove to be a bank of the consortium.
    pub(crate) async fn answer(&self, stream: TcpStream) -> io::Result<(Channel, Option<BankId>)> {
        match self {
            Transport::Open => Ok((Channel::Open(stream), None)),
            Transport::Certified(identity) => {
                identity.answer(stream).await.map(|(channel, bank)| (channel, Some(bank)))
            }
        }
    }
}

/// The port that banks and customers share.
#[derive(Clone)]
pub struct Entrance {
    /// What banks show there.
    pub transport: Transport,
    /// What customers are shown, if they may come by HTTPS.
    pub site: Option<Site>,
}

impl Entrance {
    /// What a connection becomes, and which bank opened it, if that is proved. A caller who begins
    /// with a request and not with a handshake comes in the open.
    ///
    /// # Errors
    /// When a handshake fails, or the connection ends before anything is said.
    pub(crate) async fn answer(&self, stream: TcpStream) -> io::Result<(Channel, Option<BankId>)> {
        let mut first = [0];
        let seals = self.site.is_some() || matches!(self.transport, Transport::Certified(_));
        if !seals || stream.peek(&mut first).await? == 0 || first[0] != HANDSHAKE {
            return Ok((Channel::Open(stream), None));
        }
        let begun = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        let is_bank =
            begun.client_hello().alpn().is_some_and(|mut names| names.any(|name| name == ALPN));
        match (&self.transport, &self.site) {
            (Transport::Certified(identity), _) if is_bank => {
                identity.go_on(begun).await.map(|(channel, bank)| (channel, Some(bank)))
            }
            (_, Some(site)) if !is_bank => site.go_on(begun).await.map(|channel| (channel, None)),
            _ => Err(io::Error::other("there is no certificate for such callers")),
        }
    }
}

/// The one provider of cryptography.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// A handshake of which the beginning was read.
type Begun = StartHandshake<TcpStream>;

/// The certificate that the other end of a connection has shown. Connections between banks stay
/// open for long: it may run out, or be withdrawn.
pub(crate) struct Proof {
    chain: Vec<CertificateDer<'static>>,
    looked_at: Cell<Instant>,
}

impl Proof {
    /// What was shown when a connection began, if banks show anything.
    pub(crate) fn shown_on(channel: &Channel) -> Option<Proof> {
        let chain = channel.certificates()?.to_vec();
        Some(Proof { chain, looked_at: Cell::new(Instant::now()) })
    }

    /// Whether it still holds. It is looked at once in a while, however often this is asked.
    pub(crate) fn holds(&self, transport: &Transport) -> bool {
        let Transport::Certified(identity) = transport else { return true };
        if self.looked_at.get().elapsed() < LOOK_AGAIN_AFTER {
            return true;
        }
        let holds = identity.recognises(&self.chain);
        if holds {
            self.looked_at.set(Instant::now());
        }
        holds
    }
}
