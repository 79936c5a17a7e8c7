//! Fetching what is missing from the other banks, block by block, beside everything else.
//!
//! One bank is asked for blocks and another one for what they hash to; what both agree on is taken.
//! Where only one other bank has them, its word is enough: each block still has to fit what is
//! here.

use std::time::{Duration, Instant};

use actix::{ActorFutureExt as _, AsyncContext, Context, WrapFuture as _};
use awc::http::header::AUTHORIZATION;

use super::PastActor;
use crate::ids::{BankId, Sha256Digest};
use crate::ledger::past::EntryNumber;
use crate::store::past::Archived;
use crate::store::past::block::{bounds, digest};
use crate::tls::Credentials;
use crate::wire::{
    self, BANK_HEADER, PAST_ARCHIVED_HEADER, PAST_PATH, PEER_BODY_BYTES_MAX, PastBlock,
};

/// The most blocks that are asked for at a time.
pub(crate) const BLOCKS_MAX: u32 = 32;
/// Ask for more at a time as long as an answer comes within this.
const QUICK: Duration = Duration::from_secs(1);
/// How long an answer may take: one block must come over any line that carries bytes at all.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);

/// A bank that may have what is missing.
#[derive(Clone)]
pub struct Source {
    /// Which one.
    pub bank: BankId,
    /// Its base URL, without a slash at the end.
    pub url: String,
}

/// Who is asked, and for how much.
pub(super) struct Fetcher {
    me: BankId,
    sources: Vec<(Source, awc::Client)>,
    secret: String,
    /// Which source is asked next; the one after it is the witness.
    turn: usize,
    blocks: u32,
    is_busy: bool,
    /// By source, which of the first entries it has moved into archive files, as it said last.
    archived: Vec<Option<Archived>>,
}

/// What banks said of their archives: their place among the sources, and what they have moved.
type Said = Vec<(usize, Option<Archived>)>;

/// What a source sent, less what a witness contradicts.
struct Fetched {
    blocks: Vec<PastBlock>,
    /// The first entry of a block about which the two banks differ.
    differs: Option<EntryNumber>,
    took: Duration,
}

impl Fetcher {
    pub(super) fn new(me: BankId, sources: Vec<Source>, credentials: Credentials) -> Self {
        let Credentials { secret, transport } = credentials;
        let with_client = |source: Source| {
            let client = wire::client_of_peer(source.bank, &transport, 1, ANSWER_WITHIN);
            (source, client)
        };
        let sources: Vec<_> = sources.into_iter().map(with_client).collect();
        let archived = vec![None; sources.len()];
        Fetcher { me, sources, secret, turn: 0, blocks: 1, is_busy: false, archived }
    }

    fn get(
        &self,
        (source, client): &(Source, awc::Client),
        first: EntryNumber,
        what: &str,
    ) -> awc::ClientRequest {
        let path = format!("{}{PAST_PATH}/{first}/{what}?blocks={}", source.url, self.blocks);
        client
            .get(path)
            .insert_header((AUTHORIZATION, format!("Bearer {}", self.secret)))
            .insert_header((BANK_HEADER, self.me.to_string()))
    }

    fn ask(&self, first: EntryNumber) -> impl Future<Output = (Option<Fetched>, Said)> + use<> {
        let count = self.sources.len();
        let (asked, other) = (self.turn % count, (self.turn + 1) % count);
        let blocks = self.get(&self.sources[asked], first, "blocks");
        let witness = (count > 1).then(|| self.get(&self.sources[other], first, "digests"));
        async move {
            let (began, mut said) = (Instant::now(), Said::new());
            let Some((blocks, archived)) = body::<Vec<PastBlock>>(blocks).await else {
                return (None, said);
            };
            said.push((asked, archived));
            let mut digests = Vec::new();
            if let Some(witness) = witness
                && let Some((told, archived)) = body::<Vec<Option<Sha256Digest>>>(witness).await
            {
                digests = told;
                said.push((other, archived));
            }
            (Some(compared(blocks, &digests, began.elapsed())), said)
        }
    }

    /// What all sources have moved into archive files, by what they said last, if an entry is among
    /// it and none of them contradicts another.
    fn moved_by_all(&self, number: EntryNumber) -> Option<Archived> {
        let said: Option<Vec<&Archived>> = self.archived.iter().map(Option::as_ref).collect();
        let least = *said.as_ref()?.iter().min_by_key(|archived| archived.through)?;
        let agrees = |other: &&&Archived| other.through == least.through;
        let agree = said?.iter().filter(agrees).all(|other| *other == least);
        (agree && number <= least.through).then(|| least.clone())
    }
}

/// What a bank answers, and what it has moved into archive files; `None` if it does not answer, or
/// not in the form that it should.
async fn body<T: serde::de::DeserializeOwned>(
    request: awc::ClientRequest,
) -> Option<(T, Option<Archived>)> {
    let mut answer = request.send().await.ok().filter(|answer| answer.status().is_success())?;
    let archived = answer.headers().get(PAST_ARCHIVED_HEADER).map(|said| said.to_str().ok());
    let archived = match archived {
        Some(said) => Some(serde_json::from_str(said?).ok()?),
        None => None,
    };
    let body = answer.body().limit(PEER_BODY_BYTES_MAX).await.ok()?;
    Some((postcard::from_bytes(&body).ok()?, archived))
}

