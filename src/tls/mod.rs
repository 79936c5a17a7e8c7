//! Who a bank is to other banks: a certificate from the consortium's own authority, which both
//! sides of every connection between banks show (TLS 1.3), at the port that customers use and at
//! the heartbeat port.
//!
//! A certificate is a bank's if it is valid for the name `bank-N.netbanking` and for no other
//! bank's; where a bank listens does not matter. The files are read again when they change, so
//! certificates are renewed and withdrawn without a stop: a connection that begins uses what is
//! there then.

mod channel;
mod files;

use std::cell::{Cell, RefCell};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_rt::net::TcpStream;
use rustls::client::Resumption;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use webpki::EndEntityCert;

pub(crate) use self::channel::{Channel, Detached};
pub(crate) use self::files::{AUTHORITY, CERTIFICATE, KEY, WITHDRAWN};
use self::files::{Files, Stamps};
use crate::ids::BankId;

/// The first byte of a connection that begins with a handshake (RFC 8446, section 5.1).
const HANDSHAKE: u8 = 22;
/// How often the certificate behind a connection that stays open is looked at again.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(10);

/// Why a bank's certificates cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {why}")]
pub struct BadCertificates {
    file: String,
    why: String,
}

impl BadCertificates {
    fn new(file: &Path, why: impl ToString) -> Self {
        BadCertificates { file: file.display().to_string(), why: why.to_string() }
    }
}

/// The name in a bank's certificate.
#[must_use]
pub(crate) fn name_of(bank: BankId) -> String {
    format!("bank-{bank}.netbanking")
}

/// The number that a certificate in PEM has from its authority.
#[must_use]
pub(crate) fn serial_of(pem: &str) -> Option<Vec<u8>> {
    let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).ok()?;
    Some(EndEntityCert::try_from(&certificate).ok()?.serial().to_vec())
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
    Certified(Identity),
}

impl Transport {
    /// With the certificates in a folder, if there is one.
    ///
    /// # Errors
    /// [`BadCertificates`] when a file is missing or not what it should be, or others may read the
    /// key.
    pub fn with(folder: Option<&Path>, me: BankId, banks: usize) -> Result<Self, BadCertificates> {
        folder.map_or(Ok(Transport::Open), |folder| {
            Identity::load(folder, me, banks).map(Transport::Certified)
        })
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

    /// The same at the port that customers use too, who need no certificate: they begin with a
    /// request and not with a handshake.
    ///
    /// # Errors
    /// As for [`Transport::answer`]; or the connection ends before anything is said.
    pub(crate) async fn answer_anybody(
        &self,
        stream: TcpStream,
    ) -> io::Result<(Channel, Option<BankId>)> {
        let mut first = [0];
        match self {
            Transport::Certified(identity)
                if stream.peek(&mut first).await? == 1 && first[0] == HANDSHAKE =>
            {
                identity.answer(stream).await.map(|(channel, bank)| (channel, Some(bank)))
            }
            _ => Ok((Channel::Open(stream), None)),
        }
    }
}

/// A bank's certificate with its key, and the authority by which it knows the others.
#[derive(Clone)]
pub struct Identity {
    files: Files,
    me: BankId,
    banks: usize,
    loaded: RefCell<Loaded>,
}

#[derive(Clone)]
struct Loaded {
    stamps: Stamps,
    answering: Arc<ServerConfig>,
    calling: Arc<ClientConfig>,
    callers: Arc<dyn ClientCertVerifier>,
}

impl Identity {
    fn load(folder: &Path, me: BankId, banks: usize) -> Result<Self, BadCertificates> {
        let files = Files::in_folder(folder);
        let loaded = RefCell::new(load(&files, me)?);
        Ok(Identity { files, me, banks, loaded })
    }

    /// What the files hold now; what they held before if that cannot be used.
    fn fresh(&self) -> Loaded {
        let stamps = self.files.stamps();
        let mut loaded = self.loaded.borrow_mut();
        if stamps != loaded.stamps {
            match load(&self.files, self.me) {
                Ok(fresh) => *loaded = fresh,
                Err(error) => {
                    log::error!("bank {}: CERTIFICATES NOT RENEWED: {error}", self.me);
                    // Said once for each change.
                    loaded.stamps = stamps;
                }
            }
        }
        loaded.clone()
    }

    async fn call(&self, peer: BankId, stream: TcpStream) -> io::Result<Channel> {
        let name = ServerName::try_from(name_of(peer)).map_err(io::Error::other)?;
        let sealed = TlsConnector::from(self.fresh().calling).connect(name, stream).await?;
        Ok(Channel::Sealed(Box::new(sealed.into())))
    }

