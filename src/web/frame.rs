//! What surrounds every page: which bank this is, who is logged in, and whether the bank can
//! currently do its work.

use actix_web::{HttpMessage, HttpRequest};

use super::assets;
use super::session::customer;
use crate::actors::view::{ViewState, ViewStatus};
use crate::http::{Bank, Freshness, is_fresh};
use crate::ids::BankId;
use crate::ledger::UserName;
use crate::protocol::view::Reach;

/// What `templates/layout.html` needs to know.
pub(crate) struct Frame {
    /// The bank's name in `nodes.json`.
    pub(crate) bank_name: String,
    /// Who is logged in here.
    pub(crate) customer: Option<UserName>,
    /// Whether the bank takes writes.
    pub(crate) ready: bool,
    /// Whether other banks act without this one.
    pub(crate) outside: bool,
    /// Whether the bank is about to stop.
    pub(crate) stopping: bool,
    /// Whether what the page shows is the latest.
    pub(crate) fresh: bool,
    /// The banks that do not take part now; empty while this one does not take part itself.
    pub(crate) absent: Vec<BankId>,
    /// Their names, for people.
    pub(crate) absent_names: Vec<String>,
    /// The path of the page, for the menu.
    pub(crate) here: String,
}

impl Frame {
    /// The frame of a page that answers this request.
    pub(crate) async fn of(bank: &Bank, request: &HttpRequest) -> Frame {
        let customer = customer(bank, request).await;
        // Pages without figures show nothing that could be old.
        let fresh =
            request.extensions().get::<Freshness>().is_none_or(|freshness| freshness.is_proved);
        Frame::with(bank, request.path(), customer, fresh).await
    }

    /// The frame for somebody who has just logged in or out, or sends a form; what the page shows
    /// is read after this.
    pub(crate) async fn for_customer(bank: &Bank, here: &str, customer: Option<UserName>) -> Frame {
        let fresh = is_fresh(bank).await;
        Frame::with(bank, here, customer, fresh).await
    }

    async fn with(bank: &Bank, here: &str, customer: Option<UserName>, fresh: bool) -> Frame {
        let view = bank.actors.routes.view.send(ViewStatus).await.ok();
        let absent = view.as_ref().map(|view| absent(bank, view)).unwrap_or_default();
        let name = |of: &BankId| bank.config.nodes[of.index()].name.clone();
        Frame {
            absent_names: absent.iter().map(name).collect(),
            bank_name: bank.config.nodes[bank.me.index()].name.clone(),
            customer,
            ready: view.as_ref().is_some_and(|view| view.ready),
            outside: view.as_ref().is_some_and(|view| view.reach == Reach::Outside),
            stopping: view.is_none_or(|view| view.draining),
            fresh,
            absent,
            here: here.to_owned(),
        }
    }

    /// Where a page finds an asset.
    pub(crate) fn asset(&self, name: &str) -> String {
        assets::url(name)
    }

    /// What marks the menu entry of the page that is shown.
    pub(crate) fn current(&self, path: &str) -> bool {
        self.here == path
    }
}

fn absent(bank: &Bank, view: &ViewState) -> Vec<BankId> {
    let Some((_, members)) = view.active.filter(|_| view.ready) else { return Vec::new() };
    BankId::all(bank.config.nodes.len()).filter(|other| !members.contains(*other)).collect()
}
