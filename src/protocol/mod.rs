//! The ordering protocol: pure code, no actix, no disk, no clock of its own, no randomness.
//!
//! ```text
//!             customers                        peers
//!                 │ Submit                       │ envelopes, the requirement's messages
//!                 ▼              Held            ▼
//!              clock ◀──────────────────── ordered_buffer ──▶ outbox (one per peer) ──▶ peers
//!                 │     Own, Merged              ▲ │ │ Execute
//!                 └──────────────────────────────┘ │ ▼
//!                               Persisted ▲ Append │ executor (ledger) ──▶ checks ──▶ customers
//!                                         │        ▼
//!                                        journal ◀────── executed marks
//! ```
//!
//! - [`ids`](crate::ids), [`event`], [`vector_clock`], [`order_key`]: what is ordered, and the
//!   total order.
//! - [`possible`] bounds every number that another bank names, [`complaints`] tells people.
//! - [`clock`] stamps (what is worth waiting for: [`companions`]), [`door`] lets in,
//!   [`ordered_buffer`] holds back and finds what is stable, [`executor`] executes, [`checks`]
//!   finds agreement, [`gathering`] spares messages between many banks, [`outbox`] sends until it
//!   is acknowledged, as much at once as the [`mod@line`] to the peer allows.
//! - [`heartbeat`] knows which banks answer, [`view`] which banks act together, [`confirmation`]
//!   whether reads here are fresh, [`consortium_time`] what the time is.
//! - [`progress`] finds which member alone keeps the others waiting, [`pace`] and [`debt`] decide
//!   how much of that is tolerated, [`health`] is what a bank says about its own ill health.
//! - [`snapshot`]: the ledger as a whole on its way to a bank that lacks too much of the journal.
//! - [`effect`]: everything these parts can tell each other, in one place; [`notice`]: what they
//!   tell people; [`report`]: what banks tell each other with every heartbeat.
//!
//! Each part is a plain struct with a `handle(input, …, out)`; it never sends anything itself.

pub mod checks;
pub mod clock;
pub(crate) mod companions;
pub(crate) mod complaints;
pub mod confirmation;
pub mod consortium_time;
pub(crate) mod debt;
pub(crate) mod door;
pub mod effect;
pub mod envelope;
pub mod event;
pub mod execution;
pub mod executor;
pub(crate) mod gathering;
pub mod health;
pub mod heartbeat;
pub mod line;
pub mod notice;
pub mod order_key;
pub mod ordered_buffer;
pub mod outbox;
pub mod pace;
pub mod peer_state;
pub mod possible;
pub mod progress;
pub mod reply;
pub mod report;
mod rounds;
pub mod snapshot;
pub mod time;
pub mod vector_clock;
pub mod view;
