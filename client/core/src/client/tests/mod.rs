//! The facade without a server: every edit is one local write, whole or not at all, sealed, and there after a restart.

#![allow(clippy::unwrap_used, clippy::panic)]

mod creating;
mod desk;
mod dropped;

mod durable;
mod editing;
mod importing;
