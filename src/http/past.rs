//! What banks that lack a part of the past ask for.

use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};

use super::Bank;
use super::auth::Caller;
use super::peers::correspondent;
use super::refusal::Refused;
use super::texts;
use crate::actors::past::{BLOCKS_MAX, Unread};
use crate::brazilian::date;
use crate::ids::{Position, Sha256Digest};
use crate::ledger::calendar::Date;
use crate::ledger::past::EntryNumber;
use crate::store::StoreError;
use crate::store::past::block::{BLOCK_ENTRIES, bounds};
use crate::store::past::{Archived, PastReader, StoredBlock};
use crate::wire::{PAST_ARCHIVED_HEADER, PastBlock};

impl From<Unread> for Refused {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::Store(_) => Refused::PastUnreadable,
            Unread::Ended(ended) => ended.into(),
        }
    }
}

/// The first day from which on nothing is in archive files.
fn complete_from(bank: &Bank, archived: &Archived) -> Date {
    let zone = &bank.config.time_zone;
    zone.date(zone.end_of(zone.date(archived.until_ms)))
}

/// What is answered in place of entries that are not here, and those in archive files, if it is
/// because of them.
pub(crate) fn lacking(bank: &Bank, gone: Option<&Archived>) -> Refused {
    match gone {
        Some(archived) => Refused::PastArchived(date(complete_from(bank, archived))),
        None => Refused::PastMissing,
    }
}

/// What a statement says that ends where archive files begin.
pub(crate) fn older_is_archived(bank: &Bank, archived: &Archived) -> String {
    texts::older_is_archived(&date(complete_from(bank, archived)))
}

/// The same for programs.
#[derive(Serialize)]
pub(super) struct OlderArchived {
    /// The first day of which the statement has everything.
    complete_from: String,
    /// The last position of which entries are in the archive.
    position: Position,
    descript: String,
}

impl OlderArchived {
    pub(super) fn of(bank: &Bank, archived: &Archived) -> Self {
        OlderArchived {
            complete_from: complete_from(bank, archived).to_string(),
            position: archived.position,
            descript: older_is_archived(bank, archived),
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
    let archived = bank.actors.past.read(PastReader::archived).await?;
    let mut answer = match what {
        What::Blocks => answer(&found(&bank, first, blocks, as_block).await?),
        What::Digests => answer(&found(&bank, first, blocks, as_digest).await?),
    }?;
    // Whoever lacks these entries need not wait for them to come from here.
    if let Some(archived) = archived.filter(|archived| archived.through >= first) {
        let said = serde_json::to_string(&archived).map_err(|_| Refused::Internal)?;
        let said = HeaderValue::try_from(said).map_err(|_| Refused::Internal)?;
        answer.headers_mut().insert(HeaderName::from_static(PAST_ARCHIVED_HEADER), said);
    }
    Ok(answer)
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
