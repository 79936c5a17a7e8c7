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
        put(self, run)
    }

    fn take(&self, number: u64, digest: Sha256Digest) -> Result<Option<Run>, StoreError> {
        take(self, number, digest)
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
            Err(error) => end(&refused(&self.path, &error)),
        }
    }

    fn give_up(&self, why: &str) -> ! {
        end(&StoreError::Damaged { path: self.path.clone(), why: why.to_owned() })
    }
}
