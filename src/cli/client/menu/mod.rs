//! The requirement's menu, question by question. A refusal or a silent bank is reported, and the
//! menu goes on.

mod basket;
mod joint;
mod keys;
mod limits;
mod refund;

use super::answers::{LoggedIn, Opened, Said, StatementRead};
use super::api::{NewCustomer, OwnAccount, Part, new_key, read};
use super::arguments::{Options, amount, document, person_name, user_name};
use super::banks::Banks;
use super::call::Answer;
use super::commands::{
    account_label, accounts_table, banks_table, opened_text, statement_tables, tell_person,
};
use super::prompts::Prompts;
use super::screen::{Screen, Tone, plain};
use super::session::{Password, Session};
use super::{ClientError, texts};
use crate::ledger::{Document, NewAccount, PixType, TypeAccount, TypePerson, UserName};

/// Entries of a statement that are shown at once.
const STATEMENT_PAGE: usize = 20;

/// The result of a question or an action; `None` means one step back.
type Step<T> = Result<Option<T>, ClientError>;

/// One person at one terminal.
pub(super) struct Menu {
    banks: Banks,
    session: Session,
    screen: Screen,
    prompts: Prompts,
    /// Who is logged in.
    customer: Option<Customer>,
}

struct Customer {
    user: UserName,
    person: TypePerson,
    /// The accounts as a bank last listed them.
    accounts: Vec<OwnAccount>,
}

/// What can be chosen.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Choice {
    LogIn,
    Register,
    Overview,
    Open,
    Joint,
    Package,
    Statement,
    Watch,
    Refund,
    Keys,
    Limits,
    ChangePassword,
    ChangeBank,
    LogOut,
    Quit,
}

impl Choice {
    const STRANGER: [Choice; 4] =
        [Choice::LogIn, Choice::Register, Choice::ChangeBank, Choice::Quit];
    const CUSTOMER: [Choice; 13] = [
        Choice::Overview,
        Choice::Open,
        Choice::Joint,
        Choice::Package,
        Choice::Statement,
        Choice::Watch,
        Choice::Refund,
        Choice::Keys,
        Choice::Limits,
        Choice::ChangePassword,
        Choice::ChangeBank,
        Choice::LogOut,
        Choice::Quit,
    ];

    fn label(self) -> &'static str {
        match self {
            Choice::LogIn => texts::LOG_IN,
            Choice::Register => texts::REGISTER,
            Choice::Overview => texts::OVERVIEW,
            Choice::Open => texts::OPEN_ACCOUNT,
            Choice::Joint => texts::JOINT,
            Choice::Package => texts::PACKAGE,
            Choice::Statement => texts::STATEMENT,
            Choice::Watch => texts::WATCH,
            Choice::Refund => texts::REFUND,
            Choice::Keys => texts::KEYS,
            Choice::Limits => texts::LIMITS,
            Choice::ChangePassword => texts::CHANGE_PASSWORD,
            Choice::ChangeBank => texts::CHANGE_BANK,
            Choice::LogOut => texts::LOG_OUT,
            Choice::Quit => texts::QUIT,
        }
    }
}

/// Shows the menu until the person leaves.
pub(super) async fn run(
    banks: Banks,
    options: &Options,
    password: Option<Password>,
    screen: Screen,
) -> Result<(), ClientError> {
    if !screen.has_person {
        return Err(ClientError::Usage(texts::NO_TERMINAL.to_owned()));
    }
    let session = Session::of(options.user.clone(), password);
    let mut menu = Menu { banks, session, screen, prompts: Prompts(screen), customer: None };
    screen.say(Tone::Title, texts::WELCOME);
    menu.choose_bank().await?;
    loop {
        let choices: &[Choice] =
            if menu.customer.is_some() { &Choice::CUSTOMER } else { &Choice::STRANGER };
        screen.say(Tone::Plain, "");
        let labels = choices.iter().map(|choice| choice.label().to_owned()).collect();
        let Some(chosen) = menu.prompts.choose(texts::WHAT_NEXT, labels)? else { continue };
        if choices[chosen] == Choice::Quit {
            break;
        }
        let acted = menu.act(choices[chosen]).await;
        menu.survive(acted)?;
    }
    menu.banks.log_out(&mut menu.session).await;
    screen.say(Tone::Plain, texts::GOODBYE);
    Ok(())
}

