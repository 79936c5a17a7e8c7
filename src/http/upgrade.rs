//! `GET /peer/stream`: a peer opens the connection for its frames. Once it has proved who it is,
//! the connection is handed to the link to that peer, which lives on the thread of those who decide
//! (`actors/peer_link/incoming.rs`); no worker that serves customers stands between them.

use actix_codec::Framed;
use actix_http::body::{BodySize, BoxBody, to_bytes};
use actix_http::h1::{Codec, Message, SendResponse};
use actix_http::{Request, Response, ws};
use actix_web::ResponseError as _;
use futures_util::SinkExt as _;

use super::Bank;
use super::auth::Caller;
use super::peers::correspondent;
use super::refusal::{Bad, Refused};
use super::stream::Portioned;
use crate::actors::peer_link::Accepted;
use crate::ids::BankId;
use crate::wire::STREAM_PATH;

/// Takes over a connection whose request asks for another protocol; any but a peer's gets an error.
pub(super) async fn upgrade(
    bank: &Bank,
    (request, framed): (Request, Framed<Portioned, Codec>),
) -> Result<(), actix_http::Error> {
    match speaker(bank, &request) {
        Ok((from, response)) => {
            if let Err(error) = accept(bank, from, response, framed).await {
                log::debug!("bank {}: bank {from} could not connect: {error}", bank.me);
            }
            Ok(())
        }
        Err(refused) => {
            let (response, body) = refused.error_response().into_parts();
            let body = to_bytes(body).await.unwrap_or_default();
            let response = Response::<()>::from(response.drop_body()).set_body(body);
            SendResponse::new(framed, response).await.map(|_| ())
        }
    }
}

fn speaker(bank: &Bank, request: &Request) -> Result<(BankId, Response<BoxBody>), Refused> {
    if request.path() != STREAM_PATH {
        return Err(Refused::NoSuchRoute);
    }
    let from = correspondent(bank, Caller::from(request))?;
    let mut response =
        ws::handshake(request.head()).map_err(|error| Bad::Message(error.to_string()))?;
    Ok((from, response.finish().map_into_boxed_body()))
}

async fn accept(
    bank: &Bank,
    from: BankId,
    response: Response<BoxBody>,
    mut framed: Framed<Portioned, Codec>,
) -> std::io::Result<()> {
    framed.send(Message::Item((response.drop_body(), BodySize::None))).await?;
    let parts = framed.into_parts();
    let stream = parts.io.into_inner().detach()?;
    let link = bank.actors.routes.links[from.index()].as_ref();
    link.expect("a peer has a link").do_send(Accepted { stream, read: parts.read_buf });
    Ok(())
}
