//! The secret by which the banks of a consortium on one machine recognise each other: made once,
//! kept next to their data.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use crate::hex::Hex;
use crate::private;

/// Random bytes in the secret; the file holds them as hexadecimal digits.
const SECRET_BYTES: usize = 32;

/// Returns the secret in the file; if there is none, makes folder and file, readable only by this
/// user.
pub(super) fn keep(file: &Path) -> io::Result<String> {
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        private::check_folder(folder)?;
    }
    match private::read(file) {
        Ok(text) => check(text.trim_end()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => make(file),
        Err(error) => Err(error),
    }
}

fn make(file: &Path) -> io::Result<String> {
    let mut random = [0; SECRET_BYTES];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let secret = Hex(&random).to_string();
    // A file that somebody else has made in the meantime is not overwritten.
    let mut made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
    writeln!(made, "{secret}")?;
    made.sync_all()?;
    Ok(secret)
}

fn check(text: &str) -> io::Result<String> {
    let whole = text.len() == 2 * SECRET_BYTES && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if whole {
        Ok(text.to_owned())
    } else {
        let why = format!(
            "this is not the secret of {SECRET_BYTES} bytes that was made here; remove it and a new one is made"
        );
        Err(io::Error::new(io::ErrorKind::InvalidData, why))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_secret_is_made_once_and_nobody_else_may_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("data/peer-secret");
        let secret = keep(&file).unwrap();
        assert_eq!(secret.len(), 64);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(keep(&file).unwrap(), secret);
        let other = keep(&folder.path().join("other/peer-secret")).unwrap();
        assert_ne!(other, secret);
    }

    #[test]
    fn a_damaged_secret_is_refused_and_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("peer-secret");
        for text in ["", "abc", &"g".repeat(64)] {
            fs::write(&file, text).unwrap();
            fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
            assert_eq!(keep(&file).unwrap_err().kind(), io::ErrorKind::InvalidData);
            assert_eq!(fs::read_to_string(&file).unwrap(), text);
        }
    }

    #[test]
    fn a_secret_that_others_may_read_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("data/peer-secret");
        keep(&file).unwrap();
        fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
        assert_eq!(keep(&file).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
        fs::set_permissions(file.parent().unwrap(), PermissionsExt::from_mode(0o777)).unwrap();
        assert_eq!(keep(&file).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(keep(&file.join("peer-secret")).is_err());
    }
}
