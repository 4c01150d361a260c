//! `/v1/pairing…`: a mailbox through which two devices of one account pair. It holds at most four messages, of which the
//! server understands none, for 120 seconds.
//!
//! The device that approves opens it with its session. The new device has no session: it may write the offer and read
//! the rest, and needs to know the mailbox's name. Each message is written once; the same bytes again answer the same.

use serde::{Deserialize, Serialize};

use crate::bytes::Bytes;

/// Bytes of a mailbox's name.
pub const RENDEZVOUS_LENGTH: usize = 16;
/// Most bytes of one message.
pub const PAIRING_MESSAGE_LIMIT: usize = 64 * 1024;
/// How long a mailbox lasts, in seconds.
pub const PAIRING_SECONDS: u32 = 120;
/// How long the server waits at most before it answers that there is no message yet, in seconds.
pub const PAIRING_WAIT_SECONDS: u32 = 10;

/// Which message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PairingStep {
    /// From the approving device: what a QR code would have said.
    Invitation,
    /// From the new device.
    Offer,
    /// From the approving device, after it took the offer.
    Reveal,
    /// From the approving device, after both people confirmed.
    Reply,
}

/// `POST /v1/pairing` with a device session: opens a mailbox with its first message. A name that is taken is
/// `pairing-taken`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenPairing {
    /// The mailbox's name: [`RENDEZVOUS_LENGTH`] bytes.
    pub rendezvous: Bytes,
    /// The first message.
    pub invitation: Bytes,
}

/// The mailbox is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairingOpened {
    /// When it ends, in milliseconds since 1970 by the server's clock.
    pub expires_ms: u64,
}

/// `POST /v1/pairing/send`: writes a message. The offer needs no session, reveal and reply need one of the device that
/// opened the mailbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendPairing {
    /// The mailbox's name.
    pub rendezvous: Bytes,
    /// Which message.
    pub step: PairingStep,
    /// Its bytes, at most [`PAIRING_MESSAGE_LIMIT`].
    pub message: Bytes,
}

/// The message is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairingSent {}

/// `POST /v1/pairing/receive`: reads a message; waits for it for [`PAIRING_WAIT_SECONDS`] at most. No session is needed.
/// No such mailbox, or one that has ended, is `no-pairing`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceivePairing {
    /// The mailbox's name.
    pub rendezvous: Bytes,
    /// Which message.
    pub step: PairingStep,
}

/// The message, if there is one by now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairingReceived {
    /// Its bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Bytes>,
}
