//! Proving who one is: OPAQUE, steps that wait for their second message, and counted attempts.
//!
//! **Invariants:** everything that waits is bounded in number and time and is used once; an account that does not exist
//! is answered like one that does.

mod attempts;
mod opaque;
mod waiting;

pub use attempts::{Attempts, TooManyAttempts};
pub use opaque::{OpaqueError, OpaqueLogin, OpaqueServer, StartedLogin};
pub use waiting::Waiting;
