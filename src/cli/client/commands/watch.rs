//! What arrives while somebody looks.

use serde_json::value::RawValue;

use super::super::answers::Arrived;
use super::super::arguments::Watch;
use super::super::banks::Banks;
use super::super::screen::{Screen, Tone};
use super::super::{ClientError, texts};
use super::show::arrived_line;
use super::{Done, Work};
use crate::cli::stdout;

impl Work<'_> {
    /// Tells every Pix that arrives: a line for a person, an object for a script.
    pub(super) async fn watch(&mut self, arguments: &Watch) -> Result<(), ClientError> {
        let (screen, json) = (self.screen, self.options.json);
        let mut told = 0;
        let tell = |banks: &Banks, said: &str| {
            if json {
                tell_script(screen, banks, said)?;
            } else {
                tell_person(screen, banks, said)?;
            }
            told += 1;
            stdout::check().map_err(ClientError::AnswerLost)?;
            Ok(arguments.count == Some(told) || stdout::is_closed())
        };
        self.banks.watch(&mut self.session, tell).await
    }
}

/// What arrived, as a person reads it; shared with the menu.
pub(in super::super) fn tell_person(
    screen: Screen,
    banks: &Banks,
    said: &str,
) -> Result<(), ClientError> {
    let arrived: Arrived = serde_json::from_str(said).map_err(|_| not_understood())?;
    let line = arrived_line(&arrived, &banks.label(arrived.bank));
    screen.say(Tone::Good, &line);
    Ok(())
}

fn tell_script(screen: Screen, banks: &Banks, said: &str) -> Result<(), ClientError> {
    let answer: &RawValue = serde_json::from_str(said).map_err(|_| not_understood())?;
    let bank = banks.current().url.to_string();
    let done = Done { ok: true, bank, idempotency_key: None, answer };
    screen.say(Tone::Plain, &super::super::json(&done));
    Ok(())
}

fn not_understood() -> ClientError {
    ClientError::Refused(texts::unreadable(200))
}
