//! `POST /v1/session/challenge` and `POST /v1/session`: a device proves its key and gets a token for ten minutes.
//!
//! What is signed is [`crate::signin::SessionChallenge`].

use serde::{Deserialize, Serialize};

use crate::bytes::Bytes;
use crate::ids::{AccountId, DeviceId};
use crate::sign::Signature;

/// Asks for a nonce.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChallengeRequest {
    /// The account.
    pub account_id: AccountId,
    /// The device.
    pub device_id: DeviceId,
}

/// A nonce for one use within 60 seconds, bound to account and device. Unknown devices get one, too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenge {
    /// 32 bytes.
    pub nonce: Bytes,
}

/// The proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRequest {
    /// The account.
    pub account_id: AccountId,
    /// The device.
    pub device_id: DeviceId,
    /// From [`Challenge`].
    pub nonce: Bytes,
    /// The device's signature of a [`crate::signin::SessionChallenge`] with this nonce: `Signed::signature` of it.
    pub signature: Signature,
}

/// A session of a device.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Goes into `Authorization: Bearer …`: an EdDSA JWT.
    pub token: String,
    /// When it ends, in milliseconds since 1970 by the server's clock.
    pub expires_ms: u64,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Session(until {} ms)", self.expires_ms)
    }
}
