//! The banks that a person may ask, and how a second one is used when the first does not answer.
//!
//! A request that changes something has an idempotency key. As long as no bank has reported its
//! outcome, it is sent again with the same key, to the next bank and round again, until patience
//! ends; whichever bank answers in the end, it was done at most once. Only a bank's answer settles
//! it: until then a request that a bank may have taken is never called refused.

mod watch;

use std::time::{Duration, Instant};

use awc::http::Method;
use futures_util::future::join_all;
use serde::Serialize;

use super::super::base_url::BaseUrl;
use super::answers::{LoggedIn, Status};
use super::call::{Answer, Asking, Clients, Heard, Request, Silence, call};
use super::prompts::Prompts;
use super::screen::{Screen, Tone, plain};
use super::session::{Password, Session};
use super::{ClientError, texts};
use crate::ids::BankId;
use crate::ledger::UserName;

/// How long to wait before all banks are asked once more.
const ROUND_PAUSE: Duration = Duration::from_secs(1);

/// One bank.
pub(super) struct Bank {
    pub(super) url: BaseUrl,
    /// Its number and name, once it has told them.
    pub(super) known: Option<(BankId, String)>,
}

/// How long to wait.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// For one answer of one bank.
    pub(super) answer: Duration,
    /// For any bank to report the outcome of a request.
    pub(super) outcome: Duration,
}

/// All of them.
pub(super) struct Banks {
    pub(super) list: Vec<Bank>,
    /// The place of the one that is asked first.
    pub(super) current: usize,
    /// The highest position that any of them has answered: no later read may show less.
    pub(super) position: u64,
    clients: Clients,
    patience: Patience,
    screen: Screen,
}

/// The result of asking one bank.
enum Step {
    Heard(Heard),
    /// There is no token for it and no password to get one with.
    NoSession,
}

/// What is known of a request that is not settled yet.
#[derive(Default)]
struct Search {
    /// Some bank may have taken it.
    may_have_effect: bool,
    /// Some bank could be reached, so that asking again may help.
    reached: bool,
    /// Some bank was asked for more than a session.
    asked: bool,
    /// The person has been told that all banks are asked again.
    told: bool,
}

#[derive(Serialize)]
struct LoginBody<'a> {
    user_name: &'a UserName,
    password: &'a str,
}

fn login_request(user: &UserName, password: &Password) -> Request {
    let body = LoginBody { user_name: user, password: password.reveal() };
    Request::post("/login", super::json(&body))
}

impl Banks {
    pub(super) fn new(urls: Vec<BaseUrl>, patience: Patience, screen: Screen) -> Banks {
        let list = urls.into_iter().map(|url| Bank { url, known: None }).collect();
        Banks {
            list,
            current: 0,
            position: 0,
            clients: Clients::new(patience.answer),
            patience,
            screen,
        }
    }

    /// The bank that is asked first.
    pub(super) fn current(&self) -> &Bank {
        &self.list[self.current]
    }

    /// The name to show for a bank.
    pub(super) fn name(&self, place: usize) -> String {
        let Bank { url, known } = &self.list[place];
        match known {
            Some((_, name)) => format!("{} ({url})", plain(name)),
            None => url.to_string(),
        }
    }

    /// The name of the bank with this number, as far as it is known.
    pub(super) fn label(&self, number: BankId) -> String {
        let known = self.list.iter().filter_map(|bank| bank.known.as_ref());
        let name = known.filter(|(known, _)| *known == number).map(|(_, name)| plain(name)).next();
        name.unwrap_or_else(|| texts::bank_label(number))
    }

    /// Asks all banks for their status at once; learns their numbers and names.
    pub(super) async fn survey(&mut self) -> Vec<Option<Status>> {
        let request = Request::get("/status");
        let asked = self
            .list
            .iter()
            .map(|bank| call(&self.clients, &bank.url, &request, Asking::default()));
        let heard = join_all(asked).await;
        let statuses: Vec<Option<Status>> =
            heard.into_iter().map(|heard| heard.ok().filter(Answer::is_done)?.read()).collect();
        for (bank, status) in self.list.iter_mut().zip(&statuses) {
            if let Some(status) = status {
                bank.known = Some((status.bank, status.name.clone()));
            }
        }
        statuses
    }

    /// The place of the bank with this number.
    pub(super) async fn place_of(&mut self, number: BankId) -> Result<usize, ClientError> {
        let is_it = |bank: &Bank| bank.known.as_ref().is_some_and(|(known, _)| *known == number);
        if let Some(place) = self.list.iter().position(is_it) {
            return Ok(place);
        }
        let silent = self.survey().await.iter().any(Option::is_none);
        match self.list.iter().position(is_it) {
            Some(place) => Ok(place),
            // The wanted bank may be one of those that do not answer.
            None if silent => Err(ClientError::NoAnswer {
                descript: texts::bank_not_found(number),
                may_have_effect: false,
                key: None,
            }),
            None => Err(ClientError::Usage(texts::bank_not_given(number))),
        }
    }

