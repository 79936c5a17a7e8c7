//! Putting files aside that are damaged or were moved. Nothing is ever deleted.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::StoreError;

/// Moves files of a data folder into a folder of their own, in the order of their names; returns
/// that folder. The caller holds the lock on the data folder.
///
/// # Errors
/// [`StoreError::Open`] when the system refuses.
pub(super) fn put_aside(folder: &Path, names: &[&str]) -> Result<PathBuf, StoreError> {
    put_aside_as("damaged", folder, names)
}

/// The same with a word that the folder's name begins with.
pub(super) fn put_aside_as(
    word: &str,
    folder: &Path,
    names: &[&str],
) -> Result<PathBuf, StoreError> {
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    // The clock may stand still or be set back: a name that is already taken must not keep the bank
    // from starting.
    let numbers =
        (0_u32..).map(|number| if number == 0 { String::new() } else { format!("-{number}") });
    let mut free = numbers
        .map(|number| folder.join(format!("{word}-{now_ms}{number}")))
        .filter(|aside| !aside.exists());
    let aside = free.next().expect("a folder does not hold that many");
    let cannot =
        |error: std::io::Error| StoreError::Open { path: aside.clone(), why: error.to_string() };
    std::fs::create_dir(&aside).map_err(cannot)?;
    for name in names {
        let file = folder.join(name);
        if file.exists() {
            std::fs::rename(&file, aside.join(name)).map_err(cannot)?;
        }
    }
    // The names have to be on disk before anything new is promised under them.
    std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(cannot)?;
    Ok(aside)
}
