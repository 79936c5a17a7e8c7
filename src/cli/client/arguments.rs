//! What `netbanking client` is told. Values are parsed here, so that a mistake is reported in
//! Portuguese and nothing is sent.

mod values;

use std::path::PathBuf;

use clap::{ArgAction, Args, Subcommand, ValueEnum};

use super::super::base_url::BaseUrl;
use super::api::LimitWish;
use super::texts::help;
use crate::ids::BankId;
use crate::ledger;
use crate::ledger::{
    AccountNumber, Amount, IdempotencyKey, Message, PersonName, PixType, Txid, TypeAccount,
    TypePerson, UserName,
};

pub(super) use self::values::{amount, document, limit, message, person_name, pix_key, user_name};

use self::values::{
    account_number, bank_number, bank_url, day, idempotency_key, nickname, said, txid, whole,
};

/// What `netbanking client` is told.
#[derive(Debug, Args)]
#[command(
    about = help::CLIENT, long_about = help::CLIENT_LONG, override_usage = help::USAGE,
    after_help = help::AFTER, help_template = help::TEMPLATE,
    subcommand_help_heading = help::COMMANDS, subcommand_value_name = "COMANDO",
    next_help_heading = help::OPTIONS,
    disable_help_flag = true, disable_help_subcommand = true
)]
pub(in crate::cli) struct ClientArgs {
    #[command(subcommand)]
    pub(super) command: Option<Command>,
    #[command(flatten)]
    pub(super) options: Options,
}