fn compared(blocks: Vec<PastBlock>, digests: &[Option<Sha256Digest>], took: Duration) -> Fetched {
    let mut digests = digests.iter();
    let mut fetched = Fetched { blocks: Vec::new(), differs: None, took };
    for block in blocks {
        let said = digests.next().copied().flatten();
        // Only of complete blocks does a bank say what they hash to.
        let (first, last) = bounds(block.first);
        if said.is_none_or(|said| said == digest(first, last, &block.content)) {
            fetched.blocks.push(block);
        } else {
            fetched.differs = fetched.differs.or(Some(block.first));
        }
    }
    fetched
}

impl PastActor {
    /// Asks for what is missing, unless an answer is on its way.
    pub(super) fn fetch(&mut self, context: &mut Context<Self>) {
        let fetcher = &mut self.fetcher;
        let Some(gap) = self.past.missing().first() else { return };
        if fetcher.is_busy || fetcher.sources.is_empty() {
            return;
        }
        fetcher.is_busy = true;
        let first = bounds(EntryNumber(*gap.start())).0;
        let fetched = fetcher.ask(first).into_actor(self);
        context.spawn(fetched.map(|(fetched, said), actor, context| {
            for (source, archived) in said {
                actor.fetcher.archived[source] = archived;
            }
            actor.fetched(fetched, context);
        }));
    }

    /// What no other bank has in its store any more will not come.
    fn give_up(&mut self) -> bool {
        let Some(gap) = self.past.missing().first() else { return false };
        let moved = self.fetcher.moved_by_all(EntryNumber(*gap.start()));
        let Some(archived) = moved.filter(|archived| archived.is_sound(self.past.last())) else {
            return false;
        };
        let done = self.past.give_up(&archived);
        let given_up = self.or_end(done);
        if given_up && let Some(archived) = self.past.archived() {
            log::warn!(
                "bank {}: entries through {} are in archive files of all other banks: statements \
                 here begin after them",
                self.me,
                archived.through
            );
        }
        given_up
    }

    fn fetched(&mut self, fetched: Option<Fetched>, context: &mut Context<Self>) {
        self.fetcher.is_busy = false;
        let mut filled = false;
        if let Some(Fetched { blocks, differs, took }) = fetched {
            for PastBlock { first, content } in blocks {
                let done = self.past.fill(first, &content);
                filled |= self.or_end(done);
            }
            if let Some(first) = differs {
                log::error!(
                    "bank {}: two banks have different pasts from entry {first} on; asking others",
                    self.me
                );
            }
            self.fetcher.blocks = match took < QUICK {
                true => (self.fetcher.blocks * 2).min(BLOCKS_MAX),
                false => (self.fetcher.blocks / 2).max(1),
            };
        }
        filled |= self.give_up();
        if !filled {
            // Another bank may have it; until the next look, for nobody may.
            self.fetcher.turn += 1;
            self.fetcher.blocks = 1;
        } else if self.past.missing().is_empty() {
            log::info!("bank {}: the past is complete through entry {}", self.me, self.past.last());
        } else {
            self.fetch(context);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Position;
    use crate::tls::Transport;

    #[test]
    fn what_a_witness_contradicts_is_left_out() {
        let block = |first, content: &[u8]| PastBlock {
            first: EntryNumber(first),
            content: content.to_vec(),
        };
        let blocks = || vec![block(1, b"a"), block(257, b"b"), block(513, b"c")];
        let right = |block: &PastBlock| {
            let (first, last) = bounds(block.first);
            Some(digest(first, last, &block.content))
        };
        let mut digests: Vec<_> = blocks().iter().map(right).collect();
        let all = compared(blocks(), &digests, Duration::ZERO);
        assert_eq!((all.blocks, all.differs), (blocks(), None));
        digests[1] = Some(Sha256Digest::default());
        digests[2] = None;
        let some = compared(blocks(), &digests, Duration::ZERO);
        assert_eq!(some.blocks, [block(1, b"a"), block(513, b"c")]);
        assert_eq!(some.differs, Some(EntryNumber(257)));
        assert_eq!(compared(blocks(), &[], Duration::ZERO).blocks, blocks());
    }

    #[test]
    fn what_will_not_come_is_what_all_others_have_moved() {
        let archived = |through| {
            let (until_ms, position, chain) = (7, Position(9), None);
            Some(Archived { through: EntryNumber(through), until_ms, position, chain })
        };
        let moved = |said: &[Option<Archived>]| {
            let credentials = Credentials { secret: String::new(), transport: Transport::Open };
            let mut fetcher = Fetcher::new(BankId(0), Vec::new(), credentials);
            fetcher.archived = said.to_vec();
            fetcher.moved_by_all(EntryNumber(300))
        };
        assert_eq!(moved(&[archived(768), archived(512)]), archived(512));
        assert_eq!(moved(&[archived(768), None]), None, "it may have it");
        assert_eq!(moved(&[archived(768), archived(256)]), None, "it has it");
        let mut other = archived(512);
        other.as_mut().unwrap().until_ms = 8;
        assert_eq!(moved(&[archived(512), other]), None, "one of them is wrong");
        assert_eq!(moved(&[]), None);
    }
}
