//! A new password, and the sessions at a bank.

use super::super::answers::{LoginLine, SessionLine, SessionsRead};
use super::super::api::read;
use super::super::arguments::{ChangePassword, Sessions};
use super::super::prompts::Prompts;
use super::super::session::Password;
use super::super::table::{Field, table};
use super::super::{ClientError, texts};
use super::Work;

impl Work<'_> {
    pub(super) async fn change_password(
        &mut self,
        arguments: &ChangePassword,
    ) -> Result<(), ClientError> {
        let (user, password) = (self.user()?, self.password()?);
        let needed = || ClientError::Usage(texts::NEW_PASSWORD_NEEDED.to_owned());
        let new = match &arguments.new_password_file {
            Some(file) => Password::at_hand(Some(file))?.ok_or_else(needed)?,
            None if self.screen.has_person => {
                Prompts(self.screen).new_password()?.ok_or(ClientError::Interrupted)?
            }
            None => return Err(needed()),
        };
        let key = arguments.key.or_new();
        let answer = self.banks.change_password(&user, &password, &new, &key).await?;
        // All sessions have ended.
        self.session.end_all();
        self.tell_done(&answer, &key)
    }

    pub(super) async fn sessions(&mut self, arguments: &Sessions) -> Result<(), ClientError> {
        let place = match arguments.at {
            Some(bank) => self.banks.place_of(bank).await?,
            None => self.banks.current,
        };
        if arguments.end.is_some() || arguments.end_all {
            let named = arguments.end.as_deref();
            let session = &mut self.session;
            let answer = self.banks.end_sessions_at(session, place, named).await?;
            return self.tell_sentence(&answer);
        }
        let answer = self.banks.sessions_at(&mut self.session, place).await?;
        let SessionsRead { data } = read(&answer)?;
        let session = |line: &SessionLine| {
            let this = if line.is_this { texts::THIS } else { "" };
            let fields = [&line.session, &line.began, &line.used, &line.from];
            fields.into_iter().map(Field::text).chain([Field::text(this)]).collect()
        };
        let login = |line: &LoginLine| vec![Field::text(&line.at), Field::text(&line.from)];
        let sessions = data.sessions.iter().map(session).collect();
        let logins = data.logins.iter().map(login).collect();
        let tables = [
            table(self.screen, &texts::SESSIONS_HEADER, sessions),
            table(self.screen, &texts::LOGINS_HEADER, logins),
        ];
        self.tell(&answer, None, &tables.join("\n"));
        Ok(())
    }
}