/// What counts for the menu and for every command.
#[derive(Debug, Args)]
pub(super) struct Options {
    #[arg(long, value_name = "URL", global = true, env = "NETBANKING_CLIENT_BANKS",
        hide_env_values = true,
        value_delimiter = ',', value_parser = bank_url, help = help::BANK)]
    pub(super) bank: Vec<BaseUrl>,
    #[arg(long, value_name = "ARQUIVO", global = true, env = "NETBANKING_NODES",
        default_value = "nodes.json",
        hide_default_value = true, help = help::NODES)]
    pub(super) nodes: PathBuf,
    #[arg(long, value_name = "NOME", global = true, env = "NETBANKING_USER",
        value_parser = user_name, help = help::USER)]
    pub(super) user: Option<UserName>,
    #[arg(long, value_name = "ARQUIVO", global = true, help = help::PASSWORD_FILE)]
    pub(super) password_file: Option<PathBuf>,
    #[arg(long, value_name = "ARQUIVO", global = true, env = "NETBANKING_SESSION",
        help = help::SESSION)]
    pub(super) session: Option<PathBuf>,
    #[arg(long, value_name = "SEGUNDOS", global = true, default_value_t = 5,
        hide_default_value = true,
        value_parser = |text: &str| whole(text, 1..=60), help = help::ANSWER_WAIT)]
    pub(super) answer_wait: u32,
    #[arg(long, value_name = "SEGUNDOS", global = true, default_value_t = 30,
        hide_default_value = true,
        value_parser = |text: &str| whole(text, 1..=3_600), help = help::OUTCOME_WAIT)]
    pub(super) outcome_wait: u32,
    #[arg(long, global = true, help = help::JSON)]
    pub(super) json: bool,
    #[arg(short = 'h', long, global = true, action = ArgAction::Help, help = help::HELP)]
    help: Option<bool>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    #[command(about = help::BANKS, override_usage = help::BANKS_USAGE,
        help_template = help::TEMPLATE)]
    Banks,
    #[command(about = help::REGISTER, override_usage = help::REGISTER_USAGE,
        help_template = help::TEMPLATE)]
    Register(Register),
    #[command(about = help::LOGIN, override_usage = help::LOGIN_USAGE,
        help_template = help::TEMPLATE)]
    Login,
    #[command(about = help::LOGOUT, override_usage = help::LOGOUT_USAGE,
        help_template = help::TEMPLATE)]
    Logout,
    #[command(about = help::PASSWORD, override_usage = help::PASSWORD_USAGE,
        help_template = help::TEMPLATE)]
    Password(ChangePassword),
    #[command(about = help::SESSIONS, override_usage = help::SESSIONS_USAGE,
        help_template = help::TEMPLATE)]
    Sessions(Sessions),
    #[command(about = help::ACCOUNTS, override_usage = help::ACCOUNTS_USAGE,
        help_template = help::TEMPLATE)]
    Accounts,
    #[command(about = help::OPEN, override_usage = help::OPEN_USAGE,
        help_template = help::TEMPLATE)]
    Open(Open),
    #[command(about = help::JOINT, override_usage = help::JOINT_USAGE,
        help_template = help::TEMPLATE)]
    Joint,
    #[command(about = help::ACCEPT, override_usage = help::ACCEPT_USAGE,
        help_template = help::TEMPLATE)]
    Accept(Joint),
    #[command(about = help::DECLINE, override_usage = help::DECLINE_USAGE,
        help_template = help::TEMPLATE)]
    Decline(Joint),
    #[command(about = help::PIX, override_usage = help::PIX_USAGE, help_template = help::TEMPLATE)]
    Pix(Pix),
    #[command(about = help::PAY, override_usage = help::PAY_USAGE, help_template = help::TEMPLATE)]
    Pay(Pay),
    #[command(about = help::REFUND, override_usage = help::REFUND_USAGE,
        help_template = help::TEMPLATE)]
    Refund(Refund),
    #[command(about = help::KEYS, override_usage = help::KEYS_USAGE,
        help_template = help::TEMPLATE)]
    Keys(Keys),
    #[command(about = help::CLOSE, override_usage = help::CLOSE_USAGE,
        help_template = help::TEMPLATE)]
    Close(Close),
    #[command(about = help::NICKNAME, override_usage = help::NICKNAME_USAGE,
        help_template = help::TEMPLATE)]
    Nickname(Nickname),
    #[command(about = help::FAVOURITES, override_usage = help::FAVOURITES_USAGE,
        help_template = help::TEMPLATE)]
    Favourites(Favourites),
    #[command(about = help::SCHEDULE, override_usage = help::SCHEDULE_USAGE,
        help_template = help::TEMPLATE)]
    Schedule(Schedule),
    #[command(about = help::SCHEDULES, override_usage = help::SCHEDULES_USAGE,
        help_template = help::TEMPLATE)]
    Schedules(Schedules),
    #[command(about = help::LIMITS, override_usage = help::LIMITS_USAGE,
        help_template = help::TEMPLATE)]
    Limits(Limits),
    #[command(about = help::OPERATE, override_usage = help::OPERATE_USAGE,
        help_template = help::TEMPLATE)]
    Operate(Operate),
    #[command(about = help::STATEMENT, override_usage = help::STATEMENT_USAGE,
        help_template = help::TEMPLATE)]
    Statement(Statement),
    #[command(about = help::WATCH, override_usage = help::WATCH_USAGE,
        help_template = help::TEMPLATE)]
    Watch(Watch),
}

#[derive(Debug, Args)]
#[command(next_help_heading = help::ARGUMENTS)]
pub(super) struct Register {
    #[arg(long, value_name = "NOME", value_parser = person_name, help = help::NAME)]
    pub(super) name: PersonName,
    #[arg(long, value_name = "PESSOA", ignore_case = true, hide_possible_values = true,
        help = help::PERSON)]
    pub(super) person: Person,
    #[arg(long, value_name = "CPF|CNPJ", help = help::DOCUMENT)]
    pub(super) document: String,
    #[command(flatten)]
    pub(super) key: Key,
}

#[derive(Debug, Args)]
#[command(next_help_heading = help::ARGUMENTS)]
pub(super) struct Open {
    #[arg(long, value_name = "BANCO", value_parser = bank_number, help = help::AT)]
    pub(super) at: BankId,
    #[arg(long = "type", value_name = "TIPO", ignore_case = true, hide_possible_values = true,
        help = help::TYPE_ACCOUNT)]
    pub(super) type_account: AccountKind,
    #[arg(long, value_name = "TIPO", ignore_case = true, hide_possible_values = true,
        help = help::PIX_TYPE)]
    pub(super) pix: KeyKind,
    #[arg(long, value_name = "VALOR", value_parser = amount, help = help::VALUE)]
    pub(super) value: Amount,
    #[arg(long, value_name = "NOME", value_parser = user_name, help = help::HOLDER)]
    pub(super) holder: Vec<UserName>,
    #[command(flatten)]
    pub(super) key: Key,
}

