//! Whether a journal is the one that was meant, and all of it.

use std::path::Path;

use super::head::Head;
use super::tip::Tip;
use crate::protocol::view::PreparePlan;
use crate::store::{Owner, StoreError};
use crate::wire::PROTOCOL_VERSION;

/// Whether a journal is the owner's.
///
/// # Errors
/// [`StoreError::Foreign`], [`StoreError::Fewer`], [`StoreError::OtherBank`]
pub(in crate::store) fn check_owner(
    path: &Path,
    head: &Head,
    owner: Owner,
) -> Result<(), StoreError> {
    let path = path.to_owned();
    if head.protocol > PROTOCOL_VERSION {
        let why = format!("protocol {}, this program speaks {PROTOCOL_VERSION}", head.protocol);
        return Err(StoreError::Foreign { path, why });
    }
    match (head.bank == owner.bank, head.banks) {
        (true, banks) if banks <= owner.banks => Ok(()),
        (true, banks) => Err(StoreError::Fewer { path, banks, listed: owner.banks }),
        (false, banks) => {
            let found = match banks {
                0 => format!("bank {}", head.bank),
                banks => format!("bank {} of {banks}", head.bank),
            };
            let wanted = format!("bank {} of {}", owner.bank, owner.banks);
            Err(StoreError::OtherBank { path, found, wanted })
        }
    }
}

/// Whether a disk knows enough to decide alone how the next view begins, if a person says so.
pub(in crate::store) fn may_decide(head: &Head, prepared: &PreparePlan) -> bool {
    let lacks_something = head.learner && !head.in_doubt;
    !lacks_something && *prepared != PreparePlan::default()
}

/// Whether a journal has all the commits that the tip knows of.
///
/// # Errors
/// [`StoreError::Damaged`]
pub(in crate::store) fn check_tip(path: &Path, head: &Head, tip: &Tip) -> Result<(), StoreError> {
    let damaged = |why: String| Err(StoreError::Damaged { path: path.to_owned(), why });
    match tip.read() {
        Some(said) if said.disk != head.disk => {
            damaged("it is not the journal that was here".into())
        }
        Some(said) if said.commits > head.commits => {
            damaged(format!("its last {} commits are gone", said.commits - head.commits))
        }
        _ => Ok(()),
    }
}
