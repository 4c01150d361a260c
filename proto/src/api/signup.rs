//! `POST /v1/signup/start` and `POST /v1/signup/finish`: making an account. No session is needed.

use serde::{Deserialize, Serialize};

use super::SLOTS_PER_REQUEST;
use crate::bytes::{Bytes, at_most};
use crate::ids::AccountId;
use crate::log::LogHead;

/// The first half: OPAQUE registration for an account that does not exist yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignupStart {
    /// The hash of the genesis link that the client is going to send.
    pub account_id: AccountId,
    /// OPAQUE `RegistrationRequest`.
    pub request: Bytes,
    /// The invitation, where the server wants one, or the set-up token, where it has no account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invite: Option<String>,
}

/// The server's part of an OPAQUE registration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistrationAnswer {
    /// OPAQUE `RegistrationResponse`.
    pub response: Bytes,
    /// The server's OPAQUE public key, 32 bytes: what the `auth_update` link names.
    pub server_public_key: Bytes,
}

/// The second half: everything that makes the account, in one transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignupFinish {
    /// The genesis link, signed, as on the wire.
    pub genesis: Bytes,
    /// The `auth_update` link after it, signed, as on the wire.
    pub auth_update: Bytes,
    /// The slots that the link names, in any order.
    #[serde(deserialize_with = "at_most::<_, SLOTS_PER_REQUEST>")]
    pub slots: Vec<Bytes>,
    /// OPAQUE `RegistrationUpload`; the link names its hash.
    pub record: Bytes,
    /// The invitation, where the server wants one, or the set-up token, where it has no account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invite: Option<String>,
}

/// 201: the account exists. The same bytes sent again answer the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignupDone {
    /// The account.
    pub account_id: AccountId,
    /// The head of its log: the `auth_update` link.
    pub head: LogHead,
}
