//! Proving who one is: OPAQUE, and steps that wait for their second message.
//!
//! **Invariants:** everything that waits is bounded in number and time and is used once; an account that does not exist
//! is answered like one that does.

mod opaque;
mod waiting;

pub use crate::limits::TooManyAttempts;
pub use opaque::{OpaqueError, OpaqueLogin, OpaqueServer, StartedLogin};
pub use waiting::Waiting;
