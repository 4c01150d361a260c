//! What both sides of Lockstep must agree on, bit for bit.
//!
//! `PROTOCOL.md` beside this crate is the specification; the files in `vectors/` freeze its bytes.
//! The crate is pure: no I/O, no clock, no randomness, and it builds for `wasm32-unknown-unknown`.
//!
//! **Invariant:** everything that is hashed, signed or authenticated is written by [`canon`], and nothing else.

pub mod api;
pub mod bar;
pub mod blob;
pub mod bytes;
pub mod canon;
pub mod digest;
pub mod hash;
pub mod ids;
pub mod log;
#[doc(hidden)]
pub mod seeded;
pub mod sign;
pub mod signin;
pub mod wrap;

#[cfg(test)]
mod tests;

/// The one cipher suite. There is no negotiation: any other value is an error that names an update (R-SUITE).
pub const SUITE: u8 = 0x01;
