//! Files and folders that nobody else may read or change: secrets, keys, a bank's data.
//!
//! A link could lead anywhere its maker likes, so none is followed; what is checked is what is
//! opened.

use std::fs::{self, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;
use rustix::process::geteuid;

/// Largest file with a secret or a key, in bytes.
const BYTES_MAX: u64 = 64 * 1_024;
/// What others are allowed, of a file's mode: to read,
const READABLE: u32 = 0o044;
/// and to write.
const WRITABLE: u32 = 0o022;

fn refused(why: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, why.into())
}

/// Reads a file with a secret that nobody else can read.
///
/// # Errors
/// As for reading any file; besides for links, files that others may read or write, and files of
/// other users.
pub(crate) fn read(file: &Path) -> io::Result<String> {
    if fs::symlink_metadata(file)?.is_symlink() {
        return Err(refused("it is a symbolic link; name the file itself"));
    }
    let no_follow = i32::try_from(OFlags::NOFOLLOW.bits()).map_err(io::Error::other)?;
    let opened = OpenOptions::new().read(true).custom_flags(no_follow).open(file)?;
    let metadata = opened.metadata()?;
    if !metadata.is_file() {
        return Err(refused("it is no file"));
    }
    if metadata.mode() & (READABLE | WRITABLE) != 0 {
        let mode = metadata.mode() & 0o777;
        return Err(refused(format!(
            "others may read or write it (mode {mode:o}); `chmod 600 {}`",
            file.display()
        )));
    }
    check_owner(&metadata)?;
    let mut text = String::new();
    opened.take(BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > BYTES_MAX {
        return Err(refused(format!("it has more than {BYTES_MAX} bytes")));
    }
    Ok(text)
}

/// Checks that nobody else can put files into a folder, or lead those in it elsewhere; a folder
/// that does not exist is fine.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn check_folder(folder: &Path) -> io::Result<()> {
    let metadata = match fs::symlink_metadata(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        metadata => metadata?,
    };
    if metadata.is_symlink() {
        return Err(refused("it is a symbolic link; name the folder itself"));
    }
    if metadata.is_dir() && metadata.mode() & WRITABLE != 0 {
        let mode = metadata.mode() & 0o777;
        return Err(refused(format!(
            "others may write it (mode {mode:o}); `chmod go-w {}`",
            folder.display()
        )));
    }
    check_owner(&metadata)?;
    if metadata.is_dir() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_symlink() {
                return Err(refused(format!(
                    "{} in it is a symbolic link",
                    entry.file_name().display()
                )));
            }
        }
    }
    Ok(())
}

/// Whose it is may give it any permissions.
fn check_owner(metadata: &Metadata) -> io::Result<()> {
    let (owner, me) = (metadata.uid(), geteuid().as_raw());
    if owner == me || owner == 0 {
        return Ok(());
    }
    Err(refused(format!("it belongs to user {owner}, and this is user {me}")))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_secret_that_others_may_read_or_write_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        fs::write(&file, "a secret").unwrap();
        for mode in [0o600, 0o400, 0o700] {
            set_mode(&file, mode);
            assert_eq!(read(&file).unwrap(), "a secret");
        }
        for mode in [0o640, 0o604, 0o620, 0o602, 0o644, 0o666] {
            set_mode(&file, mode);
            let why = read(&file).unwrap_err().to_string();
            assert!(why.contains(&format!("(mode {mode:o}); `chmod 600 ")), "{why}");
        }
    }

    #[test]
    fn no_link_to_a_secret_is_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("secret"), folder.path().join("link"));
        fs::write(&file, "a secret").unwrap();
        set_mode(&file, 0o600);
        symlink(&file, &link).unwrap();
        assert!(read(&link).unwrap_err().to_string().contains("symbolic link"));
        assert!(read(folder.path()).unwrap_err().to_string().contains("no file"));
        let missing = read(&folder.path().join("missing"));
        assert_eq!(missing.unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_folder_that_others_may_write_or_that_leads_elsewhere_is_refused() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("data");
        assert!(check_folder(&folder).is_ok(), "it will be made");
        fs::create_dir(&folder).unwrap();
        for mode in [0o700, 0o755] {
            set_mode(&folder, mode);
            assert!(check_folder(&folder).is_ok());
        }
        for mode in [0o770, 0o777, 0o702] {
            set_mode(&folder, mode);
            let why = check_folder(&folder).unwrap_err().to_string();
            assert!(why.contains(&format!("(mode {mode:o}); `chmod go-w ")), "{why}");
        }
        set_mode(&folder, 0o700);
        let link = outer.path().join("link");
        symlink(&folder, &link).unwrap();
        assert!(check_folder(&link).unwrap_err().to_string().contains("symbolic link"));
        symlink("/etc/passwd", folder.join("journal.sqlite")).unwrap();
        let why = check_folder(&folder).unwrap_err().to_string();
        assert_eq!(why, "journal.sqlite in it is a symbolic link");
    }
}
