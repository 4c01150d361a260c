//! The server's HTTP interface as typed calls over the [`Transport`](crate::ports::Transport) port.
//!
//! One method per endpoint. Requests and answers are CBOR; failures are [`ApiError`]s whose text a person can act on.
//! No call repeats itself but one: an expired token is renewed once. Whether to try again is decided by whoever calls,
//! with [`retry`].
//!
//! **Invariants:**
//! - An answer is decoded with bounded memory and depth, must have the announced content type, and must not end early
//!   or late; anything else is [`ApiError::Garbage`]. An empty answer never stands for an empty list.
//! - What a server says in words of its own is a [`ServerWords`]: a quotation, never a message of ours.
//! - Nothing here is trusted: links, commits, blobs and slots are verified by whoever asked for them.

mod accounts;
mod answer;
mod client;
mod error;
mod pairing;
pub mod retry;
mod sign_in;
mod vaults;
mod words;

#[cfg(test)]
mod tests;

pub use client::{Api, TokenSource};
pub use error::{ApiError, Garbage};
pub use words::ServerWords;
