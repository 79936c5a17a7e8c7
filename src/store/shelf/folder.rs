//! A shelf that is a folder.

use std::borrow::Cow;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::ops::Range;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Contents, Shelf, copy, end, put, take};
use crate::ids::Sha256Digest;
use crate::ledger::book::{Rows, Run};
use crate::store::StoreError;
use crate::store::aside::put_aside_as;

/// Name of the folder in the data folder.
pub(in crate::store) const FOLDER_NAME: &str = "keys";
/// How the name of a run's file ends, behind its number,
const RUN: &str = "run";
/// that of its outline,
const OUTLINE: &str = "outline";
/// and that of one which is being written.
const UNFINISHED: &str = "new";

/// Runs as files of a folder that this process has locked.
#[derive(Clone, Debug)]
pub struct FolderShelf {
    folder: PathBuf,
}

/// The file of a run.
#[derive(Debug)]
struct Kept {
    path: PathBuf,
    file: File,
}

impl FolderShelf {
    /// The shelf of a data folder, which is made if it is not there.
    ///
    /// # Errors
    /// [`StoreError::Open`] when the system refuses.
    pub fn open(data: &Path) -> Result<Self, StoreError> {
        let folder = data.join(FOLDER_NAME);
        let cannot = |error: std::io::Error| refused(&folder, &error);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(cannot)?;
        Ok(FolderShelf { folder })
    }

    fn path(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{number}.{RUN}"))
    }

    /// Writes a file that is there as a whole or not at all.
    fn write_file(&self, path: &Path, content: &[u8]) -> std::io::Result<()> {
        let unfinished = path.with_extension(UNFINISHED);
        let mut options = OpenOptions::new();
        let mut file =
            options.write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&unfinished, path)?;
        // The name has to be on disk, too.
        File::open(&self.folder)?.sync_all()
    }

    /// Reads a run by its outline; `None` if there is none, or not of this run.
    fn outlined(&self, number: u64, digest: Sha256Digest) -> Result<Option<Run>, StoreError> {
        // Whatever is wrong with it: the run is read instead.
        let Ok(outline) = fs::read(self.path(number).with_extension(OUTLINE)) else {
            return Ok(None);
        };
        let run = self.rows(number)?.and_then(|rows| Run::outlined(&outline, digest, rows));
        Ok(run.filter(|run| run.number() == number))
    }

    /// Writes the outline of a run that is here.
    fn outline(&self, run: &Run) -> Result<(), StoreError> {
        if self.outlined(run.number(), run.digest())?.is_some() {
            return Ok(());
        }
        let path = self.path(run.number()).with_extension(OUTLINE);
        self.write_file(&path, &run.outline()).map_err(|error| failed(&path, &error))
    }

    /// The numbers of the files that are here, with their names.
    fn files(&self) -> Result<Vec<(u64, PathBuf)>, StoreError> {
        let cannot = |error: std::io::Error| failed(&self.folder, &error);
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(cannot)? {
            let name = entry.map_err(cannot)?.file_name();
            let stem = name.to_str().and_then(|name| name.split_once('.'));
            let number = stem.and_then(|(stem, _)| stem.parse().ok());
            files.extend(number.map(|number| (number, self.folder.join(name))));
        }
        Ok(files)
    }
}

/// Takes runs that are files of a data folder, which this process has locked, to another shelf, and
/// puts them aside: earlier releases kept them there also where the journal was in a database.
///
/// # Errors
/// [`StoreError`] of the side that fails.
pub(in crate::store) fn fetch_from_folder(
    data: &Path,
    to: &impl Contents,
) -> Result<(), StoreError> {
    let folder = data.join(FOLDER_NAME);
    if !folder.exists() || fs::remove_dir(&folder).is_ok() {
        return Ok(());
    }
    copy(&FolderShelf { folder }, to)?;
    let aside = put_aside_as("moved", data, &[FOLDER_NAME])?;
    log::info!(
        "idempotency keys are in the database now, and what was moved in {}",
        aside.display()
    );
    Ok(())
}

/// The next start reads this run itself, and finds out what is wrong with it.
fn read_all_next_time(run: &Path) {
    // If it cannot be removed, the run is found to be damaged as often as it is looked at.
    let _ = fs::remove_file(run.with_extension(OUTLINE));
}

fn refused(path: &Path, error: &std::io::Error) -> StoreError {
    StoreError::Open { path: path.to_owned(), why: error.to_string() }
}

fn failed(path: &Path, error: &std::io::Error) -> StoreError {
    StoreError::Failed { path: path.to_owned(), why: error.to_string() }
}

impl Contents for FolderShelf {
    fn numbers(&self) -> Result<Vec<u64>, StoreError> {
        let runs = self.files()?.into_iter();
        let mut numbers: Vec<_> = runs
            .filter_map(|(number, path)| (path == self.path(number)).then_some(number))
            .collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    fn content(&self, number: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.path(number);
        match fs::read(&path) {
            Ok(content) => Ok(Some(content)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(refused(&path, &error)),
        }
    }

    fn write(&self, number: u64, content: &[u8]) -> Result<(), StoreError> {
        let path = self.path(number);
        self.write_file(&path, content).map_err(|error| failed(&path, &error))
    }

    fn make_safe(&self, _: u64) -> Result<(), StoreError> {
        // A file has its name only once it is on disk.
        Ok(())
    }

    fn rows(&self, number: u64) -> Result<Option<Arc<dyn Rows>>, StoreError> {
        let path = self.path(number);
        match File::open(&path) {
            Ok(file) => Ok(Some(Arc::new(Kept { path, file }))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(refused(&path, &error)),
        }
    }

    fn damaged(&self, why: String) -> StoreError {
        StoreError::Damaged { path: self.folder.clone(), why }
    }
}

impl Shelf for FolderShelf {
    fn put(&self, run: &Run) -> Result<Run, StoreError> {
        let kept = put(self, run)?;
        self.outline(run)?;
        Ok(kept)
    }

    fn take(&self, number: u64, digest: Sha256Digest) -> Result<Option<Run>, StoreError> {
        take(self, number, digest)
    }

    fn known(&self, number: u64, digest: Sha256Digest) -> Result<Option<Run>, StoreError> {
        match self.outlined(number, digest)? {
            Some(run) => Ok(Some(run)),
            None => self.take(number, digest),
        }
    }

    fn prove(&self, number: u64, digest: Sha256Digest) -> Result<(), StoreError> {
        let proved = self.take(number, digest);
        if matches!(proved, Err(StoreError::Damaged { .. })) {
            read_all_next_time(&self.path(number));
        }
        proved?.map_or(Ok(()), |run| self.outline(&run))
    }

    fn drop_before(&self, number: u64) -> Result<(), StoreError> {
        let gone = self.files()?.into_iter().filter(|(of, _)| *of < number);
        for (_, path) in gone {
            fs::remove_file(&path).map_err(|error| failed(&path, &error))?;
        }
        Ok(())
    }
}

impl Rows for Kept {
    fn read(&self, range: Range<usize>) -> Cow<'_, [u8]> {
        let mut bytes = vec![0; range.len()];
        match self.file.read_exact_at(&mut bytes, range.start as u64) {
            Ok(()) => Cow::Owned(bytes),
            Err(error) => {
                read_all_next_time(&self.path);
                end(&refused(&self.path, &error))
            }
        }
    }

    fn give_up(&self, why: &str) -> ! {
        read_all_next_time(&self.path);
        end(&StoreError::Damaged { path: self.path.clone(), why: why.to_owned() })
    }
}
