//! Stories of whole devices against the server that ships.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr, missing_docs)]

mod binaries;
mod busy;
#[path = "../docker/mod.rs"]
mod docker;
mod first_sync;
mod in_step;
mod interrupted;
mod joins;
mod joins_again;
mod joins_removed;
mod kills;
mod life_cycle;
mod model;
mod offline;
mod pairing;
mod recovery_key;
mod restored;
mod told;
mod unseen;
mod vaults;