    async fn answer(&self, stream: TcpStream) -> io::Result<(Channel, BankId)> {
        let sealed = TlsAcceptor::from(self.fresh().answering).accept(stream).await?;
        let chain = sealed.get_ref().1.peer_certificates().unwrap_or_default();
        let bank = bank_of(chain, self.banks)
            .ok_or_else(|| io::Error::other("its certificate is not that of one bank"))?;
        Ok((Channel::Sealed(Box::new(sealed.into())), bank))
    }

    /// Whether a certificate is one now, by what the files hold now.
    fn recognises(&self, chain: &[CertificateDer<'_>]) -> bool {
        let Some((own, between)) = chain.split_first() else { return false };
        self.fresh().callers.verify_client_cert(own, between, UnixTime::now()).is_ok()
    }
}

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

fn load(files: &Files, me: BankId) -> Result<Loaded, BadCertificates> {
    // Before they are read: a change meanwhile is then seen the next time.
    let stamps = files.stamps();
    let (roots, chain, key) = (files.authority()?, files.certificate()?, files.key()?);
    let own = chain.first().and_then(|first| EndEntityCert::try_from(first).ok());
    let name = ServerName::try_from(name_of(me)).map_err(|why| files.bad_certificate(why))?;
    if own.is_none_or(|own| own.verify_is_valid_for_subject_name(&name).is_err()) {
        return Err(files.bad_certificate(format!("it is not valid for {}", name_of(me))));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let (callers, servers) = verifiers(files, roots, &provider)?;
    let versions = &[&rustls::version::TLS13];
    let mut answering = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)
        .map_err(|why| files.bad_certificate(why))?
        .with_client_cert_verifier(Arc::clone(&callers))
        .with_single_cert(chain.clone(), key.clone_key())
        .map_err(|why| files.bad_certificate(why))?;
    let mut calling = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .map_err(|why| files.bad_certificate(why))?
        .dangerous()
        .with_custom_certificate_verifier(servers)
        .with_client_auth_cert(chain, key)
        .map_err(|why| files.bad_certificate(why))?;
    // A connection that is resumed would not be held against what has been withdrawn since.
    answering.session_storage = Arc::new(NoServerSessionStorage {});
    answering.send_tls13_tickets = 0;
    calling.resumption = Resumption::disabled();
    Ok(Loaded { stamps, answering: Arc::new(answering), calling: Arc::new(calling), callers })
}

type Verifiers = (Arc<dyn ClientCertVerifier>, Arc<dyn ServerCertVerifier>);

/// What a caller's certificate, and that of a bank that is called, are held against.
fn verifiers(
    files: &Files,
    roots: RootCertStore,
    provider: &Arc<CryptoProvider>,
) -> Result<Verifiers, BadCertificates> {
    let (roots, withdrawn) = (Arc::new(roots), files.withdrawn()?);
    let callers =
        WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(provider))
            .with_crls(withdrawn.clone())
            .allow_unknown_revocation_status()
            .only_check_end_entity_revocation()
            .build()
            .map_err(|why| files.bad_authority(why))?;
    let servers =
        rustls::client::WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(provider))
            .with_crls(withdrawn)
            .allow_unknown_revocation_status()
            .only_check_end_entity_revocation()
            .build()
            .map_err(|why| files.bad_authority(why))?;
    Ok((callers, servers))
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    fn certificate(names: &[&str]) -> Vec<CertificateDer<'static>> {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let key = KeyPair::generate().unwrap();
        vec![CertificateParams::new(names).unwrap().self_signed(&key).unwrap().der().clone()]
    }

    #[test]
    fn a_certificate_is_one_banks_or_none() {
        let of = |names: &[&str]| bank_of(&certificate(names), 3);
        assert_eq!(of(&["bank-1.netbanking"]), Some(BankId(1)));
        assert_eq!(of(&["bank-1.netbanking", "banco.example"]), Some(BankId(1)));
        let none: [&[&str]; 5] = [
            &["bank-1.netbanking", "bank-2.netbanking"],
            &["*.netbanking"],
            &["bank-3.netbanking"],
            &["bank-01.netbanking"],
            &["bank-1.netbanking.example"],
        ];
        for names in none {
            assert_eq!(of(names), None, "{names:?}");
        }
        assert_eq!(bank_of(&[], 3), None);
    }
}