    /// Asks until a bank settles the request, or patience ends: that of this program or, by Ctrl-C,
    /// of the person.
    pub(super) async fn ask(
        &mut self,
        session: &mut Session,
        request: &Request,
    ) -> Result<Answer, ClientError> {
        let mut search = Search::default();
        tokio::select! {
            settled = self.seek(session, request, &mut search) => settled,
            _ = tokio::signal::ctrl_c() => {
                search.may_have_effect |= request.key.is_some();
                let may_have_effect = search.may_have_effect;
                let interrupted = ClientError::Interrupted;
                Err(if may_have_effect { search.given_up(request) } else { interrupted })
            }
        }
    }

    async fn seek(
        &mut self,
        session: &mut Session,
        request: &Request,
        search: &mut Search,
    ) -> Result<Answer, ClientError> {
        let began = Instant::now();
        loop {
            let places = self.places(request);
            for (index, place) in places.iter().enumerate() {
                let step = self.ask_at(*place, session, request).await;
                match step.map_err(|error| search.unless_unknown(error, request))? {
                    Step::Heard(Ok(answer)) => return self.settle(*place, answer, search, request),
                    Step::Heard(Err(silence)) => {
                        search.learn(&silence, request);
                        self.tell_silence(
                            *place,
                            places.get(index + 1).copied(),
                            &silence.why,
                            request,
                        );
                    }
                    Step::NoSession => self.tell_silence(*place, None, texts::NO_SESSION, request),
                }
            }
            let worthwhile = request.key.is_some() && (search.reached || search.may_have_effect);
            if !worthwhile || began.elapsed() + ROUND_PAUSE > self.patience.outcome {
                return Err(search.given_up(request));
            }
            if !search.told {
                search.told = true;
                self.screen.remark(Tone::Remark, texts::ASKING_AGAIN);
            }
            actix_rt::time::sleep(ROUND_PAUSE).await;
        }
    }

    /// The banks that can answer, the current one first.
    fn places(&self, request: &Request) -> Vec<usize> {
        match request.only_at {
            Some(place) => vec![place],
            None => {
                (0..self.list.len()).map(|step| (self.current + step) % self.list.len()).collect()
            }
        }
    }

    async fn ask_at(
        &self,
        place: usize,
        session: &mut Session,
        request: &Request,
    ) -> Result<Step, ClientError> {
        let url = &self.list[place].url;
        if !request.as_customer {
            return Ok(Step::Heard(call(&self.clients, url, request, self.asking(None)).await));
        }
        let mut fresh = false;
        loop {
            if session.token(url).is_none() {
                match self.log_in_at(place, session).await? {
                    Step::Heard(Ok(_)) => fresh = true,
                    without => return Ok(without),
                }
            }
            match call(&self.clients, url, request, self.asking(session.token(url))).await {
                // The session has ended, as all sessions do when the bank's process ends.
                Ok(answer) if answer.status == 401 && !fresh => {
                    session.end(url);
                }
                heard => return Ok(Step::Heard(heard)),
            }
        }
    }

