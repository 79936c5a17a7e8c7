//! `netbanking compact`: shortens a stopped bank's journal.

use clap::Args;

use super::CommandError;
use super::disk::{BankDisk, DiskArgs, note};
use super::stdout;
use crate::store::recovery::{compact, whole};

/// What `netbanking compact` is told.
#[derive(Debug, Args)]
#[command(
    after_help = "A bank that was away for longer than this journal reaches back is given the snapshot. \
    To have running banks do this by themselves, set journal.positions_max in nodes.json."
)]
pub(super) struct CompactArgs {
    #[command(flatten)]
    disk: DiskArgs,
}

/// Executes the journal once more, writes the ledger as a snapshot, and drops the journal that led
/// to it.
pub(super) fn run(arguments: &CompactArgs) -> Result<(), CommandError> {
    let BankDisk { owner, place } = arguments.disk.find()?;
    let recovered = whole(place, owner)?;
    let position = recovered.book.position();
    let said = match compact(recovered)? {
        true => format!(
            "a snapshot of the ledger at position {position} has replaced the journal up to there"
        ),
        false => "nothing was executed yet: there is no journal to shorten".to_owned(),
    };
    note("compact", owner.bank, &arguments.disk.data);
    stdout::put(&format!("bank {}: {said}\n", owner.bank));
    Ok(())
}
