//! One session at a time, for whoever asks what may be asked again: what is written takes the place
//! of what is there.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::address::Shelf;
use super::session::{Backend, Purpose, Session};
use super::trouble::Trouble;

/// Asks one part of a bank's store, and calls when it is first asked.
pub(super) struct Caller {
    shelf: Shelf,
    purpose: Purpose,
    /// For how long a database that is away is called.
    patience: Duration,
    session: Option<Session>,
    /// The session that was lost last.
    lost: Option<Backend>,
}

impl Caller {
    pub(super) fn new(shelf: Shelf, purpose: Purpose, patience: Duration) -> Self {
        Caller { shelf, purpose, patience, session: None, lost: None }
    }

    /// What is asked.
    pub(super) fn shelf(&self) -> &Shelf {
        &self.shelf
    }

    /// What takes the place of a file's path in messages.
    pub(super) fn path(&self) -> PathBuf {
        self.shelf.path()
    }

    /// Asks, and asks again when the connection is lost.
    pub(super) fn ask<R>(
        &mut self,
        mut question: impl FnMut(&Session) -> Result<R, Trouble>,
    ) -> Result<R, Trouble> {
        let began = Instant::now();
        loop {
            let session = match self.session.take() {
                Some(session) => session,
                None => {
                    let left = self.patience.saturating_sub(began.elapsed());
                    Session::open(&self.shelf, self.purpose, self.lost.as_ref(), left)?
                }
            };
            match question(&session) {
                Err(Trouble::Away(_)) if began.elapsed() < self.patience => {
                    self.lost = Some(session.backend().clone());
                }
                Err(trouble) => {
                    // Its transaction, if there is one, ends with it.
                    self.lost = Some(session.backend().clone());
                    return Err(trouble);
                }
                Ok(answer) => {
                    self.session = Some(session);
                    return Ok(answer);
                }
            }
        }
    }
}
