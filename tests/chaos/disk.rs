//! A small disk that can be filled: a tmpfs of its own, with a ballast file.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Size of a small disk, in MiB; far more than a run writes.
const SMALL_DISK_MIB: usize = 512;
/// The sizes of the pieces in which the ballast is written, in bytes: large ones until one does
/// not fit, then the smallest.
const PIECES_BYTES: [usize; 2] = [1024 * 1024, 4_096];

pub(crate) struct SmallDisk {
    folder: PathBuf,
}

impl SmallDisk {
    /// Mounts a small disk; `None` where this process may not mount.
    pub(crate) fn mount(folder: &Path) -> Option<SmallDisk> {
        std::fs::create_dir_all(folder).unwrap();
        let size = format!("size={SMALL_DISK_MIB}m,mode=0700");
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", &size, "netbanking-chaos"])
            .arg(folder)
            .stderr(Stdio::null());
        let mounted = mount.status().is_ok_and(|status| status.success());
        mounted.then(|| SmallDisk { folder: folder.to_owned() })
    }

    fn ballast(&self) -> PathBuf {
        self.folder.join("ballast")
    }

    /// Returns a function that fills the disk, which takes a moment.
    pub(crate) fn filling(&self) -> impl FnOnce() + Send + 'static {
        let ballast = self.ballast();
        move || {
            let mut ballast = File::create(ballast).unwrap();
            for bytes in PIECES_BYTES {
                let piece = vec![0x5a; bytes];
                while ballast.write_all(&piece).is_ok() {}
            }
        }
    }

    pub(crate) fn free(&self) {
        // Not there unless the disk was filled.
        let _ = std::fs::remove_file(self.ballast());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily, so that a process that still ends does not keep it.
        let unmounted = Command::new("umount").arg("--lazy").arg(&self.folder).status();
        if !unmounted.is_ok_and(|status| status.success()) {
            eprintln!("{} could not be unmounted", self.folder.display());
        }
    }
}
