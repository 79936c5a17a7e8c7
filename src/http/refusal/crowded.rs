//! What a bank, or the part of it that one address may have, is full of.

use std::fmt;

use actix_web::http::StatusCode;

use crate::actors::watch::Full;
use crate::limits::bodies::NoRoom;

/// Of what there is too much already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Crowded {
    /// Passwords that wait to be hashed.
    Logins,
    /// Connections of customers.
    Customers,
    /// Connections from the customer's address.
    AddressConnections,
    /// Memory that the bodies of requests take.
    Bodies,
    /// The same, of those from the customer's address.
    AddressBodies,
    /// People who watch the consortium.
    Streams,
    /// The same, at the customer's address.
    AddressStreams,
}

impl Crowded {
    /// The bank is full for everybody, or somebody has as much as they may.
    pub(super) fn status(self) -> StatusCode {
        match self {
            Crowded::Customers | Crowded::Bodies | Crowded::Streams => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Crowded::Logins
            | Crowded::AddressConnections
            | Crowded::AddressBodies
            | Crowded::AddressStreams => StatusCode::TOO_MANY_REQUESTS,
        }
    }
}

/// In the customer's language.
impl fmt::Display for Crowded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Crowded::Logins => {
                "Há senhas demais para conferir neste banco agora. Tente de novo em instantes"
            }
            Crowded::Customers => {
                "Há clientes demais conectados a este banco agora. Tente de novo ou use outro banco"
            }
            Crowded::AddressConnections => {
                "Há conexões demais do seu endereço a este banco. Feche algumas e tente de novo"
            }
            Crowded::Bodies => {
                "Este banco está recebendo dados demais agora; o pedido não foi aceito. Tente de novo"
            }
            Crowded::AddressBodies => {
                "O seu endereço está enviando dados demais a este banco; o pedido não foi aceito. Tente de novo"
            }
            Crowded::Streams => {
                "Há gente demais assistindo ao consórcio neste banco agora. Tente de novo"
            }
            Crowded::AddressStreams => {
                "Há páginas demais do consórcio abertas no seu endereço. Feche algumas e tente de novo"
            }
        })
    }
}

impl From<NoRoom> for Crowded {
    fn from(no_room: NoRoom) -> Self {
        match no_room {
            NoRoom::AtTheBank => Crowded::Bodies,
            NoRoom::ForTheAddress => Crowded::AddressBodies,
        }
    }
}

impl From<Full> for Crowded {
    fn from(full: Full) -> Self {
        match full {
            Full::AtTheBank => Crowded::Streams,
            Full::ForTheAddress => Crowded::AddressStreams,
        }
    }
}
