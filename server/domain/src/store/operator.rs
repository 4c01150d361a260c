//! What the operator does: the server's identity, invitations, health.

use async_trait::async_trait;
use lockstep_proto::ids::{Hash, ServerId};

use super::StoreError;

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
}
