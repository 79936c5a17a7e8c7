//! Every answer that is not a success: what happened is a variant, and its status and text are
//! defined here and nowhere else (except for the ledger's own refusals, whose texts are the
//! ledger's).

mod bad;
mod crowded;

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;

pub(crate) use self::bad::{Bad, Kind};
pub(crate) use self::crowded::Crowded;
use crate::ids::Position;
use crate::ledger::AccountNumber;
use crate::limits::{Excess, Wait};

/// After how many seconds a bank that cannot take writes now should be asked again.
const RETRY_AFTER_S: u64 = 1;
/// How somebody proves who they are: a customer's token, or the banks' secret.
const CHALLENGE: &str = "Bearer realm=\"NetBanking\"";

/// Why a request is not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The request itself is wrong, or names something that does not exist (an account, a bank, a
    /// key); nothing was ordered.
    Bad(Bad),
    /// No session.
    NoSession,
    /// A peer without the secret.
    NotAPeer,
    /// A customer who comes in the open to a bank that is reached by HTTPS.
    NotEncrypted,
    /// Somebody asks for another customer's accounts.
    OthersAccounts,
    /// Somebody asks for an account that they do not hold.
    OthersAccount(AccountNumber),
    /// A form that was not sent from a page of this bank.
    ForeignForm,
    /// No such route.
    NoSuchRoute,
    /// No such page, with what people are told.
    NoSuchPage(&'static str),
    /// The route does not have this method; it has those in the text, separated by commas.
    WrongMethod(String),
    /// A body that did not arrive in time.
    TooSlow,
    /// A peer that sends in another view.
    OtherView,
    /// A body above the limit, in bytes.
    TooLarge(usize),
    /// Never stamped: too much to do.
    Overloaded,
    /// There is too much of something already.
    Crowded(Crowded),
    /// A form with more fields than will be read.
    TooManyFields(usize),
    /// Somebody has used up their share.
    Excess(Wait),
    /// A part of the node has ended.
    Internal,
    /// Never stamped: no majority of the banks is there.
    CutOff,
    /// Never stamped: other banks act in a view without this one.
    Outside,
    /// Never stamped: the node is going down.
    Stopping,
    /// Never stamped: what was stamped before makes no progress, since some bank does not keep up.
    Stalled,
    /// A read that demands more than this bank has executed.
    Behind(Position),
    /// A part of the past that has not arrived here yet.
    PastMissing,
    /// A part of the past that is in archive files; complete is what comes from this day on.
    PastArchived(String),
    /// A part of the past that cannot be read here now.
    PastUnreadable,
    /// A peer's message that the laboratory does not let through.
    CutInLaboratory,
    /// Another bank, which was asked on the customer's behalf, cannot be reached; nothing was done.
    BankAway(String),
    /// The same, but that bank may have received the request.
    BankLost(String),
    /// A refusal by another bank, which was asked on the customer's behalf.
    ByAnotherBank(StatusCode, String),
    /// Stamped, but the outcome did not come in time.
    UnknownOutcome,
}

#[derive(Serialize)]
struct Body {
    descript: String,
}

impl Refused {
    /// [`Bad::Said`]
    pub(crate) fn bad(descript: impl Into<String>) -> Self {
        Refused::Bad(Bad::Said(descript.into()))
    }

    /// Whether the request may have been carried out all the same, so that it should be sent again.
    pub(crate) fn leaves_unknown(&self) -> bool {
        match self {
            Refused::UnknownOutcome | Refused::BankLost(_) => true,
            // Another bank's answer counts as if it were this bank's own.
            Refused::ByAnotherBank(status, _) => *status == StatusCode::GATEWAY_TIMEOUT,
            _ => false,
        }
    }

    /// The status that tells programs.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Refused::Bad(_) => StatusCode::BAD_REQUEST,
            Refused::NoSession | Refused::NotAPeer => StatusCode::UNAUTHORIZED,
            Refused::OthersAccounts
            | Refused::OthersAccount(_)
            | Refused::ForeignForm
            | Refused::NotEncrypted => StatusCode::FORBIDDEN,
            Refused::NoSuchRoute | Refused::NoSuchPage(_) => StatusCode::NOT_FOUND,
            Refused::WrongMethod(_) => StatusCode::METHOD_NOT_ALLOWED,
            Refused::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Refused::OtherView => StatusCode::CONFLICT,
            Refused::PastArchived(_) => StatusCode::GONE,
            Refused::TooLarge(_) | Refused::TooManyFields(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Refused::Overloaded | Refused::Excess(_) => StatusCode::TOO_MANY_REQUESTS,
            Refused::Crowded(crowded) => crowded.status(),
            Refused::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Refused::CutOff | Refused::Outside | Refused::Stopping | Refused::Stalled => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Refused::Behind(_)
            | Refused::PastMissing
            | Refused::PastUnreadable
            | Refused::CutInLaboratory
            | Refused::BankAway(_) => StatusCode::SERVICE_UNAVAILABLE,
            Refused::UnknownOutcome | Refused::BankLost(_) => StatusCode::GATEWAY_TIMEOUT,
            Refused::ByAnotherBank(status, _) => *status,
        }
    }

    /// The header that the status requires in addition to the text.
    pub(crate) fn header(&self) -> Option<(HeaderName, String)> {
        match self.status() {
            StatusCode::UNAUTHORIZED => Some((WWW_AUTHENTICATE, CHALLENGE.to_owned())),
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                let seconds = match self {
                    Refused::Excess(wait) => wait.seconds,
                    _ => RETRY_AFTER_S,
                };
                Some((RETRY_AFTER, seconds.to_string()))
            }
            _ => match self {
                Refused::WrongMethod(allow) => Some((ALLOW, allow.clone())),
                _ => None,
            },
        }
    }
}

