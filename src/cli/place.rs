//! Where a bank's journal is: in its folder, or in a database whose URL comes from the environment,
//! a file that nobody else can read, or `nodes.json`.

use std::path::{Path, PathBuf};

use clap::Args;

use super::CommandError;
use crate::config::Config;
use crate::private;
use crate::store::{Database, Place};

/// Environment variable with the database's URL; never an argument, as everybody on the machine can
/// read those, and it may have a password in it.
pub(super) const STORE_VARIABLE: &str = "NETBANKING_STORE";
/// Environment variable that names a file with the URL instead.
pub(super) const STORE_FILE_VARIABLE: &str = "NETBANKING_STORE_FILE";
/// What stands for the files in the bank's folder.
const FILES: &str = "sqlite";

/// How a bank is told of a database.
#[derive(Debug, Args)]
pub(super) struct PlaceArgs {
    /// File with the URL of the database that holds the journal [default: files in --data]
    #[arg(long, env = STORE_FILE_VARIABLE, value_name = "FILE")]
    store_file: Option<PathBuf>,
}

impl PlaceArgs {
    /// Where the journal of the bank with this folder is.
    pub(super) fn place(&self, config: &Config, data: &Path) -> Result<Place, CommandError> {
        Ok(Place::new(data, self.database(config)?))
    }

    /// The database that was named, if one was.
    pub(super) fn database(&self, config: &Config) -> Result<Option<Database>, CommandError> {
        let of_environment = std::env::var_os(STORE_VARIABLE)
            .map(|text| text.into_string().map_err(|_| bad(STORE_VARIABLE, "it is not text")));
        // Compose files and unit files pass on an empty text where they mean none.
        let of_environment = of_environment.transpose()?.filter(|text| !text.is_empty());
        let file = self.store_file.as_deref().filter(|file| !file.as_os_str().is_empty());
        named(of_environment, file, config.store.as_deref())
    }
}

fn named(
    of_environment: Option<String>,
    file: Option<&Path>,
    of_all: Option<&str>,
) -> Result<Option<Database>, CommandError> {
    match (of_environment, file) {
        (Some(text), None) => read(STORE_VARIABLE, &text),
        (None, Some(file)) => {
            let source = format!("--store-file {}", file.display());
            let text = private::read(file).map_err(|error| bad(&source, error))?;
            read(&source, text.trim_end_matches(['\r', '\n']))
        }
        (None, None) => {
            let database =
                of_all.map(|text| read("nodes.json: store", text)).transpose()?.flatten();
            if database.as_ref().is_some_and(Database::has_password) {
                let why = format!(
                    "all banks read this file: a password belongs into {STORE_VARIABLE} or --store-file"
                );
                return Err(bad("nodes.json: store", why));
            }
            Ok(database)
        }
        (Some(_), Some(file)) => {
            let file = file.display();
            let why =
                format!("it and --store-file {file} are both set; which one counts? Unset one");
            Err(bad(STORE_VARIABLE, why))
        }
    }
}

fn read(source: &str, text: &str) -> Result<Option<Database>, CommandError> {
    if text == FILES {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|why| bad(source, why))
}

/// Names where the URL came from, never the URL itself.
fn bad(source: &str, why: impl std::fmt::Display) -> CommandError {
    CommandError::Usage(format!("{source}: {why}"))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const URL: &str = "postgres://ana:s3cret@127.0.0.1/bank";

    fn said(outcome: Result<Option<Database>, CommandError>) -> String {
        match outcome {
            Ok(Some(database)) => database.to_string(),
            Ok(None) => FILES.into(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_bank_is_told_of_its_database_in_one_place_and_no_message_has_the_password() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("store");
        fs::write(&file, format!("{URL}\n")).unwrap();
        assert!(said(named(None, Some(&file), None)).contains("others may read"));
        fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
        let plain = "postgres://127.0.0.1:5432/bank";
        assert_eq!(said(named(None, Some(&file), None)), plain);
        assert_eq!(said(named(Some(URL.into()), None, None)), plain);
        assert_eq!(said(named(None, None, None)), FILES);
        assert_eq!(said(named(None, None, Some("postgres://ana@127.0.0.1/bank"))), plain);
        let of_all = Some("postgres://ana@127.0.0.1/bank");
        assert_eq!(said(named(Some(FILES.into()), None, of_all)), FILES, "the bank's own word");
        let both = said(named(Some(URL.into()), Some(&file), None));
        assert!(both.contains("both set"), "{both}");
        let shared = said(named(None, None, Some(URL)));
        assert!(shared.contains("all banks read this file"), "{shared}");
        let other = said(named(Some(URL.replace("postgres", "mysql")), None, None));
        assert!(other.starts_with("NETBANKING_STORE: it must be like"), "{other}");
        for said in [both, shared, other] {
            assert!(!said.contains("s3cret"), "{said}");
        }
    }
}
