//! Pairing: this device lets a new one in ([`Approval`]), or is let in by another ([`start_join`]).
//!
//! **Invariants:**
//! - An approval takes exactly one offer, and tells its nonce only once it has it.
//! - Nothing is signed and nothing given away before the person at the old device says that the words are the same; the
//!   new device's keys stand in the account's log before the reply is sealed to them (P6).
//! - The words bind the account log's head. If it moves, the pairing ends; nothing is signed on another head.
//! - The new device stores nothing before the served log, verified from its genesis, holds the head of the invitation
//!   and the link that adds this device, and ARK and Secret Key are those that it commits to. Then one write makes the
//!   profile. A crash before leaves no profile, and in the account's log at most a device that nobody has.

mod approval;
mod error;
mod install;
mod join;
mod mailbox;

pub(crate) use approval::{Approval, Approver, OfferTaken};
pub use error::PairingError;
pub use join::{Admitted, Joining, start_join};
