//! A bank's own folder: one process at a time, and nobody else on the machine.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use crate::store::StoreError;

/// Name of the file that says that the journal is in a database.
const ELSEWHERE_NAME: &str = "journal.elsewhere";
/// Name of the file that is locked while a process uses the folder.
const LOCK_NAME: &str = "journal.lock";

/// Takes a data folder for this process, making it if it is not there. The journal holds documents
/// and password hashes: only the node's own user may enter the folder.
pub(in crate::store) fn lock(folder: &Path) -> Result<File, StoreError> {
    let path = folder.join(LOCK_NAME);
    let cannot =
        |error: std::io::Error| StoreError::Open { path: path.clone(), why: error.to_string() };
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(cannot)?;
    let file =
        OpenOptions::new().create(true).append(true).mode(0o600).open(&path).map_err(cannot)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse { path }),
        Err(TryLockError::Error(error)) => Err(cannot(error)),
    }
}

/// Makes sure that a bank's journal is not in a database, whose place an empty file would take.
///
/// # Errors
/// [`StoreError::Elsewhere`]
pub(in crate::store) fn check_here(folder: &Path) -> Result<(), StoreError> {
    match folder.join(ELSEWHERE_NAME).exists() {
        true => Err(StoreError::Elsewhere {
            folder: folder.to_owned(),
            found: "in a database",
            wanted: "in this folder",
        }),
        false => Ok(()),
    }
}

/// Makes sure that a bank's journal is not a file in its folder. What is left of one that was
/// carried into a database does not count.
///
/// # Errors
/// [`StoreError::Elsewhere`]
pub(in crate::store) fn check_not_here(folder: &Path, file: &str) -> Result<(), StoreError> {
    match folder.join(file).exists() && !folder.join(ELSEWHERE_NAME).exists() {
        true => Err(StoreError::Elsewhere {
            folder: folder.to_owned(),
            found: "in this folder",
            wanted: "in a database",
        }),
        false => Ok(()),
    }
}

/// From now on, the journal is in a database, or is not any more.
///
/// # Errors
/// [`StoreError::Open`] when the system refuses.
pub(in crate::store) fn keep_elsewhere(
    folder: &Path,
    is_elsewhere: bool,
) -> Result<(), StoreError> {
    let path = folder.join(ELSEWHERE_NAME);
    if path.exists() == is_elsewhere {
        return Ok(());
    }
    let done = match is_elsewhere {
        true => make_private(&path).map(|_| ()),
        false => std::fs::remove_file(&path),
    };
    // If the machine loses its power, it must not come back with the journal that was before.
    let done = done.and_then(|()| File::open(folder)?.sync_all());
    done.map_err(|error| StoreError::Open { path, why: error.to_string() })
}

/// Makes the file if it is not there and returns its length. SQLite gives its companion files the
/// same mode.
pub(in crate::store) fn make_private(file: &Path) -> std::io::Result<u64> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(file)?
        .metadata()
        .map(|found| found.len())
}
