//! Vaults: heads, commits, items and their versions.

use async_trait::async_trait;
use lockstep_proto::api::items::{BlobsPage, ItemVersion, StoredItem, VersionPage};
use lockstep_proto::api::vaults::{AuthorPosition, StoredCommit};
use lockstep_proto::blob::ItemState;
use lockstep_proto::digest::Leaf;
use lockstep_proto::ids::{AccountId, DeviceId, ItemId, Seq, VaultId, Version};
use lockstep_proto::log::{CommitKind, LogHead};

use super::StoreError;

/// A verified commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitRow {
    /// Its position and hash.
    pub head: LogHead,
    /// What it is: all but content commits are control commits, and found as such.
    pub kind: CommitKind,
    /// Its author's account and position.
    pub author: AuthorPosition,
    /// Its bytes and its body's.
    pub entry: StoredCommit,
}

impl CommitRow {
    /// What it holds, in bytes.
    pub fn bytes(&self) -> u64 {
        (self.entry.commit.len() + self.entry.body.len()) as u64
    }
}

/// A new vault.
#[derive(Debug, Clone)]
pub struct NewVault {
    /// The vault.
    pub vault_id: VaultId,
    /// The account that makes it, which took a place for it before (`QuotaStore::allot`).
    pub owner: AccountId,
    /// The device that makes it.
    pub device_id: DeviceId,
    /// The server's time, in milliseconds since 1970.
    pub now_ms: u64,
    /// The genesis.
    pub genesis: CommitRow,
    /// The verified state after it (`VaultState::to_checkpoint`).
    pub checkpoint: Vec<u8>,
    /// The members.
    pub members: Vec<AccountId>,
    /// Its share of the owner's quota to begin with, in bytes.
    pub quota_bytes: u64,
}

/// What became of a new vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CreateVaultOutcome {
    /// It was made.
    Created(Standing),
    /// It was made before.
    Already(Standing),
    /// The device is barred from this vault at `now_ms`.
    Barred,
}

/// A changed item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewItem {
    /// The item.
    pub item_id: ItemId,
    /// The leaf it must have; version 0 and hash zero for none.
    pub old: Leaf,
    /// The leaf it gets.
    pub new: Leaf,
    /// Live or tombstone.
    pub state: ItemState,
    /// The blob.
    pub blob: Vec<u8>,
}

/// Whether a commit is refused where its vault's share is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuotaRule {
    /// It is.
    Enforced,
    /// It is not, but counted: it removes, or ends what removed devices can do.
    Waived,
}

/// A verified commit with what it changes.
#[derive(Debug, Clone)]
pub struct NewCommit {
    /// The vault.
    pub vault_id: VaultId,
    /// The device that wrote it.
    pub device_id: DeviceId,
    /// The head it was verified against.
    pub after: LogHead,
    /// The commit.
    pub row: CommitRow,
    /// The verified state after it.
    pub checkpoint: Vec<u8>,
    /// The members after it, if it sets them.
    pub members: Option<Vec<AccountId>>,
    /// The items, each at most once.
    pub items: Vec<NewItem>,
    /// Live items after it, as the commit says.
    pub live: u64,
    /// Tombstones after it, as the commit says.
    pub tombstones: u64,
    /// The server's time, in milliseconds since 1970: when the new versions are stored and the old ones replaced.
    pub now_ms: u64,
    /// What the vault's share means for it.
    pub quota: QuotaRule,
}

impl NewCommit {
    /// What it adds to the vault, in bytes: the commit, its body and its blobs.
    pub fn bytes(&self) -> u64 {
        self.row.bytes() + self.items.iter().map(|item| item.blob.len() as u64).sum::<u64>()
    }
}

/// Where a vault is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Its head.
    pub head: LogHead,
    /// What its share leaves to commits, blobs and staging areas, in bytes. The account may have more for it.
    pub bytes_left: u64,
}

/// What became of a commit, checked in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitOutcome {
    /// There is no such vault.
    NoVault,
    /// It is in the chain already.
    Already(Standing),
    /// The head is elsewhere.
    HeadMoved(Standing),
    /// The device is barred from this vault at `now_ms`.
    Barred,
    /// This item is not at the leaf that the commit replaces.
    Item(ItemId),
    /// The counts of live items and tombstones do not add up.
    Counts,
    /// The vault's share has no room for it.
    Quota(Standing),
    /// It is the head now.
    Committed(Standing),
}

