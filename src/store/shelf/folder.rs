//! A shelf that is a folder.

use std::borrow::Cow;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::ops::Range;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::Shelf;
use crate::ids::Sha256Digest;
use crate::ledger::book::{Rows, Run};
use crate::store::StoreError;

/// Name of the folder in the data folder.
const FOLDER_NAME: &str = "keys";
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
    fn write(&self, path: &Path, content: &[u8]) -> std::io::Result<()> {
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

    /// Whether a file has this digest already: a ledger that is rebuilt makes its runs again.
    fn has(&self, path: &Path, digest: Sha256Digest) -> bool {
        fs::read(path).is_ok_and(|content| Sha256::digest(content)[..] == digest.0[..])
    }
}

fn refused(path: &Path, error: &std::io::Error) -> StoreError {
    StoreError::Open { path: path.to_owned(), why: error.to_string() }
}

fn failed(path: &Path, error: &std::io::Error) -> StoreError {
    StoreError::Failed { path: path.to_owned(), why: error.to_string() }
}

fn damaged(path: &Path, why: &str) -> StoreError {
    StoreError::Damaged { path: path.to_owned(), why: why.to_owned() }
}

impl Shelf for FolderShelf {
    fn put(&self, run: &Run) -> Result<Run, StoreError> {
        let path = self.path(run.number());
        if !self.has(&path, run.digest()) {
            self.write(&path, &run.content()).map_err(|error| failed(&path, &error))?;
        }
        let file = File::open(&path).map_err(|error| refused(&path, &error))?;
        Ok(run.kept_in(Arc::new(Kept { path, file })))
    }

    fn take(&self, number: u64, digest: Sha256Digest) -> Result<Option<Run>, StoreError> {
        let path = self.path(number);
        let read = || -> std::io::Result<_> {
            let file = File::open(&path)?;
            Ok((fs::read(&path)?, file))
        };
        let (content, file) = match read() {
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(refused(&path, &error)),
        };
        let kept = Arc::new(Kept { path: path.clone(), file });
        let run = Run::read(&content, digest, kept).filter(|run| run.number() == number);
        run.map(Some).ok_or_else(|| damaged(&path, "it is not the run that was written"))
    }

    fn drop_before(&self, number: u64) -> Result<(), StoreError> {
        let cannot = |error: std::io::Error| failed(&self.folder, &error);
        for entry in fs::read_dir(&self.folder).map_err(cannot)? {
            let name = entry.map_err(cannot)?.file_name();
            let stem = name.to_str().and_then(|name| name.split_once('.'));
            let of = stem.and_then(|(stem, _)| stem.parse::<u64>().ok());
            if of.is_some_and(|of| of < number) {
                fs::remove_file(self.folder.join(name)).map_err(cannot)?;
            }
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
        end(&damaged(&self.path, why))
    }
}

/// Whether a key was used cannot be told, and nobody may guess: the next start makes the run again
/// or gets everything from the other banks.
fn end(error: &StoreError) -> ! {
    log::error!("KEYS UNREADABLE: {error}");
    log::logger().flush();
    std::process::exit(1);
}
