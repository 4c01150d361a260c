//! What handlers take: values that can only be valid input of an allowed caller.
//!
//! **Invariant:** every failure is a [`crate::error::Failure`], made before the handler runs.

mod body;
mod path;
mod sent;
mod session;
mod stranger;

pub(crate) use body::{Body, BodyLimit, Parameters};
pub(crate) use path::{ItemPath, VaultPath};
pub(crate) use sent::Sent;
pub(crate) use session::{AnySession, DeviceSession, OptionalSession};
pub(crate) use stranger::{Address, Stranger};
