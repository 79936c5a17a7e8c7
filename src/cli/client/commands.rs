//! Every action as a plain command: its answer as a text for persons, or as one JSON object for
//! scripts.

use std::io::Read;
use std::path::Path;

use serde::Serialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::answers::{JointRead, KeysRead, Opened, RecipientRead, Said, StatementRead, Status};
use super::api::{GiveBack, KeyWish, NewCustomer, OwnAccount, Part, read};
use super::arguments::{
    Command, Joint, Keys, Open, Operate, Options, Paid, Pay, Refund, Register, Statement, document,
};
use super::banks::Banks;
use super::call::Answer;
use super::money::Total;
use super::package::{Basket, Line};
use super::prompts::Prompts;
use super::screen::{Screen, Tone, plain};
use super::session::{Password, Session};
use super::{ClientError, session_file, texts};
use crate::ledger::money::sum;
use crate::ledger::{NewAccount, Note, OperationKind, Reais, UserName};

mod limits;
mod profile;
mod schedules;
mod security;
mod show;
mod watch;

pub(super) use self::limits::limits_text;
pub(super) use self::show::{
    account_label, accounts_table, banks_table, joint_table, opened_text, recipient_line,
    statement_tables,
};
pub(super) use self::watch::tell_person;

/// Largest package that is read, in bytes; a bank takes less.
const PACKAGE_BYTES_MAX: u64 = 1024 * 1024;

/// What a command works with.
struct Work<'a> {
    banks: Banks,
    session: Session,
    options: &'a Options,
    screen: Screen,
}

/// A success of one bank, for a script.
#[derive(Serialize)]
struct Done<'a> {
    ok: bool,
    bank: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    idempotency_key: Option<&'a str>,
    answer: &'a RawValue,
}

/// Runs one command.
pub(super) async fn run(
    command: &Command,
    banks: Banks,
    options: &Options,
    password: Option<Password>,
    screen: Screen,
) -> Result<(), ClientError> {
    let mut work = Work { banks, session: Session::default(), options, screen };
    let mut kept_user = None;
    if needs_session(command) {
        work.session = Session::load(&session_file(options)?)?;
        kept_user.clone_from(&work.session.user);
    }
    if let Some(user) = &options.user {
        work.session.belong_to(user);
    }
    work.session.password = password;
    work.banks.position = work.session.position;
    let acted = match command {
        Command::Banks => work.banks().await,
        Command::Register(arguments) => work.register(arguments).await,
        Command::Login => work.login().await,
        Command::Logout => work.logout().await,
        Command::Accounts => work.accounts().await,
        Command::Open(arguments) => work.open(arguments).await,
        Command::Password(arguments) => work.change_password(arguments).await,
        Command::Sessions(arguments) => work.sessions(arguments).await,
        Command::Joint => work.joint().await,
        Command::Accept(arguments) => work.answer_joint(arguments, true).await,
        Command::Decline(arguments) => work.answer_joint(arguments, false).await,
        Command::Pix(arguments) => {
            let answer = work.banks.recipient(&arguments.key).await?;
            let RecipientRead { data, kay_pix } = read(&answer)?;
            work.tell(&answer, None, &recipient_line(&data, &kay_pix));
            Ok(())
        }
        Command::Pay(arguments) => work.pay(arguments).await,
        Command::Refund(arguments) => work.refund(arguments).await,
        Command::Keys(arguments) => work.keys(arguments).await,
        Command::Close(arguments) => work.close(arguments).await,
        Command::Nickname(arguments) => work.nickname(arguments).await,
        Command::Favourites(arguments) => work.favourites(arguments).await,
        Command::Schedule(arguments) => work.schedule(arguments).await,
        Command::Schedules(arguments) => work.schedules(arguments).await,
        Command::Limits(arguments) => work.limits(arguments).await,
        Command::Operate(arguments) => work.operate(arguments).await,
        Command::Statement(arguments) => work.statement(arguments).await,
        Command::Watch(arguments) => work.watch(arguments).await,
    };
    work.session.position = work.banks.position;
    // Changes of tokens along the way are kept even if the bank refused the request. Only a login
    // replaces the session of another customer.
    let same_user =
        kept_user.is_some() && (work.session.user.is_none() || work.session.user == kept_user);
    if needs_session(command) && (same_user || matches!(command, Command::Login)) {
        work.session.keep(&session_file(options)?)?;
    }
    acted
}

