//! A bank's certificate among banks.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use actix_rt::net::TcpStream;
use rustls::client::Resumption;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::time_provider::TimeProvider;
use rustls::{CertificateError, ClientConfig, Error, RootCertStore, ServerConfig};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use webpki::EndEntityCert;

use super::files::{AUTHORITY, CERTIFICATE, FORMER, Files, KEY, Renewed, WITHDRAWN};
use super::signers::{OwnKey, Signers, id_of, read_pem};
use super::{ALPN, BadCertificates, Begun, Channel, bank_of, name_of, provider};
use crate::ids::signature::{CertificateId, Signature, Signer};
use crate::ids::{BankId, BankSet};

/// The end of the year 9999, beyond which no certificate is valid, in Unix seconds.
const END_OF_TIME_S: u64 = 253_402_300_799;
/// For how long a bank that was asked for a certificate in vain is not asked again.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(2);

/// A bank's certificate with its key, and the authority by which it knows the others.
#[derive(Clone)]
pub struct Identity {
    me: BankId,
    banks: usize,
    loaded: Renewed<Loaded>,
    signers: Signers,
    /// When banks were last asked for a certificate in vain.
    in_vain: RefCell<BTreeMap<BankId, Instant>>,
}

#[derive(Clone)]
struct Loaded {
    answering: Arc<ServerConfig>,
    calling: Arc<ClientConfig>,
    callers: Arc<dyn ClientCertVerifier>,
    /// What certificates of signatures are held against: former authorities count too, and it does
    /// not matter what was withdrawn.
    vouchers: Arc<dyn ClientCertVerifier>,
    calendar: Arc<Calendar>,
    own: OwnKey,
}

/// By which time certificates are judged. A bank's own certificate says how far its clock may be
/// wrong at most: beyond that, it is judged as in the middle of the time for which that is valid.
/// So a bank whose clock is years off is told so by the others, instead of taking all their
/// certificates for invalid.
#[derive(Debug)]
struct Calendar {
    /// In Unix seconds.
    valid: RangeInclusive<u64>,
}

impl Calendar {
    /// The one of a bank with this certificate.
    fn of(
        verifier: &dyn ClientCertVerifier,
        chain: &[CertificateDer<'_>],
    ) -> Result<Self, rustls::Error> {
        let (own, between) = chain.split_first().ok_or(CertificateError::BadEncoding)?;
        let judged = |at_s: u64| {
            let at = UnixTime::since_unix_epoch(Duration::from_secs(at_s));
            verifier.verify_client_cert(own, between, at).map(|_| at_s)
        };
        let mut valid = 0..=END_OF_TIME_S;
        for at_s in [0, END_OF_TIME_S] {
            match judged(at_s) {
                Ok(_) => {}
                Err(Error::InvalidCertificate(CertificateError::NotValidYetContext {
                    not_before,
                    ..
                })) => valid = not_before.as_secs()..=*valid.end(),
                Err(Error::InvalidCertificate(CertificateError::ExpiredContext {
                    not_after,
                    ..
                })) => valid = *valid.start()..=not_after.as_secs(),
                Err(other) => return Err(other),
            }
        }
        let calendar = Calendar { valid };
        judged(calendar.middle_s())?;
        Ok(calendar)
    }

    fn middle_s(&self) -> u64 {
        self.valid.start().midpoint(*self.valid.end())
    }

    fn now(&self) -> UnixTime {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let is_valid = self.valid.contains(&wall.as_secs());
        let middle = Duration::from_secs(self.middle_s());
        UnixTime::since_unix_epoch(if is_valid { wall } else { middle })
    }
}

impl TimeProvider for Calendar {
    fn current_time(&self) -> Option<UnixTime> {
        Some(self.now())
    }
}

impl Identity {
    pub(super) fn load(folder: &Path, me: BankId, banks: usize) -> Result<Self, BadCertificates> {
        let files = Files::new(folder, &[AUTHORITY, CERTIFICATE, FORMER, KEY, WITHDRAWN]);
        let loaded = Renewed::new(files, move |files| load(files, me))?;
        let in_vain = RefCell::default();
        Ok(Identity { me, banks, loaded, signers: Signers::new(None), in_vain })
    }

