//! What every test that runs banks as real processes needs: how a bank is started and ended, where
//! it listens, the network between several, and wall clocks that can be set. Shared by
//! `tests/consortium` and the tests that start its clusters, `tests/chaos` and the README's tour.

#![allow(dead_code)] // Each test program uses its part.

pub(crate) mod bank;
pub(crate) mod clocks;
pub(crate) mod links;
pub(crate) mod ports;
pub(crate) mod postgres;

/// Sends processes a signal, such as `-STOP`; returns whether it reached them all.
pub(crate) fn signal(signal: &str, processes: &[u32]) -> bool {
    let processes = processes.iter().map(u32::to_string);
    let kill = std::process::Command::new("kill").arg(signal).args(processes).status();
    kill.unwrap().success()
}
