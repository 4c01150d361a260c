//! Keys, envelopes, slots and sign-in of a Lockstep client: suite 1 of the protocol.
//!
//! No I/O, no async, no clock and no randomness of its own: whoever embeds the client hands in a [`random::Random`].
//! Builds for `wasm32-unknown-unknown`.
//!
//! **Invariants:**
//! - Secrets are wiped when dropped, leave no copies where they are moved ([`secret_bytes`]) and have no `Debug`, `Display`, `Clone` or serialisation (OPAQUE's states between
//!   two messages can be cloned).
//! - Everything authenticated is written by `lockstep_proto::canon`; every HKDF info and HMAC message starts
//!   `"LS1/" ‖ label ‖ 0x00`.
//! - There is one suite. Whatever names another is refused with a request to update (R-SUITE).
//! - Cost parameters come from compiled-in profiles, never from outside (R-KDF).
//! - [`opaque`] is the only module that names opaque-ke, [`kem`] the only one that names hpke.

pub mod device;
pub mod envelope;
pub mod hedge;
pub mod item;
pub mod kem;
pub mod keys;
pub mod kit;
pub mod opaque;
pub mod padme;
pub mod pairing;
pub mod password;
pub mod password_key;
pub mod printed;
pub mod random;
pub mod recovery_key;
pub mod secret_bytes;
pub mod secret_key;
pub mod slots;
pub mod stretch;
pub mod unlock;

mod kdf;
mod stack;

#[cfg(test)]
mod testing;

#[cfg(test)]
mod tests;
