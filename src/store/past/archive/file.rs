//! One archive file: JSON Lines, packed by gzip, with the SHA-256 of its bytes beside it in the
//! form that `sha256sum --check` reads.
//!
//! The first line says which entries there are; after the entries of each block comes a line with
//! the block's digest and its link of the chain. The digests prove the entries; the sum beside the
//! file finds any byte that is not what was written, also one that would change nothing.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::line::Line;
use super::{ArchiveError, Archived};
use crate::hex::Hex;
use crate::ids::{Position, Sha256Digest};
use crate::ledger::Book;
use crate::ledger::past::{EntryNumber, PastEntry};
use crate::store::past::PastReader;
use crate::store::past::block::{self, bounds};

/// Version of the lines.
const FORMAT: u32 = 1;
/// The longest line that is read; an entry has a few hundred bytes.
const LINE_BYTES_MAX: u64 = 64 * 1_024;
/// What names begin and end with.
const NAME: (&str, &str) = ("entries-", ".jsonl.gz");
/// What the name of a sum has besides.
const SUM: &str = ".sha256";
/// What the name of a file has besides that is not complete.
const PART: &str = ".part";
/// How much is hashed at a time.
const PIECE_BYTES: usize = 64 * 1_024;

/// The first line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    netbanking_archive: u32,
    first: EntryNumber,
    last: EntryNumber,
    /// The link that the first block is chained to; `None` where the chain begins anew.
    after: Option<Sha256Digest>,
}

/// The line after a block.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Seal {
    block: EntryNumber,
    digest: Sha256Digest,
    chain: Sha256Digest,
}

/// Which entries a file has, and what they lead to.
#[derive(Debug)]
pub struct Stretch {
    /// The file.
    pub path: PathBuf,
    /// The first entry,
    pub first: EntryNumber,
    /// and the last one.
    pub last: EntryNumber,
    /// When the last one was made, in Unix milliseconds,
    pub until_ms: i64,
    position: Position,
    /// The link before the first block, if it is known,
    pub after: Option<Sha256Digest>,
    /// and the one after the last.
    pub chain: Sha256Digest,
}

impl Stretch {
    pub(super) fn archived(&self) -> Archived {
        Archived {
            through: self.last,
            until_ms: self.until_ms,
            position: self.position,
            chain: Some(self.chain),
        }
    }
}

/// A block that was read and proved.
pub struct Block {
    /// Its entries,
    pub entries: Vec<PastEntry>,
    /// and for each of them its line, as it is written and as it is read.
    pub(crate) lines: Vec<(String, Line)>,
    /// What they hash to.
    pub digest: Sha256Digest,
}

impl Block {
    /// The number of its first entry.
    #[must_use]
    pub fn first(&self) -> EntryNumber {
        self.entries.first().map_or(EntryNumber::default(), |past| past.number)
    }

    /// The bytes of the block, as stores have them.
    #[must_use]
    pub fn content(&self) -> Vec<u8> {
        block::written(&self.entries)
    }
}

/// The next link of the chain.
fn link(before: Option<Sha256Digest>, digest: Sha256Digest) -> Sha256Digest {
    let hash = Sha256::new().chain_update(before.unwrap_or_default().0).chain_update(digest.0);
    Sha256Digest(hash.finalize().into())
}

/// A file of a folder, by its name.
pub struct Named {
    /// Where it is.
    pub path: PathBuf,
    /// Its first entry.
    pub first: EntryNumber,
    last: EntryNumber,
}

/// The archive files of a folder in the order of their entries; none if there is no such folder.
///
/// # Errors
/// [`ArchiveError::Failed`] when the folder cannot be read.
pub fn files(folder: &Path) -> Result<Vec<Named>, ArchiveError> {
    let failed =
        |error: io::Error| ArchiveError::Failed { path: folder.to_owned(), why: error.to_string() };
    let mut found = Vec::new();
    let list = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
        list => list.map_err(failed)?,
    };
    for file in list {
        let path = file.map_err(failed)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let range = name.strip_prefix(NAME.0).and_then(|name| name.strip_suffix(NAME.1));
        let numbers = range.and_then(|range| range.split_once('-'));
        let number = |text: &str| text.parse().ok().map(EntryNumber);
        if let Some((Some(first), Some(last))) =
            numbers.map(|(first, last)| (number(first), number(last)))
        {
            found.push(Named { path, first, last });
        }
    }
    found.sort_by_key(|file| (file.first, file.last));
    Ok(found)
}

fn beside(path: &Path, more: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(more);
    name.into()
}

/// A file that is to be written.
pub(super) struct NewFile<'a> {
    pub(super) folder: &'a Path,
    pub(super) first: EntryNumber,
    pub(super) last: EntryNumber,
    pub(super) after: Option<Sha256Digest>,
}

