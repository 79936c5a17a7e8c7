//! Handlers in actix's test harness: a bank's whole route table on real actors, without a socket
//! for customers.

#![allow(clippy::unwrap_used)] // In a test a panic is the finding.

mod addresses;
mod arrivals;
mod bad_input;
mod basket;
mod browser;
mod description;
mod habits;
mod harness;
mod https;
mod joint;
mod keys;
mod large_bodies;
mod limits;
mod names;
mod neutral;
mod others;
mod own_limits;
mod pages;
mod peer_messages;
mod pix;
mod profile;
mod reads;
mod refunds;
mod requirement_examples;
mod schedules;
mod security;
mod statements;
mod watch;
