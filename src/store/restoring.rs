//! Putting a ledger together from the pieces of a snapshot, and from the runs of keys that it
//! names.

use std::path::PathBuf;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use super::shelf::Shelf;
use super::shelf::reference::Reference;
use super::{JournalReader, StoreError};
use crate::ids::Sha256Digest;
use crate::ledger::Book;
use crate::ledger::book::{
    BadSnapshot, Lines, Reader, Run, RunName, is_of_earlier_release, names_in,
};
use crate::protocol::snapshot::{
    SnapshotHead, SnapshotPiece, chained, chained_as_before, digest_of,
};

/// How many pieces of a snapshot may be read before they are put together: a megabyte each.
const PIECES_AHEAD: usize = 8;

/// More pieces than the keys of a snapshot take that are in no run: those of two spans, were each
/// answer four kilobytes long. Whoever looks behind them in vain would not fetch what is named.
const UNSEALED_PIECES_MAX: usize = 512;

/// A piece of a snapshot, by its place.
type PieceAt<'a> = &'a mut dyn FnMut(u32) -> Result<Option<SnapshotPiece>, StoreError>;

/// The pieces of a snapshot that name runs, from the last to the first. Names stand before the last
/// pieces, which have the keys that are in no run.
fn names_from_the_end(pieces: u32, piece: PieceAt<'_>) -> impl Iterator<Item = Vec<RunName>> {
    // What is damaged is of no use, and found to be so later.
    let mut names = |index: u32| runs_in(&piece(index).ok().flatten()?.text);
    let mut left = (0..pieces).rev();
    let last = left.by_ref().take(UNSEALED_PIECES_MAX).find_map(&mut names);
    let has_any = last.is_some();
    last.into_iter().chain(left.filter(move |_| has_any).map_while(names))
}

/// The first run of keys that a snapshot of so many pieces names.
pub(super) fn first_named(pieces: u32, piece: PieceAt<'_>) -> Option<u64> {
    names_from_the_end(pieces, piece).last()?.first().map(|name| name.number)
}

/// The runs that a piece of a snapshot names, if it has nothing else.
fn runs_in(piece: &str) -> Option<Vec<RunName>> {
    // On disks of earlier releases, a piece for each part of a run names it.
    let of_earlier = |of: Reference| RunName { number: of.run, digest: of.digest };
    Reference::read(piece).map(|reference| vec![of_earlier(reference)]).or_else(|| names_in(piece))
}

/// What became of a snapshot that was to be restored.
pub(super) enum Restored {
    /// The ledger.
    Book(Box<Book>),
    /// These runs have to be fetched first.
    Lacks(Vec<RunName>),
    /// It is not what its head says.
    Unfit,
}

/// Restores a snapshot that has arrived.
///
/// # Errors
/// [`StoreError`] when the disk fails.
pub(super) fn restore_arrived(
    reader: &mut dyn JournalReader,
    head: &SnapshotHead,
    blank: Book,
) -> Result<Restored, StoreError> {
    let shelf = reader.shelf();
    let mut names: Vec<_> =
        names_from_the_end(head.pieces, &mut |index| reader.arriving_piece(index)).collect();
    names.reverse();
    let mut lacking = names.concat();
    // One that is damaged is fetched as one that is gone.
    let is_here = |shelf: &dyn Shelf, name: &RunName| {
        matches!(shelf.known(name.number, name.digest), Ok(Some(_)))
    };
    lacking.retain(|name| !shelf.as_ref().is_some_and(|shelf| is_here(&**shelf, name)));
    if !lacking.is_empty() {
        let can_fetch = shelf.is_some();
        return Ok(if can_fetch { Restored::Lacks(lacking) } else { Restored::Unfit });
    }
    let mut restoring = Restoring::begin(blank);
    for index in 0..head.pieces {
        let piece = reader.arriving_piece(index)?.filter(|piece| piece.head == *head);
        let Some(piece) = piece else { return Ok(Restored::Unfit) };
        restoring = match restoring.take(&piece.text, shelf.as_deref()) {
            // It names what nobody was asked for.
            Err(StoreError::Damaged { .. }) => return Ok(Restored::Unfit),
            taken => taken?,
        };
    }
    Ok(restoring.finish(head).map_or(Restored::Unfit, |book| Restored::Book(Box::new(book))))
}

