//! The actors: each owns one plain struct and hands its effects on. Nothing is shared, so nothing
//! is locked.
//!
//! [`routes`] says where every effect goes, and [`node`] alone wires the actors together. Only
//! [`peer_link`], [`heartbeat`], [`past`] and [`proofs`] await the network.

pub(crate) mod arrivals;
pub mod audit;
pub mod buffer;
pub mod checks;
pub mod clock;
pub mod drafts;
pub mod heartbeat;
pub mod journal;
pub mod laboratory;
pub mod ledger;
pub mod limits;
pub mod node;
pub(crate) mod passwords;
pub mod past;
pub mod peer_link;
pub(crate) mod proofs;
pub mod replies;
pub mod routes;
pub(crate) mod schedules;
pub mod sessions;
pub mod shelf;
pub mod time;
pub mod view;
pub mod watch;
