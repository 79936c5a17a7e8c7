//! Snapshots of the ledger.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| netbanking::doors::snapshot(bytes));
