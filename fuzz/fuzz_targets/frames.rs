//! Frames and envelopes of a peer.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| netbanking::doors::frames(bytes));