/// Who reads which vault. Whoever is not a member reads nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VaultReader {
    /// The vault.
    pub vault_id: VaultId,
    /// The account.
    pub account_id: AccountId,
}

/// A page of a vault's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitRows {
    /// Where the vault was when the page was read.
    pub standing: Standing,
    /// The commits in order.
    pub rows: Vec<CommitRow>,
    /// Whether commits follow.
    pub more: bool,
}

/// A page of a vault's control commits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlRows {
    /// Where the vault was when the page was read.
    pub standing: Standing,
    /// The commit at that head.
    pub last: CommitRow,
    /// Genesis, control and heal commits in order.
    pub rows: Vec<CommitRow>,
    /// Whether control commits follow.
    pub more: bool,
}

/// What happened in a vault since a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// Where the vault was when it was read.
    pub standing: Standing,
    /// All of it; `None` where the chain does not have that commit, or all of it is above the limit.
    pub since: Option<Since>,
}

/// The commits after one, and what they changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Since {
    /// The commits, in order, up to the head.
    pub commits: Vec<CommitRow>,
    /// The current version of every item that they changed, ascending by (position of last change, item).
    pub items: Vec<StoredItem>,
}

/// What of an item's history is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VersionPlace {
    /// The item.
    pub item_id: ItemId,
    /// Versions below this one only.
    pub before: Option<Version>,
    /// At most so many.
    pub limit: u32,
}

/// A place in the order of items: after (`seq`, `item_id`), or after all of `seq` without an item; from the start if
/// `seq` is `None`. Up to `upto`, if given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ItemPlace {
    /// The position of the last change.
    pub seq: Option<Seq>,
    /// The item.
    pub item_id: Option<ItemId>,
    /// The highest position of a last change.
    pub upto: Option<Seq>,
}

/// A page of items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemRows {
    /// Where the vault was when the page was read.
    pub standing: Standing,
    /// The items, ascending by (position of last change, item).
    pub rows: Vec<StoredItem>,
    /// Whether items follow.
    pub more: bool,
}

/// Vaults. Pages are read in one snapshot and hold up to `PAGE_LIMIT` bytes and at least one entry.
#[async_trait]
pub trait VaultStore: Send + Sync {
    /// Makes a vault.
    async fn create_vault(&self, vault: NewVault) -> Result<CreateVaultOutcome, StoreError>;

    /// Appends a commit and makes its changes, if the vault is where the commit was verified.
    async fn commit(&self, commit: NewCommit) -> Result<CommitOutcome, StoreError>;

    /// The verified state at the head.
    async fn checkpoint(&self, vault_id: VaultId) -> Result<Option<Vec<u8>>, StoreError>;

    /// Whether the chain has this commit at this place, and where the vault is; `None` for who is not a member.
    async fn find_commit(
        &self,
        reader: VaultReader,
        commit: LogHead,
    ) -> Result<Option<(bool, Standing)>, StoreError>;

    /// Commits after `after` (from genesis if `None`), at most `limit`.
    async fn commit_page(
        &self,
        reader: VaultReader,
        after: Option<Seq>,
        limit: u32,
    ) -> Result<Option<CommitRows>, StoreError>;

    /// Current versions of items, tombstones included.
    async fn item_page(&self, reader: VaultReader, place: ItemPlace) -> Result<Option<ItemRows>, StoreError>;

    /// Blobs of item versions, in the order asked.
    async fn blobs(
        &self,
        reader: VaultReader,
        want: Vec<ItemVersion>,
    ) -> Result<Option<BlobsPage>, StoreError>;

    /// The control commits after `after` (from genesis if `None`), and the commit at the head.
    async fn control_page(
        &self,
        reader: VaultReader,
        after: Option<Seq>,
    ) -> Result<Option<ControlRows>, StoreError>;

    /// What happened since `base`, if commits, bodies and blobs together are at most `limit` bytes.
    async fn news(
        &self,
        reader: VaultReader,
        base: LogHead,
        limit: usize,
    ) -> Result<Option<News>, StoreError>;

    /// The versions of an item that are still held, newest first.
    async fn versions(
        &self,
        reader: VaultReader,
        place: VersionPlace,
    ) -> Result<Option<VersionPage>, StoreError>;
}
