//! `/v1/vaults` and `/v1/vaults/{vault_id}/commits`: a vault's log.

use serde::{Deserialize, Serialize};

use super::items::StoredBlob;
use crate::bytes::{Bytes, at_most};
use crate::ids::{AccountId, Seq, VaultId};
use crate::log::{CHANGES_LIMIT, LogHead};

/// What a vault still takes. Sizes are in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    /// What the vault may grow by, commits counted, without more being asked of its account: `GET /v1/account/room`
    /// says what that still takes, and so does this with `quota-exceeded`.
    pub bytes: u64,
    /// The blobs of one commit together.
    pub commit_blob_bytes: u64,
    /// The changes of one commit.
    pub commit_changes: u64,
}

/// `POST /v1/vaults`: a new vault. Answered 201 by [`Committed`]; invisible until a `vault_create` link names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateVault {
    /// The signed genesis commit as on the wire.
    pub commit: Bytes,
    /// Its body.
    pub body: Bytes,
}

/// `POST /v1/vaults/{vault_id}/commits`: a commit with what it brings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostCommit {
    /// The signed commit as on the wire.
    pub commit: Bytes,
    /// Its body.
    pub body: Bytes,
    /// The blob of every change, in the body's order.
    #[serde(deserialize_with = "at_most::<_, CHANGES_LIMIT>")]
    pub blobs: Vec<Bytes>,
}

/// The commit is stored and durable. The same bytes sent again answer the same position and hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Committed {
    /// The vault.
    pub vault_id: VaultId,
    /// The commit's position and hash.
    pub head: LogHead,
    /// What the vault still takes.
    pub room: Room,
}

/// Query of `GET /v1/vaults/{vault_id}/commits`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommitsQuery {
    /// Commits with a higher position only; absent for the log from its genesis.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Seq>,
    /// At most so many commits; a page may end earlier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// A commit as the server keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredCommit {
    /// The signed commit as on the wire.
    pub commit: Bytes,
    /// Its body.
    pub body: Bytes,
}

/// How far an author's account log must be known to verify a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorPosition {
    /// The account.
    pub account_id: AccountId,
    /// The highest position and its hash that a commit of the page names.
    pub head: LogHead,
}

/// A page of a vault's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitPage {
    /// The vault's head when the page was read: a pull's target.
    pub head: LogHead,
    /// What the vault still takes.
    pub room: Room,
    /// In order. Every commit names the one before it; only a heal commit's position may be above the next one.
    pub commits: Vec<StoredCommit>,
    /// One entry per author of the page.
    pub authors: Vec<AuthorPosition>,
    /// Whether commits follow the last one of this page.
    pub more: bool,
}

/// What a `head-moved` answer to a commit brings along, so that whoever was overtaken can merge at once: the commits
/// after the one that the refused commit follows, and the current blob of each item that these change. All of it, or
/// nothing is brought ([`super::OVERTAKEN_LIMIT`]).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overtaken {
    /// The commits, as a page of the log that ends at the head.
    pub page: CommitPage,
    /// The current blob of every item that they change, each once.
    pub blobs: Vec<StoredBlob>,
}

/// Query of `GET /v1/vaults/{vault_id}/control`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ControlQuery {
    /// Control commits with a higher position only; absent for all from the genesis.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Seq>,
}

/// What a first sync begins with: the commit at the head, and those that say who may write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlPage {
    /// The vault's head when the page was read: a first sync's target.
    pub head: LogHead,
    /// What the vault still takes.
    pub room: Room,
    /// The commit at the head.
    pub last: StoredCommit,
    /// Genesis, control and heal commits, ascending.
    pub control: Vec<StoredCommit>,
    /// One entry per author of the page.
    pub authors: Vec<AuthorPosition>,
    /// Whether control commits follow the last one of this page.
    pub more: bool,
}
