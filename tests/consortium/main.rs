//! Whole consortia as real processes, each bank with its own disk, spoken to over HTTP as customers
//! and peers do.

#![allow(clippy::unwrap_used)] // In a test a panic is the finding.

mod archive;
mod atomicity;
mod audit;
mod availability;
mod catching_up;
mod certificates;
mod cluster;
mod customer;
#[path = "../customers/mod.rs"]
mod customers;
mod durability;
mod floods;
mod fresh_reads;
mod gray;
mod growth;
mod heartbeat_port;
mod held;
mod https;
mod laboratory;
mod load;
mod mad_bank;
mod output;
mod past;
mod peer_stream;
mod played_bank;
mod postgres;
#[path = "../processes/mod.rs"]
mod processes;
#[path = "../random/mod.rs"]
mod random;
mod retries;
mod settings;
mod signatures;
mod slow_calls;
mod survival;
mod under_floods;
mod uniqueness;
mod watching;
mod wrong_clocks;