impl Menu {
    async fn act(&mut self, choice: Choice) -> Step<()> {
        match choice {
            Choice::LogIn => self.log_in().await,
            Choice::Register => self.register().await,
            Choice::Overview => self.overview().await,
            Choice::Open => self.open().await,
            Choice::Joint => self.joint().await,
            Choice::Package => self.package().await,
            Choice::Statement => self.statement().await,
            Choice::Watch => self.watch().await,
            Choice::Refund => self.refund().await,
            Choice::Keys => self.keys().await,
            Choice::Limits => self.limits().await,
            Choice::ChangePassword => self.change_password().await,
            Choice::ChangeBank => self.choose_bank().await.map(Some),
            Choice::LogOut => {
                self.banks.log_out(&mut self.session).await;
                self.customer = None;
                self.screen.say(Tone::Plain, texts::LOGGED_OUT);
                Ok(Some(()))
            }
            Choice::Quit => Ok(None),
        }
    }

    /// Reports what went wrong; only Ctrl-C and a broken terminal end the menu.
    fn survive<T>(&self, acted: Step<T>) -> Step<T> {
        match acted {
            Err(ClientError::Interrupted) => Err(ClientError::Interrupted),
            Err(error) => {
                self.screen.say(Tone::Bad, &plain(&error.to_string()));
                Ok(None)
            }
            fine => fine,
        }
    }

    /// A request that may have been done can only be sent again under the same key; returns whether
    /// the person wants that.
    fn asks_again(&self, unknown: &ClientError) -> Result<bool, ClientError> {
        self.screen.say(Tone::Bad, &plain(&unknown.to_string()));
        let choices = vec![texts::ASK_AGAIN.to_owned(), texts::GIVE_UP.to_owned()];
        Ok(self.prompts.choose(texts::WHAT_NOW, choices)? != Some(1))
    }

    /// Sends something under a key of its own until its outcome is known or the person gives up,
    /// and says what came of it.
    async fn settle<F>(&mut self, send: F) -> Step<()>
    where
        F: AsyncFn(&mut Banks, &mut Session, &str) -> Result<Answer, ClientError>,
    {
        let key = new_key();
        let answer = loop {
            match send(&mut self.banks, &mut self.session, &key).await {
                Err(error) if error.leaves_unknown() => {
                    if !self.asks_again(&error)? {
                        return Ok(None);
                    }
                }
                settled => break settled?,
            }
        };
        let Said { descript, .. } = read(&answer)?;
        self.screen.say(Tone::Good, &plain(&descript));
        self.refresh().await.map(Some)
    }

    async fn choose_bank(&mut self) -> Result<(), ClientError> {
        let statuses = self.banks.survey().await;
        let consortium = statuses
            .iter()
            .flatten()
            .next()
            .map(|status| status.banks.as_slice())
            .unwrap_or_default();
        self.screen.say(Tone::Plain, &banks_table(self.screen, &self.banks, &statuses, consortium));
        if self.banks.list.len() > 1 {
            let names = (0..self.banks.list.len()).map(|place| self.banks.name(place)).collect();
            let Some(chosen) = self.prompts.choose(texts::WHICH_BANK, names)? else {
                return Ok(());
            };
            self.banks.current = chosen;
        }
        self.screen.say(Tone::Plain, &texts::bank_in_use(&self.banks.name(self.banks.current)));
        Ok(())
    }

    async fn log_in(&mut self) -> Step<()> {
        let user = match self.session.user.clone() {
            Some(user) => user,
            None => match self.prompts.text(texts::USER_NAME, None, user_name)? {
                Some(user) => user,
                None => return Ok(None),
            },
        };
        let password = match self.session.password.clone() {
            Some(password) => password,
            None => match self.prompts.password(texts::PASSWORD)? {
                Some(password) => password,
                None => return Ok(None),
            },
        };
        match self.begin(&user, password).await {
            Err(refused) => {
                // Both the name and the password are asked for again, whichever was wrong.
                self.session = Session::default();
                Err(refused)
            }
            Ok(()) => self.overview_shown().map(Some),
        }
    }

