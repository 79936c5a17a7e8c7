//! Questions to the person. `None` is the Escape key: one step back. Ctrl-C ends the program.

use inquire::validator::Validation;
use inquire::{Confirm, InquireError, Password as Hidden, PasswordDisplayMode, Select, Text};

use super::ClientError;
use super::screen::{Screen, Tone};
use super::session::Password;
use super::texts;
use crate::ledger::Document;

/// Shortest password that a bank takes, in characters.
const PASSWORD_CHARS_MIN: usize = 8;

/// Asks one person at one terminal.
#[derive(Clone, Copy, Debug)]
pub(super) struct Prompts(pub(super) Screen);

type Asked<T> = Result<Option<T>, ClientError>;

impl Prompts {
    /// A line of text that `parse` accepts; if it does not, it says why in Portuguese.
    pub(super) fn text<T, P>(self, question: &str, help: Option<&str>, parse: P) -> Asked<T>
    where
        P: Fn(&str) -> Result<T, String> + Clone + 'static,
    {
        let check = parse.clone();
        let valid = move |text: &str| {
            Ok(match check(text.trim()) {
                Ok(_) => Validation::Valid,
                Err(why) => Validation::Invalid(why.into()),
            })
        };
        let prompt = Text::new(question).with_validator(valid).with_render_config(self.0.prompts());
        let prompt = match help {
            Some(help) => prompt.with_help_message(help),
            None => prompt,
        };
        let text = asked(prompt.prompt())?;
        Ok(text.and_then(|text| parse(text.trim()).ok()))
    }

    /// One of several, by its place.
    pub(super) fn choose(self, question: &str, options: Vec<String>) -> Asked<usize> {
        let select = Select::new(question, options)
            .with_help_message(texts::CHOOSE_HELP)
            .with_page_size(12)
            .with_render_config(self.0.prompts());
        Ok(asked(select.raw_prompt())?.map(|chosen| chosen.index))
    }

    /// Yes or no; no without an answer.
    pub(super) fn confirm(self, question: &str) -> Result<bool, ClientError> {
        let confirm = Confirm::new(question)
            .with_default(false)
            .with_parser(&texts::parse_yes_no)
            .with_formatter(&|yes| texts::yes_no(yes).to_owned())
            .with_default_value_formatter(&|_| texts::NO_IS_DEFAULT.to_owned())
            .with_error_message(texts::ANSWER_YES_OR_NO)
            .with_render_config(self.0.prompts());
        Ok(asked(confirm.prompt())?.unwrap_or(false))
    }

    /// Whether a document is the one that is meant: if its check digits do not fit, the person says
    /// so. A script is only told.
    pub(super) fn is_right(self, document: &Document) -> Result<bool, ClientError> {
        if document.check_digits_fit() {
            return Ok(true);
        }
        self.0.remark(Tone::Remark, &texts::odd_check_digits(document));
        if self.0.has_person { self.confirm(texts::IS_IT_RIGHT) } else { Ok(true) }
    }

    /// The password, which is not shown.
    pub(super) fn password(self, question: &str) -> Asked<Password> {
        let prompt = Hidden::new(question)
            .without_confirmation()
            .with_display_mode(PasswordDisplayMode::Hidden)
            .with_render_config(self.0.prompts());
        Ok(asked(prompt.prompt())?.map(Password::new))
    }

    /// A new password, asked for twice.
    pub(super) fn new_password(self) -> Asked<Password> {
        let long_enough = |text: &str| {
            let fits = text.chars().count() >= PASSWORD_CHARS_MIN;
            Ok(if fits {
                Validation::Valid
            } else {
                Validation::Invalid(texts::PASSWORD_TOO_SHORT.into())
            })
        };
        let prompt = Hidden::new(texts::NEW_PASSWORD)
            .with_display_mode(PasswordDisplayMode::Hidden)
            .with_custom_confirmation_message(texts::NEW_PASSWORD_AGAIN)
            .with_custom_confirmation_error_message(texts::PASSWORDS_DIFFER)
            .with_validator(long_enough)
            .with_render_config(self.0.prompts());
        Ok(asked(prompt.prompt())?.map(Password::new))
    }
}

fn asked<T>(answer: Result<T, InquireError>) -> Asked<T> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(InquireError::OperationCanceled) => Ok(None),
        Err(InquireError::OperationInterrupted) => Err(ClientError::Interrupted),
        Err(InquireError::NotTTY) => Err(ClientError::Usage(texts::NO_TERMINAL.to_owned())),
        Err(error) => Err(ClientError::Usage(texts::terminal_failed(&error.to_string()))),
    }
}
