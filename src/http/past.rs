//! What banks that lack a part of the past ask for.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};

use super::Bank;
use super::auth::Caller;
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

/// From which entry on, and what of the blocks.
#[derive(Deserialize)]
pub(super) struct Wanted {
    first: u64,
    what: What,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum What {
    Blocks,
    Digests,
}

#[derive(Deserialize)]
pub(super) struct HowMany {
    blocks: Option<u32>,
}

/// `GET /peer/past/{first}/blocks`: the blocks from that entry on that are here, in the form of
/// postcard; `GET /peer/past/{first}/digests`: what the same blocks hash to, and nothing for one
/// that is not complete.
pub(super) async fn read(
    bank: web::Data<Bank>,
    request: HttpRequest,
    path: web::Path<Wanted>,
    query: web::Query<HowMany>,
) -> Result<HttpResponse, Refused> {
    correspondent(&bank, Caller::from(&request))?;
    let Wanted { first, what } = path.into_inner();
    let (first, blocks) = (EntryNumber(first), query.blocks.unwrap_or(1).clamp(1, BLOCKS_MAX));
    match what {
        What::Blocks => answer(&found(&bank, first, blocks, as_block).await?),
        What::Digests => answer(&found(&bank, first, blocks, as_digest).await?),
    }
}

fn as_block(block: StoredBlock) -> PastBlock {
    PastBlock { first: block.first, content: block.content }
}

fn as_digest(block: StoredBlock) -> Option<Sha256Digest> {
    block.is_complete().then_some(block.digest)
}

/// The blocks from an entry on, up to the first that is not here from its beginning.
async fn found<T: Send + 'static>(
    bank: &Bank,
    from: EntryNumber,
    blocks: u32,
    told: impl Fn(StoredBlock) -> T + Send + 'static,
) -> Result<Vec<T>, Refused> {
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
