//! What every test that plays customers needs: HTTP, packages drawn at random, and the judge of the
//! answers. Shared by `tests/consortium` and `tests/chaos`; knows nothing about processes.

#![allow(dead_code)] // Each of the two uses a part of it.

pub(crate) mod http;
pub(crate) mod judge;
pub(crate) mod package;
