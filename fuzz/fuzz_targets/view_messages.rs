//! Messages of view changes.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| netbanking::doors::view_messages(bytes));