    pub(super) fn keeping_signers_in(self, data: &Path) -> Self {
        Identity { signers: Signers::new(Some(data)), ..self }
    }

    fn fresh(&self) -> Loaded {
        self.loaded.get(self.me, |files| load(files, self.me))
    }

    pub(super) async fn call(&self, peer: BankId, stream: TcpStream) -> io::Result<Channel> {
        let name = ServerName::try_from(name_of(peer)).map_err(io::Error::other)?;
        let sealed = TlsConnector::from(self.fresh().calling).connect(name, stream).await?;
        Ok(Channel::Sealed(Box::new(sealed.into())))
    }

    pub(super) async fn answer(&self, stream: TcpStream) -> io::Result<(Channel, BankId)> {
        self.proved(TlsAcceptor::from(self.fresh().answering).accept(stream).await?)
    }

    /// The same for a handshake of which the beginning was read already.
    pub(super) async fn go_on(&self, begun: Begun) -> io::Result<(Channel, BankId)> {
        self.proved(begun.into_stream(self.fresh().answering).await?)
    }

    fn proved(&self, sealed: TlsStream<TcpStream>) -> io::Result<(Channel, BankId)> {
        let chain = sealed.get_ref().1.peer_certificates().unwrap_or_default();
        let bank = bank_of(chain, self.banks)
            .ok_or_else(|| io::Error::other("its certificate is not that of one bank"))?;
        Ok((Channel::Sealed(Box::new(sealed.into())), bank))
    }

    pub(super) fn knows(&self, certificate: CertificateId) -> bool {
        self.signers.knows(certificate, self.banks)
    }

    /// A certificate by which some bank signs or has signed, in PEM.
    pub(super) fn certificate(&self, id: CertificateId) -> Option<String> {
        self.signers.pem(id, self.banks)
    }

    /// Whether a bank has signed a text, by a certificate that is known here.
    pub(super) fn is_by(&self, sender: BankId, text: &str, signature: &Signature) -> bool {
        self.signers.is_by((sender, self.banks), text, signature)
    }

    pub(super) fn may_ask(&self, bank: BankId) -> bool {
        self.in_vain.borrow().get(&bank).is_none_or(|at| at.elapsed() >= ASK_AGAIN_AFTER)
    }

    pub(super) fn asked_in_vain(&self, bank: BankId) {
        self.in_vain.borrow_mut().insert(bank, Instant::now());
    }

    /// Learns of a certificate that somebody else has handed over: it is one if the authority
    /// vouched for it at some time.
    pub(super) fn learn(&self, id: CertificateId, text: &[u8]) -> io::Result<()> {
        let chain = read_pem(text).ok_or_else(|| io::Error::other("it is not in PEM"))?;
        if chain.first().map(id_of) != Some(id) {
            return Err(io::Error::other("it is another certificate"));
        }
        let vouchers = self.fresh().vouchers;
        Calendar::of(vouchers.as_ref(), &chain).map_err(io::Error::other)?;
        self.signers.keep(&chain, self.banks)
    }

