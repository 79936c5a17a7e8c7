//! A bank's own folder: one process at a time, and nobody else on the machine.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use crate::store::StoreError;

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
