//! Ports at which nobody listens.

use std::net::TcpListener;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::links::own_address;

/// The ports to draw from, below the range that the system uses for outgoing connections.
const PORTS: Range<u16> = 20_000..32_700;
/// How far apart processes with successive ids begin to look.
const APART: usize = 100;
/// Banks that may listen at one port, each at its own address.
const BANKS_MAX: usize = 9;

static LOOKED_AT: AtomicUsize = AtomicUsize::new(0);

/// The next port that is free, both where proxies are and where the banks behind them are.
pub(crate) fn free_port() -> u16 {
    let begin = std::process::id() as usize * APART;
    let addresses = || (0..BANKS_MAX).map(own_address).chain(["127.0.0.1".to_owned()]);
    let is_free = |port: &u16| addresses().all(|at| TcpListener::bind((at, *port)).is_ok());
    let next = |_| {
        let place = begin.wrapping_add(LOOKED_AT.fetch_add(1, Ordering::Relaxed));
        PORTS.start + u16::try_from(place % PORTS.len()).unwrap()
    };
    let free = PORTS.map(next).find(is_free);
    free.expect("A FREE PORT BETWEEN 20000 AND 32699, WHICH THIS MACHINE HAS NOT")
}

/// The port of a bank, and that of its heartbeats.
pub(crate) fn free_pair() -> (u16, u16) {
    (free_port(), free_port())
}
