//! `/v1/account/…`: the account log of whoever asks, its slots, and new links. A device or enrolment session is
//! needed.

use serde::{Deserialize, Serialize};

use super::{COMMIT_BLOBS_LIMIT, SLOTS_PER_REQUEST};
use crate::bytes::{Bytes, at_most};
use crate::ids::{DeviceId, Generation, Hash, Seq};
use crate::log::{ALL_LINKS_LIMIT, LogHead};
use crate::sign::Signature;

/// Query of `GET /v1/account/log`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogQuery {
    /// Links with a higher position only; absent for the log from its genesis.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Seq>,
}

/// A page of an account log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPage {
    /// Signed links as on the wire, in order, without a gap.
    #[serde(deserialize_with = "at_most::<_, ALL_LINKS_LIMIT>")]
    pub links: Vec<Bytes>,
    /// The log's head when the page was read.
    pub head: LogHead,
    /// Whether links follow the last one of this page.
    pub more: bool,
}

/// `POST /v1/account/links`: appends links, all or none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppendLinks {
    /// Signed links as on the wire, in order; the first follows the head.
    #[serde(deserialize_with = "at_most::<_, ALL_LINKS_LIMIT>")]
    pub links: Vec<Bytes>,
    /// The slots that the links name and the server lacks.
    #[serde(deserialize_with = "at_most::<_, SLOTS_PER_REQUEST>")]
    pub slots: Vec<Bytes>,
    /// The OPAQUE registration upload, where a link names a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<Bytes>,
}

/// The links are stored. The same bytes sent again answer the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Appended {
    /// The position and hash of the last link sent.
    pub head: LogHead,
}

/// Answer to `GET /v1/account/room`: what the account holds and may hold, in bytes; the commits of all its vaults,
/// their history and what waits in staging areas are counted. Answered by `insufficient-storage` where the server takes
/// no new data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountRoom {
    /// What it holds.
    pub used_bytes: u64,
    /// What it may hold.
    pub limit_bytes: u64,
}

impl AccountRoom {
    /// What a client may still sign for: what is left, without the reserve for what others sign at the same moment.
    pub fn left(&self) -> u64 {
        self.limit_bytes.saturating_sub(self.used_bytes).saturating_sub(room_reserve(self.limit_bytes))
    }
}

/// What of an account's quota nobody counts on before it is used, in bytes: a commit that was signed when there was
/// room is taken, though other vaults took that room meanwhile. An eighth of the quota, and no more than eight of the
/// largest commits.
pub fn room_reserve(limit_bytes: u64) -> u64 {
    (limit_bytes / 8).min(8 * COMMIT_BLOBS_LIMIT as u64)
}

/// `POST /v1/account/registration`: OPAQUE registration for a new password of this account; answered by
/// [`super::signup::RegistrationAnswer`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistrationStart {
    /// OPAQUE `RegistrationRequest`.
    pub request: Bytes,
}

/// One slot: a wrapped key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// The hash by which a link names it.
    pub hash: Hash,
    /// Its bytes.
    pub bytes: Bytes,
}

/// Query of `GET /v1/account/slots`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlotsQuery {
    /// A former generation of ARK: its recovery slot and its slots of vaults, as far as they are kept, and those of as
    /// many generations before it as fit into an answer. Absent for the slots of the current state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<Generation>,
}

/// `GET /v1/account/slots`: the slots that the account's current state names, or those of former generations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slots {
    /// Ascending by hash.
    pub slots: Vec<Slot>,
    /// The oldest generation whose slots are among them, where former ones were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest: Option<Generation>,
    /// The log's head that names them.
    pub head: LogHead,
}

/// `POST /v1/account/bar`, with a device or a recovery session: from now on no vault of this account takes a commit of
/// these devices. Each vault is barred in a transaction of its own before the answer is sent, so that the cut-offs
/// which a revoking link names are final. A bar ends by itself after [`super::BAR_SECONDS`] unless such a link arrives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BarDevices {
    /// Devices of this account other than the caller's, ascending.
    pub devices: Vec<DeviceId>,
    /// The head of the account's log, which the signed statement names; none in a recovery session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<LogHead>,
    /// The signature of the password's key, or of the Recovery Key, over a [`BarStatement`](crate::bar::BarStatement);
    /// none in a recovery session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
}

/// The devices are barred.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Barred {
    /// When the bars end by themselves, in milliseconds since 1970 by the server's clock.
    pub until_ms: u64,
}
