//! The binary: everything is in the library.

use std::process::ExitCode;

/// Requests and events are made on one thread and dropped on another, thousands of times a second,
/// which this allocator makes cheap (`docs/benchmarks.md` says what it brings).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    netbanking::cli::main(std::env::args_os())
}
