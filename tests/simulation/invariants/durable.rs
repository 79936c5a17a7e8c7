//! What was answered is on the disks of a majority.

use netbanking::protocol::ids::{BankId, Position};

use super::order::CommonOrder;
use super::{Verdict, must};
use crate::disk::Disk;

/// A customer is told of a position. `lost` is the bank whose disk was lost and that is not a member again yet: it may
/// have had the event.
pub(crate) fn acknowledged<'a>(
    order: &CommonOrder,
    position: Position,
    disks: impl Iterator<Item = (BankId, &'a Disk)>,
    lost: Option<BankId>,
) -> Verdict {
    let Some((slot, _)) = order.at(position) else { return Ok(()) };
    let (mut banks, mut holders) = (0, Vec::new());
    for (bank, disk) in disks {
        banks += 1;
        if disk.holds(slot.key) || lost == Some(bank) {
            holders.push(bank.0);
        }
    }
    must(2 * holders.len() > banks, "acknowledged is durable", || {
        format!("position {position} was answered, and is only on the disks of {holders:?} of {banks}")
    })
}
