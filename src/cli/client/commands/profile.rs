//! What the customer calls accounts and payees, and the end of an account.

use super::super::answers::{FavouriteLine, ProfileRead, RecipientRead};
use super::super::api::read;
use super::super::arguments::{Close, Favourites, Nickname};
use super::super::screen::plain;
use super::super::table::{Field, table};
use super::super::{ClientError, texts};
use super::Work;

impl Work<'_> {
    /// Closes an account, or keeps it open.
    pub(super) async fn close(&mut self, arguments: &Close) -> Result<(), ClientError> {
        let Close { of, keep_open, key } = arguments;
        let key = key.or_new();
        let place = of.place();
        let answer = self.banks.close(&mut self.session, place, !keep_open, &key).await?;
        self.tell_done(&answer, &key)
    }

    pub(super) async fn nickname(&mut self, arguments: &Nickname) -> Result<(), ClientError> {
        let Nickname { of, name, key } = arguments;
        let key = key.or_new();
        let place = of.place();
        let answer = self.banks.nickname(&mut self.session, place, name.as_ref(), &key).await?;
        self.tell_done(&answer, &key)
    }

    /// Lists them, keeps one, or takes one off.
    pub(super) async fn favourites(&mut self, arguments: &Favourites) -> Result<(), ClientError> {
        let Favourites { add, name, remove, key } = arguments;
        if let (Some(typed), Some(name)) = (add, name) {
            let answer = self.banks.recipient(typed).await?;
            let RecipientRead { kay_pix, .. } = read(&answer)?;
            let key = key.or_new();
            let answer = self.banks.favourite(&mut self.session, (&kay_pix, name), &key).await?;
            return self.tell_done(&answer, &key);
        }
        if let Some(removed) = remove {
            let key = key.or_new();
            let answer = self.banks.forget_favourite(&mut self.session, removed, &key).await?;
            return self.tell_done(&answer, &key);
        }
        let answer = self.banks.profile(&mut self.session).await?;
        let ProfileRead { data } = read(&answer)?;
        if data.favourites.is_empty() {
            self.tell(&answer, None, texts::NO_FAVOURITES);
            return Ok(());
        }
        let row = |line: &FavouriteLine| {
            [&line.name, &line.kay_pix].map(|text| Field::text(plain(text))).into_iter().collect()
        };
        let rows = data.favourites.iter().map(row).collect();
        self.tell(&answer, None, &table(self.screen, &texts::FAVOURITES_HEADER, rows));
        Ok(())
    }
}
