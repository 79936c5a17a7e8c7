//! What every test needs that plays customers: HTTP, packages drawn at random, and the judge of
//! what was answered. Shared by `tests/consortium` and `tests/chaos`; knows nothing of processes.

#![allow(dead_code)] // Each of the two uses a part of it.

pub(crate) mod http;
pub(crate) mod judge;
pub(crate) mod package;
