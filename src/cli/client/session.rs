//! Who is asking: the user name, the password as long as it is needed, and a token for each bank
//! that gave one.
//!
//! A token is valid only at its own bank, so there is one for each. Commands keep tokens in a file
//! that only its owner can read; the password is never written anywhere.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::super::base_url::BaseUrl;
use super::ClientError;
use super::texts;
use crate::ledger::UserName;

/// Environment variable that may hold the password, so that it is not asked for.
pub(super) const PASSWORD_VARIABLE: &str = "NETBANKING_PASSWORD";
/// Largest password file, in bytes; a password is shorter.
const PASSWORD_FILE_BYTES_MAX: u64 = 4_096;

/// A password; `Debug` shows nothing of it.
#[derive(Clone)]
pub(super) struct Password(String);

impl Password {
    pub(super) fn new(text: String) -> Password {
        Password(text)
    }

    /// For the body of a request, and nothing else.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }

    /// The password from the file, or else from the environment, if either has it.
    pub(super) fn at_hand(file: Option<&Path>) -> Result<Option<Password>, ClientError> {
        let Some(file) = file else {
            return match std::env::var(PASSWORD_VARIABLE) {
                Ok(text) if !text.is_empty() => Ok(Some(Password(text))),
                Ok(_) | Err(std::env::VarError::NotPresent) => Ok(None),
                Err(std::env::VarError::NotUnicode(_)) => {
                    Err(ClientError::Usage(texts::password_not_text()))
                }
            };
        };
        let unreadable = |why: &str| ClientError::Usage(texts::file_unreadable(file, why));
        let length = fs::metadata(file).map_err(|why| unreadable(&texts::io_error(&why)))?.len();
        if length > PASSWORD_FILE_BYTES_MAX {
            return Err(unreadable(texts::TOO_LARGE));
        }
        let text = fs::read_to_string(file).map_err(|why| unreadable(&texts::io_error(&why)))?;
        let line = text.lines().next().unwrap_or_default();
        if line.is_empty() {
            Err(unreadable(texts::EMPTY))
        } else {
            Ok(Some(Password(line.to_owned())))
        }
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(…)")
    }
}

/// A customer's sessions, at most one per bank.
#[derive(Debug, Default)]
pub(super) struct Session {
    pub(super) user: Option<UserName>,
    pub(super) password: Option<Password>,
    tokens: BTreeMap<String, String>,
    /// The highest position that a bank has answered: what the customer has seen.
    pub(super) position: u64,
}

/// The file.
#[derive(Serialize, Deserialize)]
struct Kept {
    user_name: UserName,
    tokens: BTreeMap<String, String>,
    #[serde(default)]
    position: u64,
}

impl Session {
    /// The session of somebody who has not logged in yet.
    pub(super) fn of(user: Option<UserName>, password: Option<Password>) -> Session {
        Session { user, password, ..Session::default() }
    }

    pub(super) fn token(&self, bank: &BaseUrl) -> Option<&str> {
        self.tokens.get(&bank.to_string()).map(String::as_str)
    }

    /// Takes a token; returns the one that it replaces.
    pub(super) fn begin(&mut self, bank: &BaseUrl, token: String) -> Option<String> {
        self.tokens.insert(bank.to_string(), token)
    }

    /// Forgets the bank's token.
    pub(super) fn end(&mut self, bank: &BaseUrl) -> Option<String> {
        self.tokens.remove(&bank.to_string())
    }

    /// Forgets all tokens: the sessions have ended at all banks.
    pub(super) fn end_all(&mut self) {
        self.tokens.clear();
    }

    pub(super) fn is_open(&self) -> bool {
        !self.tokens.is_empty()
    }

    /// Makes this the session of this customer; tokens of another one are forgotten.
    pub(super) fn belong_to(&mut self, user: &UserName) {
        if self.user.as_ref() != Some(user) {
            self.tokens.clear();
            self.position = 0;
            self.user = Some(user.clone());
        }
    }

