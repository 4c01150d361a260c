//! Catch-up after a server was restored from an older backup (R-HEAL): devices give back, byte for byte, what it lost.
//!
//! First the account's log, `POST /v1/heal/account`, without a session, since the device may be one that the server
//! does not know any more. Then each vault, with a device's session: commits and blobs go into a staging area, in as
//! many requests as it takes, each of which is answered with [`HealProgress`]; `finish` moves the vault's head to the
//! staged one in one transaction.

use serde::{Deserialize, Serialize};

use super::vaults::StoredCommit;
use super::{SLOTS_PER_REQUEST, WANTED_LIMIT};
use crate::bytes::{Bytes, at_most};
use crate::ids::{Hash, ItemId, Version};
use crate::log::{ALL_LINKS_LIMIT, LogHead};

/// `POST /v1/heal/account`: links that verify from the log's head that the server has, or from the genesis where it has
/// none, are their own proof. Answered with [`AccountHealed`], or `head-moved` without a head.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealAccount {
    /// Signed links as on the wire, in order, without a gap; those that the server has are passed over.
    #[serde(deserialize_with = "at_most::<_, ALL_LINKS_LIMIT>")]
    pub links: Vec<Bytes>,
    /// Slots that the last link's state names.
    #[serde(deserialize_with = "at_most::<_, SLOTS_PER_REQUEST>")]
    pub slots: Vec<Bytes>,
    /// The OPAQUE registration upload that it names, if a device has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<Bytes>,
}

/// The server has these links now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountHealed {}

/// `POST /v1/vaults/{vault_id}/heal/commits`: stages commits that follow the staged ones, or the vault's head, or are a
/// genesis. Commits that are staged or in the vault already are passed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealCommits {
    /// In order, without one missing. Those of a branch that only the heal commit after them makes valid come in one
    /// request with it; the sides that heal commits name are staged before ([`super::sides::StageSides`]).
    pub commits: Vec<StoredCommit>,
}

/// `POST /v1/vaults/{vault_id}/heal/blobs`: stages blobs that are wanted, each told by its hash; others are passed
/// over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealBlobs {
    /// Whole blobs.
    #[serde(deserialize_with = "at_most::<_, WANTED_LIMIT>")]
    pub blobs: Vec<Bytes>,
}

/// `GET /v1/vaults/{vault_id}/heal`, and the answer to whatever stages: how far the catch-up is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealProgress {
    /// The vault's head; absent where the server has no such vault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<LogHead>,
    /// The last staged commit; absent where nothing is staged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub staged: Option<LogHead>,
    /// Blobs that the staged head needs and that are not there, at most [`super::WANTED_LIMIT`].
    pub wanted: Vec<WantedBlob>,
}

/// A blob that is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WantedBlob {
    /// The item.
    pub item_id: ItemId,
    /// Its version at the staged head.
    pub version: Version,
    /// The hash that its commit names.
    pub blob_hash: Hash,
}

/// `POST /v1/vaults/{vault_id}/heal/finish`: makes the staged head the vault's, if it is this one; answered by
/// [`super::vaults::Committed`]. `heal-incomplete` where blobs are wanted, `head-moved` where the vault has moved on or
/// something else is staged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FinishHeal {
    /// The staged head.
    pub head: LogHead,
}

/// `DELETE /v1/vaults/{vault_id}/heal`: nothing is staged any more, side commits neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealDropped {}
