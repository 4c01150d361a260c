//! Keys, envelopes, slots and sign-in of a Lockstep client: suite 1 of the protocol.
//!
//! No I/O, no async, no clock and no randomness of its own: whoever embeds the client hands in a [`random::Random`].
//! Builds for `wasm32-unknown-unknown`.
//!
//! **Invariants:**
//! - Secrets are wiped when dropped and have no `Debug`, `Display`, `Clone` or serialisation.
//! - Everything authenticated is written by `lockstep_proto::canon`; every HKDF info and HMAC message starts
//!   `"LS1/" ‖ label ‖ 0x00`.
//! - There is one suite. Whatever names another is refused with a request to update (R-SUITE).
//! - Cost parameters come from compiled-in profiles, never from outside (R-KDF).
//! - [`opaque`] is the only module that names opaque-ke, [`kem`] the only one that names hpke.

pub mod envelope;
pub mod hedge;
pub mod item;
pub mod keys;
pub mod padme;
pub mod random;

mod kdf;

#[cfg(test)]
mod testing;
