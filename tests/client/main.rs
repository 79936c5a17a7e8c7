//! `netbanking client` as customers use it: the menu through a pseudo-terminal, each command as a
//! process of its own, always with a real consortium behind it.

#![allow(clippy::unwrap_used)] // In a test a panic is the finding.

#[path = "../consortium/cluster.rs"]
#[allow(dead_code)] // `tests/consortium` uses the rest.
mod cluster;
mod commands;
mod failover;
mod json;
mod menu;
mod page;
#[path = "../processes/mod.rs"]
mod processes;
mod program;
mod rights;
mod stand_in;
mod terminal;
mod watch;
