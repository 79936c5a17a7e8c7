//! Owns what each customer and each address has used of this bank.

use actix::{Actor, Addr, Context, Handler, Message};

use super::audit::{Audit, AuditActor};
use super::time::Monotonic;
use crate::audit;
use crate::config::Limits;
use crate::ledger::UserName;
use crate::limits::attempts::Attempts;
use crate::limits::shares::{Asker, Cost, KeyDigest, LookedUp, Shares};
use crate::limits::{Excess, Origin, Wait};

/// The actor around [`Shares`] and [`Attempts`].
pub struct LimitsActor {
    shares: Shares,
    attempts: Attempts,
    audit: Addr<AuditActor>,
    time: Monotonic,
}

impl LimitsActor {
    /// An actor of a bank that nobody has used yet.
    #[must_use]
    pub(crate) fn new(limits: &Limits, audit: Addr<AuditActor>, time: Monotonic) -> Self {
        let shares = Shares::new(limits.address, limits.customer);
        LimitsActor { shares, attempts: Attempts::new(), audit, time }
    }

    /// Tells the log if somebody has to wait.
    fn noted(
        &self,
        taken: Result<(), Wait>,
        user: Option<UserName>,
        from: Option<Origin>,
    ) -> Result<(), Wait> {
        taken.inspect_err(|wait| {
            let actor = audit::Actor { user, from: from.map(|from| from.to_string()) };
            self.audit.do_send(Audit(audit::Event::Limit(wait.excess), actor));
        })
    }

    fn take(&mut self, take: Take) -> Result<(), Wait> {
        let now = self.time.now();
        match take {
            Take::OfAddress(from, cost) => self.shares.take_of_address(from, cost, now),
            Take::OfCustomer(customer, cost) => self.shares.take_of_customer(&customer, cost, now),
            Take::BeforeOrder { asker, cost } => {
                if let Some(customer) = &asker.customer {
                    self.shares.take_of_customer(customer, cost, now)?;
                }
                self.shares.may_order(&asker, now)
            }
            Take::BeforeRegistration(from) => self.shares.may_register(from, now),
            Take::ToOrder { asker, cost, pays } => {
                if pays {
                    self.shares.may_pay(&asker, now)?;
                }
                if let Some(customer) = &asker.customer {
                    self.shares.take_of_customer(customer, cost, now)?;
                }
                self.shares.take_of_address(asker.from, cost, now)
            }
        }
    }
}

impl Actor for LimitsActor {
    type Context = Context<Self>;
}

/// Somebody asks for something: takes it from the share of their address and of the customer.
#[derive(Message)]
#[rtype(result = "Result<(), Wait>")]
pub(crate) enum Take {
    OfAddress(Origin, Cost),
    OfCustomer(UserName, Cost),
    /// A request that is to be ordered if there is anything left for that, before it is read.
    BeforeOrder {
        asker: Asker,
        cost: Cost,
    },
    /// Somebody wants to register, if anybody there still may.
    BeforeRegistration(Origin),
    /// What is to be ordered, and whether it pays by Pix.
    ToOrder {
        asker: Asker,
        cost: Cost,
        pays: bool,
    },
}

impl Handler<Take> for LimitsActor {
    type Result = Result<(), Wait>;

    fn handle(&mut self, take: Take, _: &mut Self::Context) -> Self::Result {
        let (user, from) = match &take {
            Take::OfAddress(from, _) | Take::BeforeRegistration(from) => (None, Some(*from)),
            Take::OfCustomer(customer, _) => (Some(customer.clone()), None),
            Take::BeforeOrder { asker, .. } | Take::ToOrder { asker, .. } => {
                (asker.customer.clone(), Some(asker.from))
            }
        };
        let taken = self.take(take);
        self.noted(taken, user, from)
    }
}

/// Somebody looks up Pix keys.
#[derive(Message)]
#[rtype(result = "Result<(), Wait>")]
pub(crate) struct LookUp(pub Asker, pub Vec<KeyDigest>);

impl Handler<LookUp> for LimitsActor {
    type Result = Result<(), Wait>;

    fn handle(&mut self, LookUp(asker, keys): LookUp, _: &mut Self::Context) -> Self::Result {
        let taken = self.shares.look_up(&asker, &keys, self.time.now());
        self.noted(taken, asker.customer, Some(asker.from))
    }
}

/// What came of it.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) enum Came {
    /// Keys were looked up.
    LookedUp(Asker, LookedUp),
    /// Payments by Pix were made.
    Paid(Asker, u64),
    /// A payment was to a Pix key that does not exist.
    PaidToNobody(Asker),
    /// A password was right.
    Proved(UserName, Origin),
}

impl Handler<Came> for LimitsActor {
    type Result = ();

    fn handle(&mut self, came: Came, _: &mut Self::Context) {
        let now = self.time.now();
        match came {
            Came::LookedUp(asker, looked_up) => self.shares.looked_up(&asker, &looked_up, now),
            Came::Paid(asker, payments) => self.shares.paid(&asker, payments, now),
            Came::PaidToNobody(asker) => self.shares.paid_to_nobody(&asker, now),
            Came::Proved(user, from) => self.attempts.succeed(&user, from, now),
        }
    }
}

/// Somebody wants to try a password.
#[derive(Message)]
#[rtype(result = "Result<(), Wait>")]
pub(crate) struct Attempt(pub UserName, pub Origin);

impl Handler<Attempt> for LimitsActor {
    type Result = Result<(), Wait>;

    fn handle(&mut self, Attempt(user, from): Attempt, _: &mut Self::Context) -> Self::Result {
        let begun = self.attempts.begin(&user, from, self.time.now());
        let begun = begun.map_err(|wait_ms| Wait::new(Excess::Attempts, wait_ms));
        // The name may be nobody's.
        self.noted(begun, None, Some(from))
    }
}
