//! `netbanking move-store`: carries a stopped bank's store from its folder into a database, or
//! back.

use clap::{Args, ValueEnum};

use super::disk::{DiskArgs, note};
use super::{CommandError, stdout};
use crate::store::{Direction, Moved, move_store};

/// What `netbanking move-store` is told.
#[derive(Debug, Args)]
#[command(
    after_help = "The database is the one that NETBANKING_STORE, --store-file or nodes.json names. What it came \
    from is kept under another name; once the bank has run, it may be deleted."
)]
pub(super) struct MoveStoreArgs {
    #[command(flatten)]
    disk: DiskArgs,
    /// Where it goes
    #[arg(long, value_enum, value_name = "WHERE")]
    to: To,
}

/// Where a store goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum To {
    /// Into the database
    Postgres,
    /// Into files in the bank's folder
    Sqlite,
}

/// Carries it over, and says what it leads to on both sides.
pub(super) fn run(arguments: &MoveStoreArgs) -> Result<(), CommandError> {
    let disk = arguments.disk.find()?;
    let Some(database) = disk.place.database() else {
        let why = "no database was named: set NETBANKING_STORE or --store-file";
        return Err(CommandError::Usage(why.to_owned()));
    };
    let (owner, folder) = (disk.owner, disk.place.folder());
    let direction = match arguments.to {
        To::Postgres => Direction::IntoDatabase,
        To::Sqlite => Direction::IntoFolder,
    };
    let Moved { position, hash, former } = move_store(folder, database, owner, direction)?;
    let now = match arguments.to {
        To::Postgres => database.to_string(),
        To::Sqlite => folder.display().to_string(),
    };
    note("move-store", owner.bank, folder);
    stdout::put(&format!(
        "bank {}: position {position}, hash {hash}, before and after\nthe journal is now in {now}; what it came from \
         is kept: {}\n",
        owner.bank,
        former.display()
    ));
    Ok(())
}
