//! Who signed an event: certificates by which banks have signed, kept for as long as the data
//! folder is, so that what was signed stays provable when certificates are renewed, run out or are
//! withdrawn, and when authorities change.
//!
//! A certificate is held against the consortium's authorities once, when it first comes here, and
//! at a time at which it was valid. From then on this bank's own folder says that it is one.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::SignatureScheme;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::sign::SigningKey;
use sha2::{Digest, Sha256};
use webpki::EndEntityCert;

use super::{bank_of, provider};
use crate::ids::signature::{CertificateId, Signature};
use crate::ids::{BankId, BankSet};

/// Where they are kept, in the data folder.
const FOLDER: &str = "signers";
/// What is signed begins like this, so that no signature of TLS 1.3 with the same key can pass for
/// one of an event, nor the other way round (RFC 8446, section 4.4.3).
const PAD: [u8; 64] = [b' '; 64];
const PURPOSE: &[u8] = b"NetBanking event\0";
/// Bytes in front of a seal that say by which scheme it was made.
const SCHEME_BYTES: usize = 2;
/// What a bank's key is asked to sign with, the first that it can.
const SCHEMES: [SignatureScheme; 5] = [
    SignatureScheme::ED25519,
    SignatureScheme::ECDSA_NISTP256_SHA256,
    SignatureScheme::ECDSA_NISTP384_SHA384,
    SignatureScheme::RSA_PSS_SHA256,
    SignatureScheme::RSA_PSS_SHA512,
];

/// The certificates by which banks have signed.
#[derive(Clone, Debug)]
pub(crate) struct Signers {
    /// `None` where nothing outlives the process.
    folder: Option<PathBuf>,
    known: RefCell<BTreeMap<CertificateId, Known>>,
}

#[derive(Clone, Debug)]
struct Known {
    bank: BankId,
    /// The bank's own certificate first.
    chain: Arc<[CertificateDer<'static>]>,
}

/// A bank's key, with the name of the certificate that it belongs to.
#[derive(Clone, Debug)]
pub(super) struct OwnKey {
    key: Arc<dyn SigningKey>,
    pub(super) chain: Arc<[CertificateDer<'static>]>,
}

impl OwnKey {
    pub(super) fn new(key: Arc<dyn SigningKey>, chain: &[CertificateDer<'static>]) -> Self {
        OwnKey { key, chain: chain.into() }
    }

    /// `None` when the key fails.
    pub(super) fn sign(&self, text: &str, members: BankSet) -> Option<Signature> {
        let own = self.chain.first()?;
        let signer = self.key.choose_scheme(&SCHEMES)?;
        let signed = signer.sign(&message(own, members, text)).ok()?;
        let seal = [&u16::from(signer.scheme()).to_be_bytes()[..], &signed].concat();
        Some(Signature { by: id_of(own), members, seal: seal.into() })
    }
}

impl Signers {
    /// Those in a data folder, or none beyond this process.
    pub(crate) fn new(data: Option<&Path>) -> Self {
        Signers { folder: data.map(|data| data.join(FOLDER)), known: RefCell::default() }
    }

    /// Whether the text is that bank's, by a certificate that is known here.
    pub(crate) fn is_by(
        &self,
        (sender, banks): (BankId, usize),
        text: &str,
        signature: &Signature,
    ) -> bool {
        let known = self.find(signature.by, banks).filter(|known| known.bank == sender);
        known.is_some_and(|known| is_sealed(&known.chain, text, signature))
    }

    /// A certificate with those between it and its authority, in PEM.
    pub(crate) fn pem(&self, id: CertificateId, banks: usize) -> Option<String> {
        self.find(id, banks).map(|known| in_pem(&known.chain))
    }

    /// Whether this certificate is known.
    pub(crate) fn knows(&self, id: CertificateId, banks: usize) -> bool {
        self.find(id, banks).is_some()
    }