/// Writes a file with entries from the store; when it has its name, all of it is on disk, and so is
/// its sum.
pub(super) fn written_to_folder(
    new: &NewFile<'_>,
    book: &Book,
    store: &mut PastReader,
) -> Result<PathBuf, ArchiveError> {
    let NewFile { folder, first, last, after } = *new;
    let name = format!("{}{:012}-{:012}{}", NAME.0, first.0, last.0, NAME.1);
    let path = folder.join(&name);
    let (part, sum) = (beside(&path, PART), beside(&path, SUM));
    let failed =
        |error: io::Error| ArchiveError::Failed { path: path.clone(), why: error.to_string() };
    let mut out =
        GzEncoder::new(BufWriter::new(private(&part).map_err(failed)?), Compression::default());
    let head = Head { netbanking_archive: FORMAT, first, last, after };
    put(&mut out, &head).map_err(failed)?;
    let (mut next, mut chain) = (first, after);
    while next <= last {
        let block = store.block(next)?.ok_or(ArchiveError::Missing(next))?;
        for past in &*block {
            let unknown = || ArchiveError::Failed {
                path: path.clone(),
                why: format!("the ledger does not know the account of entry {}", past.number),
            };
            put(&mut out, &Line::of(past, book).ok_or_else(unknown)?).map_err(failed)?;
        }
        let digest = block::digest(next, bounds(next).1, &block::written(&block));
        let linked = link(chain, digest);
        put(&mut out, &Seal { block: next, digest, chain: linked }).map_err(failed)?;
        (chain, next) = (Some(linked), bounds(next).1.next());
    }
    let done = || -> io::Result<()> {
        let file = out.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        let mut sum_file = private(&sum)?;
        writeln!(sum_file, "{}  {name}", Hex(&sum_of(&part)?))?;
        sum_file.sync_all()?;
        let folder = File::open(folder)?;
        // The sum's name has to be there before the file's.
        folder.sync_all()?;
        std::fs::rename(&part, &path)?;
        folder.sync_all()
    };
    done().map_err(failed)?;
    Ok(path)
}

/// A new file in place of what an earlier run may have left.
fn private(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(path)
}

fn put(out: &mut impl Write, line: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}

fn sum_of(path: &Path) -> io::Result<[u8; 32]> {
    let (mut file, mut hash) = (File::open(path)?, Sha256::new());
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(hash.finalize().into()),
            read => hash.update(&piece[..read]),
        }
    }
}

/// Reads a file and hands over its blocks, each proved by its digest.
///
/// # Errors
/// [`ArchiveError::Damaged`] if a byte is not what was written, and what `took` answers; blocks
/// before the damage may have been handed over.
pub fn read(
    path: &Path,
    took: &mut dyn FnMut(&Block) -> Result<(), ArchiveError>,
) -> Result<Stretch, ArchiveError> {
    let failed =
        |error: io::Error| ArchiveError::Failed { path: path.into(), why: error.to_string() };
    let damaged = |why: &str| ArchiveError::Damaged { path: path.into(), why: why.into() };
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let sum = format!("{}  {name}\n", Hex(&sum_of(path).map_err(failed)?));
    match std::fs::read(beside(path, SUM)) {
        Ok(said) if said == sum.as_bytes() => {}
        Ok(_) => return Err(damaged("its SHA-256 is not the one beside it")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(damaged("its SHA-256 is not beside it"));
        }
        Err(error) => return Err(failed(error)),
    }
    let packed = BufReader::new(File::open(path).map_err(failed)?);
    let mut lines = Lines { path, lines: BufReader::new(GzDecoder::new(packed)) };
    let (_, head): (_, Head) = lines.next()?;
    if head.netbanking_archive != FORMAT || bounds(head.first).0 != head.first {
        return Err(damaged("the first line"));
    }
    let (mut next, mut chain, mut last) = (head.first, head.after, None);
    while next <= head.last {
        let (block, linked) = lines.block(next, chain)?;
        took(&block)?;
        last = block.entries.last().map(|past| (past.entry.at_ms, past.entry.position));
        (chain, next) = (Some(linked), bounds(next).1.next());
    }
    let ends = lines.end()? && bounds(head.last).1 == head.last;
    match (last, chain) {
        (Some((until_ms, position)), Some(chain)) if ends => {
            let Head { first, last, after, .. } = head;
            Ok(Stretch { path: path.into(), first, last, until_ms, position, after, chain })
        }
        _ => Err(damaged("the last line")),
    }
}

/// The lines of a file.
struct Lines<'a, R> {
    path: &'a Path,
    lines: R,
}

impl<R: BufRead> Lines<'_, R> {
    fn damaged(&self, why: String) -> ArchiveError {
        ArchiveError::Damaged { path: self.path.to_owned(), why }
    }

    /// The next line, as it is written and as it is read.
    fn next<T: DeserializeOwned>(&mut self) -> Result<(String, T), ArchiveError> {
        let mut text = String::new();
        let read = (&mut self.lines).take(LINE_BYTES_MAX).read_line(&mut text);
        let parsed = read.and_then(|_| Ok(serde_json::from_str(&text)?));
        let parsed = parsed.map_err(|error| self.damaged(error.to_string()))?;
        text.truncate(text.trim_end().len());
        Ok((text, parsed))
    }

    fn block(
        &mut self,
        first: EntryNumber,
        before: Option<Sha256Digest>,
    ) -> Result<(Block, Sha256Digest), ArchiveError> {
        let last = bounds(first).1;
        let mut block =
            Block { entries: Vec::new(), lines: Vec::new(), digest: Sha256Digest::default() };
        for number in first.0..=last.0 {
            let (text, line): (_, Line) = self.next()?;
            let past = line.past().filter(|past| past.number.0 == number);
            block.entries.push(past.ok_or_else(|| self.damaged(format!("entry {number}")))?);
            block.lines.push((text, line));
        }
        let (_, seal): (_, Seal) = self.next()?;
        block.digest = block::digest(first, last, &block.content());
        let proved = seal.block == first
            && seal.digest == block.digest
            && seal.chain == link(before, block.digest);
        let proved = proved.then_some((block, seal.chain));
        proved.ok_or_else(|| self.damaged(format!("the digest of the block of entry {first}")))
    }

    /// Whether there is nothing more.
    fn end(&mut self) -> Result<bool, ArchiveError> {
        let left = self.lines.fill_buf().map(<[u8]>::is_empty);
        left.map_err(|error| self.damaged(error.to_string()))
    }
}
