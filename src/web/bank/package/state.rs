//! What a package page is going to show, and how the bank keeps it between two pages.

use crate::actors::drafts::{Find, Keep};
use crate::http::{Bank, Refused};
use crate::ids::Position;
use crate::ledger::package::OPERATIONS_MAX;
use crate::ledger::{IdempotencyKey, Operation, UserName};
use crate::web::bank::basket::{self, Draft};
use crate::web::bank::form::{Form, encoded};
use crate::web::bank::recipient::Recipient;
use crate::web::bank::texts;

/// What a customer builds: a package of any operations, or one Pix step by step. The bank keeps one
/// of each, and what was executed under its key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Flow {
    #[default]
    Package,
    Pix,
}

impl Flow {
    /// What the bank and forms call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Flow::Package => "pacote",
            Flow::Pix => "pix",
        }
    }

    /// Where it is built.
    pub(super) fn path(self) -> &'static str {
        match self {
            Flow::Package => "/pacote",
            Flow::Pix => "/pagar",
        }
    }

    fn of(form: &Form) -> Flow {
        if form.text("fluxo") == Flow::Pix.name() { Flow::Pix } else { Flow::Package }
    }
}

/// What the page is going to show.
#[derive(Default)]
pub(super) struct State {
    pub(super) flow: Flow,
    pub(super) operations: Vec<Operation>,
    pub(super) draft: Draft,
    /// The payee that the draft's key belongs to.
    pub(super) recipient: Option<Recipient>,
    /// What is wrong with the draft.
    pub(super) draft_problem: Option<String>,
    /// Why the package failed, or was not sent.
    pub(super) problem: Option<String>,
    /// Whether the package was sent and its outcome is unknown.
    pub(super) unknown: bool,
    /// The operation that was refused.
    pub(super) refused: Option<usize>,
    /// The position at which it was executed.
    pub(super) position: Option<Position>,
    /// The key of the next confirmation, if it must be a particular one.
    pub(super) key: Option<IdempotencyKey>,
}

impl State {
    /// The basket and the fields of a form.
    pub(super) fn read(form: &Form) -> Result<State, Refused> {
        if form.all("op").nth(OPERATIONS_MAX).is_some() {
            return Err(Refused::bad(basket::too_long()));
        }
        let operations: Option<Vec<_>> = form.all("op").map(basket::read).collect();
        let operations = operations.ok_or_else(|| Refused::bad(texts::BASKET_DAMAGED))?;
        let text = |name| form.text(name).to_owned();
        let draft = Draft {
            kind: text("tipo"),
            account: text("conta"),
            value: text("valor"),
            pix: text("pix"),
            message: text("mensagem"),
            charge: text("cobranca"),
            code: text("codigo"),
        };
        Ok(State { flow: Flow::of(form), operations, draft, ..State::default() })
    }

    /// What a form would have done, had its session not ended: a confirmation was not sent, unless
    /// the page says that it may have been before. Its key stays, so that it cannot be executed
    /// twice.
    pub(super) fn of_unsent(form: &Form) -> Result<State, Refused> {
        let action = form.text("acao");
        let mut state = State::read(form)?;
        state.unknown =
            action == "perguntar" || action == "confirmar" && form.text("incerto") == "sim";
        state.key = form.key().ok().filter(|_| state.unknown || action == "confirmar");
        Ok(state)
    }

    fn is_blank(&self) -> bool {
        let Draft { value, pix, code, message, .. } = &self.draft;
        let typed_nothing = [value, pix, code, message].iter().all(|text| text.is_empty());
        self.operations.is_empty() && typed_nothing && !self.unknown
    }

    /// As the fields of a form that [`State::of_unsent`] reads back.
    fn written(&self) -> String {
        let Draft { kind, account, value, pix, message, charge, code } = &self.draft;
        let action = match (self.unknown, &self.key) {
            (true, _) => "perguntar",
            (false, Some(_)) => "confirmar",
            (false, None) => "",
        };
        let key = self.key.as_ref().map_or("", IdempotencyKey::as_str);
        let flow = self.flow.name();
        let fields = [("fluxo", flow), ("acao", action), ("chave", key)];
        let fields = fields.into_iter().chain([("tipo", kind.as_str()), ("conta", account)]);
        let operations: Vec<_> = self.operations.iter().map(basket::written).collect();
        let typed = [("valor", value), ("pix", pix), ("mensagem", message), ("cobranca", charge)];
        let typed = typed.into_iter().chain([("codigo", code)]);
        let fields = fields.chain(typed.map(|(name, text)| (name, text.as_str())));
        encoded(fields.chain(operations.iter().map(|written| ("op", written.as_str()))))
    }

    /// Keeps it for the next page, whichever way the customer comes to it.
    pub(super) fn keep(&self, bank: &Bank, user: &UserName) {
        let text = (!self.is_blank()).then(|| self.written());
        keep(bank, user, self.flow.name(), text);
    }

    /// Remembers what was executed, for the page that shows it, and makes room for another package.
    pub(super) fn keep_as_executed(&self, bank: &Bank, user: &UserName, key: &IdempotencyKey) {
        keep(bank, user, key.as_str(), Some(self.written()));
        keep(bank, user, self.flow.name(), None);
    }

    /// What the customer was building.
    pub(super) async fn kept(bank: &Bank, user: &UserName, flow: Flow) -> Result<State, Refused> {
        State::find(bank, user, flow.name()).await.map(|state| State { flow, ..state })
    }

    /// A package that was executed; empty if it was at another bank, or long ago.
    pub(super) async fn executed(
        bank: &Bank,
        user: &UserName,
        key: &IdempotencyKey,
    ) -> Result<State, Refused> {
        State::find(bank, user, key.as_str()).await
    }

    async fn find(bank: &Bank, user: &UserName, name: &str) -> Result<State, Refused> {
        match bank.actors.drafts.send(Find(user.clone(), name.to_owned())).await? {
            Some(text) => State::of_unsent(&Form::parse(&text)?),
            None => Ok(State::default()),
        }
    }
}

fn keep(bank: &Bank, user: &UserName, name: &str, text: Option<String>) {
    bank.actors.drafts.do_send(Keep { user: user.clone(), name: name.to_owned(), text });
}
