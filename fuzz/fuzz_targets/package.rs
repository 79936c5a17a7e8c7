//! Packages as customers send them, and what they do to the ledger.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| netbanking::doors::package(bytes));