/// Whether tokens are read from the file and kept there.
fn needs_session(command: &Command) -> bool {
    !matches!(command, Command::Banks | Command::Register(_) | Command::Pix(_))
}

impl Work<'_> {
    /// A bank's answer.
    fn tell(&self, answer: &Answer, key: Option<&str>, text: &str) {
        if self.options.json {
            let answer =
                serde_json::from_slice(&answer.body).expect("only JSON is taken for an answer");
            let bank = self.banks.current().url.to_string();
            self.print_json(&Done { ok: true, bank, idempotency_key: key, answer });
        } else {
            self.screen.say(Tone::Plain, text);
        }
    }

    /// A bank's answer that is only one sentence.
    fn tell_done(&self, answer: &Answer, key: &str) -> Result<(), ClientError> {
        let Said { descript, position } = read(answer)?;
        let descript = plain(&descript);
        let text =
            position.map_or(descript.clone(), |position| texts::done_at(&descript, position));
        self.tell(answer, Some(key), &text);
        Ok(())
    }

    /// The same for what was not ordered.
    fn tell_sentence(&self, answer: &Answer) -> Result<(), ClientError> {
        let Said { descript, .. } = read(answer)?;
        self.tell(answer, None, &plain(&descript));
        Ok(())
    }

    fn print_json<T: Serialize>(&self, value: &T) {
        self.screen.say(Tone::Plain, &super::json(value));
    }

    fn user(&self) -> Result<UserName, ClientError> {
        self.session.user.clone().ok_or_else(|| ClientError::Usage(texts::USER_NEEDED.to_owned()))
    }

    /// The password at hand, or one that the person gives.
    fn password(&self) -> Result<Password, ClientError> {
        if let Some(password) = &self.session.password {
            return Ok(password.clone());
        }
        let needed = || ClientError::Usage(texts::PASSWORD_NEEDED.to_owned());
        if !self.screen.has_person {
            return Err(needed());
        }
        Prompts(self.screen).password(texts::PASSWORD)?.ok_or_else(needed)
    }

    async fn banks(&mut self) -> Result<(), ClientError> {
        let statuses = self.banks.survey().await;
        let Some(known) = statuses.iter().flatten().next() else {
            return Err(ClientError::NoAnswer {
                descript: texts::NO_BANK_ANSWERS.to_owned(),
                may_have_effect: false,
                key: None,
            });
        };
        if self.options.json {
            self.print_json(&BanksJson::new(&self.banks, &statuses));
        } else {
            self.screen
                .say(Tone::Plain, &banks_table(self.screen, &self.banks, &statuses, &known.banks));
        }
        Ok(())
    }

    async fn register(&mut self, arguments: &Register) -> Result<(), ClientError> {
        let document =
            document(arguments.person.into(), &arguments.document).map_err(ClientError::Usage)?;
        let user = self.user()?;
        if !Prompts(self.screen).is_right(&document)? {
            return Err(ClientError::Interrupted);
        }
        let password = match &self.session.password {
            None if self.screen.has_person => {
                Prompts(self.screen).new_password()?.ok_or(ClientError::Interrupted)?
            }
            _ => self.password()?,
        };
        let customer = NewCustomer { name: arguments.name.clone(), document, user };
        let key = arguments.key.or_new();
        let answer = self.banks.register(&customer, &password, &key).await?;
        self.tell_done(&answer, &key)
    }

    async fn login(&mut self) -> Result<(), ClientError> {
        let user = match (&self.session.user, self.screen.has_person) {
            (None, true) => {
                let asked = Prompts(self.screen).text(
                    texts::USER_NAME,
                    None,
                    super::arguments::user_name,
                )?;
                asked.ok_or(ClientError::Interrupted)?
            }
            _ => self.user()?,
        };
        let password = self.password()?;
        // The position seen before may be that of another consortium at the same addresses.
        self.banks.position = 0;
        let logged_in = self.banks.log_in(&mut self.session, &user, password).await?;
        let places = self.banks.log_in_everywhere(&mut self.session).await?;
        if self.options.json {
            let banks =
                places.iter().map(|place| self.banks.list[*place].url.to_string()).collect();
            self.print_json(&LoginJson {
                ok: true,
                user_name: &user,
                name: &logged_in.data.name,
                banks,
            });
        } else {
            let data = &logged_in.data;
            self.screen
                .say(Tone::Good, &texts::greeting(&plain(&data.name), &user, data.type_person));
            let names: Vec<_> = places.iter().map(|place| self.banks.name(*place)).collect();
            self.screen.say(Tone::Plain, &texts::sessions_begun(&names));
        }
        Ok(())
    }

    async fn logout(&mut self) -> Result<(), ClientError> {
        if !self.session.is_open() {
            return Err(ClientError::Usage(texts::LOG_IN_FIRST.to_owned()));
        }
        let banks = self.banks.log_out(&mut self.session).await;
        if self.options.json {
            self.print_json(&LogoutJson { ok: true, banks });
        } else {
            self.screen.say(Tone::Plain, texts::LOGGED_OUT);
        }
        Ok(())
    }

    async fn accounts(&mut self) -> Result<(), ClientError> {
        let user = self.user()?;
        let accounts = match self.session.password.clone() {
            // Every bank knows the accounts at all banks and lists them in its answer to a login.
            Some(password) => {
                self.banks.log_in(&mut self.session, &user, password).await?.data.own_accounts()
            }
            None => self.accounts_by_tokens(&user).await?,
        };
        if self.options.json {
            self.print_json(&AccountsJson::new(&user, &accounts));
        } else {
            let name = |bank| self.banks.label(bank);
            self.screen.say(Tone::Plain, &accounts_table(self.screen, &accounts, name));
        }
        Ok(())
    }

    /// Bank by bank: without a password there is no login, and each bank lists only its own
    /// accounts.
    async fn accounts_by_tokens(
        &mut self,
        user: &UserName,
    ) -> Result<Vec<OwnAccount>, ClientError> {
        let mut accounts = Vec::new();
        for place in 0..self.banks.list.len() {
            accounts.extend(self.banks.accounts_at(&mut self.session, place, user).await?);
        }
        Ok(accounts)
    }

    async fn open(&mut self, arguments: &Open) -> Result<(), ClientError> {
        let (user, password) = (self.user()?, self.password()?);
        let place = self.banks.place_of(arguments.at).await?;
        let account = NewAccount {
            type_account: arguments.type_account.into(),
            pix_type: arguments.pix.into(),
            users: arguments.holder.clone(),
            value_init: arguments.value,
        };
        let key = arguments.key.or_new();
        let answer = self.banks.open(place, &user, &password, &account, &key).await?;
        let opened: Opened = read(&answer)?;
        self.banks.current = place;
        self.tell(&answer, Some(&key), &opened_text(&opened));
        Ok(())
    }

    async fn joint(&mut self) -> Result<(), ClientError> {
        let answer = self.banks.joint_requests(&mut self.session).await?;
        let JointRead { data } = read(&answer)?;
        let name = |bank| self.banks.label(bank);
        self.tell(&answer, None, &joint_table(self.screen, &data, name));
        Ok(())
    }

    async fn answer_joint(&mut self, arguments: &Joint, accept: bool) -> Result<(), ClientError> {
        let key = arguments.key.or_new();
        let place = arguments.of.place();
        let answer = self.banks.answer_joint(&mut self.session, place, accept, &key).await?;
        self.tell_done(&answer, &key)
    }

    async fn operate(&mut self, arguments: &Operate) -> Result<(), ClientError> {
        let package = read_package(&arguments.package)?;
        let key = arguments.key.or_new();
        let confirmed = arguments.confirm.then(|| self.password()).transpose()?;
        let answer =
            self.banks.operate(&mut self.session, package, confirmed.as_ref(), &key).await?;
        self.tell_done(&answer, &key)
    }

    /// A package of one Pix. A person sees who is paid and confirms it; whoever gives a key repeats
    /// what was sent.
    async fn pay(&mut self, arguments: &Pay) -> Result<(), ClientError> {
        let Pay { paid, txid, key } = arguments;
        let Paid { payee, value, from, at, message, confirm } = paid;
        let RecipientRead { data, kay_pix } = self.payee(payee).await?;
        let note = Some(Note { message: message.clone(), txid: txid.clone() });
        let kind = OperationKind::Transfer { value: *value, pix: kay_pix, note };
        let mut basket = Basket::default();
        basket.add(Line { bank: *at, account: *from, kind, recipient: Some(data) });
        let key = key.or_new();
        let confirmed = confirm.then(|| self.password()).transpose()?;
        let package = basket.to_json();
        let answer =
            self.banks.operate(&mut self.session, package, confirmed.as_ref(), &key).await?;
        self.tell_done(&answer, &key)
    }

    /// Whom a key belongs to; a person sees it, and confirms that this is to be paid.
    async fn payee(&mut self, typed: &str) -> Result<RecipientRead, ClientError> {
        let answer = self.banks.recipient(typed).await?;
        let found: RecipientRead = read(&answer)?;
        if self.screen.has_person && !self.options.json {
            let RecipientRead { data, kay_pix } = &found;
            self.screen.remark(Tone::Title, &recipient_line(data, kay_pix));
            if !Prompts(self.screen).confirm(&texts::pay_to(&plain(&data.name)))? {
                return Err(ClientError::Usage(texts::NOT_CONFIRMED.to_owned()));
            }
        }
        Ok(found)
    }

    /// Changes a key, if that is wanted, or lists them.
    async fn keys(&mut self, arguments: &Keys) -> Result<(), ClientError> {
        let Keys { of, add, value, remove, pass_on, key } = arguments;
        let change = match (add, remove, pass_on) {
            (Some(kind), _, _) => Some(KeyWish::Add { kind, value: value.as_deref() }),
            (_, Some(removed), _) => Some(KeyWish::Remove(removed)),
            (_, _, Some(moved)) => Some(KeyWish::Move(moved)),
            _ => None,
        };
        if let Some(change) = change {
            let key = key.or_new();
            let place = of.place();
            let answer = self.banks.change_key(&mut self.session, place, &change, &key).await?;
            return self.tell_done(&answer, &key);
        }
        let answer = self.banks.keys(&mut self.session, of.place()).await?;
        let KeysRead { data } = read(&answer)?;
        let lines: Vec<_> = data.iter().map(|key| plain(key)).collect();
        let text = if lines.is_empty() { texts::NO_KEYS.to_owned() } else { lines.join("\n") };
        self.tell(&answer, None, &text);
        Ok(())
    }

    async fn refund(&mut self, arguments: &Refund) -> Result<(), ClientError> {
        let key = arguments.key.or_new();
        let refund = GiveBack {
            bank: arguments.of.at,
            num_account: arguments.of.account,
            entry: arguments.entry,
            value: Reais(arguments.value.get()),
            message: arguments.message.as_ref(),
        };
        let answer = self.banks.refund(&mut self.session, &refund, &key).await?;
        self.tell_done(&answer, &key)
    }

    async fn statement(&mut self, arguments: &Statement) -> Result<(), ClientError> {
        let place = self.banks.place_of(arguments.of.at).await?;
        let (limit, before) =
            (arguments.limit as usize, arguments.before.map(|before| before as usize));
        let txid = arguments.txid.as_ref();
        let answer = self
            .banks
            .statement(&mut self.session, place, arguments.of.account, Part { limit, before, txid })
            .await?;
        let statement: StatementRead = read(&answer)?;
        self.banks.current = place;
        self.tell(&answer, None, &statement_tables(self.screen, &statement.data));
        Ok(())
    }
}

