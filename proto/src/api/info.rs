//! `GET /v1/info`: what a client asks before anything else. No session is needed.

use serde::{Deserialize, Serialize};

use super::Limits;
use crate::ids::ServerId;
use crate::signin::KsfProfile;

/// Who may sign up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignupPolicy {
    /// Anybody who reaches the server.
    Open,
    /// Whoever holds an invitation; while there is no account, whoever knows the set-up token, which is given like one.
    Invite,
    /// Nobody.
    Closed,
    /// The server has no account yet, and whoever comes first may make it.
    FirstAccount,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Info {
    /// [`super::PROTOCOL_VERSION`] of the server.
    pub protocol: u32,
    /// The server program's version; for people, never for decisions.
    pub server_version: String,
    /// The server's id, made at its first start.
    pub server_id: ServerId,
    /// Who may sign up now.
    pub signup: SignupPolicy,
    /// The key-stretching profile for new accounts. A client takes its own when this one is lower (R-KDF).
    pub ksf_profile: KsfProfile,
    /// What the server takes and gives at most.
    pub limits: Limits,
}
