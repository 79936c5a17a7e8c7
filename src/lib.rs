//! NetBanking: a consortium of banks that execute every operation in one agreed order.
//!
//! The modules ('rooms'), from the outside inward; each depends only on those below it:
//!
//! - [`cli`]: one file per command; [`node`]: a node as a whole.
//! - [`doors`]: what comes from outside, for fuzzers. [`web`]: pages for people; [`http`]: handlers
//!   that forward requests to actors as messages.
//! - [`actors`]: one per owner (clock, buffer, ledger, journal, peer links, heartbeat, …), thin
//!   shells around
//! - [`protocol`]: the total order, pure; start reading there, at its picture,
//! - [`ledger`]: customers, accounts, packages: the state machine that every bank runs alike, pure,
//! - [`store`]: what survives a crash; [`watch`]: what people who watch are shown, pure.
//! - [`tls`]: certificates, and what connections between banks are made of; [`config`]:
//!   `nodes.json`; [`session`]: who is logged in; `limits`: how much of a bank each customer gets;
//!   `audit`: who did what;
//!   [`wire`]: HTTP clients and the JSON between banks; `brazilian`: money, dates and names as
//!   customers read them; `machine`: descriptors, cores and threads; `private`: files that nobody
//!   else may read or change; `hex`: bytes as digits.
//!
//! Invariants that everything rests on: a bank's events are taken in without gaps and after what
//! they depend on; nothing is acknowledged before it is on disk; events are executed in key order,
//! the same at every bank; all entries of the ledger add up to zero; a customer is told only what
//! all members agree on.

pub mod actors;
pub(crate) mod audit;
pub(crate) mod brazilian;
pub mod civil;
pub mod cli;
pub mod config;
pub mod doors;
pub(crate) mod drafts;
pub(crate) mod hex;
pub mod http;
pub mod ids;
pub mod ledger;
pub(crate) mod limits;
pub mod machine;
pub mod node;
pub(crate) mod private;
pub mod protocol;
pub(crate) mod session;
pub mod store;
pub mod tls;
pub mod watch;
pub mod web;
pub mod wire;
