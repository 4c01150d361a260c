//! `POST /v1/signin/start` and `POST /v1/signin/finish`: OPAQUE sign-in, for a new device of an existing account. No
//! session is needed; success gives an enrolment session.

use serde::{Deserialize, Serialize};

use crate::bytes::Bytes;
use crate::ids::AccountId;
use crate::signin::KsfProfile;

/// The first message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SigninStart {
    /// The account, from the Emergency Kit.
    pub account_id: AccountId,
    /// OPAQUE `KE1`.
    pub ke1: Bytes,
}

/// The server's answer; an account that does not exist gets one that cannot be told apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SigninAnswer {
    /// Names this sign-in in the second message: 16 bytes, one use, 60 seconds.
    pub signin_id: Bytes,
    /// The profile of the account's OPAQUE record. Lower than the Kit or a pin says is fatal before `KE3` (R-KDF).
    pub profile: KsfProfile,
    /// OPAQUE `KE2`.
    pub ke2: Bytes,
}

/// The second message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SigninFinish {
    /// From [`SigninAnswer`].
    pub signin_id: Bytes,
    /// OPAQUE `KE3`.
    pub ke3: Bytes,
}

/// An enrolment session: this account's log, slots, commits and items may be read, and `device_add` and
/// `auth_update` links appended.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrolmentSession {
    /// Goes into `Authorization: Bearer …`.
    pub enrolment_token: String,
    /// When it ends, in milliseconds since 1970 by the server's clock.
    pub expires_ms: u64,
}

impl std::fmt::Debug for EnrolmentSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "EnrolmentSession(until {} ms)", self.expires_ms)
    }
}
