//! Wall clocks that can be set while the processes run: a process under Debian's libfaketime reads
//! in a file how far its clock is from the true one. The monotonic clock is not touched.

use std::path::{Path, PathBuf};

const MISSING: &str = "THE TESTS OF WRONG CLOCKS NEED libfaketime: run .ci/run, which installs it, or apt-get install faketime";
/// What a right clock is off by.
pub(crate) const RIGHT: &str = "+0";

/// The clocks of a consortium, each in a file of this folder.
pub(crate) struct Clocks {
    folder: PathBuf,
}

impl Clocks {
    pub(crate) fn in_folder(folder: &Path) -> Clocks {
        Clocks { folder: folder.to_owned() }
    }

    /// The environment variables that put a process under a clock that can be set.
    pub(crate) fn variables(&self, bank: usize) -> [(&'static str, String); 6] {
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        [
            ("LD_PRELOAD", text(&library())),
            ("FAKETIME_TIMESTAMP_FILE", text(&self.file(bank))),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
            ("DONT_FAKE_MONOTONIC", "1".to_owned()),
            ("NO_FAKE_STAT", "1".to_owned()),
        ]
    }

    fn file(&self, bank: usize) -> PathBuf {
        self.folder.join(format!("clock-{bank}"))
    }

    /// The file is written beside the old one and renamed, so that nobody reads half of it.
    pub(crate) fn set(&self, bank: usize, shift: &str) {
        let beside = self.folder.join(format!("clock-{bank}-next"));
        std::fs::write(&beside, format!("{shift}\n")).unwrap();
        std::fs::rename(beside, self.file(bank)).unwrap();
    }
}

/// The library lies in a folder of the machine's architecture.
fn library() -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib").unwrap().flatten().map(|entry| entry.path());
    let places = folders.chain(["/usr/lib", "/usr/local/lib"].map(PathBuf::from));
    let mut found = places
        .map(|folder| folder.join("faketime/libfaketimeMT.so.1"))
        .filter(|path| path.exists());
    found.next().expect(MISSING)
}

/// Removes what a process that was killed under such a clock leaves in shared memory, if anything.
pub(crate) fn clear_up_after(process_id: u32) {
    for name in [format!("faketime_shm_{process_id}"), format!("sem.faketime_sem_{process_id}")] {
        let _ = std::fs::remove_file(Path::new("/dev/shm").join(name));
    }
}