    /// Whether a certificate is one now, by what the files hold now.
    pub(super) fn recognises(&self, chain: &[CertificateDer<'_>]) -> bool {
        let Some((own, between)) = chain.split_first() else { return false };
        let Loaded { callers, calendar, .. } = self.fresh();
        callers.verify_client_cert(own, between, calendar.now()).is_ok()
    }
}

impl Signer for Identity {
    fn sign(&self, text: &str, members: BankSet) -> Option<Signature> {
        let own = self.fresh().own;
        // First: others will ask for it.
        if let Err(error) = self.signers.keep(&own.chain, self.banks) {
            log::error!("bank {}: its certificate cannot be kept: {error}", self.me);
            return None;
        }
        own.sign(text, members)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("me", &self.me).finish_non_exhaustive()
    }
}

fn load(files: &Files, me: BankId) -> Result<Loaded, BadCertificates> {
    let roots = files.authority(AUTHORITY)?;
    let (chain, key) = (files.certificates(CERTIFICATE)?, files.key(KEY)?);
    let own = chain.first().and_then(|first| EndEntityCert::try_from(first).ok());
    let name = ServerName::try_from(name_of(me)).map_err(|why| files.bad(CERTIFICATE, why))?;
    if own.is_none_or(|own| own.verify_is_valid_for_subject_name(&name).is_err()) {
        return Err(files.bad(CERTIFICATE, format!("it is not valid for {}", name_of(me))));
    }
    let provider = provider();
    let signing = provider.key_provider.load_private_key(key.clone_key());
    let own = OwnKey::new(signing.map_err(|why| files.bad(KEY, why))?, &chain);
    if own.sign("", BankSet::default()).is_none() {
        return Err(files.bad(KEY, "events cannot be signed with a key of this kind"));
    }
    let vouchers = vouchers(files, &provider)?;
    let (callers, servers) = verifiers(files, roots, &provider)?;
    let calendar = Arc::new(
        Calendar::of(callers.as_ref(), &chain).map_err(|why| files.bad(CERTIFICATE, why))?,
    );
    let versions = &[&rustls::version::TLS13];
    let mut answering = ServerConfig::builder_with_details(Arc::clone(&provider), calendar.clone())
        .with_protocol_versions(versions)
        .map_err(|why| files.bad(CERTIFICATE, why))?
        .with_client_cert_verifier(Arc::clone(&callers))
        .with_single_cert(chain.clone(), key.clone_key())
        .map_err(|why| files.bad(CERTIFICATE, why))?;
    let mut calling = ClientConfig::builder_with_details(provider, calendar.clone())
        .with_protocol_versions(versions)
        .map_err(|why| files.bad(CERTIFICATE, why))?
        .dangerous()
        .with_custom_certificate_verifier(servers)
        .with_client_auth_cert(chain, key)
        .map_err(|why| files.bad(CERTIFICATE, why))?;
    // A connection that is resumed would not be held against what has been withdrawn since.
    answering.session_storage = Arc::new(NoServerSessionStorage {});
    answering.send_tls13_tickets = 0;
    calling.resumption = Resumption::disabled();
    // By this a bank's handshake is told from a customer's.
    calling.alpn_protocols = vec![ALPN.to_vec()];
    answering.alpn_protocols = vec![ALPN.to_vec()];
    let (answering, calling) = (Arc::new(answering), Arc::new(calling));
    Ok(Loaded { answering, calling, callers, vouchers, calendar, own })
}

fn vouchers(
    files: &Files,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, BadCertificates> {
    let roots = Arc::new(files.all_authorities()?);
    WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(provider))
        .build()
        .map_err(|why| files.bad(FORMER, why))
}

type Verifiers = (Arc<dyn ClientCertVerifier>, Arc<dyn ServerCertVerifier>);

/// What a caller's certificate, and that of a bank that is called, are held against.
fn verifiers(
    files: &Files,
    roots: RootCertStore,
    provider: &Arc<CryptoProvider>,
) -> Result<Verifiers, BadCertificates> {
    let (roots, withdrawn) = (Arc::new(roots), files.withdrawn(WITHDRAWN)?);
    let callers =
        WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(provider))
            .with_crls(withdrawn.clone())
            .allow_unknown_revocation_status()
            .only_check_end_entity_revocation()
            .build()
            .map_err(|why| files.bad(AUTHORITY, why))?;
    let servers =
        rustls::client::WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(provider))
            .with_crls(withdrawn)
            .allow_unknown_revocation_status()
            .only_check_end_entity_revocation()
            .build()
            .map_err(|why| files.bad(AUTHORITY, why))?;
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