    fn asking<'a>(&self, token: Option<&'a str>) -> Asking<'a> {
        Asking { token, min_position: self.position }
    }

    /// Begins a session at one bank with the password at hand, or with one that the person gives
    /// now.
    async fn log_in_at(&self, place: usize, session: &mut Session) -> Result<Step, ClientError> {
        let Some(user) = session.user.clone() else { return Ok(Step::NoSession) };
        let password = match &session.password {
            Some(password) => password.clone(),
            None if self.screen.has_person => {
                let question = texts::password_for(&user, &self.name(place));
                let Some(password) = Prompts(self.screen).password(&question)? else {
                    return Ok(Step::NoSession);
                };
                password
            }
            None => return Ok(Step::NoSession),
        };
        let heard = call(
            &self.clients,
            &self.list[place].url,
            &login_request(&user, &password),
            self.asking(None),
        )
        .await;
        Ok(Step::Heard(match heard {
            Ok(answer) => {
                let LoggedIn { token, .. } = begun(&answer)?;
                session.begin(&self.list[place].url, token);
                session.password = Some(password);
                Ok(answer)
            }
            // The request for which the session was needed has not been sent.
            Err(silence) => Err(Silence { may_have_effect: false, ..silence }),
        }))
    }

    /// Logs in at the first bank that answers.
    pub(super) async fn log_in(
        &mut self,
        session: &mut Session,
        user: &UserName,
        password: Password,
    ) -> Result<LoggedIn, ClientError> {
        let answer = self.ask(session, &login_request(user, &password)).await?;
        let logged_in = begun(&answer)?;
        session.belong_to(user);
        session.password = Some(password);
        let url = self.current().url.clone();
        if let Some(earlier) = session.begin(&url, logged_in.token.clone()) {
            // The old session would end by itself; it does not matter whether the bank hears of
            // this.
            let _ = call(
                &self.clients,
                &url,
                &Request::post("/logout", String::new()),
                self.asking(Some(&earlier)),
            )
            .await;
        }
        Ok(logged_in)
    }

    /// Logs in at all other banks too, so that any of them can take over; returns the banks where
    /// that succeeded.
    pub(super) async fn log_in_everywhere(
        &self,
        session: &mut Session,
    ) -> Result<Vec<usize>, ClientError> {
        let mut places = Vec::new();
        for place in 0..self.list.len() {
            let open = session.token(&self.list[place].url).is_some();
            if open || matches!(self.log_in_at(place, session).await?, Step::Heard(Ok(_))) {
                places.push(place);
            }
        }
        Ok(places)
    }

    /// Ends the sessions at all banks as far as they answer, and forgets them all.
    pub(super) async fn log_out(&self, session: &mut Session) -> usize {
        let mut ended = 0;
        for Bank { url, .. } in &self.list {
            let Some(token) = session.end(url) else { continue };
            let heard = call(
                &self.clients,
                url,
                &Request::post("/logout", String::new()),
                self.asking(Some(&token)),
            )
            .await;
            ended += usize::from(heard.is_ok_and(|answer| answer.is_done()));
        }
        *session = Session::default();
        ended
    }

    fn settle(
        &mut self,
        place: usize,
        answer: Answer,
        search: &Search,
        request: &Request,
    ) -> Result<Answer, ClientError> {
        self.position = self.position.max(answer.position);
        if search.may_have_effect && !answer.is_done() && !answer.has_position() {
            // This bank never ordered it, so it cannot say what its outcome at the other was.
            return Err(ClientError::NoAnswer {
                descript: texts::still_unknown(&self.name(place), &plain(&answer.descript())),
                may_have_effect: true,
                key: request.key.clone(),
            });
        }
        if place != self.current && request.only_at.is_none() {
            self.current = place;
            self.screen.remark(Tone::Remark, &texts::served_by(&self.name(place)));
        }
        if answer.stale && request.method == Method::GET {
            self.screen.remark(Tone::Remark, &texts::stale(&self.name(place)));
        }
        Ok(answer)
    }

    fn tell_silence(&self, place: usize, next: Option<usize>, why: &str, request: &Request) {
        let silent = texts::bank_silent(&self.name(place), &plain(why));
        let next = next
            .map(|next| texts::trying_next(&self.name(next), request.key.as_deref()))
            .unwrap_or_default();
        self.screen.remark(Tone::Remark, &format!("{silent}{next}"));
    }
}

/// The result of a login.
fn begun(answer: &Answer) -> Result<LoggedIn, ClientError> {
    if !answer.is_done() {
        return Err(ClientError::Refused(answer.descript()));
    }
    answer.read().ok_or_else(|| ClientError::Refused(texts::unreadable(answer.status)))
}

impl Search {
    fn learn(&mut self, silence: &Silence, request: &Request) {
        self.may_have_effect |= silence.may_have_effect && request.key.is_some();
        self.reached |= silence.reached;
        self.asked = true;
    }

    /// An error along the way must not hide that the request may have been taken before.
    fn unless_unknown(&self, error: ClientError, request: &Request) -> ClientError {
        if !self.may_have_effect {
            return error;
        }
        ClientError::NoAnswer {
            descript: texts::unknown_because(&error.to_string()),
            may_have_effect: true,
            key: request.key.clone(),
        }
    }

    fn given_up(&self, request: &Request) -> ClientError {
        if !self.asked && !self.may_have_effect {
            return ClientError::Usage(texts::LOG_IN_FIRST.to_owned());
        }
        let descript = match (&request.key, self.may_have_effect) {
            (Some(key), true) => texts::outcome_unknown(key),
            (Some(_), false) => texts::NOTHING_DONE.to_owned(),
            (None, _) => texts::NO_BANK_ANSWERS.to_owned(),
        };
        ClientError::NoAnswer {
            descript,
            may_have_effect: self.may_have_effect,
            key: request.key.clone(),
        }
    }
}
