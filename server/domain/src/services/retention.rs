//! The end of old versions: what may go by the operator's rule goes, a few versions at a time.
//!
//! **Invariants:** one batch is one short store transaction, and there is never more than one of them under way, so that
//! a commit waits for one batch at most; nothing is remembered between walks, so that one which was cut off simply starts
//! anew.

use std::sync::Arc;

use lockstep_proto::ids::VaultId;

use crate::ports::Clock;
use crate::store::{OperatorStore, Pruned, RetentionRule, StoreError};

/// How many versions one batch removes at most.
const BATCH: u32 = 64;
/// A day in milliseconds.
const DAY_MS: u64 = 24 * 3_600_000;

/// How long versions that were replaced are kept, as the operator wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryRule {
    keep_ms: u64,
    keep_versions: u32,
    purged_ms: u64,
}

/// The rule would take away what the protocol promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HistoryRuleError {
    /// Pulls that are under way ask for versions of the last 24 hours.
    #[error("history_days is 0: versions are kept for 1 day at least")]
    Days,
    /// Nothing would be kept after a day.
    #[error(
        "history_versions is 0: at least 1 replaced version of every item is kept until history_days are over"
    )]
    Versions,
    /// What was purged by mistake could not be had back.
    #[error("purged_days is {0}: what was purged is kept for {min} days at least", min = HistoryRule::PURGED_DAYS)]
    PurgedDays(u32),
}

impl HistoryRule {
    /// How many days a replaced version is kept, unless the operator says otherwise.
    pub const HISTORY_DAYS: u32 = 365;
    /// How many replaced versions of an item are kept, unless the operator says otherwise.
    pub const HISTORY_VERSIONS: u32 = 50;
    /// How many days the versions of a purged item are kept, unless the operator says more.
    pub const PURGED_DAYS: u32 = 30;

    /// A replaced version goes after `history_days`, or when `history_versions` newer ones were replaced too, whichever
    /// is first; those of a purged item go `purged_days` after the purge. None goes within 24 hours.
    ///
    /// # Errors
    /// [`HistoryRuleError`].
    pub fn new(history_days: u32, history_versions: u32, purged_days: u32) -> Result<Self, HistoryRuleError> {
        if history_days == 0 {
            return Err(HistoryRuleError::Days);
        }
        if history_versions == 0 {
            return Err(HistoryRuleError::Versions);
        }
        if purged_days < Self::PURGED_DAYS {
            return Err(HistoryRuleError::PurgedDays(purged_days));
        }
        Ok(Self {
            keep_ms: u64::from(history_days) * DAY_MS,
            keep_versions: history_versions,
            purged_ms: u64::from(purged_days) * DAY_MS,
        })
    }

    fn at(self, now_ms: u64) -> RetentionRule {
        let Self { keep_ms, keep_versions, purged_ms } = self;
        RetentionRule { now_ms, keep_ms, keep_versions, purged_ms }
    }
}

/// The service.
pub struct Retention {
    store: Arc<dyn OperatorStore>,
    clock: Arc<dyn Clock>,
    rule: HistoryRule,
}

impl Retention {
    /// The keeper of this store's history.
    pub fn new(store: Arc<dyn OperatorStore>, clock: Arc<dyn Clock>, rule: HistoryRule) -> Self {
        Self { store, clock, rule }
    }

    /// Removes what may go now, vault by vault, and says how much it was. What becomes due meanwhile goes with the next
    /// walk, so that this one ends however busy the vaults are. A vault that fails is left to the next walk and does not
    /// keep the others from their turn. Where another server removes versions of the same vault at the same moment, some
    /// may be left, too. Dropped half-way, the walk leaves every vault whole.
    ///
    /// # Errors
    /// The first [`StoreError`] of the walk, at its end.
    pub async fn walk(&self) -> Result<Pruned, StoreError> {
        let rule = self.rule.at(self.clock.now_ms());
        let (mut gone, mut failure, mut last) = (Pruned::default(), None, None);
        while let Some(vault_id) = self.store.next_vault(last).await? {
            last = Some(vault_id);
            if let Err(error) = self.prune(vault_id, rule, &mut gone).await {
                failure.get_or_insert(error);
            }
        }
        failure.map_or(Ok(gone), Err)
    }

