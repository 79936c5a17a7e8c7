//! Pages in a real browser, with a real consortium behind them.
//!
//! Chromium is driven over WebDriver; `browser.rs` starts it and says what a person does with a
//! page. Needs Debian's `chromium` and `chromium-driver`: `.ci/run` installs both.

#![allow(clippy::unwrap_used)] // In a test a panic is the finding.

mod browser;
#[allow(dead_code)] // The other tests use more of it.
#[path = "../consortium/cluster.rs"]
mod cluster;
mod every_page;
mod faults;
mod paths;
mod people;
mod pictures;
mod pix;
#[path = "../processes/mod.rs"]
mod processes;
mod telephone;
mod walk;
mod watch;
