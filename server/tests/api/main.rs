//! The HTTP interface as clients see it, over both embedded stores.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod accounts;
mod bad_input;
mod gate;
mod program;
mod restarts;
mod support;
mod vaults;