    async fn prune(
        &self,
        vault_id: VaultId,
        rule: RetentionRule,
        gone: &mut Pruned,
    ) -> Result<(), StoreError> {
        loop {
            let batch = self.store.prune(vault_id, rule, BATCH).await?;
            gone.versions = gone.versions.saturating_add(batch.versions);
            gone.bytes = gone.bytes.saturating_add(batch.bytes);
            if batch.versions < BATCH {
                return Ok(());
            }
            // Whoever waits for this thread is next, also where the store answers at once.
            tokio::task::yield_now().await;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Mutex;

    use async_trait::async_trait;
    use lockstep_proto::ids::{Hash, ServerId};

    use super::*;

    /// Vaults with so many versions that may go; `None` fails. Remembers every batch that was asked for.
    struct Vaults {
        due: Mutex<BTreeMap<VaultId, Option<u32>>>,
        asked: Mutex<Vec<(VaultId, RetentionRule, u32)>>,
    }

    impl Vaults {
        fn new(due: &[Option<u32>]) -> Arc<Self> {
            let due = (1..).map(|byte| VaultId([byte; 32])).zip(due.iter().copied()).collect();
            Arc::new(Self { due: Mutex::new(due), asked: Mutex::default() })
        }

        fn left(&self) -> Vec<Option<u32>> {
            self.due.lock().unwrap().values().copied().collect()
        }
    }

    #[async_trait]
    impl OperatorStore for Vaults {
        async fn is_empty(&self) -> Result<bool, StoreError> {
            Ok(false)
        }

        async fn server(&self) -> Result<Option<ServerId>, StoreError> {
            Ok(None)
        }

        async fn bind_server(&self, server_id: ServerId) -> Result<ServerId, StoreError> {
            Ok(server_id)
        }

        async fn add_invite(&self, _: Hash, _: u64) -> Result<(), StoreError> {
            Ok(())
        }

        async fn has_invite(&self, _: Hash, _: u64) -> Result<bool, StoreError> {
            Ok(false)
        }

        async fn check(&self) -> Result<(), StoreError> {
            Ok(())
        }

        async fn probe(&self) -> Result<(), StoreError> {
            Ok(())
        }

        async fn size(&self) -> Result<u64, StoreError> {
            Ok(0)
        }

        async fn settle(&self) -> Result<(), StoreError> {
            Ok(())
        }

        async fn next_vault(&self, after: Option<VaultId>) -> Result<Option<VaultId>, StoreError> {
            let due = self.due.lock().unwrap();
            Ok(due.keys().find(|vault_id| after.is_none_or(|after| **vault_id > after)).copied())
        }

        async fn prune(
            &self,
            vault_id: VaultId,
            rule: RetentionRule,
            limit: u32,
        ) -> Result<Pruned, StoreError> {
            self.asked.lock().unwrap().push((vault_id, rule, limit));
            let mut due = self.due.lock().unwrap();
            let Some(left) = due.get_mut(&vault_id).unwrap() else { return Err(StoreError::Closed) };
            let versions = (*left).min(limit);
            *left -= versions;
            Ok(Pruned { versions, bytes: u64::from(versions) * 10 })
        }
    }

    struct Noon;

    impl Clock for Noon {
        fn now_ms(&self) -> u64 {
            1_800_000_000_000
        }
    }

    fn retention(vaults: &Arc<Vaults>) -> Retention {
        Retention::new(vaults.clone(), Arc::new(Noon), HistoryRule::new(2, 3, 40).unwrap())
    }

    #[tokio::test]
    async fn a_walk_takes_small_batches_of_every_vault_until_nothing_is_left() {
        let vaults = Vaults::new(&[Some(0), Some(63), Some(64), Some(200)]);
        let gone = retention(&vaults).walk().await.unwrap();
        assert_eq!(gone, Pruned { versions: 327, bytes: 3_270 });
        assert_eq!(vaults.left(), [Some(0); 4]);
        let asked = vaults.asked.lock().unwrap().clone();
        let batches = asked.iter().map(|(vault_id, ..)| vault_id.0[0]).collect::<Vec<_>>();
        assert_eq!(batches, [1, 2, 3, 3, 4, 4, 4, 4]);
        let rule = RetentionRule {
            now_ms: 1_800_000_000_000,
            keep_ms: 2 * 86_400_000,
            keep_versions: 3,
            purged_ms: 40 * 86_400_000,
        };
        assert!(asked.iter().all(|(_, asked, limit)| (*asked, *limit) == (rule, 64)));
    }

    #[tokio::test]
    async fn a_vault_that_fails_keeps_no_other_from_its_turn() {
        let vaults = Vaults::new(&[Some(70), None, Some(70)]);
        assert!(matches!(retention(&vaults).walk().await, Err(StoreError::Closed)));
        assert_eq!(vaults.left(), [Some(0), None, Some(0)]);
    }

    #[test]
    fn a_rule_that_keeps_too_little_is_refused() {
        assert_eq!(HistoryRule::new(0, 50, 30), Err(HistoryRuleError::Days));
        assert_eq!(HistoryRule::new(1, 0, 30), Err(HistoryRuleError::Versions));
        assert_eq!(HistoryRule::new(1, 1, 29), Err(HistoryRuleError::PurgedDays(29)));
        HistoryRule::new(1, 1, 30).unwrap();
        // Nothing overflows, and nothing is too long.
        HistoryRule::new(u32::MAX, u32::MAX, u32::MAX).unwrap();
    }
}