    /// Reads a kept session, or begins without one where there is no file.
    pub(super) fn load(file: &Path) -> Result<Session, ClientError> {
        let metadata = match fs::metadata(file) {
            Ok(metadata) => metadata,
            Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(Session::default()),
            Err(why) => {
                return Err(ClientError::Usage(texts::file_unreadable(
                    file,
                    &texts::io_error(&why),
                )));
            }
        };
        if metadata.mode() & 0o077 != 0 {
            return Err(ClientError::Usage(texts::session_file_open_to_others(file)));
        }
        let text = fs::read_to_string(file);
        let text = text.map_err(|why| {
            ClientError::Usage(texts::file_unreadable(file, &texts::io_error(&why)))
        })?;
        let Kept { user_name, tokens, position } = serde_json::from_str(&text)
            .map_err(|_| ClientError::Usage(texts::session_file_damaged(file)))?;
        Ok(Session { user: Some(user_name), password: None, tokens, position })
    }

    /// Writes the tokens, or removes the file if there are none.
    pub(super) fn keep(&self, file: &Path) -> Result<(), ClientError> {
        let kept = match &self.user {
            Some(user) if self.is_open() => {
                let (user_name, tokens, position) =
                    (user.clone(), self.tokens.clone(), self.position);
                write_private(file, &Kept { user_name, tokens, position })
            }
            _ => match fs::remove_file(file) {
                Err(why) if why.kind() != io::ErrorKind::NotFound => Err(why),
                _ => Ok(()),
            },
        };
        kept.map_err(|why| {
            ClientError::Usage(texts::session_file_unwritable(file, &texts::io_error(&why)))
        })
    }
}

/// Replaces the file as a whole; at no moment can anybody but its owner read it.
fn write_private(file: &Path, kept: &Kept) -> io::Result<()> {
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let mut draft = file.as_os_str().to_owned();
    draft.push(format!(".{}", std::process::id()));
    let draft = PathBuf::from(draft);
    // A left-over draft may have other permissions.
    match fs::remove_file(&draft) {
        Err(why) if why.kind() != io::ErrorKind::NotFound => return Err(why),
        _ => {}
    }
    let mut writer =
        fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    writer.write_all(serde_json::to_string(kept)?.as_bytes())?;
    fs::rename(&draft, file)
}

/// Where sessions are kept unless the person says otherwise: in the place where programs keep state
/// for this user.
pub(super) fn usual_file() -> Option<PathBuf> {
    let folder =
        |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = folder("XDG_STATE_HOME").or_else(|| Some(folder("HOME")?.join(".local/state")))?;
    Some(state.join("netbanking").join("session.json"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn session() -> Session {
        let mut session = Session::default();
        session.belong_to(&UserName::parse("ana").unwrap());
        session.begin(&"http://a:1".parse().unwrap(), "secret".to_owned());
        session
    }

    #[test]
    fn a_stored_session_is_private_to_its_owner_and_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("state/netbanking/session.json");
        session().keep(&file).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(file.parent().unwrap()).unwrap().mode() & 0o777, 0o700);
        let again = Session::load(&file).unwrap();
        assert_eq!(again.token(&"http://a:1/".parse().unwrap()), Some("secret"));
        assert_eq!(again.token(&"http://b:1".parse().unwrap()), None);
        assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1, "no draft is left");

        let mut ended = again;
        ended.end(&"http://a:1".parse().unwrap());
        ended.keep(&file).unwrap();
        assert!(!file.exists());
        assert!(!Session::load(&file).unwrap().is_open());
    }

    #[test]
    fn a_session_file_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("session.json");
        session().keep(&file).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(Session::load(&file).unwrap_err().to_string().contains("0600"));
    }

    #[test]
    fn another_customer_does_not_inherit_the_tokens() {
        let mut session = session();
        session.belong_to(&UserName::parse("ana").unwrap());
        assert!(session.is_open());
        session.belong_to(&UserName::parse("bia").unwrap());
        assert!(!session.is_open());
    }

    #[test]
    fn a_password_file_gives_its_first_line_and_a_password_is_not_printed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        fs::write(&file, "correct horse\r\n\n").unwrap();
        let password = Password::at_hand(Some(&file)).unwrap().unwrap();
        assert_eq!(
            (password.reveal(), format!("{password:?}").as_str()),
            ("correct horse", "Password(…)")
        );
        fs::write(&file, "").unwrap();
        assert!(Password::at_hand(Some(&file)).is_err());
    }
}
