//! `/v1/vaults/{vault_id}/sides`: side commits, those of a branch that a heal commit joins (R-HEAL).
//!
//! Whoever signs a heal commit first stages the side that it names, from the commit after the fork up to the side's head,
//! in as many requests as it takes, and then sends the heal commit like any other, without blobs. The server verifies
//! both branches and the heal, and keeps the side commits beside the chain as long as the vault is there.

use serde::{Deserialize, Serialize};

use super::vaults::{AuthorPosition, StoredCommit};
use crate::ids::{Hash, Seq};
use crate::log::LogHead;

/// `POST /v1/vaults/{vault_id}/sides`: stages side commits, all or none, at most [`super::HEAL_COMMITS_LIMIT`] at once and
/// [`super::SIDES_LIMIT`] bytes in all. Those that are staged already, as their hash says, are passed over. They wait for
/// a heal commit, or for a catch-up with one, for a week; `DELETE /v1/vaults/{vault_id}/heal` forgets them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageSides {
    /// In any order.
    pub commits: Vec<StoredCommit>,
}

/// They are staged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SidesStaged {}

/// Query of `GET /v1/vaults/{vault_id}/sides`: a place in the order (position, hash).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SidesQuery {
    /// Side commits after (`after_seq`, `after_hash`) only; absent for the start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_seq: Option<Seq>,
    /// Absent: every side commit above `after_seq`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_hash: Option<Hash>,
}

/// A page of the side commits that the vault keeps: those of every heal commit of its chain, nested ones included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SidesPage {
    /// The vault's head when the page was read.
    pub head: LogHead,
    /// Ascending by (position, hash).
    pub commits: Vec<StoredCommit>,
    /// One entry per author of the page.
    pub authors: Vec<AuthorPosition>,
    /// Whether side commits follow the last one of this page.
    pub more: bool,
}
