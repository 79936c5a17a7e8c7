//! Pix *copia e cola* as somebody has copied it.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| netbanking::doors::br_code(bytes));
