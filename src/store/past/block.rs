//! Blocks of entries as bytes: what is stored, what is sent to a bank that lacks it, and what is
//! hashed.
//!
//! The same entries give the same bytes at every bank. What an entry shares with the one before it
//! (the request that made both) is written once; links are written as distances. Numbers take as
//! many bytes as they need, so that widening a field changes no byte of what was written before.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::ids::{BankId, EventId, Position, Sha256Digest};
use crate::ledger::past::{EntryNumber, Links, PastEntry};
use crate::ledger::{Centavos, Details, Entry, EntryKind, PixKey, RefundOf, UserName};
use crate::store::packed::unpack;

/// How many entries a block has. Blocks are cut at multiples of it, so that all banks have the
/// same ones.
pub(crate) const BLOCK_ENTRIES: u64 = 256;
/// Version of the bytes.
const FORMAT: u8 = 1;

/// What the entries of one request share.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
struct Shared {
    position: u64,
    at_ms: i64,
    id: EventId,
    made_by: UserName,
    bank_sender: u16,
}

/// What an entry is about. The first five are those of earlier releases, whose rows have the same
/// bytes now: a past that is made again is the same as the one that other banks have kept.
#[derive(Serialize, Deserialize)]
enum Kind {
    Opening,
    Deposit,
    Withdraw,
    Transfer,
    Receive,
    /// With something to say besides.
    Detailed(EntryKind, Details),
    /// The same of a refund.
    Refund(EntryKind, Details, RefundOf),
}

impl Kind {
    fn of(entry: &Entry) -> Kind {
        if let Some(of) = &entry.details.refund_of {
            return Kind::Refund(entry.kind, entry.details.clone(), RefundOf::clone(of));
        }
        match entry.kind {
            kind if entry.details != Details::default() => {
                Kind::Detailed(kind, entry.details.clone())
            }
            EntryKind::Opening => Kind::Opening,
            EntryKind::Deposit => Kind::Deposit,
            EntryKind::Withdraw => Kind::Withdraw,
            EntryKind::Transfer => Kind::Transfer,
            EntryKind::Receive => Kind::Receive,
        }
    }