/// A ledger that is being restored from a snapshot: one thread reads the disk and the lines,
/// another one puts them together.
pub(crate) struct Restoring {
    /// What the pieces hash to, as far as they have come; nothing where a run has stood in the
    /// place of some, which was proved by itself.
    digest: Option<Sha256Digest>,
    /// Whether the head chains the text itself, as heads of earlier releases do.
    is_earlier: bool,
    /// How many positions the ledger seals together.
    span: u64,
    parts: SyncSender<Part>,
    book: JoinHandle<Result<Book, BadSnapshot>>,
}

/// A part of a snapshot.
enum Part {
    Lines(Lines),
    Run(Run),
}

impl Restoring {
    pub(crate) fn begin(blank: Book) -> Restoring {
        let (parts, taken) = sync_channel(PIECES_AHEAD);
        let span = blank.span();
        let book = std::thread::spawn(move || {
            let mut reader = Reader::of(blank);
            taken.iter().try_for_each(|part| match part {
                Part::Lines(lines) => reader.take(lines),
                Part::Run(run) => reader.take_run(run),
            })?;
            reader.finish()
        });
        Restoring { digest: Some(Sha256Digest::default()), is_earlier: false, span, parts, book }
    }

    /// Takes the next piece.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when a run that it names is gone or damaged.
    pub(crate) fn take(
        self,
        piece: &str,
        shelf: Option<&dyn Shelf>,
    ) -> Result<Restoring, StoreError> {
        if let Some(reference) = Reference::read(piece) {
            // The head of such a snapshot is about the text of the run.
            if reference.part == 0 {
                let name = RunName { number: reference.run, digest: reference.digest };
                self.send(Part::Run(named(name, shelf, self.span)?));
            }
            return Ok(Restoring { digest: None, ..self });
        }
        match names_in(piece) {
            Some(names) => {
                for name in names {
                    self.send(Part::Run(named(name, shelf, self.span)?));
                }
            }
            None => self.send(Part::Lines(Lines::read(piece))),
        }
        let is_earlier = self.is_earlier || is_of_earlier_release(piece);
        let digest = self.digest.map(|digest| match is_earlier {
            true => chained_as_before(digest, piece),
            false => chained(digest, digest_of(piece)),
        });
        Ok(Restoring { digest, is_earlier, ..self })
    }

    fn send(&self, part: Part) {
        // If the other thread has ended, what was wrong is found at the end.
        let _ = self.parts.send(part);
    }

    /// The ledger, if it is what the head says.
    pub(crate) fn finish(self, head: &SnapshotHead) -> Option<Book> {
        let Restoring { digest, parts, book, .. } = self;
        drop(parts);
        let book = book.join().ok()?.ok()?;
        let is_whole = digest.is_none_or(|digest| digest == head.digest);
        let is_it = is_whole && (book.position(), book.hash()) == (head.position, head.hash);
        is_it.then_some(book)
    }
}

/// The run that a snapshot names, for a ledger that seals so many positions together.
fn named(name: RunName, shelf: Option<&dyn Shelf>, span: u64) -> Result<Run, StoreError> {
    let RunName { number, digest } = name;
    let found = shelf.map_or(Ok(None), |shelf| match shelf.known(number, digest)? {
        Some(run) if !run.is_of_use(span) => shelf.take(number, digest),
        known => Ok(known),
    });
    found?.ok_or_else(|| {
        let path = PathBuf::from("keys").join(number.to_string());
        StoreError::Damaged { path, why: "a run of keys that the snapshot names is gone".into() }
    })
}
