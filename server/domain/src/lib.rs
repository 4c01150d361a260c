//! Services and rules of the Lockstep server, and the ports they stand on. No HTTP and no SQL.
//!
//! **Invariants:** nothing is stored that the one verifier of `lockstep-proto` did not accept; every change of state is
//! one store transaction; time and randomness come through ports; nothing here could open a vault.

mod cache;
mod caller;
pub mod limits;
mod ports;
mod secrets;
pub mod services;
pub mod signin;
pub mod store;

pub use caller::{Caller, Session};
pub use ports::{Clock, Random};
pub use secrets::{SecretsError, ServerSecrets};
