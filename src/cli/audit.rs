//! `netbanking audit`: follows every entry that was ever made on a stopped bank's disk and proves
//! that they lead to the balances that its journal leads to, and that every event in the journal is
//! what its sender has signed.

use std::path::{Path, PathBuf};

use clap::Args;
use sha2::{Digest, Sha256};

use super::archive::folder_of;
use super::disk::{BankDisk, DiskArgs};
use super::{CommandError, stdout};
use crate::hex::Hex;
use crate::ledger::Book;
use crate::ledger::past::{Auditor, EntryNumber, LateAuditor, PastEntry};
use crate::protocol::event::Held;
use crate::protocol::order_key::OrderKey;
use crate::protocol::view::OnDisk;
use crate::store::past::archive::{self, Block, files};
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
    /// Where entries were moved by `netbanking archive` [default: archive in the bank's own folder]
    #[arg(long, value_name = "DIR")]
    archive: Option<PathBuf>,
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
    let folder = arguments.archive.clone().unwrap_or_else(|| folder_of(&arguments.disk.data));
    let found = follow(&past, &book, &folder)?;
    let (looked_at, digest) = found.map_err(|why| AuditFailed::Differs { bank, why })?;
    stdout::put(&format!(
        "bank {bank}: position {}, hash {}\n{looked_at}; they hash to {}\n\
         {} events in the journal are signed by their banks, {} are from before events were signed\n",
        book.position(),
        book.hash(),
        Hex(&digest),
        signed.proved,
        signed.older,
    ));
    Ok(())
}

/// What was looked at and what it hashes to, or what does not hold.
type Followed = Result<(String, [u8; 32]), String>;

/// Follows all entries, those in archive files first. Where such files are not here, what is in
/// them is not looked at.
fn follow(past: &Past, book: &Book, folder: &Path) -> Result<Followed, CommandError> {
    let (through, last) = (past.archived().map(|archived| archived.through), past.last());
    let (mut reader, mut hash) = (past.opener()()?, Sha256::new());
    let (entries, accounts) = (book.entries(), book.accounts().count());
    let mut auditor = Auditor::default();
    let here = match through {
        Some(through) => archived(folder, through, &mut hash, &mut auditor)?,
        None => Ok(true),
    };
    let from = through.map_or(EntryNumber(1), EntryNumber::next);
    let (followed, said) = match here {
        Err(why) => return Ok(Err(why)),
        Ok(true) => {
            let followed =
                read(&mut reader, from, last, &mut hash, &mut |entry| auditor.take(entry))?;
            let agrees = followed.and_then(|()| book.agrees_with(&auditor));
            (agrees, format!("{entries} entries of {accounts} accounts lead to the balances"))
        }
        Ok(false) => {
            let unseen = EntryNumber(from.0 - 1);
            let mut late = LateAuditor::after(unseen);
            let mut hash_of_rest = Sha256::new();
            let mut take = |entry: &PastEntry| late.take(entry);
            let followed = read(&mut reader, from, last, &mut hash_of_rest, &mut take)?;
            hash = hash_of_rest;
            let said = format!(
                "entries {from} to {last} lead to the balances of the accounts that have any of them\nNOT LOOKED AT: \
                 entries 1 to {unseen}, which are in archive files that are not all in {}\nthe entries that were \
                 looked at follow each other",
                folder.display()
            );
            (followed.and_then(|()| book.agrees_after(&late)), said)
        }
    };
    Ok(followed.map(|()| (said, hash.finalize().into())))
}

/// Follows the entries in archive files through this one; returns whether the files are there, or
/// what does not hold.
fn archived(
    folder: &Path,
    through: EntryNumber,
    hash: &mut Sha256,
    auditor: &mut Auditor,
) -> Result<Result<bool, String>, CommandError> {
    let mut next = EntryNumber(1);
    for file in files(folder)?.iter().filter(|file| file.first <= through) {
        if file.first != next {
            return Ok(Ok(false));
        }
        let mut wrong = None;
        let mut take = |block: &Block| {
            hash.update(block.content());
            let taken = block.entries.iter().try_for_each(|entry| auditor.take(entry));
            wrong = wrong.take().or(taken.err());
            Ok(())
        };
        next = archive::read(&file.path, &mut take)?.last.next();
        if let Some(why) = wrong {
            return Ok(Err(why));
        }
    }
    Ok(Ok(next == through.next()))
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

/// Takes an entry, or says what does not hold.
type Take<'a> = &'a mut dyn FnMut(&PastEntry) -> Result<(), String>;

/// Reads and hashes all entries from one to another; returns what does not hold.
fn read(
    past: &mut PastReader,
    from: EntryNumber,
    last: EntryNumber,
    hash: &mut Sha256,
    take: Take<'_>,
) -> Result<Result<(), String>, CommandError> {
    let mut next = from;
    while next <= last {
        let Some(block) = past.block(next)? else {
            return Ok(Err(format!("entry {next} is gone")));
        };
        for entry in block.iter().filter(|entry| entry.number >= next) {
            if let Err(why) = take(entry) {
                return Ok(Err(why));
            }
        }
        if let Some(stored) = past.stored(next)? {
            hash.update(&stored.content);
        }
        next = block.last().map_or(last, |entry| entry.number).next();
    }
    Ok(Ok(()))
}