/// The package exactly as it is in the file: the bank itself must read the order of its operations.
fn read_package(file: &Path) -> Result<String, ClientError> {
    let unreadable = |why: &str| ClientError::Usage(texts::file_unreadable(file, why));
    let mut text = String::new();
    let read = if file == Path::new("-") {
        std::io::stdin().lock().take(PACKAGE_BYTES_MAX + 1).read_to_string(&mut text)
    } else {
        std::fs::File::open(file)
            .and_then(|opened| opened.take(PACKAGE_BYTES_MAX + 1).read_to_string(&mut text))
    };
    let length = read.map_err(|why| unreadable(&texts::io_error(&why)))?;
    if length as u64 > PACKAGE_BYTES_MAX {
        return Err(unreadable(texts::TOO_LARGE));
    }
    // Some editors put a byte order mark first, which JSON does not allow.
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    match serde_json::from_str::<IgnoredAny>(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(ClientError::Usage(texts::not_json(file, error.line(), error.column()))),
    }
}

#[derive(Serialize)]
struct LoginJson<'a> {
    ok: bool,
    user_name: &'a UserName,
    name: &'a str,
    /// The banks where a session is open now.
    banks: Vec<String>,
}

#[derive(Serialize)]
struct LogoutJson {
    ok: bool,
    /// How many banks said that they ended the session.
    banks: usize,
}

