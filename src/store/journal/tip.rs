//! How many commits the disk has made, kept in a small file next to the journal.
//!
//! SQLite takes whatever part of its write-ahead log is intact: a log that was cut or damaged looks
//! like a crash that came earlier. The tip is written after each commit that is on disk, so a tip
//! ahead of the journal proves that the journal has lost something. It is not synced, which saves
//! time: it may lag behind, and that proves nothing.
//!
//! After an fsync that failed it also says so. The kernel may count pages as written that never
//! reached the disk, and a process that starts again would read them and vouch for them (A. Rebello
//! and others, 'Can Applications Recover from fsync Failures?', 2020). The mark has to last only as
//! long as those pages do: as long as the machine runs. It overwrites bytes that are there already,
//! so that a full disk does not refuse it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::digest::row_digest;

/// Name of the file in the data folder.
pub(in crate::store) const FILE_NAME: &str = "journal.tip";
/// Bytes of a disk's name, which is a UUID in its usual form.
const DISK_BYTES: usize = 36;
const BYTES: usize = DISK_BYTES + 8 + 16;
/// Goes into the digest of a tip that says that an fsync has failed, so that the digest differs.
const DOUBT: &[u8] = b"doubt";

/// What the file says.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::store) struct Said {
    pub(in crate::store) disk: String,
    pub(in crate::store) commits: u64,
    /// Whether an fsync has failed since the disk was last known to be whole.
    pub(in crate::store) in_doubt: bool,
}

/// The file.
pub(in crate::store) struct Tip {
    path: PathBuf,
    file: Option<File>,
}

impl Tip {
    pub(in crate::store) fn in_folder(folder: &Path) -> Self {
        Tip { path: folder.join(FILE_NAME), file: None }
    }

    /// What the file says; `None` if it is missing or torn.
    pub(in crate::store) fn read(&self) -> Option<Said> {
        let mut bytes = Vec::new();
        File::open(&self.path).ok()?.take(BYTES as u64 + 1).read_to_end(&mut bytes).ok()?;
        let (disk, rest) = bytes.split_at_checked(DISK_BYTES)?;
        let (commits, digest) = rest.split_at_checked(8)?;
        let in_doubt = digest == row_digest(&[disk, commits, DOUBT]);
        if !in_doubt && digest != row_digest(&[disk, commits]) {
            return None;
        }
        let commits = u64::from_be_bytes(commits.try_into().expect("it was split after 8 bytes"));
        Some(Said { disk: String::from_utf8(disk.to_vec()).ok()?, commits, in_doubt })
    }

    pub(in crate::store) fn write(&mut self, disk: &str, commits: u64) -> io::Result<()> {
        let commits = commits.to_be_bytes();
        let digest = row_digest(&[disk.as_bytes(), &commits]);
        self.file()?.write_all_at(&[disk.as_bytes(), &commits, &digest].concat(), 0)
    }

    /// Records that an fsync has failed.
    pub(in crate::store) fn doubt(&mut self, disk: &str, commits: u64) -> io::Result<()> {
        let commits = commits.to_be_bytes();
        let digest = row_digest(&[disk.as_bytes(), &commits, DOUBT]);
        let file = self.file()?;
        file.write_all_at(&[disk.as_bytes(), &commits, &digest].concat(), 0)?;
        // It does not matter whether this succeeds: see above.
        let _ = file.sync_data();
        Ok(())
    }

    fn file(&mut self) -> io::Result<&File> {
        let file = match self.file.take() {
            Some(file) => file,
            None => OpenOptions::new()
                .create(true)
                .truncate(false)
                .write(true)
                .mode(0o600)
                .open(&self.path)?,
        };
        Ok(self.file.insert(file))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tip_is_read_back_and_a_torn_one_says_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut tip = Tip::in_folder(folder.path());
        assert_eq!(tip.read(), None);
        let disk = uuid::Uuid::new_v4().to_string();
        tip.write(&disk, 6).unwrap();
        tip.write(&disk, 7).unwrap();
        assert_eq!(tip.read(), Some(Said { disk: disk.clone(), commits: 7, in_doubt: false }));
        tip.doubt(&disk, 7).unwrap();
        assert_eq!(tip.read(), Some(Said { disk, commits: 7, in_doubt: true }));
        let path = folder.path().join(FILE_NAME);
        let whole = std::fs::read(&path).unwrap();
        for place in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[place] ^= 1;
            std::fs::write(&path, &bytes).unwrap();
            assert_eq!(tip.read(), None, "byte {place}");
            std::fs::write(&path, &whole[..place]).unwrap();
            assert_eq!(tip.read(), None, "cut at {place}");
        }
    }
}
