//! `netbanking client`: the bank in a terminal, with a menu for people and a command per action for
//! scripts.
//!
//! It uses only the customer API. It holds no money and decides nothing: balances that it computes
//! are shown as forecasts, and only a bank's answer says what has happened. The password is in
//! memory only as long as it is needed.
//!
//! - [`commands`], [`menu`]: the two interfaces; [`arguments`]: the command line; [`texts`]: all
//!   texts in Portuguese.
//! - [`api`]: the actions; [`banks`]: a second bank when the first is silent; [`call`]: one request
//!   to one bank.
//! - [`session`], [`package`], [`money`]: what a customer has; [`screen`], [`prompts`], [`table`]:
//!   how it looks.

mod answers;
mod api;
mod arguments;
mod banks;
mod call;
mod commands;
mod menu;
mod money;
mod package;
mod prompts;
mod screen;
mod session;
mod table;
mod texts;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

pub(super) use self::arguments::ClientArgs;

use self::arguments::Options;
use self::banks::{Banks, Patience};
use self::screen::{Screen, Tone, plain};
use self::session::Password;
use super::EXIT_OUTPUT_LOST;
use super::base_url::BaseUrl;
use super::stdout::{self, OutputLost};
use crate::config::Config;

/// Why an action was not completed. The texts are for customers.
#[derive(Debug, thiserror::Error)]
pub(super) enum ClientError {
    /// No bank was asked for anything.
    #[error("{0}")]
    Usage(String),
    /// A bank said no; nothing was done.
    #[error("{0}")]
    Refused(String),
    /// No bank settled the request.
    #[error("{descript}")]
    NoAnswer {
        descript: String,
        /// Whether it may have been done all the same.
        may_have_effect: bool,
        /// The key with which asking again finds out.
        key: Option<String>,
    },
    #[error("{}", texts::INTERRUPTED)]
    Interrupted,
    /// What was asked for is done, but the answer could not be written.
    #[error("{}", texts::answer_lost(.0.why()))]
    AnswerLost(OutputLost),
}

impl ClientError {
    /// Whether the request may have been done all the same.
    fn leaves_unknown(&self) -> bool {
        matches!(self, ClientError::NoAnswer { may_have_effect: true, .. })
    }

    /// The exit code, as the help text promises.
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            ClientError::Refused(_) => 1,
            ClientError::Usage(_) => 2,
            ClientError::NoAnswer { .. } => 3,
            ClientError::AnswerLost(_) => EXIT_OUTPUT_LOST,
            ClientError::Interrupted => 130,
        }
    }
}

/// What went wrong, for a script.
#[derive(Serialize)]
struct Failed<'a> {
    ok: bool,
    exit_code: u8,
    descript: String,
    may_have_effect: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    idempotency_key: Option<&'a str>,
}

/// Runs the command, or the menu where there is none.
pub(super) fn run(arguments: &ClientArgs) -> Result<(), ClientError> {
    let screen = Screen::of_this_process();
    let ended = actix_rt::System::new().block_on(act(arguments, screen));
    let ended = ended.and_then(|()| stdout::check().map_err(ClientError::AnswerLost));
    if let Err(error) = &ended
        && arguments.options.json
    {
        tell_failure(screen, error);
    }
    ended
}

/// What is wrong with the command line that clap refused, in Portuguese.
pub(super) fn refuse(arguments: &[OsString], refusal: &clap::Error) -> ClientError {
    let error = ClientError::Usage(texts::in_portuguese(refusal));
    if arguments.iter().any(|argument| argument == "--json") {
        tell_failure(Screen::of_this_process(), &error);
    }
    error
}

fn tell_failure(screen: Screen, error: &ClientError) {
    let (may_have_effect, idempotency_key) = match error {
        ClientError::NoAnswer { may_have_effect, key, .. } => (*may_have_effect, key.as_deref()),
        _ => (false, None),
    };
    let (exit_code, descript) = (error.exit_code(), plain(&error.to_string()));
    screen.say(
        Tone::Plain,
        &json(&Failed { ok: false, exit_code, descript, may_have_effect, idempotency_key }),
    );
}

async fn act(arguments: &ClientArgs, screen: Screen) -> Result<(), ClientError> {
    let options = &arguments.options;
    let patience = Patience {
        answer: Duration::from_secs(options.answer_wait.into()),
        outcome: Duration::from_secs(options.outcome_wait.into()),
    };
    let banks = Banks::new(urls(options)?, patience, screen);
    let password = Password::at_hand(options.password_file.as_deref())?;
    match &arguments.command {
        None => menu::run(banks, options, password, screen).await,
        Some(command) => commands::run(command, banks, options, password, screen).await,
    }
}

/// The banks that were named, or those of `nodes.json`.
fn urls(options: &Options) -> Result<Vec<BaseUrl>, ClientError> {
    if !options.bank.is_empty() {
        return Ok(options.bank.clone());
    }
    if !options.nodes.exists() {
        return Err(ClientError::Usage(texts::no_banks(&options.nodes)));
    }
    let config = Config::load(&options.nodes)
        .map_err(|why| ClientError::Usage(texts::bad_nodes(&why.to_string())))?;
    let parse = |node: &crate::config::NodeAddress| {
        let url = node.url();
        url.parse().map_err(|_| {
            ClientError::Usage(texts::bad_nodes(&format!("{url}: {}", texts::BAD_URL)))
        })
    };
    config.nodes.iter().map(parse).collect()
}

/// Where the tokens of commands are kept.
fn session_file(options: &Options) -> Result<PathBuf, ClientError> {
    let file = options.session.clone().or_else(session::usual_file);
    file.ok_or_else(|| ClientError::Usage(texts::NO_SESSION_FILE.to_owned()))
}

fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("texts and numbers can be written as JSON")
}
