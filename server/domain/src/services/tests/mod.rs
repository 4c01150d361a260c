//! Services over a store in memory, with clock and randomness in the test's hands.
#![allow(clippy::unwrap_used, clippy::panic)]

mod accounts;
mod admissions;
mod commits;
mod fixture;
mod open_sessions;
mod permit;
mod recovery_week;
mod revocation;
mod room;
mod slots;
mod vault;
