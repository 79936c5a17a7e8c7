//! The rules for nicknames and favourites; see [`profile`](crate::ledger::profile).

use super::change::Change;
use super::{Book, Turn};
use crate::ledger::customer::UserName;
use crate::ledger::outcome::Refusal;
use crate::ledger::profile::{FAVOURITES_MAX, Profile, ProfileChange};

impl Book {
    pub(super) fn decide_profile(
        &self,
        turn: &Turn<'_>,
        change: &ProfileChange,
    ) -> Result<Change, Refusal> {
        let by = turn.request.by.as_ref().ok_or(Refusal::NoCustomer)?;
        let user_name = self.known_customer(by)?.user_name.clone();
        match change {
            ProfileChange::Nickname { bank, account, .. } => {
                self.held(Some(by), *bank, *account)?;
            }
            ProfileChange::Favourite { pix, .. } => {
                let known = self.profile(by).map_or(&[][..], |profile| &profile.favourites);
                let is_new = known.iter().all(|favourite| favourite.pix != *pix);
                if is_new && known.len() >= FAVOURITES_MAX {
                    return Err(Refusal::TooManyFavourites);
                }
                self.slot_paid_by(pix).ok_or_else(|| Refusal::UnknownPixKey(pix.clone()))?;
            }
            ProfileChange::Forget { .. } => {}
        }
        Ok(Change::Called { user_name, change: Box::new(change.clone()) })
    }

    /// What a customer calls things, if they call anything something.
    #[must_use]
    pub(crate) fn profile(&self, user_name: &UserName) -> Option<&Profile> {
        self.record(user_name)?.profile.as_deref()
    }
}