    /// Keeps a certificate that the authority vouches for.
    ///
    /// # Errors
    /// When it cannot be written down: an event that it proves must not be acknowledged then.
    pub(super) fn keep(
        &self,
        chain: &Arc<[CertificateDer<'static>]>,
        banks: usize,
    ) -> io::Result<()> {
        let (Some(own), Some(bank)) = (chain.first(), bank_of(chain, banks)) else {
            return Err(io::Error::other("it is not the certificate of one bank"));
        };
        let id = id_of(own);
        if !self.knows(id, banks) {
            if let Some(folder) = &self.folder {
                write(folder, id, &in_pem(chain))?;
            }
            self.known.borrow_mut().insert(id, Known { bank, chain: Arc::clone(chain) });
        }
        Ok(())
    }

    fn find(&self, id: CertificateId, banks: usize) -> Option<Known> {
        if let Some(known) = self.known.borrow().get(&id) {
            return Some(known.clone());
        }
        // Another thread may have learnt of it, or an earlier process.
        let text = fs::read(self.folder.as_ref()?.join(file_of(id))).ok()?;
        let chain = read_pem(&text).filter(|chain| chain.first().map(id_of) == Some(id))?;
        let known = Known { bank: bank_of(&chain, banks)?, chain };
        self.known.borrow_mut().insert(id, known.clone());
        Some(known)
    }
}

/// The name of a certificate.
pub(super) fn id_of(certificate: &CertificateDer<'_>) -> CertificateId {
    let digest = Sha256::digest(certificate);
    let mut half = [0; 16];
    half.copy_from_slice(&digest[..16]);
    CertificateId(half)
}

/// Certificates in PEM, at least one.
pub(super) fn read_pem(text: &[u8]) -> Option<Arc<[CertificateDer<'static>]>> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(text).collect::<Result<_, _>>().ok()?;
    (!chain.is_empty()).then(|| chain.into())
}

fn in_pem(chain: &[CertificateDer<'_>]) -> String {
    let blocks: Vec<_> = chain
        .iter()
        .map(|certificate| pem::Pem::new("CERTIFICATE", certificate.to_vec()))
        .collect();
    pem::encode_many_config(&blocks, pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF))
}

/// What is signed: the certificate is part of it, and with it the bank and, by the authority that
/// issued it, the consortium.
fn message(certificate: &CertificateDer<'_>, members: BankSet, text: &str) -> Vec<u8> {
    let (digest, members) = (Sha256::digest(certificate), members.bits().to_be_bytes());
    [&PAD[..], PURPOSE, &digest, &members, text.as_bytes()].concat()
}

fn is_sealed(chain: &[CertificateDer<'_>], text: &str, signature: &Signature) -> bool {
    let Some(own) = chain.first() else { return false };
    let Some((scheme, seal)) = signature.seal.split_first_chunk::<SCHEME_BYTES>() else {
        return false;
    };
    let scheme = SignatureScheme::from(u16::from_be_bytes(*scheme));
    let Some(certificate) = EndEntityCert::try_from(own).ok().filter(|_| SCHEMES.contains(&scheme))
    else {
        return false;
    };
    let message = message(own, signature.members, text);
    let algorithms = provider().signature_verification_algorithms;
    let of_scheme = algorithms.mapping.iter().filter(|(of, _)| *of == scheme);
    of_scheme
        .flat_map(|(_, algorithms)| algorithms.iter())
        .any(|algorithm| certificate.verify_signature(*algorithm, &message, seal).is_ok())
}

fn file_of(id: CertificateId) -> String {
    format!("{id}.pem")
}

/// A file that is there as a whole, and stays, or is not there.
fn write(folder: &Path, id: CertificateId, text: &str) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    // Two threads may write the same one.
    let new = folder.join(format!("{id}.{:?}.new", std::thread::current().id()));
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, folder.join(file_of(id)))?;
    fs::File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, SignatureAlgorithm};
    use rustls::pki_types::PrivateKeyDer;

    use super::*;

    fn key_of(name: &str, algorithm: &'static SignatureAlgorithm) -> OwnKey {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let chain = [params.self_signed(&key).unwrap().der().clone()];
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        OwnKey::new(provider().key_provider.load_private_key(key).unwrap(), &chain)
    }

    #[test]
    fn a_signature_proves_its_text_its_bank_and_nothing_else_also_after_a_restart() {
        let data = tempfile::tempdir().unwrap();
        let algorithms =
            [&rcgen::PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_ECDSA_P384_SHA384, &rcgen::PKCS_ED25519];
        for (bank, algorithm) in (0..).zip(algorithms) {
            let (own, other) = (key_of(&format!("bank-{bank}.netbanking"), algorithm), bank + 1);
            let signers = Signers::new(Some(data.path()));
            let signature = own.sign("text", BankSet::all(3)).unwrap();
            assert!(!signers.is_by((BankId(bank), 4), "text", &signature), "not known yet");
            signers.keep(&own.chain, 4).unwrap();
            for signers in [signers, Signers::new(Some(data.path()))] {
                assert!(signers.is_by((BankId(bank), 4), "text", &signature));
                assert!(!signers.is_by((BankId(other), 4), "text", &signature));
                assert!(!signers.is_by((BankId(bank), 4), "texT", &signature));
                let in_another = Signature { members: BankSet::all(2), ..signature.clone() };
                assert!(!signers.is_by((BankId(bank), 4), "text", &in_another));
                for byte in 0..signature.seal.len() {
                    let mut seal = signature.seal.to_vec();
                    seal[byte] ^= 1;
                    let changed = Signature { seal: seal.into(), ..signature.clone() };
                    assert!(!signers.is_by((BankId(bank), 4), "text", &changed), "byte {byte}");
                }
            }
        }
        // What lies there under another's name proves nothing.
        let own = key_of("bank-0.netbanking", algorithms[0]);
        let file = data.path().join(FOLDER).join(file_of(id_of(&own.chain[0])));
        let other = key_of("bank-1.netbanking", algorithms[0]);
        fs::write(file, in_pem(&other.chain)).unwrap();
        let signers = Signers::new(Some(data.path()));
        assert!(!signers.knows(id_of(&own.chain[0]), 4));
        assert!(signers.keep(&key_of("*.netbanking", algorithms[0]).chain, 4).is_err());
    }
}
