//! Staging areas: what devices give back of a vault that the database lost, until it is whole.

use async_trait::async_trait;
use lockstep_proto::api::heal::WantedBlob;
use lockstep_proto::blob::ItemState;
use lockstep_proto::digest::Leaf;
use lockstep_proto::ids::{AccountId, DeviceId, Hash, ItemId, Seq, VaultId};
use lockstep_proto::log::LogHead;

use super::{CommitRow, StagedPage, Standing, StoreError};

/// A vault and the account that gives it back: each has an area of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct StagePlace {
    /// The vault, which need not be there.
    pub vault_id: VaultId,
    /// The account.
    pub account_id: AccountId,
}

/// How far a vault and its staging area are, of one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Staged {
    /// The vault's head, if it is there.
    pub vault: Option<LogHead>,
    /// The last staged commit.
    pub staged: Option<LogHead>,
    /// The verified state at the staged head, or at the vault's.
    pub checkpoint: Option<Vec<u8>>,
}

/// A commit and the device that wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StagedRow {
    /// The commit.
    pub row: CommitRow,
    /// The device.
    pub device_id: DeviceId,
}

/// What the new commits make of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StagedChange {
    /// The item.
    pub item_id: ItemId,
    /// The leaf before all of them.
    pub old: Leaf,
    /// The leaf after all of them.
    pub new: Leaf,
    /// The last of them that changes it.
    pub seq: Seq,
    /// The header that its blob must have, as one that is live.
    pub header: Vec<u8>,
}

/// Commits that go on where the area, or the vault, ends.
#[derive(Debug, Clone)]
pub struct NewStage {
    /// Where.
    pub place: StagePlace,
    /// The staged head, or, where nothing is staged, the vault's; `None` for a vault that is not there.
    pub after: Option<LogHead>,
    /// The commits, in order; never empty.
    pub rows: Vec<StagedRow>,
    /// Staged side commits that the chain needs after them, all of them; empty where that is as before.
    pub sides: Vec<LogHead>,
    /// What they change, each item once.
    pub changes: Vec<StagedChange>,
    /// The verified state after them.
    pub checkpoint: Vec<u8>,
    /// Live items after them.
    pub live: u64,
    /// Tombstones after them.
    pub tombstones: u64,
    /// The members after them.
    pub members: Vec<AccountId>,
    /// The server's time, in milliseconds since 1970.
    pub now_ms: u64,
    /// What the area may hold with the side commits that wait, in bytes, while the vault is not there. One that is there has
    /// a share of its own.
    pub limit_bytes: u64,
}

/// What became of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StageOutcome {
    /// They are staged.
    Staged,
    /// The area, or the vault, ends elsewhere.
    Moved,
    /// This item is at another leaf.
    Item(ItemId),
    /// A side commit that they need is not staged.
    SideMissing,
    /// There is no room for them.
    Full,
}

/// A blob and what it says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StagedBlob {
    /// Its item.
    pub item_id: ItemId,
    /// Its hash.
    pub blob_hash: Hash,
    /// Its header, as one that is live.
    pub header: Vec<u8>,
    /// What it is.
    pub state: ItemState,
    /// Its bytes.
    pub blob: Vec<u8>,
}

/// Makes a staged head the vault's.
#[derive(Debug, Clone, Copy)]
pub struct FinishStage {
    /// Where.
    pub place: StagePlace,
    /// The staged head.
    pub head: LogHead,
    /// The server's time, in milliseconds since 1970.
    pub now_ms: u64,
    /// What the vault may keep of side commits, in bytes.
    pub sides_limit: u64,
}

/// What became of it, checked in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FinishOutcome {
    /// It is the vault's head already.
    Already(Standing),
    /// Something else is staged, or the vault is no longer where the area begins.
    Moved,
    /// A blob is not there.
    Incomplete,
    /// A device that wrote one of the commits, or of the side commits that they need, is barred.
    Barred,
    /// The counts of live items and tombstones do not add up.
    Counts,
    /// The vault would keep too many side commits.
    SidesFull,
    /// It is the head now, and nothing is staged any more.
    Finished(Standing),
}

/// Staging areas. What is staged is read by nobody but the account that staged it.
#[async_trait]
pub trait HealStore: Send + Sync {
    /// How far a vault and its area are.
    async fn staged(&self, place: StagePlace) -> Result<Staged, StoreError>;

    /// The staged commits above `after`, in order.
    async fn staged_commits(&self, place: StagePlace, after: Option<Seq>) -> Result<StagedPage, StoreError>;

    /// Stages commits, all or none.
    async fn stage(&self, stage: NewStage) -> Result<StageOutcome, StoreError>;

    /// Blobs that the staged head needs and that are not staged, ascending by item, at most `limit`.
    async fn wanted(&self, place: StagePlace, limit: u32) -> Result<Vec<WantedBlob>, StoreError>;

    /// Stages those of the blobs that are wanted; `false`, and none, where there is no room for them (`limit_bytes` as in
    /// [`NewStage`]).
    async fn stage_blobs(
        &self,
        place: StagePlace,
        blobs: Vec<StagedBlob>,
        now_ms: u64,
        limit_bytes: u64,
    ) -> Result<bool, StoreError>;

    /// Makes the staged head the vault's, in one transaction, and keeps the side commits that its chain needs. What was
    /// staged counts as the vault's then; one that was not there has exactly this for its share.
    async fn finish_stage(&self, finish: FinishStage) -> Result<FinishOutcome, StoreError>;

    /// Forgets what is staged, side commits too, if nothing was added since `before_ms`.
    async fn drop_stage(&self, place: StagePlace, before_ms: u64) -> Result<(), StoreError>;

    /// The first place above `after` where something is staged, ascending; the first of all if `None`.
    async fn next_stage(&self, after: Option<StagePlace>) -> Result<Option<StagePlace>, StoreError>;
}
