//! What banks that lack a part of the past ask for.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};

use super::Bank;
use super::peers::correspondent;
use super::refusal::Refused;
use crate::actors::past::{BLOCKS_MAX, Unread};
use crate::ids::Sha256Digest;
use crate::ledger::past::EntryNumber;
use crate::store::StoreError;
use crate::store::past::block::{BLOCK_ENTRIES, bounds};
use crate::store::past::{PastReader, StoredBlock};
use crate::wire::PastBlock;

impl From<Unread> for Refused {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::Store(_) => Refused::PastUnreadable,
            Unread::Ended(ended) => ended.into(),
        }
    }
}

#[derive(Deserialize)]
pub(super) struct HowMany {
    blocks: Option<u32>,
}

/// `GET /peer/past/{first}/blocks`: the blocks from that entry on that are here, in the form of
/// postcard.
pub(super) async fn blocks(
    bank: web::Data<Bank>,
    request: HttpRequest,
    path: web::Path<u64>,
    query: web::Query<HowMany>,
) -> Result<HttpResponse, Refused> {
    correspondent(&bank, request.headers())?;
    let found = found(&bank, EntryNumber(*path), &query, |block| PastBlock {
        first: block.first,
        content: block.content,
    });
    answer(&found.await?)
}

/// `GET /peer/past/{first}/digests`: what the same blocks hash to; nothing for one that is not
/// complete.
pub(super) async fn digests(
    bank: web::Data<Bank>,
    request: HttpRequest,
    path: web::Path<u64>,
    query: web::Query<HowMany>,
) -> Result<HttpResponse, Refused> {
    correspondent(&bank, request.headers())?;
    let found = found(&bank, EntryNumber(*path), &query, |block| -> Option<Sha256Digest> {
        block.is_complete().then_some(block.digest)
    });
    answer(&found.await?)
}

/// The blocks from an entry on, up to the first that is not here from its beginning.
async fn found<T: Send + 'static>(
    bank: &Bank,
    from: EntryNumber,
    query: &HowMany,
    told: impl Fn(StoredBlock) -> T + Send + 'static,
) -> Result<Vec<T>, Refused> {
    let blocks = query.blocks.unwrap_or(1).clamp(1, BLOCKS_MAX);
    let read = move |reader: &mut PastReader| -> Result<Vec<T>, StoreError> {
        let mut found = Vec::new();
        for place in 0..u64::from(blocks) {
            let number = EntryNumber(from.0.saturating_add(place * BLOCK_ENTRIES).max(1));
            let block = reader.stored(number)?;
            match block.filter(|block| block.first == bounds(number).0) {
                Some(block) => found.push(told(block)),
                None => break,
            }
        }
        Ok(found)
    };
    Ok(bank.actors.past.read(read).await?)
}

fn answer<T: Serialize>(said: &T) -> Result<HttpResponse, Refused> {
    let body = postcard::to_stdvec(said).map_err(|_| Refused::Internal)?;
    Ok(HttpResponse::Ok().content_type("application/octet-stream").body(body))
}
