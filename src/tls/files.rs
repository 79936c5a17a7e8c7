//! The files of a bank's certificates, in PEM.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};

use super::BadCertificates;
use crate::private;

/// The consortium's authority; more than one while it is being replaced.
pub(crate) const AUTHORITY: &str = "ca.pem";
/// The bank's own certificate, followed by those between it and the authority, if there are any.
pub(crate) const CERTIFICATE: &str = "bank.pem";
/// The key that goes with it; nobody else may read it.
pub(crate) const KEY: &str = "bank.key";
/// Certificates that the authority has withdrawn: its revocation lists. May be absent.
pub(crate) const WITHDRAWN: &str = "revoked.pem";

/// When each file was last changed, and how long it is.
pub(super) type Stamps = [Option<(SystemTime, u64)>; 4];

/// Where they are.
#[derive(Clone)]
pub(super) struct Files {
    folder: PathBuf,
}

impl Files {
    pub(super) fn in_folder(folder: &Path) -> Self {
        Files { folder: folder.to_owned() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(super) fn stamps(&self) -> Stamps {
        [AUTHORITY, CERTIFICATE, KEY, WITHDRAWN].map(|name| {
            let metadata = fs::metadata(self.path(name)).ok()?;
            Some((metadata.modified().ok()?, metadata.len()))
        })
    }

    pub(super) fn bad_certificate(&self, why: impl ToString) -> BadCertificates {
        BadCertificates::new(&self.path(CERTIFICATE), why)
    }

    pub(super) fn bad_authority(&self, why: impl ToString) -> BadCertificates {
        BadCertificates::new(&self.path(AUTHORITY), why)
    }

    fn read(&self, name: &str) -> Result<Vec<u8>, BadCertificates> {
        let path = self.path(name);
        fs::read(&path).map_err(|why| BadCertificates::new(&path, why))
    }

    fn certificates(&self, name: &str) -> Result<Vec<CertificateDer<'static>>, BadCertificates> {
        let bad = |why: String| BadCertificates::new(&self.path(name), why);
        let text = self.read(name)?;
        let found: Vec<_> = CertificateDer::pem_slice_iter(&text)
            .collect::<Result<_, _>>()
            .map_err(|why| bad(format!("{why:?}")))?;
        if found.is_empty() { Err(bad("it has no certificate in PEM".into())) } else { Ok(found) }
    }

    pub(super) fn authority(&self) -> Result<RootCertStore, BadCertificates> {
        let mut roots = RootCertStore::empty();
        for certificate in self.certificates(AUTHORITY)? {
            roots.add(certificate).map_err(|why| self.bad_authority(why))?;
        }
        Ok(roots)
    }

    pub(super) fn certificate(&self) -> Result<Vec<CertificateDer<'static>>, BadCertificates> {
        self.certificates(CERTIFICATE)
    }

    pub(super) fn key(&self) -> Result<PrivateKeyDer<'static>, BadCertificates> {
        let path = self.path(KEY);
        let text = private::read(&path).map_err(|why| BadCertificates::new(&path, why))?;
        PrivateKeyDer::from_pem_slice(text.as_bytes())
            .map_err(|_| BadCertificates::new(&path, "it has no private key in PEM"))
    }

    pub(super) fn withdrawn(
        &self,
    ) -> Result<Vec<CertificateRevocationListDer<'static>>, BadCertificates> {
        let path = self.path(WITHDRAWN);
        if !path.exists() {
            return Ok(Vec::new());
        }
        let text = self.read(WITHDRAWN)?;
        CertificateRevocationListDer::pem_slice_iter(&text)
            .collect::<Result<_, _>>()
            .map_err(|why| BadCertificates::new(&path, format!("{why:?}")))
    }
}
