//! `POST /v1/recovery/challenge` and `POST /v1/recovery`: the Recovery Key proves itself and gets a session for five
//! minutes, renewable in the same way. No session is needed.
//!
//! What is signed is a [`crate::signin::RecoveryChallenge`]. The session may read this account's log, slots, commits and
//! items, begin an OPAQUE registration, bar devices and append a `recover` link; nothing else.

use serde::{Deserialize, Serialize};

use crate::bytes::Bytes;
use crate::ids::AccountId;
use crate::sign::Signature;

/// Asks for a nonce; answered by [`super::session::Challenge`], also where there is no such account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecoveryStart {
    /// The account, from the recovery sheet.
    pub account_id: AccountId,
}

/// The proof; answered by [`RecoverySession`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecoveryProof {
    /// The account.
    pub account_id: AccountId,
    /// From the challenge.
    pub nonce: Bytes,
    /// The Recovery Key's signature of a [`crate::signin::RecoveryChallenge`] with this nonce.
    pub signature: Signature,
}

/// A session of the Recovery Key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecoverySession {
    /// Goes into `Authorization: Bearer …`.
    pub recovery_token: String,
    /// When it ends, in milliseconds since 1970 by the server's clock.
    pub expires_ms: u64,
}

impl std::fmt::Debug for RecoverySession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RecoverySession(until {} ms)", self.expires_ms)
    }
}
