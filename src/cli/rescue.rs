//! `netbanking rescue`: a person's declaration that the rest of a consortium's disks is lost for
//! good.

use clap::Args;

use super::disk::{BankDisk, DiskArgs, note};
use super::{CommandError, stdout};
use crate::store::recovery::{Recovered, whole};

/// What the person reads before they say yes.
const EXPLANATION: &str = "\
A rescue declares that this disk alone decides how the consortium goes on. It is only needed when
more than half of the disks are lost for good; as long as a majority of intact disks exists, start
the banks and they agree without help.

What happens: at the next start, when ALL banks of nodes.json are up, the consortium begins anew
with what is on this disk, and the other banks copy it.

What may be lost: operations that were confirmed to customers and that this disk does not have. That
is only possible if this bank was outside the consortium when they were confirmed. Of several intact
disks, rescue the one that was a member last and has the highest position; never more than one.
First keep a copy of all disks that still exist.

Nothing was changed. To declare the rescue, repeat the command with --yes.
";

/// What `netbanking rescue` is told.
#[derive(Debug, Args)]
#[command(
    after_help = "Only needed when more than half of the disks are lost; without --yes it explains \
    what that means and what may be lost. It counts for the next view only."
)]
pub(super) struct RescueArgs {
    #[command(flatten)]
    disk: DiskArgs,
    /// Declare it; without this the command explains and changes nothing
    #[arg(long)]
    yes: bool,
}

/// The consortium cannot start again from this disk.
#[derive(Debug, thiserror::Error)]
#[error(
    "bank {0}: this disk knows of no view, or has lost something: it cannot say how the consortium goes on. Nothing \
     was changed; take a disk that was intact when its bank stopped"
)]
pub(super) struct UnfitForRescue(crate::ids::BankId);

/// Sets the mark that the node reads at its next start.
pub(super) fn run(arguments: &RescueArgs) -> Result<(), CommandError> {
    let BankDisk { owner, place } = arguments.disk.find()?;
    let Recovered { mut store, book, disk, .. } = whole(place, owner)?;
    let (bank, position) = (owner.bank, book.position());
    let said = if !arguments.yes {
        let view = disk.prepared.ballot;
        format!(
            "Bank {bank}: the disk is intact, its last view {view}, its position {position}.\n\n\
             {EXPLANATION}"
        )
    } else if store.declare_rescue()? {
        note("rescue", bank, &arguments.disk.data);
        format!(
            "Bank {bank}: rescue declared at position {position}. Now start all banks of \
             nodes.json.\n"
        )
    } else {
        return Err(UnfitForRescue(bank).into());
    };
    stdout::put(&said);
    Ok(())
}