    /// Logs in, or fetches again what the bank knows.
    async fn begin(&mut self, user: &UserName, password: Password) -> Result<(), ClientError> {
        let LoggedIn { data, .. } = self.banks.log_in(&mut self.session, user, password).await?;
        if self.customer.is_none() {
            self.screen
                .say(Tone::Good, &texts::greeting(&plain(&data.name), user, data.type_person));
        }
        let (person, accounts) = (data.type_person, data.own_accounts());
        self.customer = Some(Customer { user: user.clone(), person, accounts });
        Ok(())
    }

    /// The person proves the old password by having logged in with it.
    async fn change_password(&mut self) -> Step<()> {
        let (user, password) = self.identity()?;
        let Some(new) = self.prompts.new_password()? else { return Ok(None) };
        let key = new_key();
        let answer = loop {
            match self.banks.change_password(&user, &password, &new, &key).await {
                Err(error) if error.leaves_unknown() => {
                    if !self.asks_again(&error)? {
                        return Ok(None);
                    }
                }
                settled => break settled?,
            }
        };
        self.session.end_all();
        let Said { descript, .. } = read(&answer)?;
        self.screen.say(Tone::Good, &plain(&descript));
        self.begin(&user, new).await.map(Some)
    }

    async fn refresh(&mut self) -> Result<(), ClientError> {
        let (user, password) = self.identity()?;
        self.begin(&user, password).await
    }

    fn identity(&self) -> Result<(UserName, Password), ClientError> {
        let user = self.customer.as_ref().map(|customer| customer.user.clone());
        user.zip(self.session.password.clone())
            .ok_or_else(|| ClientError::Usage(texts::LOG_IN_FIRST.to_owned()))
    }

    async fn register(&mut self) -> Step<()> {
        let persons = [TypePerson::Pf, TypePerson::Pj];
        let labels = persons.iter().map(|person| texts::person(*person).to_owned()).collect();
        let Some(person) = self.prompts.choose(texts::PERSON, labels)? else { return Ok(None) };
        let person = persons[person];
        let Some(name) = self.prompts.text(texts::FULL_NAME, None, person_name)? else {
            return Ok(None);
        };
        let Some(document) = self.ask_document(person)? else { return Ok(None) };
        let Some(user) = self.prompts.text(texts::USER_NAME, None, user_name)? else {
            return Ok(None);
        };
        let Some(password) = self.prompts.new_password()? else { return Ok(None) };
        let customer = NewCustomer { name, document, user: user.clone() };
        let key = new_key();
        let answer = loop {
            match self.banks.register(&customer, &password, &key).await {
                Err(error) if error.leaves_unknown() => {
                    if !self.asks_again(&error)? {
                        return Ok(None);
                    }
                }
                settled => break settled?,
            }
        };
        let Said { descript, .. } = read(&answer)?;
        self.screen.say(Tone::Good, &plain(&descript));
        self.begin(&user, password).await.map(Some)
    }

    /// Asks until the check digits fit, or the person says that they need not.
    fn ask_document(&self, person: TypePerson) -> Step<Document> {
        loop {
            let parse = move |text: &str| document(person, text);
            let Some(document) = self.prompts.text(texts::document(person), None, parse)? else {
                return Ok(None);
            };
            if self.prompts.is_right(&document)? {
                return Ok(Some(document));
            }
        }
    }

    async fn overview(&mut self) -> Step<()> {
        self.refresh().await?;
        self.overview_shown().map(Some)
    }

    fn overview_shown(&self) -> Result<(), ClientError> {
        let accounts =
            self.customer.as_ref().map(|customer| customer.accounts.as_slice()).unwrap_or_default();
        if accounts.is_empty() {
            self.screen.say(Tone::Plain, texts::NO_ACCOUNTS);
        } else {
            let name = |bank| self.banks.label(bank);
            self.screen.say(Tone::Plain, &accounts_table(self.screen, accounts, name));
        }
        Ok(())
    }

