//! Pairing: a device of the account lets a new one in, through a mailbox of a server that learns nothing.
//!
//! One code of 80 random bits serves the QR code, the link and the typed form alike. What is derived from it
//! authenticates every message; only the mailbox's name, derived as well, is for the server. Whoever saw the code
//! *and* has the server can put keys of its own in between; then the words differ that both devices show, except with
//! probability 2⁻⁴⁴ for each pairing: the old device commits to its nonce before it sees the offer.
//!
//! ```text
//! old                                          new
//! invitation { server, account, head, H(nonce) } ─→
//!                       ←─ offer { keys, sealed name, nonce }
//! reveal { nonce } ─→
//!                both show four words; both people confirm
//! device_add into the account's log
//! reply { the link; sealed to the offered keys: ARK, SK } ─→
//! ```
//!
//! Frozen: `pairing.json`.

use lockstep_proto::canon::CanonError;

use crate::printed::PrintedKeyError;

mod code;
mod exchange;
mod link;
mod message;
mod reply;
mod words;

pub use code::{PairingCode, PairingSecrets, RENDEZVOUS_LENGTH};
pub use exchange::Exchange;
pub use link::PairingLink;
pub use message::{DeviceName, Invitation, Offer, PairingNonce, Reveal, Sent};
pub use reply::{Grant, OpenedReply, Reply, open_reply, seal_reply};
pub use words::PairingWords;

/// A pairing message, code or link is not what it has to be. Nothing of it was used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PairingMessageError {
    /// The code has a typo.
    #[error("this is no pairing code, or it has a typo: compare it with the other device")]
    Code(#[source] PrintedKeyError),
    /// It is no pairing link.
    #[error("this is no pairing link: it starts with lockstep://pair# and ends with the server's address")]
    Link,
    /// Another code made the message, or somebody changed it.
    #[error("the other device's message does not belong to this pairing code; nothing of it was used")]
    OtherCode,
    /// A newer program made the message.
    #[error("the other device runs a newer version of Lockstep: {0}")]
    UpdateNeeded(#[source] CanonError),
    /// The message is authentic and makes no sense.
    #[error("the other device's message cannot be read: {0}")]
    Message(#[source] CanonError),
    /// The nonce is not the one that was promised.
    #[error(
        "the other device's message is not what it had promised: somebody may stand in between; nothing was used"
    )]
    Commitment,
    /// A key is none.
    #[error("the new device's keys cannot be used; nothing was given to it")]
    Keys,
    /// The reply does not open.
    #[error("the other device's answer was not made for this device and these words; nothing of it was used")]
    Sealed,
}

impl From<CanonError> for PairingMessageError {
    fn from(error: CanonError) -> Self {
        match error {
            CanonError::UpdateNeeded { .. } => Self::UpdateNeeded(error),
            _ => Self::Message(error),
        }
    }
}

#[cfg(test)]
mod tests;