/// The reason in the customer's language.
impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refused::Bad(bad) => return bad.fmt(f),
            Refused::ByAnotherBank(_, why) | Refused::BankAway(why) | Refused::BankLost(why) => why,
            Refused::OthersAccounts => "Só o próprio cliente lista as suas contas",
            Refused::OthersAccount(number) => return write!(f, "A conta {number} não é sua"),
            Refused::ForeignForm => {
                "O formulário não veio de uma página deste banco. Abra a página de novo"
            }
            Refused::NoSuchPage(why) => why,
            Refused::NoSession => "Sessão inexistente ou expirada: faça login",
            Refused::NotAPeer => "Banco não autenticado",
            Refused::NotEncrypted => super::texts::NOT_ENCRYPTED,
            Refused::NoSuchRoute => "Rota não encontrada",
            Refused::WrongMethod(_) => "Método não permitido nesta rota",
            Refused::TooSlow => "O corpo do pedido não chegou a tempo",
            Refused::OtherView => "Outra visão está em vigor neste banco",
            Refused::TooLarge(bytes_max) => return write!(f, "Corpo maior que {bytes_max} bytes"),
            Refused::Overloaded => {
                "Este banco está sobrecarregado; o pedido não foi aceito e não terá efeito. Tente de novo"
            }
            Refused::Crowded(crowded) => return crowded.fmt(f),
            Refused::TooManyFields(most) => {
                return write!(f, "O formulário tem mais de {most} campos");
            }
            Refused::Excess(Wait { excess, seconds }) => {
                return write!(f, "{}. Tente de novo {}", too_much(*excess), in_time(*seconds));
            }
            Refused::Internal => "Erro interno do banco",
            Refused::CutOff => {
                "Este banco não alcança a maioria dos bancos agora; o pedido não foi aceito e não terá efeito. Tente de novo"
            }
            Refused::Outside => {
                "Este banco está fora da visão em vigor; o pedido não foi aceito e não terá efeito. Use outro banco"
            }
            Refused::Stopping => "Este banco está parando; o pedido não foi aceito e não terá efeito. Use outro banco",
            Refused::Stalled => {
                "Um dos bancos não acompanha os outros agora; o pedido não foi aceito e não terá efeito. Tente de novo"
            }
            Refused::Behind(position) => {
                return write!(
                    f,
                    "Este banco ainda não executou até a posição {position}. Tente de novo ou use outro banco"
                );
            }
            Refused::PastMissing => {
                "Uma parte deste extrato ainda não chegou a este banco, que a está buscando nos outros. Tente mais tarde ou use outro banco"
            }
            Refused::PastArchived(from) => {
                return f.write_str(&super::texts::older_is_archived(from));
            }
            Refused::PastUnreadable => {
                "Este banco não consegue ler esta parte do extrato agora. Tente de novo ou use outro banco"
            }
            Refused::CutInLaboratory => "Ligação cortada no laboratório",
            Refused::UnknownOutcome => {
                "Resultado desconhecido: o pedido ainda pode ter efeito. Repita-o com a mesma Idempotency-Key para saber"
            }
        })
    }
}

fn too_much(excess: Excess) -> &'static str {
    match excess {
        Excess::Requests => "Pedidos demais em pouco tempo",
        Excess::Bytes => "Dados demais em pouco tempo",
        Excess::Operations => "O limite de operações de hoje foi atingido",
        Excess::Registrations => "Cadastros demais do seu endereço hoje",
        Excess::Lookups => "Consultas demais a chaves Pix",
        Excess::Attempts => "Tentativas demais de entrar",
    }
}

fn in_time(seconds: u64) -> String {
    match seconds {
        1 => "em 1 segundo".into(),
        2..120 => format!("em {seconds} segundos"),
        120..7_200 => format!("em {} minutos", seconds.div_ceil(60)),
        _ => format!("em {} horas", seconds.div_ceil(3_600)),
    }
}

impl<C: Into<Crowded>> From<C> for Refused {
    fn from(crowded: C) -> Self {
        Refused::Crowded(crowded.into())
    }
}

impl From<Wait> for Refused {
    fn from(wait: Wait) -> Self {
        Refused::Excess(wait)
    }
}

impl From<Bad> for Refused {
    fn from(bad: Bad) -> Self {
        Refused::Bad(bad)
    }
}

impl From<actix::MailboxError> for Refused {
    fn from(_: actix::MailboxError) -> Self {
        Refused::Internal
    }
}

impl ResponseError for Refused {
    fn status_code(&self) -> StatusCode {
        self.status()
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status());
        if let Some(header) = self.header() {
            response.insert_header(header);
        }
        response.json(Body { descript: self.to_string() })
    }
}
