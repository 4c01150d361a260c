//! The operator's side in memory.

use std::ops::Bound;

use async_trait::async_trait;
use lockstep_proto::ids::{Hash, ServerId, VaultId};

use super::super::{OperatorStore, Pruned, RetentionRule, StoreError};
use super::MemoryStore;

#[async_trait]
impl OperatorStore for MemoryStore {
    async fn is_empty(&self) -> Result<bool, StoreError> {
        Ok(self.lock().accounts.is_empty())
    }

    async fn server(&self) -> Result<Option<ServerId>, StoreError> {
        Ok(self.lock().server_id)
    }

    async fn bind_server(&self, server_id: ServerId) -> Result<ServerId, StoreError> {
        Ok(*self.lock().server_id.get_or_insert(server_id))
    }

    async fn add_invite(&self, invite: Hash, expires_ms: u64) -> Result<(), StoreError> {
        self.lock().invites.insert(invite, expires_ms);
        Ok(())
    }

    async fn has_invite(&self, invite: Hash, now_ms: u64) -> Result<bool, StoreError> {
        Ok(self.lock().invites.get(&invite).is_some_and(|expires_ms| now_ms < *expires_ms))
    }

    async fn check(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn probe(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn size(&self) -> Result<u64, StoreError> {
        Ok(self.values().iter().map(|value| value.len() as u64).sum())
    }

    async fn settle(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn next_vault(&self, after: Option<VaultId>) -> Result<Option<VaultId>, StoreError> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        Ok(self.lock().vaults.range((from, Bound::Unbounded)).next().map(|(vault_id, _)| *vault_id))
    }

    async fn prune(&self, vault_id: VaultId, rule: RetentionRule, limit: u32) -> Result<Pruned, StoreError> {
        let mut tables = self.lock();
        Ok(tables.vaults.get_mut(&vault_id).map(|vault| vault.prune(rule, limit)).unwrap_or_default())
    }
}
