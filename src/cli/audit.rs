//! `netbanking audit`: follows every entry that was ever made on a stopped bank's disk and proves
//! that they lead to the balances that its journal leads to, and that every event in the journal is
//! what its sender has signed.

use std::path::Path;

use clap::Args;
use sha2::{Digest, Sha256};

use super::disk::{BankDisk, DiskArgs};
use super::{CommandError, stdout};
use crate::hex::Hex;
use crate::ledger::past::{Auditor, EntryNumber};
use crate::protocol::event::Held;
use crate::protocol::order_key::OrderKey;
use crate::protocol::view::OnDisk;
use crate::store::past::{Past, PastReader};
use crate::store::recovery::{Recovered, whole};
use crate::store::{Disk, Owner, PIECE_BYTES_MAX, StoreError};
use crate::tls::Signers;

/// What `netbanking audit` is told.
#[derive(Debug, Args)]
#[command(after_help = "Compare what it prints with other banks' at the same number of entries.")]
pub(super) struct AuditArgs {
    #[command(flatten)]
    disk: DiskArgs,
}

/// The past does not lead to the present, or not all of it is here.
#[derive(Debug, thiserror::Error)]
pub(super) enum AuditFailed {
    #[error(
        "bank {bank}: {count} entries are missing, the first of them entry {first}: a running bank fetches them from \
         the others"
    )]
    Missing { bank: crate::ids::BankId, count: u64, first: u64 },
    #[error("bank {bank}: the past does not lead to the present: {why}")]
    Differs { bank: crate::ids::BankId, why: String },
    #[error(
        "bank {bank}: {count} events in the journal are not proved; the first of them, {view}.{sum}, is said to be of \
         bank {sender}: {why}"
    )]
    NotSigned {
        bank: crate::ids::BankId,
        count: u64,
        view: crate::ids::Ballot,
        sum: u64,
        sender: crate::ids::BankId,
        why: &'static str,
    },
}

/// What the journal's events are signed with.
#[derive(Default)]
struct Signed {
    proved: u64,
    /// Those from before events were signed.
    older: u64,
    not_proved: u64,
    /// The first of these, and what is wrong with it.
    first: Option<(OrderKey, &'static str)>,
}

impl Signed {
    fn count(&mut self, held: &Held, disk: &OnDisk, signers: &Signers, banks: usize) {
        let Held { event, members } = held;
        let is_older = disk.signed_from.is_none_or(|from| event.view < from);
        let wrong = match event.signature() {
            None if is_older => return self.older += 1,
            None => "it has no signature, and events before it have",
            Some(signature) if !signers.knows(signature.by, banks) => {
                "the certificate that it names is not in this bank's folder"
            }
            Some(signature) if signature.members != *members => {
                "that bank has signed it for a view of other members"
            }
            Some(signature)
                if !signers.is_by((event.sender, banks), event.wire().get(), signature) =>
            {
                "that bank has not signed it"
            }
            Some(_) => return self.proved += 1,
        };
        self.not_proved += 1;
        self.first = self.first.or(Some((event.order_key(), wrong)));
    }
}

/// Rebuilds the ledger from the journal, reads the whole past, and compares.
pub(super) fn run(arguments: &AuditArgs) -> Result<(), CommandError> {
    let BankDisk { owner, place } = arguments.disk.find()?;
    let bank = owner.bank;
    let Recovered { book, past, mut store, disk, .. } = whole(place, owner)?;
    let signed = signatures(&mut *store, &disk, &arguments.disk.data, owner)?;
    if let Some(first) = missing(&past) {
        let count = past.missing().iter().map(|gap| gap.end() - gap.start() + 1).sum();
        return Err(AuditFailed::Missing { bank, count, first }.into());
    }
    if let Some((OrderKey { view, sum, sender }, why)) = signed.first {
        let count = signed.not_proved;
        return Err(AuditFailed::NotSigned { bank, count, view, sum, sender, why }.into());
    }
    let mut auditor = Auditor::default();
    let digest = read(&mut past.opener()()?, past.last(), &mut auditor)?;
    let compared = digest.and_then(|digest| book.agrees_with(&auditor).map(|()| digest));
    let digest = compared.map_err(|why| AuditFailed::Differs { bank, why })?;
    stdout::put(&format!(
        "bank {bank}: position {}, hash {}\n{} entries of {} accounts lead to the balances; they hash to {}\n\
         {} events in the journal are signed by their banks, {} are from before events were signed\n",
        book.position(),
        book.hash(),
        book.entries(),
        book.accounts().count(),
        Hex(&digest),
        signed.proved,
        signed.older,
    ));
    Ok(())
}

/// Holds every event of the journal against its signature.
fn signatures(
    store: &mut dyn Disk,
    disk: &OnDisk,
    data: &Path,
    owner: Owner,
) -> Result<Signed, StoreError> {
    let (mut signed, signers) = (Signed::default(), Signers::new(Some(data)));
    store.begin()?;
    let mut after = store.journal_starts_after()?;
    loop {
        let entries = store.executed_after(after, PIECE_BYTES_MAX)?;
        let Some(last) = entries.last() else { break };
        after = last.position;
        entries.iter().for_each(|entry| signed.count(&entry.held, disk, &signers, owner.banks));
    }
    store.end()?;
    disk.state.held.iter().for_each(|held| signed.count(held, disk, &signers, owner.banks));
    Ok(signed)
}

fn missing(past: &Past) -> Option<u64> {
    past.missing().first().map(|gap| *gap.start())
}

/// Reads all entries; returns what they hash to, or what does not hold.
fn read(
    past: &mut PastReader,
    last: EntryNumber,
    auditor: &mut Auditor,
) -> Result<Result<[u8; 32], String>, CommandError> {
    let (mut hash, mut next) = (Sha256::new(), EntryNumber(1));
    while next <= last {
        let Some(block) = past.block(next)? else {
            return Ok(Err(format!("entry {next} is gone")));
        };
        for entry in block.iter().filter(|entry| entry.number >= next) {
            if let Err(why) = auditor.take(entry) {
                return Ok(Err(why));
            }
        }
        if let Some(stored) = past.stored(next)? {
            hash.update(&stored.content);
        }
        next = block.last().map_or(last, |entry| entry.number).next();
    }
    Ok(Ok(hash.finalize().into()))
}
