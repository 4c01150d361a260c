//! OPAQUE (RFC 9807) as both sides bind it: labels, identifiers, profiles.

use serde::{Deserialize, Serialize};

use crate::canon::{Canon, CanonError, Decoder, Encoder};
use crate::hash::{hash, labelled};
use crate::ids::{AccountId, DeviceId, Hash, ServerId};
use crate::sign::Structure;

/// A key-stretching profile: a compiled-in set of Argon2id parameters. The server may name one; no parameter ever
/// crosses the wire (R-KDF). Profiles only ever go up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub enum KsfProfile {
    /// Argon2id, 64 MiB, 3 passes, 4 lanes.
    Profile1 = 1,
}

/// The cost parameters of a [`KsfProfile`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KsfParameters {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over memory.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl KsfProfile {
    /// The profile that new accounts and passwords use.
    pub const CURRENT: Self = Self::Profile1;

    /// The parameters.
    pub fn parameters(self) -> KsfParameters {
        match self {
            Self::Profile1 => KsfParameters { memory_kib: 64 * 1024, passes: 3, lanes: 4 },
        }
    }
}

impl From<KsfProfile> for u16 {
    fn from(profile: KsfProfile) -> Self {
        profile as Self
    }
}

impl TryFrom<u16> for KsfProfile {
    type Error = CanonError;

    fn try_from(value: u16) -> Result<Self, CanonError> {
        match value {
            1 => Ok(Self::Profile1),
            _ if crate::seeded!("unknown-profile-accepted") => Ok(Self::Profile1),
            other => Err(CanonError::UpdateNeeded { field: "KSF profile", value: u32::from(other) }),
        }
    }
}

impl Canon for KsfProfile {
    fn encode(&self, out: &mut Encoder) {
        out.u16(*self as u16);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        Self::try_from(input.u16()?)
    }
}

/// OPAQUE's `context`: label, suite, profile, server.
pub fn opaque_context(server_id: &ServerId, profile: KsfProfile) -> Vec<u8> {
    labelled("opaque", &[&[crate::SUITE], &u16::from(profile).to_be_bytes(), server_id.as_bytes()])
}

/// OPAQUE's `credential_identifier` and client identity.
pub fn client_identity(account_id: &AccountId) -> &[u8] {
    account_id.as_bytes()
}

/// OPAQUE's server identity.
pub fn server_identity(server_id: &ServerId) -> &[u8] {
    server_id.as_bytes()
}

/// `H("opaque-record", registration upload)`: how a link names the OPAQUE record.
pub fn record_hash(upload: &[u8]) -> Hash {
    hash("opaque-record", &[upload])
}

/// What a signature over a challenge is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ChallengePurpose {
    /// A device's daily session.
    Session = 1,
}

impl Canon for ChallengePurpose {
    fn encode(&self, out: &mut Encoder) {
        out.u8(*self as u8);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        match input.u8()? {
            1 => Ok(Self::Session),
            other => Err(CanonError::UpdateNeeded { field: "challenge purpose", value: u32::from(other) }),
        }
    }
}

/// What a device signs with its signing key to open a session: the server's nonce, bound to server, account, device and
/// purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionChallenge {
    /// The server that gave the nonce.
    pub server_id: ServerId,
    /// The account.
    pub account_id: AccountId,
    /// The device that signs.
    pub device_id: DeviceId,
    /// What for.
    pub purpose: ChallengePurpose,
    /// The server's nonce.
    pub nonce: [u8; 32],
}

impl Structure for SessionChallenge {
    const LABEL: &'static str = "session-challenge";
    const HASH_LABEL: &'static str = "session-challenge-hash";
    const LIMIT: usize = 256;
}

impl Canon for SessionChallenge {
    fn encode(&self, out: &mut Encoder) {
        self.server_id.encode(out);
        self.account_id.encode(out);
        self.device_id.encode(out);
        self.purpose.encode(out);
        out.fixed(&self.nonce);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        Ok(Self {
            server_id: Canon::decode(input)?,
            account_id: Canon::decode(input)?,
            device_id: Canon::decode(input)?,
            purpose: Canon::decode(input)?,
            nonce: input.fixed()?,
        })
    }
}

/// What the Recovery Key signs to open a session: the server's nonce, bound to server and account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecoveryChallenge {
    /// The server that gave the nonce.
    pub server_id: ServerId,
    /// The account.
    pub account_id: AccountId,
    /// The server's nonce.
    pub nonce: [u8; 32],
}

impl Structure for RecoveryChallenge {
    const LABEL: &'static str = "recovery-challenge";
    const HASH_LABEL: &'static str = "recovery-challenge-hash";
    const LIMIT: usize = 256;
}

impl Canon for RecoveryChallenge {
    fn encode(&self, out: &mut Encoder) {
        self.server_id.encode(out);
        self.account_id.encode(out);
        out.fixed(&self.nonce);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        Ok(Self {
            server_id: Canon::decode(input)?,
            account_id: Canon::decode(input)?,
            nonce: input.fixed()?,
        })
    }
}
