//! Side commits: those of a branch that a heal commit joins. They wait in an area of their account's, and are kept beside
//! the vault's chain once a heal commit of it names them.

use std::collections::BTreeSet;

use async_trait::async_trait;
use lockstep_proto::ids::DeviceId;
use lockstep_proto::log::LogHead;

use super::{CommitRow, CommitRows, NewCommit, StagePlace, StagedRow, Standing, StoreError, VaultReader};

/// Side commits that wait from now on.
#[derive(Debug, Clone)]
pub struct NewSides {
    /// Where.
    pub place: StagePlace,
    /// The commits, in any order; their bytes were read, and nothing else of them is known to hold.
    pub rows: Vec<StagedRow>,
    /// The server's time, in milliseconds since 1970.
    pub now_ms: u64,
    /// What the area may hold of them, in bytes.
    pub limit_bytes: u64,
    /// What the staging area may hold with them while the vault is not there, in bytes, as in `NewStage`.
    pub stage_bytes: u64,
}

/// What became of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SidesOutcome {
    /// They wait.
    Staged,
    /// The area would hold more of them than it may.
    SidesFull,
    /// There is no room for them.
    Full,
}

/// A page of what is staged.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StagedPage {
    /// The commits in order.
    pub rows: Vec<CommitRow>,
    /// Whether commits follow.
    pub more: bool,
}

/// A verified heal commit.
#[derive(Debug, Clone)]
pub struct NewJoin {
    /// The commit: it has no items and sets the members.
    pub commit: NewCommit,
    /// Where its side commits wait.
    pub place: StagePlace,
    /// Those that it needs and that the vault does not keep yet.
    pub sides: Vec<LogHead>,
    /// The devices that wrote these, but for those that are removed: of theirs the account's log says what counts.
    pub writers: BTreeSet<DeviceId>,
    /// What the vault may keep of side commits, in bytes.
    pub limit_bytes: u64,
}

/// What became of a heal commit, checked in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinOutcome {
    /// There is no such vault.
    NoVault,
    /// It is in the chain already.
    Already(Standing),
    /// The head is elsewhere.
    HeadMoved(Standing),
    /// A side commit that it needs is not staged.
    SideMissing,
    /// Its device, or one of the writers, is barred from this vault at `now_ms`.
    Barred,
    /// The counts of live items and tombstones are not the vault's.
    Counts,
    /// The vault's share has no room for it.
    Quota(Standing),
    /// The vault would keep too many side commits.
    SidesFull,
    /// It is the head now, its side commits are kept, and none are staged any more.
    Joined(Standing),
}

/// Side commits.
#[async_trait]
pub trait SideStore: Send + Sync {
    /// Stages side commits, all or none, and passes over those whose place and hash are staged.
    async fn stage_sides(&self, sides: NewSides) -> Result<SidesOutcome, StoreError>;

    /// What is staged of them above `after`, ascending by (position, hash).
    async fn staged_sides(&self, place: StagePlace, after: Option<LogHead>)
    -> Result<StagedPage, StoreError>;

    /// What the vault keeps of them above `after`, ascending by (position, hash).
    async fn side_page(
        &self,
        reader: VaultReader,
        after: Option<LogHead>,
    ) -> Result<Option<CommitRows>, StoreError>;

    /// Appends a heal commit and keeps its side commits, in one transaction.
    async fn join(&self, join: NewJoin) -> Result<JoinOutcome, StoreError>;
}
