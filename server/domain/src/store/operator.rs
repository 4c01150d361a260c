//! What the operator does: the server's identity, invitations, health.

use async_trait::async_trait;
use lockstep_proto::ids::{Hash, ServerId, VaultId};

use super::StoreError;

/// How long a version that was replaced is kept. None goes before it was replaced for [`RetentionRule::FLOOR_MS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetentionRule {
    /// The server's time, in milliseconds since 1970.
    pub now_ms: u64,
    /// A version goes when it was replaced longer ago than this, in milliseconds.
    pub keep_ms: u64,
    /// A version goes when so many newer ones that were replaced too are there.
    pub keep_versions: u32,
    /// All versions of an item go when it was purged longer ago than this, in milliseconds, and none before.
    pub purged_ms: u64,
}

impl RetentionRule {
    /// 24 hours, in milliseconds: a pull asks for versions that were replaced while it went on.
    pub const FLOOR_MS: u64 = 24 * 3_600_000;
}

/// What one step of pruning did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pruned {
    /// Versions that went.
    pub versions: u32,
    /// Bytes of the quota that became free.
    pub bytes: u64,
}

/// The operator's side.
#[async_trait]
pub trait OperatorStore: Send + Sync {
    /// Whether there is no account yet.
    async fn is_empty(&self) -> Result<bool, StoreError>;

    /// The server this store belongs to; `None` before [`Self::bind_server`].
    async fn server(&self) -> Result<Option<ServerId>, StoreError>;

    /// Makes the store belong to a server, unless it belongs to one, and says to which it belongs.
    async fn bind_server(&self, server_id: ServerId) -> Result<ServerId, StoreError>;

    /// Keeps an invitation until it expires or is spent.
    async fn add_invite(&self, invite: Hash, expires_ms: u64) -> Result<(), StoreError>;

    /// Whether an invitation is there, unspent and not expired.
    async fn has_invite(&self, invite: Hash, now_ms: u64) -> Result<bool, StoreError>;

    /// Whether the store can be read now.
    async fn check(&self) -> Result<(), StoreError>;

    /// Whether the store can be written now: writes something small and makes it durable.
    async fn probe(&self) -> Result<(), StoreError>;

    /// How many bytes the store takes, without what it has free for what comes next.
    async fn size(&self) -> Result<u64, StoreError>;

    /// Brings what is stored into the place where an operator looks for it, for a server that ends: a store with a log of its
    /// own writes that into its file. Fails where somebody else is at it meanwhile; loses nothing where it fails or is left
    /// out, by a crash for example.
    async fn settle(&self) -> Result<(), StoreError>;

    /// The first vault whose id is above `after`, ascending; the first of all if `None`.
    async fn next_vault(&self, after: Option<VaultId>) -> Result<Option<VaultId>, StoreError>;

    /// Removes at most `limit` versions of one vault that the rule lets go, and gives their room back. Fewer than
    /// `limit` mean that none is left. Current versions, tombstones included, and commits always stay.
    async fn prune(&self, vault_id: VaultId, rule: RetentionRule, limit: u32) -> Result<Pruned, StoreError>;
}