    fn read(self) -> (EntryKind, Details) {
        let plain = |kind| (kind, Details::default());
        match self {
            Kind::Opening => plain(EntryKind::Opening),
            Kind::Deposit => plain(EntryKind::Deposit),
            Kind::Withdraw => plain(EntryKind::Withdraw),
            Kind::Transfer => plain(EntryKind::Transfer),
            Kind::Receive => plain(EntryKind::Receive),
            Kind::Detailed(kind, details) => (kind, details),
            Kind::Refund(kind, details, of) => {
                (kind, Details { refund_of: Some(Box::new(of)), ..details })
            }
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Row {
    /// `None` if it is that of the row before.
    shared: Option<Shared>,
    account: u32,
    index: u64,
    /// How far back the links lead; 0 where there is no such entry.
    before: u64,
    skip: u64,
    kind: Kind,
    value: i128,
    balance_after: i128,
    pix: Option<PixKey>,
}

/// The first and last number of the block that an entry belongs to.
pub(crate) fn bounds(number: EntryNumber) -> (EntryNumber, EntryNumber) {
    let first = number.0.saturating_sub(1) / BLOCK_ENTRIES * BLOCK_ENTRIES + 1;
    (EntryNumber(first), EntryNumber(first.saturating_add(BLOCK_ENTRIES - 1)))
}

/// A block that is being written.
#[derive(Clone, Default)]
pub(super) struct Encoder {
    content: Vec<u8>,
    shared: Option<Shared>,
}

impl Encoder {
    pub(super) fn push(&mut self, past: &PastEntry) {
        if self.content.is_empty() {
            self.content.push(FORMAT);
        }
        let entry = &past.entry;
        let shared = Shared {
            position: entry.position.0,
            at_ms: entry.at_ms,
            id: entry.id.clone(),
            made_by: entry.made_by.clone(),
            bank_sender: entry.bank_sender.0,
        };
        let is_new = self.shared.as_ref() != Some(&shared);
        let distance = |to: EntryNumber| if to.is_none() { 0 } else { past.number.0 - to.0 };
        let row = Row {
            shared: is_new.then(|| shared.clone()),
            account: past.account,
            index: past.index,
            before: distance(past.links.before),
            skip: distance(past.links.skip),
            kind: Kind::of(entry),
            value: entry.value.get(),
            balance_after: entry.balance_after.get(),
            pix: entry.pix.clone(),
        };
        self.shared = Some(shared);
        postcard::to_io(&row, &mut self.content).expect("rows are plain data, and memory takes it");
    }

    /// The bytes so far.
    pub(super) fn content(&self) -> &[u8] {
        &self.content
    }
}

/// The entries of a block that begins with number `first`; `None` if it is none.
pub(crate) fn decode(first: EntryNumber, content: &[u8]) -> Option<Vec<PastEntry>> {
    let (format, mut rest) = content.split_first()?;
    let mut entries = Vec::new();
    let mut shared = None;
    while *format == FORMAT && !rest.is_empty() && (entries.len() as u64) < BLOCK_ENTRIES {
        let (row, left) = postcard::take_from_bytes::<Row>(rest).ok()?;
        rest = left;
        shared = row.shared.clone().or(shared);
        let number = first.0.checked_add(entries.len() as u64)?;
        entries.push(entry(EntryNumber(number), row, shared.as_ref()?)?);
    }
    (rest.is_empty() && !entries.is_empty()).then_some(entries)
}

fn entry(number: EntryNumber, row: Row, shared: &Shared) -> Option<PastEntry> {
    let link = |distance: u64| match distance {
        0 => Some(EntryNumber::default()),
        distance => number.0.checked_sub(distance).filter(|to| *to > 0).map(EntryNumber),
    };
    let Shared { position, at_ms, id, made_by, bank_sender } = shared.clone();
    let (kind, details) = row.kind.read();
    let entry = Entry {
        kind,
        value: Centavos::wide(row.value),
        balance_after: Centavos::wide(row.balance_after),
        at_ms,
        made_by,
        bank_sender: BankId(bank_sender),
        id,
        position: Position(position),
        pix: row.pix,
        details,
    };
    // What is read later must not be able to overflow: no amount is wider than this.
    i64::try_from(row.value).ok()?;
    entry.balance_after.checked_sub(entry.value)?;
    let links = Links { before: link(row.before)?, skip: link(row.skip)? };
    let (account, index) = (row.account, row.index);
    Some(PastEntry { number, account, index, links, entry })
}

/// The entries of a block, from bytes as they are stored.
pub(crate) fn read_block(
    first: EntryNumber,
    stored: &[u8],
    is_packed: bool,
) -> Option<Vec<PastEntry>> {
    if is_packed { decode(first, &unpack(stored)?) } else { decode(first, stored) }
}

/// The bytes of a block of these entries, before they are packed.
pub(crate) fn written(entries: &[PastEntry]) -> Vec<u8> {
    let mut encoder = Encoder::default();
    entries.iter().for_each(|entry| encoder.push(entry));
    encoder.content
}

/// What a block hashes to, its place included.
pub(crate) fn digest(first: EntryNumber, last: EntryNumber, content: &[u8]) -> Sha256Digest {
    let place = [first.0.to_be_bytes(), last.0.to_be_bytes()];
    Sha256Digest(
        Sha256::new().chain_update(place.as_flattened()).chain_update(content).finalize().into(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::packed::pack;
    use crate::store::past::tests::entries;

    #[test]
    fn a_block_is_read_as_it_was_written() {
        let written = entries(1..=BLOCK_ENTRIES);
        let mut encoder = Encoder::default();
        written.iter().for_each(|past| encoder.push(past));
        assert_eq!(decode(EntryNumber(1), encoder.content()).unwrap(), written);
        // Bytes a transfer, that is of two entries: most of it is the id, the name and the key.
        let bytes = |content: &[u8]| content.len() as u64 / (BLOCK_ENTRIES / 2);
        let (plain, packed) = (bytes(encoder.content()), bytes(&pack(encoder.content())));
        assert!(plain < 200 && packed < 60, "{plain}, on disk {packed}");
    }

    #[test]
    fn what_is_no_block_is_refused_and_never_panics() {
        let mut encoder = Encoder::default();
        entries(1..=20).iter().for_each(|past| encoder.push(past));
        let content = encoder.content();
        for length in 0..content.len() {
            if let Some(fewer) = decode(EntryNumber(1), &content[..length]) {
                assert!(fewer.len() < 20, "a block that was cut off lacks entries");
            }
        }
        for place in 0..content.len() {
            for bit in 0..8 {
                let mut flipped = content.to_vec();
                flipped[place] ^= 1 << bit;
                let [is, was] = [&flipped[..], content]
                    .map(|bytes| digest(EntryNumber(1), EntryNumber(20), bytes));
                assert_ne!(is, was);
                let _ = decode(EntryNumber(1), &flipped);
                let _ = decode(EntryNumber(u64::MAX - 3), &flipped);
            }
        }
    }

    #[test]
    fn blocks_are_cut_at_the_same_places_everywhere() {
        for (number, first) in [(1, 1), (256, 1), (257, 257), (1_000_000, 999_937)] {
            let (from, to) = bounds(EntryNumber(number));
            assert_eq!((from.0, to.0), (first, first + 255));
        }
    }

    /// A row as it was before balances were wider than amounts, and entries said something besides.
    #[derive(Serialize)]
    struct Narrow {
        shared: Option<Shared>,
        account: u32,
        index: u64,
        before: u64,
        skip: u64,
        kind: EntryKind,
        value: i64,
        balance_after: i64,
        pix: Option<PixKey>,
    }

    fn with(value: i128, balance_after: i128) -> PastEntry {
        let mut past = entries(1..=1).remove(0);
        past.entry.value = Centavos::wide(value);
        past.entry.balance_after = Centavos::wide(balance_after);
        past
    }

    fn encoded(past: &PastEntry) -> Vec<u8> {
        let mut encoder = Encoder::default();
        encoder.push(past);
        encoder.content().to_vec()
    }

    #[test]
    fn widening_balances_has_changed_no_byte_of_what_fitted_before() {
        for (value, balance_after) in [(1, i64::MAX), (-1, 0), (-i64::MAX, 7), (300, 300)] {
            let past = with(value.into(), balance_after.into());
            let content = encoded(&past);
            let row: Row = postcard::from_bytes(&content[1..]).unwrap();
            let Row { shared, account, index, before, skip, kind, pix, .. } = row;
            let (kind, _) = kind.read();
            let narrow =
                Narrow { shared, account, index, before, skip, kind, value, balance_after, pix };
            assert_eq!(content[1..], postcard::to_stdvec(&narrow).unwrap());
        }
    }

    #[test]
    fn an_entry_that_says_nothing_besides_has_the_bytes_that_it_had_before() {
        use EntryKind::{Deposit, Opening, Receive, Transfer, Withdraw};
        for kind in [Opening, Deposit, Withdraw, Transfer, Receive] {
            let mut past = with(3, 4);
            past.entry.kind = kind;
            let content = encoded(&past);
            let row: Row = postcard::from_bytes(&content[1..]).unwrap();
            let Row { shared, account, index, before, skip, pix, .. } = row;
            let (value, balance_after) = (3, 4);
            let narrow =
                Narrow { shared, account, index, before, skip, kind, value, balance_after, pix };
            assert_eq!(content[1..], postcard::to_stdvec(&narrow).unwrap());
            assert_eq!(decode(EntryNumber(1), &content), Some(vec![past]));
        }
    }

    #[test]
    fn a_wide_balance_is_read_back_and_an_impossible_one_is_not() {
        let most = i128::from(i64::MAX);
        let wide = with(most, 5 * most);
        assert_eq!(decode(EntryNumber(1), &encoded(&wide)), Some(vec![wide]));
        for impossible in [with(most + 1, most + 1), with(1, i128::MIN)] {
            assert_eq!(decode(EntryNumber(1), &encoded(&impossible)), None);
        }
    }
}
