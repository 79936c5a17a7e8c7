//! A connection that this bank opened to a peer. It may stay open for long: the certificate that
//! the peer has shown is looked at again while it does, as that of a caller is.

use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_rt::net::{ActixStream, Ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Channel, Proof, Transport};

/// A connection to a peer. Nothing more leaves on it once the peer's certificate does not hold any
/// more.
pub(crate) struct Called {
    channel: Channel,
    proof: Option<Proof>,
    transport: Rc<Transport>,
}

impl Called {
    /// On a connection whose handshake has ended.
    pub(crate) fn on(channel: Channel, transport: Rc<Transport>) -> Self {
        Called { proof: Proof::shown_on(&channel), channel, transport }
    }

    fn holds(&self) -> Result<()> {
        match &self.proof {
            Some(proof) if !proof.holds(&self.transport) => Err(Error::new(
                ErrorKind::ConnectionAborted,
                "its certificate does not hold any more",
            )),
            _ => Ok(()),
        }
    }
}

impl std::fmt::Debug for Called {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.channel.fmt(f)
    }
}

impl AsyncRead for Called {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        Pin::new(&mut self.channel).poll_read(context, buffer)
    }
}

impl AsyncWrite for Called {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize>> {
        self.holds()?;
        Pin::new(&mut self.channel).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        self.holds()?;
        Pin::new(&mut self.channel).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.channel.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.channel).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.channel).poll_shutdown(context)
    }
}

/// What the HTTP client asks of a connection.
impl ActixStream for Called {
    fn poll_read_ready(&self, context: &mut Context<'_>) -> Poll<Result<Ready>> {
        self.channel.poll_read_ready(context)
    }

    fn poll_write_ready(&self, context: &mut Context<'_>) -> Poll<Result<Ready>> {
        self.channel.poll_write_ready(context)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;
    use std::time::Instant;

    use actix_rt::net::TcpStream;
    use rcgen::{
        BasicConstraints, CertificateParams, CertificateRevocationListParams, IsCa, Issuer,
        KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber, date_time_ymd,
    };
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;
    use crate::ids::BankId;
    use crate::tls::LOOK_AGAIN_AFTER;

    fn put(folder: &Path, name: &str, text: &str) {
        std::fs::write(folder.join(name), text).unwrap();
        let mode = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(folder.join(name), mode).unwrap();
    }

    /// A bank of two, with a certificate that has its number for a serial number.
    fn bank(folder: &Path, number: u16, root: &str, issuer: &Issuer<'_, KeyPair>) -> Transport {
        let folder = folder.join(number.to_string());
        std::fs::create_dir(&folder).unwrap();
        let key = KeyPair::generate().unwrap();
        let mut own = CertificateParams::new(vec![format!("bank-{number}.netbanking")]).unwrap();
        own.serial_number = Some(SerialNumber::from(u64::from(number) + 1));
        put(&folder, "ca.pem", root);
        put(&folder, "bank.pem", &own.signed_by(&key, issuer).unwrap().pem());
        put(&folder, "bank.key", &key.serialize_pem());
        Transport::with(Some(&folder), BankId(number), 2).unwrap()
    }

    #[actix_rt::test]
    async fn nothing_leaves_on_a_connection_to_a_bank_whose_certificate_was_withdrawn_meanwhile() {
        let folder = tempfile::tempdir().unwrap();
        let (of_all, mut authority) =
            (KeyPair::generate().unwrap(), CertificateParams::new(Vec::new()).unwrap());
        authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let root = authority.self_signed(&of_all).unwrap().pem();
        let issuer = Issuer::new(authority, of_all);
        let [caller, called] = [0, 1].map(|number| bank(folder.path(), number, &root, &issuer));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let answered = async {
            let (stream, _) = listener.accept().await.unwrap();
            called.answer(stream).await.unwrap().0
        };
        let call = async {
            let stream = TcpStream::connect(address).await.unwrap();
            caller.call(BankId(1), stream).await.unwrap()
        };
        let (channel, mut other) = tokio::join!(call, answered);
        let mut connection = Called::on(channel, Rc::new(caller));
        let look_again = |connection: &Called| {
            let past = Instant::now().checked_sub(LOOK_AGAIN_AFTER).unwrap();
            connection.proof.as_ref().unwrap().looked_at.set(past);
        };
        look_again(&connection);
        connection.write_all(b"a").await.unwrap();
        connection.flush().await.unwrap();
        assert_eq!(other.read_u8().await.unwrap(), b'a');
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2020, 1, 1),
            next_update: date_time_ymd(4000, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: vec![RevokedCertParams {
                serial_number: SerialNumber::from(2),
                revocation_time: date_time_ymd(2020, 1, 1),
                reason_code: None,
                invalidity_date: None,
            }],
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = list.signed_by(&issuer).unwrap().pem().unwrap();
        put(&folder.path().join("0"), "revoked.pem", &list);
        look_again(&connection);
        let refused = connection.write_all(b"b").await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionAborted, "{refused}");
    }
}
