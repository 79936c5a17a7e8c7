use std::process::ExitCode;
pub(crate) fn try_all(_: Option<&str>, _: u64) -> ExitCode { ExitCode::SUCCESS }
