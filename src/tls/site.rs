//! The certificate that customers are shown, and how the terminal client looks at it.

use std::io;
use std::path::Path;
use std::sync::Arc;

use actix_rt::net::TcpStream;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::TlsConnector;

use super::files::{Files, Renewed};
use super::{BadCertificates, Begun, Channel, provider};
use crate::ids::BankId;

/// The certificate of the site, followed by those between it and its authority. The names of these
/// files are those that the authorities' own programs give them.
const CERTIFICATE: &str = "fullchain.pem";
/// The key that goes with it; nobody else may read it.
const KEY: &str = "privkey.pem";

/// What customers who come by HTTPS are shown.
#[derive(Clone)]
pub struct Site {
    me: BankId,
    loaded: Renewed<Arc<ServerConfig>>,
}

impl Site {
    /// With the certificate in a folder.
    ///
    /// # Errors
    /// [`BadCertificates`] when a file is missing or not what it should be, or others may read the
    /// key.
    pub fn load(folder: &Path, me: BankId) -> Result<Self, BadCertificates> {
        let loaded = Renewed::new(Files::new(folder, &[CERTIFICATE, KEY]), load)?;
        Ok(Site { me, loaded })
    }

    pub(super) async fn go_on(&self, begun: Begun) -> io::Result<Channel> {
        let sealed = begun.into_stream(self.loaded.get(self.me, load)).await?;
        Ok(Channel::Sealed(Box::new(sealed.into())))
    }
}

fn load(files: &Files) -> Result<Arc<ServerConfig>, BadCertificates> {
    let (chain, key) = (files.certificates(CERTIFICATE)?, files.key(KEY)?);
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|why| files.bad(CERTIFICATE, why))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|why| files.bad(CERTIFICATE, why))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// What a customer's connection to a bank becomes, whose certificate must be valid for that host by
/// the authorities that this system trusts.
///
/// # Errors
/// When it is not, or the handshake fails otherwise.
pub(crate) async fn call_site(host: &str, stream: TcpStream) -> io::Result<Channel> {
    let mut roots = RootCertStore::empty();
    let trusted = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(trusted.certs);
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let name = ServerName::try_from(host).map_err(io::Error::other)?;
    let sealed = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    Ok(Channel::Sealed(Box::new(sealed.into())))
}
