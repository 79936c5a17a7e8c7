//! Every answer that is not a success: the only place with status codes and texts that are not the ledger's.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;

use crate::protocol::ids::Position;

/// After how many seconds a bank that cannot take writes now should be asked again.
const RETRY_AFTER_S: u32 = 1;
/// How somebody proves who they are: a customer's token, or the banks' secret.
const CHALLENGE: &str = "Bearer realm=\"NetBanking\"";

/// A request that is not done, with the reason in the customer's language.
#[derive(Clone, Debug)]
pub(crate) struct Refused {
    pub(crate) status: StatusCode,
    /// The reason.
    pub(crate) descript: String,
    /// The methods that the route knows, where that is the reason.
    allow: Option<String>,
}

#[derive(Serialize)]
struct Body<'a> {
    descript: &'a str,
}

impl Refused {
    fn new(status: StatusCode, descript: impl Into<String>) -> Self {
        Refused { status, descript: descript.into(), allow: None }
    }

    /// The request itself is wrong; nothing was ordered.
    pub(crate) fn bad(descript: impl Into<String>) -> Self {
        Refused::new(StatusCode::BAD_REQUEST, descript)
    }

    /// No session.
    pub(crate) fn no_session() -> Self {
        Refused::new(StatusCode::UNAUTHORIZED, "Sessão inexistente ou expirada: faça login")
    }

    /// Not the customer's own.
    pub(crate) fn not_yours(descript: impl Into<String>) -> Self {
        Refused::new(StatusCode::FORBIDDEN, descript)
    }

    /// No such address. What a request *names* and does not exist (an account, a bank, a key) is [`Refused::bad`].
    pub(crate) fn not_found(descript: impl Into<String>) -> Self {
        Refused::new(StatusCode::NOT_FOUND, descript)
    }

    /// No such route.
    pub(crate) fn no_such_route() -> Self {
        Refused::not_found("Rota não encontrada")
    }

    /// The route does not know this method; it knows those, separated by commas.
    pub(super) fn wrong_method(allow: String) -> Self {
        let refused = Refused::new(StatusCode::METHOD_NOT_ALLOWED, "Método não permitido nesta rota");
        Refused { allow: Some(allow), ..refused }
    }

    /// What the status asks for beside its text.
    pub(crate) fn header(&self) -> Option<(HeaderName, String)> {
        match self.status {
            StatusCode::UNAUTHORIZED => Some((WWW_AUTHENTICATE, CHALLENGE.to_owned())),
            StatusCode::METHOD_NOT_ALLOWED => self.allow.clone().map(|allow| (ALLOW, allow)),
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                Some((RETRY_AFTER, RETRY_AFTER_S.to_string()))
            }
            _ => None,
        }
    }

    /// A body above the limit.
    pub(crate) fn too_large(bytes_max: usize) -> Self {
        Refused::new(StatusCode::PAYLOAD_TOO_LARGE, format!("Corpo maior que {bytes_max} bytes"))
    }

    /// A body that did not arrive in time.
    pub(super) fn too_slow() -> Self {
        Refused::new(StatusCode::REQUEST_TIMEOUT, "O corpo do pedido não chegou a tempo")
    }

    /// A peer without the secret.
    pub(super) fn not_a_peer() -> Self {
        Refused::new(StatusCode::UNAUTHORIZED, "Banco não autenticado")
    }

    /// A peer that speaks of another view.
    pub(super) fn other_view() -> Self {
        Refused::new(StatusCode::CONFLICT, "Outra visão está em vigor neste banco")
    }

    /// Never stamped: no majority of the banks is there.
    pub(super) fn cut_off() -> Self {
        Refused::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "Este banco não alcança a maioria dos bancos agora; o pedido não foi aceito e não terá efeito. Tente de novo",
        )
    }

    /// Never stamped: other banks act in a view without this one.
    pub(super) fn outside() -> Self {
        Refused::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "Este banco está fora da visão em vigor; o pedido não foi aceito e não terá efeito. Use outro banco",
        )
    }

    /// A read that asks for more than this bank has executed.
    pub(super) fn behind(position: Position) -> Self {
        Refused::new(
            StatusCode::SERVICE_UNAVAILABLE,
            format!("Este banco ainda não executou até a posição {position}. Tente de novo ou use outro banco"),
        )
    }

    /// A peer's message that the laboratory does not let through.
    pub(super) fn cut_in_laboratory() -> Self {
        Refused::new(StatusCode::SERVICE_UNAVAILABLE, crate::actors::laboratory::CUT)
    }

    /// Never stamped: the node is going down.
    pub(super) fn stopping() -> Self {
        Refused::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "Este banco está parando; o pedido não foi aceito e não terá efeito. Use outro banco",
        )
    }

    /// Never stamped: what was stamped before does not go forward, since some bank does not keep up.
    pub(super) fn stands_still() -> Self {
        Refused::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "Um dos bancos não acompanha os outros agora; o pedido não foi aceito e não terá efeito. Tente de novo",
        )
    }

    /// Never stamped: too much to do.
    pub(super) fn overloaded() -> Self {
        Refused::new(
            StatusCode::TOO_MANY_REQUESTS,
            "Este banco está sobrecarregado; o pedido não foi aceito e não terá efeito. Tente de novo",
        )
    }

    /// Stamped, and then lost sight of.
    pub(super) fn unknown_outcome() -> Self {
        Refused::new(
            StatusCode::GATEWAY_TIMEOUT,
            "Resultado desconhecido: o pedido ainda pode ter efeito. Repita-o com a mesma Idempotency-Key para saber",
        )
    }

    /// Another bank, which was asked in the customer's name, cannot be reached; nothing was done.
    pub(crate) fn bank_away(descript: impl Into<String>) -> Self {
        Refused::new(StatusCode::SERVICE_UNAVAILABLE, descript)
    }

    /// The same, but it may have heard the request.
    pub(crate) fn bank_lost(descript: impl Into<String>) -> Self {
        Refused::new(StatusCode::GATEWAY_TIMEOUT, descript)
    }

    /// What another bank, which was asked in the customer's name, has refused.
    pub(crate) fn by_another_bank(status: StatusCode, descript: impl Into<String>) -> Self {
        Refused::new(status, descript)
    }

    /// A part of the node has ended.
    pub(crate) fn internal() -> Self {
        Refused::new(StatusCode::INTERNAL_SERVER_ERROR, "Erro interno do banco")
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.descript)
    }
}

impl From<actix::MailboxError> for Refused {
    fn from(_: actix::MailboxError) -> Self {
        Refused::internal()
    }
}

impl ResponseError for Refused {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        if let Some(header) = self.header() {
            response.insert_header(header);
        }
        response.json(Body { descript: &self.descript })
    }
}
