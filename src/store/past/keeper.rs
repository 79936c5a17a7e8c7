//! The past as a node keeps it: what turns out to be damaged, a block or the whole file, is missing
//! from then on, and is fetched again from the other banks.

use std::path::{Path, PathBuf};

use super::{Archived, Numbers, PastPlace, PastReader, PastWriter, SqlitePlace};
use crate::ids::BankId;
use crate::ledger::past::{EntryNumber, PastEntry};
use crate::store::StoreError;

/// A [`PastWriter`] that starts over where the file is damaged.
pub struct Past {
    place: Box<dyn PastPlace>,
    bank: BankId,
    writer: PastWriter,
    /// Where damaged files were put, and what was wrong with them, until somebody is told.
    aside: Vec<(PathBuf, StoreError)>,
    /// How often it was started over: readers must open the new file.
    generation: u32,
}

impl Past {
    /// Opens the past in a data folder that this process has locked; a damaged file is put aside.
    ///
    /// # Errors
    /// [`StoreError`] when the folder cannot be used, or the file is another bank's.
    pub fn open(folder: &Path, bank: BankId) -> Result<Self, StoreError> {
        Past::at(Box::new(SqlitePlace::new(folder)), bank)
    }

    /// The same wherever it is.
    pub(in crate::store) fn at(
        place: Box<dyn PastPlace>,
        bank: BankId,
    ) -> Result<Self, StoreError> {
        let mut aside = Vec::new();
        let open = || place.open().and_then(|table| PastWriter::on(table, bank));
        let writer = match open() {
            Err(damage @ StoreError::Damaged { .. }) => {
                aside.push((place.put_aside()?, damage));
                open()?
            }
            opened => opened?,
        };
        Ok(Past { place, bank, writer, aside, generation: 0 })
    }

    /// Where damaged files were put since the last call, and what was wrong with them.
    pub(crate) fn take_aside(&mut self) -> Vec<(PathBuf, StoreError)> {
        std::mem::take(&mut self.aside)
    }

    /// [`PastWriter::take_forgotten`]
    pub(crate) fn take_forgotten(&mut self) -> Vec<EntryNumber> {
        self.writer.take_forgotten()
    }

    /// How often the file was replaced by a new one.
    #[must_use]
    pub(crate) fn generation(&self) -> u32 {
        self.generation
    }

    /// [`PastWriter::last`]
    #[must_use]
    pub fn last(&self) -> EntryNumber {
        self.writer.last()
    }

    /// [`PastWriter::on_disk`]
    #[must_use]
    pub fn on_disk(&self) -> EntryNumber {
        self.writer.on_disk()
    }

    /// [`PastWriter::missing`]
    #[must_use]
    pub fn missing(&self) -> &[Numbers] {
        self.writer.missing()
    }

    /// [`PastWriter::archived`]
    #[must_use]
    pub fn archived(&self) -> Option<&Archived> {
        self.writer.archived()
    }

    /// [`PastWriter::let_go`]
    pub(super) fn let_go(&mut self, archived: Archived) -> Result<(), StoreError> {
        self.writer.let_go(archived)
    }

    /// [`PastWriter::give_up`]
    ///
    /// # Errors
    /// [`StoreError`] when the disk cannot be used.
    pub fn give_up(&mut self, archived: &Archived) -> Result<bool, StoreError> {
        self.healing(|writer| writer.give_up(archived))
    }

    /// Gives the room of what was let go back to the disk, where the engine does not do so itself.
    pub(super) fn give_back(&mut self) -> Result<(), StoreError> {
        self.writer.table.give_back()
    }

    /// [`PastWriter::reader`]
    ///
    /// # Errors
    /// [`StoreError`] when the disk cannot be used.
    pub fn reader(&self) -> Result<PastReader, StoreError> {
        self.writer.reader()
    }

    /// Opens readers, also on other threads.
    pub(crate) fn opener(
        &self,
    ) -> impl Fn() -> Result<PastReader, StoreError> + Clone + Send + use<> {
        let opener = self.writer.opener();
        move || PastReader::open(&opener)
    }

    /// [`PastWriter::append`]
    ///
    /// # Errors
    /// [`StoreError`] when the disk cannot be used.
    pub fn append(&mut self, entries: &[PastEntry]) -> Result<(), StoreError> {
        self.healing(|writer| writer.append(entries))
    }

    /// [`PastWriter::reaches`]
    pub fn reaches(&mut self, last: EntryNumber) {
        self.writer.reaches(last);
    }

    /// [`PastWriter::commit`]
    ///
    /// # Errors
    /// [`StoreError`] when the disk cannot be used.
    pub fn commit(&mut self, sync: bool) -> Result<EntryNumber, StoreError> {
        self.healing(|writer| writer.commit(sync))
    }

    /// [`PastWriter::fill`]
    ///
    /// # Errors
    /// [`StoreError`] when the disk cannot be used.
    pub fn fill(&mut self, first: EntryNumber, content: &[u8]) -> Result<bool, StoreError> {
        self.healing(|writer| writer.fill(first, content))
    }

    /// A reader found the blocks of these entries damaged: they are missing from now on. Without
    /// any, the file as a whole is damaged.
    ///
    /// # Errors
    /// [`StoreError`] when the disk cannot be used.
    pub(crate) fn forget(&mut self, numbers: &[EntryNumber]) -> Result<(), StoreError> {
        if numbers.is_empty() {
            let why = "a reader could not make sense of it".to_owned();
            return self.start_over(self.writer.damaged(why));
        }
        self.healing(|writer| numbers.iter().try_for_each(|number| writer.forget(*number)))
    }

    /// Does something with the writer; if the file makes no sense, once more with a new one.
    fn healing<R>(
        &mut self,
        mut with: impl FnMut(&mut PastWriter) -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        match with(&mut self.writer) {
            Err(damage @ StoreError::Damaged { .. }) => {
                self.start_over(damage)?;
                with(&mut self.writer)
            }
            done => done,
        }
    }

    fn start_over(&mut self, damage: StoreError) -> Result<(), StoreError> {
        let (last, archived) = (self.writer.last(), self.writer.archived().cloned());
        self.aside.push((self.place.put_aside()?, damage));
        self.writer = PastWriter::on(self.place.open()?, self.bank)?;
        self.generation += 1;
        self.writer.reaches(last);
        // What is in archive files is not fetched from the others.
        archived.map_or(Ok(()), |archived| self.writer.let_go(archived))
    }
}
