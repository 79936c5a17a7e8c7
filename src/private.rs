//! Files and folders that nobody else may read or change: secrets, keys, a bank's data.
//!
//! A link could lead anywhere its maker likes, so none is followed but root's in containers; what
//! is checked is what is opened.
//!
//! What runs containers puts secrets there as files of root that everybody may read, or as root's
//! links to such files. In a container there is nobody else who could.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::{self, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};

use rustix::fs::OFlags;
use rustix::process::geteuid;

/// Largest file with a secret or a key, in bytes.
const BYTES_MAX: u64 = 64 * 1_024;
/// The most links one after another.
const LINKS_MAX: usize = 8;
/// What others are allowed, of a file's mode: to read,
const READABLE: u32 = 0o044;
/// and to write.
const WRITABLE: u32 = 0o022;
/// In a folder with this mode, nobody takes away or replaces what belongs to others.
const STICKY: u32 = 0o1000;
/// Who may do anything anyway.
const ROOT: u32 = 0;
/// By this an operator says that secrets are what a container's runtime mounts.
const MOUNTED: &str = "NETBANKING_MOUNTED_SECRETS";

fn refused(why: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, why.into())
}

/// Reads a file with a secret that nobody else can read.
///
/// # Errors
/// As for reading any file; besides for links, files that others may read or write, and files of
/// other users. Of what a container's runtime mounts, files of root may be read by all, and root's
/// links are followed.
pub(crate) fn read(file: &Path) -> io::Result<String> {
    let is_container = std::env::var_os(MOUNTED).is_some_and(|said| said == "true");
    read_as(file, is_container, ROOT)
}

/// The same, with `root` for root.
fn read_as(file: &Path, is_container: bool, root: u32) -> io::Result<String> {
    let file = &match fs::symlink_metadata(file)?.is_symlink() {
        true if is_container => followed(file, root)?,
        true => return Err(refused("it is a symbolic link; name the file itself")),
        false => file.to_owned(),
    };
    let no_follow = i32::try_from(OFlags::NOFOLLOW.bits()).map_err(io::Error::other)?;
    let opened = OpenOptions::new().read(true).custom_flags(no_follow).open(file)?;
    let metadata = opened.metadata()?;
    if !metadata.is_file() {
        return Err(refused("it is no file"));
    }
    let is_mounted = is_container && metadata.uid() == root && metadata.mode() & WRITABLE == 0;
    if metadata.mode() & (READABLE | WRITABLE) != 0 && !is_mounted {
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

/// Where a link leads, within the folder in which it stands, if everything on the way is root's and
/// nobody else can put something in its place.
fn followed(link: &Path, root: u32) -> io::Result<PathBuf> {
    let folder = link.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut at = fs::canonicalize(folder.unwrap_or(Path::new(".")))?;
    let mut rest: VecDeque<OsString> = link.file_name().into_iter().map(OsStr::to_owned).collect();
    let mut links = 0;
    loop {
        let metadata = fs::symlink_metadata(&at)?;
        let is_kept = metadata.mode() & WRITABLE == 0 || metadata.mode() & STICKY != 0;
        if metadata.is_symlink() {
            links += 1;
            let to = fs::read_link(&at)?;
            let parts: Option<VecDeque<_>> = to.components().map(normal).collect();
            let mut parts = parts.filter(|_| links <= LINKS_MAX).ok_or_else(|| {
                refused("it is a symbolic link that leads out of its folder, or to many others")
            })?;
            parts.append(&mut rest);
            rest = parts;
            at.pop();
        } else if metadata.is_dir() && !is_kept {
            return Err(refused(format!(
                "it is a symbolic link, and others may write {}",
                at.display()
            )));
        }
        if metadata.uid() != root {
            return Err(refused(format!(
                "it is a symbolic link, and {} is not root's",
                at.display()
            )));
        }
        match rest.pop_front() {
            Some(next) => at.push(next),
            None => return Ok(at),
        }
    }
}

/// A part of a path that leads further down.
fn normal(part: Component<'_>) -> Option<OsString> {
    match part {
        Component::Normal(name) => Some(name.to_owned()),
        _ => None,
    }
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

    /// What Kubernetes makes: `secret` leads to `..data/secret`, and `..data` to a folder.
    fn mounted() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let version = folder.path().join("..2026_11_27");
        fs::create_dir(&version).unwrap();
        fs::write(version.join("secret"), "a secret").unwrap();
        set_mode(&version.join("secret"), 0o444);
        symlink("..2026_11_27", folder.path().join("..data")).unwrap();
        let link = folder.path().join("secret");
        symlink("..data/secret", &link).unwrap();
        (folder, link)
    }

    #[test]
    fn in_a_container_roots_links_are_followed_and_roots_files_may_be_read_by_all() {
        let root = geteuid().as_raw();
        let (folder, link) = mounted();
        for mode in [0o700, 0o755, 0o1777] {
            set_mode(folder.path(), mode);
            assert_eq!(read_as(&link, true, root).unwrap(), "a secret", "{mode:o}");
        }
        let file = folder.path().join("..data/secret");
        set_mode(&file, 0o464);
        assert!(read_as(&link, true, root).unwrap_err().to_string().contains("(mode 464)"));
        set_mode(&file, 0o444);
        // Outside of containers nothing of this holds.
        assert!(read_as(&link, false, root).unwrap_err().to_string().contains("symbolic link"));
        assert!(read_as(&file, false, root).unwrap_err().to_string().contains("(mode 444)"));
        // Nor for what anybody but root has made.
        assert!(read_as(&link, true, root + 1).unwrap_err().to_string().contains("not root's"));
        assert!(read_as(&file, true, root + 1).unwrap_err().to_string().contains("(mode 444)"));
    }

    #[test]
    fn no_link_that_others_could_have_made_or_that_leads_out_of_its_folder_is_followed() {
        let root = geteuid().as_raw();
        let why = |link: &Path| read_as(link, true, root).unwrap_err().to_string();
        let (folder, link) = mounted();
        set_mode(folder.path(), 0o777);
        assert!(why(&link).contains("others may write"), "{}", why(&link));
        set_mode(folder.path(), 0o755);
        set_mode(&folder.path().join("..2026_11_27"), 0o757);
        assert!(why(&link).contains("..2026_11_27"), "{}", why(&link));
        let (other, _) = mounted();
        for (name, to) in [("out", other.path().join("..2026_11_27/secret")), ("up", "../x".into())]
        {
            let out = folder.path().join(name);
            symlink(to, &out).unwrap();
            assert!(why(&out).contains("out of its folder"), "{}", why(&out));
        }
        let round = folder.path().join("round");
        symlink("round", &round).unwrap();
        assert!(why(&round).contains("many others"), "{}", why(&round));
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