#[derive(Debug, Args)]
#[command(next_help_heading = help::ARGUMENTS)]
pub(super) struct ChangePassword {
    #[arg(long, value_name = "ARQUIVO", help = help::NEW_PASSWORD_FILE)]
    pub(super) new_password_file: Option<PathBuf>,
    #[command(flatten)]
    pub(super) key: Key,
}

#[derive(Debug, Args)]
#[command(next_help_heading = help::ARGUMENTS)]
pub(super) struct Sessions {
    #[arg(long, value_name = "BANCO", value_parser = bank_number, help = help::AT)]
    pub(super) at: Option<BankId>,
    #[arg(long, value_name = help::SESSION_NAME, help = help::END_SESSION)]
    pub(super) end: Option<String>,
    #[arg(long, conflicts_with = "end", help = help::END_ALL_SESSIONS)]
    pub(super) end_all: bool,
}

/// A joint account that waits for its holders.
#[derive(Debug, Args)]
#[command(next_help_heading = help::ARGUMENTS)]
pub(super) struct Joint {
    #[command(flatten)]
    pub(super) of: OfAccount,
    #[command(flatten)]
    pub(super) key: Key,
}

#[derive(Debug, Args)]
#[command(next_help_heading = help::ARGUMENTS)]
pub(super) struct Pix {
    #[arg(value_name = "CHAVE", value_parser = pix_key, help = help::PIX_KEY)]
    pub(super) key: String,
}

#[derive(Debug, Args)]
#[command(next_help_heading = help::ARGUMENTS)]
pub(super) struct Pay {
    #[command(flatten)]
    pub(super) paid: Paid,
    #[arg(long, value_name = "TXID", value_parser = txid, help = help::PAID_TXID)]
    pub(super) txid: Option<Txid>,
    #[command(flatten)]
    pub(super) key: Key,
}

#[derive(Debug, Args)]
#[command(next_help_heading = help::ARGUMENTS)]
pub(super) struct Refund {
    #[command(flatten)]
    pub(super) of: OfAccount,
    #[arg(long, value_name = "N", help = help::ENTRY)]
    pub(super) entry: u64,
    #[arg(long, value_name = "VALOR", value_parser = amount, help = help::PAID)]
    pub(super) value: Amount,
    #[arg(long, value_name = "TEXTO", value_parser = said, help = help::REFUND_MESSAGE)]
    pub(super) message: Option<Message>,
    #[command(flatten)]
    pub(super) key: Key,
}

/// The keys of an account, and at most one change.
#[derive(Debug, Args)]
#[command(next_help_heading = help::ARGUMENTS)]
pub(super) struct Keys {
    #[command(flatten)]
    pub(super) of: OfAccount,
    #[arg(long, value_name = "TIPO", help = help::ADD_KEY)]
    pub(super) add: Option<String>,
    #[arg(long, value_name = "TEXTO", requires = "add", help = help::KEY_VALUE)]
    pub(super) value: Option<String>,
    #[arg(long, value_name = "CHAVE", conflicts_with = "add", help = help::REMOVE_KEY)]
    pub(super) remove: Option<String>,
    #[arg(long = "move", value_name = "CHAVE", conflicts_with_all = ["add", "remove"],
        help = help::MOVE_KEY)]
    pub(super) pass_on: Option<String>,
    #[command(flatten)]
    pub(super) key: Key,
}

/// The end of an account.
#[derive(Debug, Args)]
#[command(next_help_heading = help::ARGUMENTS)]
pub(super) struct Close {
    #[command(flatten)]
    pub(super) of: OfAccount,
    #[arg(long, help = help::KEEP_OPEN)]
    pub(super) keep_open: bool,
    #[command(flatten)]
    pub(super) key: Key,
}

