//! Documents, merge and sync of a Lockstep vault: the crate that an app uses.
//!
//! It decides in pure functions and acts only through ports, so that the same code runs on desktops, phones, in
//! browsers and, a thousand devices at a time, in one test thread.
//!
//! **Invariants:** no file, socket, system clock or global random generator is touched here: time and randomness
//! arrive as arguments or ports. Nothing is written or sent that was not sealed first. It builds for
//! `wasm32-unknown-unknown`.

pub mod account;
pub mod api;
pub mod client;
pub mod item;
pub mod ports;
pub mod sync;
pub mod tools;
pub mod vault;

#[cfg(test)]
mod testing;

/// The keys and papers of an account, for apps that name their types.
pub use lockstep_crypto as crypto;
/// Ids and other types that both sides share, for apps that name them.
pub use lockstep_proto as proto;