#[derive(Serialize)]
struct AccountsJson<'a> {
    ok: bool,
    user_name: &'a UserName,
    total: Total,
    accounts: Vec<AccountJson<'a>>,
}

#[derive(Serialize)]
struct AccountJson<'a> {
    bank: u16,
    num_account: u64,
    balance: Reais,
    kay_pix: &'a str,
}

impl<'a> AccountsJson<'a> {
    fn new(user_name: &'a UserName, accounts: &'a [OwnAccount]) -> Self {
        let account = |own: &'a OwnAccount| AccountJson {
            bank: own.bank.0,
            num_account: own.number.get(),
            balance: Reais(own.balance),
            kay_pix: own.key.as_str(),
        };
        let accounts_json = accounts.iter().map(account).collect();
        AccountsJson { ok: true, user_name, total: total(accounts), accounts: accounts_json }
    }
}

/// What all accounts hold together.
pub(super) fn total(accounts: &[OwnAccount]) -> Total {
    Total(sum(accounts.iter().map(|own| own.balance)))
}

#[derive(Serialize)]
struct BanksJson {
    ok: bool,
    banks: Vec<BankJson>,
}

#[derive(Serialize)]
struct BankJson {
    url: String,
    answers: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    bank: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// Whether it takes writes.
    ready: bool,
}

impl BanksJson {
    fn new(banks: &Banks, statuses: &[Option<Status>]) -> Self {
        let bank = |(bank, status): (&super::banks::Bank, &Option<Status>)| BankJson {
            url: bank.url.to_string(),
            answers: status.is_some(),
            bank: status.as_ref().map(|status| status.bank.0),
            name: status.as_ref().map(|status| status.name.clone()),
            ready: status.as_ref().is_some_and(|status| status.ready),
        };
        BanksJson { ok: true, banks: banks.list.iter().zip(statuses).map(bank).collect() }
    }
}