/// What an account is called.
#[derive(Debug, Args)]
#[command(next_help_heading = help::ARGUMENTS)]
pub(super) struct Nickname {
    #[command(flatten)]
    pub(super) of: OfAccount,
    #[arg(long, value_name = "APELIDO", value_parser = nickname, help = help::NICKNAME_NAME)]
    pub(super) name: Option<ledger::Nickname>,
    #[command(flatten)]
    pub(super) key: Key,
}

/// Those who are paid often, and at most one change.
#[derive(Debug, Args)]
#[command(next_help_heading = help::ARGUMENTS)]
pub(super) struct Favourites {
    #[arg(long, value_name = "CHAVE", value_parser = pix_key, requires = "name",
        help = help::ADD_FAVOURITE)]
    pub(super) add: Option<String>,
    #[arg(long, value_name = "APELIDO", value_parser = nickname, requires = "add",
        help = help::FAVOURITE_NAME)]
    pub(super) name: Option<ledger::Nickname>,
    #[arg(long, value_name = "CHAVE", conflicts_with = "add", help = help::REMOVE_FAVOURITE)]
    pub(super) remove: Option<String>,
    #[command(flatten)]
    pub(super) key: Key,
}

/// A Pix of days to come.
#[derive(Debug, Args)]
#[command(next_help_heading = help::ARGUMENTS)]
pub(super) struct Schedule {
    #[command(flatten)]
    pub(super) paid: Paid,
    #[arg(long, value_name = "DATA", value_parser = day, help = help::DAY)]
    pub(super) day: String,
    #[arg(long, value_name = "QUANDO", ignore_case = true, hide_possible_values = true,
        default_value = "mes", hide_default_value = true, help = help::EVERY)]
    pub(super) every: Often,
    #[arg(long, value_name = "N", default_value_t = 1, hide_default_value = true,
        help = help::TIMES)]
    pub(super) times: u16,
    #[command(flatten)]
    pub(super) key: Key,
}

/// How often it is paid.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Often {
    #[value(name = "dia")]
    Day,
    #[value(name = "semana")]
    Week,
    #[value(name = "mes")]
    Month,
}

impl Often {
    /// The word in requests.
    pub(super) fn word(self) -> &'static str {
        match self {
            Often::Day => "DAY",
            Often::Week => "WEEK",
            Often::Month => "MONTH",
        }
    }
}

/// Those that there are, and the one to be given up.
#[derive(Debug, Args)]
#[command(next_help_heading = help::ARGUMENTS)]
pub(super) struct Schedules {
    #[arg(long, value_name = "N", help = help::CANCEL_SCHEDULE)]
    pub(super) cancel: Option<u64>,
    #[command(flatten)]
    pub(super) key: Key,
}

/// How much may leave, and what is to be changed of it.
#[derive(Debug, Args)]
#[command(next_help_heading = help::ARGUMENTS)]
pub(super) struct Limits {
    #[arg(long, value_name = "VALOR", value_parser = limit, help = help::LIMIT_BY_DAY)]
    pub(super) day: Option<LimitWish>,
    #[arg(long, value_name = "VALOR", value_parser = limit, help = help::LIMIT_BY_NIGHT)]
    pub(super) night: Option<LimitWish>,
    #[arg(long, value_name = "VALOR", value_parser = limit, help = help::CONFIRM_ABOVE)]
    pub(super) confirm_above: Option<LimitWish>,
    #[command(flatten)]
    pub(super) key: Key,
}

#[derive(Debug, Args)]
#[command(next_help_heading = help::ARGUMENTS)]
pub(super) struct Operate {
    #[arg(value_name = "ARQUIVO", help = help::PACKAGE)]
    pub(super) package: PathBuf,
    #[arg(long, help = help::CONFIRM)]
    pub(super) confirm: bool,
    #[command(flatten)]
    pub(super) key: Key,
}

