//! Events as they lie on the disk, and what they do to the ledger.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| netbanking::doors::journal_record(bytes));