    async fn open(&mut self) -> Step<()> {
        let (user, password) = self.identity()?;
        let Some(person) = self.customer.as_ref().map(|customer| customer.person) else {
            return Ok(None);
        };
        let names = (0..self.banks.list.len()).map(|place| self.banks.name(place)).collect();
        let Some(place) = self.prompts.choose(texts::WHICH_BANK, names)? else { return Ok(None) };
        let Some(account) = self.ask_account(person)? else { return Ok(None) };
        let key = new_key();
        let answer = loop {
            match self.banks.open(place, &user, &password, &account, &key).await {
                Err(error) if error.leaves_unknown() => {
                    if !self.asks_again(&error)? {
                        return Ok(None);
                    }
                }
                settled => break settled?,
            }
        };
        let opened: Opened = read(&answer)?;
        self.screen.say(Tone::Good, &opened_text(&opened));
        self.refresh().await.map(Some)
    }

    fn ask_account(&self, person: TypePerson) -> Step<NewAccount> {
        let own = if person == TypePerson::Pf { TypeAccount::Pf } else { TypeAccount::Pj };
        let document = if person == TypePerson::Pf { PixType::Cpf } else { PixType::Cnpj };
        let types = [own, TypeAccount::Conjunta];
        let labels = types.iter().map(|kind| texts::type_account(*kind).to_owned()).collect();
        let Some(chosen) = self.prompts.choose(texts::ACCOUNT_TYPE, labels)? else {
            return Ok(None);
        };
        let type_account = types[chosen];
        let users = if type_account == TypeAccount::Conjunta {
            let parse = |text: &str| {
                text.split(',').map(|name| user_name(name.trim())).collect::<Result<Vec<_>, _>>()
            };
            let Some(users) = self.prompts.text(texts::HOLDERS, None, parse)? else {
                return Ok(None);
            };
            users
        } else {
            Vec::new()
        };
        let keys = [document, PixType::UserName, PixType::NumConta, PixType::Random];
        let labels = keys.iter().map(|key| texts::pix_type(*key).to_owned()).collect();
        let Some(key) = self.prompts.choose(texts::PIX_TYPE, labels)? else { return Ok(None) };
        let Some(value_init) =
            self.prompts.text(texts::OPENING_VALUE, Some(texts::AMOUNT_HELP), amount)?
        else {
            return Ok(None);
        };
        Ok(Some(NewAccount { type_account, pix_type: keys[key], users, value_init }))
    }

    /// One of the customer's accounts.
    fn choose_account(&self) -> Step<OwnAccount> {
        let accounts =
            self.customer.as_ref().map(|customer| customer.accounts.as_slice()).unwrap_or_default();
        if accounts.is_empty() {
            self.screen.say(Tone::Plain, texts::NO_ACCOUNTS);
            return Ok(None);
        }
        let label = |own: &OwnAccount| account_label(own, &self.banks.label(own.bank));
        let labels = accounts.iter().map(label).collect();
        Ok(self
            .prompts
            .choose(texts::WHICH_ACCOUNT, labels)?
            .map(|chosen| accounts[chosen].clone()))
    }

    /// Shows what arrives until Ctrl-C, which leads back to the menu.
    async fn watch(&mut self) -> Step<()> {
        let screen = self.screen;
        let tell = |banks: &Banks, said: &str| {
            tell_person(screen, banks, said)?;
            Ok(false)
        };
        self.banks.watch(&mut self.session, tell).await?;
        self.refresh().await.map(Some)
    }

    async fn statement(&mut self) -> Step<()> {
        let Some(account) = self.choose_account()? else { return Ok(None) };
        let place = self.banks.place_of(account.bank).await?;
        let mut before = None;
        loop {
            let part = Part { limit: STATEMENT_PAGE, before, txid: None };
            let session = &mut self.session;
            let answer = self.banks.statement(session, place, account.number, part).await?;
            let page: StatementRead = read(&answer)?;
            self.screen.say(Tone::Plain, &statement_tables(self.screen, &page.data));
            before = page.next_before;
            if before.is_none() || !self.prompts.confirm(texts::OLDER)? {
                return Ok(Some(()));
            }
        }
    }
}