#[derive(Debug, Args)]
#[command(next_help_heading = help::ARGUMENTS)]
pub(super) struct Statement {
    #[command(flatten)]
    pub(super) of: OfAccount,
    #[arg(long, value_name = "N", default_value_t = 100, hide_default_value = true,
        value_parser = |text: &str| whole(text, 1..=1_000), help = help::LIMIT)]
    pub(super) limit: u32,
    #[arg(long, value_name = "N", value_parser = |text: &str| whole(text, 0..=u32::MAX),
        help = help::BEFORE)]
    pub(super) before: Option<u32>,
    #[arg(long, value_name = "TXID", value_parser = txid, help = help::TXID)]
    pub(super) txid: Option<Txid>,
}

/// Shows what arrives.
#[derive(Debug, Args)]
#[command(next_help_heading = help::ARGUMENTS)]
pub(super) struct Watch {
    #[arg(long, value_name = "N", value_parser = |text: &str| whole(text, 1..=u32::MAX),
        help = help::COUNT)]
    pub(super) count: Option<u32>,
}

/// An account.
#[derive(Debug, Args)]
pub(super) struct OfAccount {
    #[arg(value_name = "CONTA", value_parser = account_number, help = help::ACCOUNT)]
    pub(super) account: AccountNumber,
    #[arg(long, value_name = "BANCO", value_parser = bank_number, help = help::AT)]
    pub(super) at: BankId,
}

impl OfAccount {
    /// Its bank and number.
    pub(super) fn place(&self) -> (BankId, AccountNumber) {
        (self.at, self.account)
    }
}

/// A Pix.
#[derive(Debug, Args)]
pub(super) struct Paid {
    #[arg(value_name = "CHAVE", value_parser = pix_key, help = help::PAYEE)]
    pub(super) payee: String,
    #[arg(long, value_name = "VALOR", value_parser = amount, help = help::PAID)]
    pub(super) value: Amount,
    #[arg(long, value_name = "CONTA", value_parser = account_number, help = help::FROM)]
    pub(super) from: AccountNumber,
    #[arg(long, value_name = "BANCO", value_parser = bank_number, help = help::AT)]
    pub(super) at: BankId,
    #[arg(long, value_name = "TEXTO", value_parser = said, help = help::MESSAGE)]
    pub(super) message: Option<Message>,
    #[arg(long, help = help::CONFIRM)]
    pub(super) confirm: bool,
}

/// Of everything that changes something.
#[derive(Debug, Args)]
pub(super) struct Key {
    #[arg(long = "key", value_name = "CHAVE", value_parser = idempotency_key, help = help::KEY)]
    given: Option<IdempotencyKey>,
}

impl Key {
    /// The one that was given, or a new one.
    pub(super) fn or_new(&self) -> String {
        self.given.as_ref().map_or_else(super::api::new_key, |key| key.as_str().to_owned())
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Person {
    #[value(name = "PF")]
    Pf,
    #[value(name = "PJ")]
    Pj,
}

impl From<Person> for TypePerson {
    fn from(person: Person) -> TypePerson {
        match person {
            Person::Pf => TypePerson::Pf,
            Person::Pj => TypePerson::Pj,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum AccountKind {
    #[value(name = "PF")]
    Pf,
    #[value(name = "PJ")]
    Pj,
    #[value(name = "CONJUNTA")]
    Conjunta,
}

impl From<AccountKind> for TypeAccount {
    fn from(kind: AccountKind) -> TypeAccount {
        match kind {
            AccountKind::Pf => TypeAccount::Pf,
            AccountKind::Pj => TypeAccount::Pj,
            AccountKind::Conjunta => TypeAccount::Conjunta,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum KeyKind {
    #[value(name = "CPF")]
    Cpf,
    #[value(name = "CNPJ")]
    Cnpj,
    #[value(name = "USER_NAME")]
    UserName,
    #[value(name = "NUM_CONTA")]
    NumConta,
    #[value(name = "RANDOM")]
    Random,
}

impl From<KeyKind> for PixType {
    fn from(kind: KeyKind) -> PixType {
        match kind {
            KeyKind::Cpf => PixType::Cpf,
            KeyKind::Cnpj => PixType::Cnpj,
            KeyKind::UserName => PixType::UserName,
            KeyKind::NumConta => PixType::NumConta,
            KeyKind::Random => PixType::Random,
        }
    }
}
