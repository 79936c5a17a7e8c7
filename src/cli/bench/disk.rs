//! How often per second a disk makes a small write durable: what limits everything that a journal
//! can do.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use uuid::Uuid;

/// For how long the disk is measured.
const MEASURED_FOR: Duration = Duration::from_secs(1);
/// Bytes that are appended before each synchronization: one page, the least that a journal writes.
const APPENDED_BYTES: usize = 4 * 1024;

/// Synchronized appends per second by a single writer to a new file in the folder; the file is
/// removed afterwards.
pub(super) fn fsyncs_per_second(folder: &Path) -> io::Result<f64> {
    let file = folder.join(format!("netbanking-bench-{}.tmp", Uuid::new_v4()));
    let measured = measure(&file, MEASURED_FOR);
    fs::remove_file(&file)?;
    measured
}

fn measure(file: &Path, time: Duration) -> io::Result<f64> {
    let mut file = OpenOptions::new().append(true).create_new(true).open(file)?;
    let page = [0x5a; APPENDED_BYTES];
    let begun = Instant::now();
    let mut count = 0_u32;
    while begun.elapsed() < time {
        file.write_all(&page)?;
        file.sync_data()?;
        count += 1;
    }
    Ok(f64::from(count) / begun.elapsed().as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_rated_by_what_was_appended_and_nothing_is_left_behind() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("measured");
        let rate = measure(&file, Duration::from_millis(50)).unwrap();
        let appended = fs::metadata(&file).unwrap().len() / APPENDED_BYTES as u64;
        assert!(appended >= 1 && rate <= appended as f64 / 0.05, "{rate} of {appended}");
        fs::remove_file(&file).unwrap();
        assert!(fsyncs_per_second(folder.path()).unwrap() > 0.0);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error() {
        assert_eq!(
            fsyncs_per_second(Path::new("/nowhere")).unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
    }
}
