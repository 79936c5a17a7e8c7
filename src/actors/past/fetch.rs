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
use crate::store::past::block::{bounds, digest};
use crate::tls::Credentials;
use crate::wire::{self, BANK_HEADER, PAST_PATH, PEER_BODY_BYTES_MAX, PastBlock};

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
}

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
        let sources = sources.into_iter().map(with_client).collect();
        Fetcher { me, sources, secret, turn: 0, blocks: 1, is_busy: false }
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

    fn ask(&self, first: EntryNumber) -> impl Future<Output = Option<Fetched>> + use<> {
        let count = self.sources.len();
        let blocks = self.get(&self.sources[self.turn % count], first, "blocks");
        let witness =
            (count > 1).then(|| self.get(&self.sources[(self.turn + 1) % count], first, "digests"));
        async move {
            let began = Instant::now();
            let blocks: Vec<PastBlock> = body(blocks).await?;
            let digests: Vec<Option<Sha256Digest>> = match witness {
                Some(witness) => body(witness).await.unwrap_or_default(),
                None => Vec::new(),
            };
            Some(compared(blocks, &digests, began.elapsed()))
        }
    }
}

/// What a bank answers; `None` if it does not, or not in the form that it should.
async fn body<T: serde::de::DeserializeOwned>(request: awc::ClientRequest) -> Option<T> {
    let mut answer = request.send().await.ok().filter(|answer| answer.status().is_success())?;
    let body = answer.body().limit(PEER_BODY_BYTES_MAX).await.ok()?;
    postcard::from_bytes(&body).ok()
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
        context.spawn(fetched.map(|fetched, actor, context| actor.fetched(fetched, context)));
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
}
