//! Files of certificates, in PEM, and what was made of them.

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};

use super::BadCertificates;
use crate::ids::BankId;
use crate::private;

/// The consortium's authority; more than one while it is being replaced.
pub(crate) const AUTHORITY: &str = "ca.pem";
/// The bank's own certificate, followed by those between it and the authority, if there are any.
pub(crate) const CERTIFICATE: &str = "bank.pem";
/// The key that goes with it; nobody else may read it.
pub(crate) const KEY: &str = "bank.key";
/// Authorities that were replaced. Their certificates open no connection any more, and still prove
/// what was signed with them. May be absent.
pub(crate) const FORMER: &str = "ca-former.pem";
/// Certificates that the authority has withdrawn: its revocation lists. May be absent.
pub(crate) const WITHDRAWN: &str = "revoked.pem";

/// When each file was last changed, and how long it is.
type Stamps = Vec<Option<(SystemTime, u64)>>;

/// Some files of a folder.
#[derive(Clone)]
pub(super) struct Files {
    folder: PathBuf,
    names: &'static [&'static str],
}

/// What was made of files, made anew when they change.
#[derive(Clone)]
pub(super) struct Renewed<T> {
    files: Files,
    made: RefCell<(Stamps, T)>,
}

impl<T: Clone> Renewed<T> {
    pub(super) fn new(
        files: Files,
        make: impl FnOnce(&Files) -> Result<T, BadCertificates>,
    ) -> Result<Self, BadCertificates> {
        // Before they are read: a change meanwhile is then seen the next time.
        let stamps = files.stamps();
        let made = make(&files)?;
        Ok(Renewed { files, made: RefCell::new((stamps, made)) })
    }

    /// What the files make now; what they made before if that cannot be used.
    pub(super) fn get(
        &self,
        me: BankId,
        make: impl FnOnce(&Files) -> Result<T, BadCertificates>,
    ) -> T {
        let stamps = self.files.stamps();
        let mut made = self.made.borrow_mut();
        if stamps != made.0 {
            // An error is said once for each change.
            made.0 = stamps;
            match make(&self.files) {
                Ok(fresh) => made.1 = fresh,
                Err(error) => log::error!("bank {me}: CERTIFICATES NOT RENEWED: {error}"),
            }
        }
        made.1.clone()
    }
}

impl Files {
    pub(super) fn new(folder: &Path, names: &'static [&'static str]) -> Self {
        Files { folder: folder.to_owned(), names }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn stamps(&self) -> Stamps {
        let stamp = |name: &&str| {
            let metadata = fs::metadata(self.path(name)).ok()?;
            Some((metadata.modified().ok()?, metadata.len()))
        };
        self.names.iter().map(stamp).collect()
    }

    pub(super) fn bad(&self, name: &str, why: impl ToString) -> BadCertificates {
        BadCertificates { file: self.path(name).display().to_string(), why: why.to_string() }
    }

    fn read(&self, name: &str) -> Result<Vec<u8>, BadCertificates> {
        fs::read(self.path(name)).map_err(|why| self.bad(name, why))
    }

    pub(super) fn certificates(
        &self,
        name: &str,
    ) -> Result<Vec<CertificateDer<'static>>, BadCertificates> {
        let text = self.read(name)?;
        let found: Vec<_> = CertificateDer::pem_slice_iter(&text)
            .collect::<Result<_, _>>()
            .map_err(|why| self.bad(name, format!("{why:?}")))?;
        if found.is_empty() {
            return Err(self.bad(name, "it has no certificate in PEM"));
        }
        Ok(found)
    }

    pub(super) fn authority(&self, name: &str) -> Result<RootCertStore, BadCertificates> {
        self.authorities(&[name])
    }

    /// The authorities of today, with those that were replaced.
    pub(super) fn all_authorities(&self) -> Result<RootCertStore, BadCertificates> {
        match self.path(FORMER).exists() {
            true => self.authorities(&[AUTHORITY, FORMER]),
            false => self.authority(AUTHORITY),
        }
    }

    fn authorities(&self, names: &[&str]) -> Result<RootCertStore, BadCertificates> {
        let mut roots = RootCertStore::empty();
        for name in names {
            for certificate in self.certificates(name)? {
                roots.add(certificate).map_err(|why| self.bad(name, why))?;
            }
        }
        Ok(roots)
    }

    pub(super) fn key(&self, name: &str) -> Result<PrivateKeyDer<'static>, BadCertificates> {
        let text = private::read(&self.path(name)).map_err(|why| self.bad(name, why))?;
        PrivateKeyDer::from_pem_slice(text.as_bytes())
            .map_err(|_| self.bad(name, "it has no private key in PEM"))
    }

    pub(super) fn withdrawn(
        &self,
        name: &str,
    ) -> Result<Vec<CertificateRevocationListDer<'static>>, BadCertificates> {
        if !self.path(name).exists() {
            return Ok(Vec::new());
        }
        CertificateRevocationListDer::pem_slice_iter(&self.read(name)?)
            .collect::<Result<_, _>>()
            .map_err(|why| self.bad(name, format!("{why:?}")))
    }
}
