//! `netbanking audit`: follows every entry that was ever made on a stopped bank's disk and proves
//! that they lead to the balances that its journal leads to.

use clap::Args;
use sha2::{Digest, Sha256};

use super::disk::DiskArgs;
use super::{CommandError, stdout};
use crate::hex::Hex;
use crate::ledger::past::{Auditor, EntryNumber};
use crate::store::past::{Past, PastReader};
use crate::store::recovery::{Recovered, whole};

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
}

/// Rebuilds the ledger from the journal, reads the whole past, and compares.
pub(super) fn run(arguments: &AuditArgs) -> Result<(), CommandError> {
    let owner = arguments.disk.owner()?;
    let bank = owner.bank;
    let Recovered { book, past, store: _held, .. } = whole(&arguments.disk.data, owner)?;
    if let Some(first) = missing(&past) {
        let count = past.missing().iter().map(|gap| gap.end() - gap.start() + 1).sum();
        return Err(AuditFailed::Missing { bank, count, first }.into());
    }
    let mut auditor = Auditor::default();
    let digest = read(&mut past.opener()()?, past.last(), &mut auditor)?;
    let compared = digest.and_then(|digest| book.agrees_with(&auditor).map(|()| digest));
    let digest = compared.map_err(|why| AuditFailed::Differs { bank, why })?;
    stdout::put(&format!(
        "bank {bank}: position {}, hash {}\n{} entries of {} accounts lead to the balances; they hash to {}\n",
        book.position(),
        book.hash(),
        book.entries(),
        book.accounts().count(),
        Hex(&digest)
    ));
    Ok(())
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
