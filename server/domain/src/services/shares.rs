//! Room for what is to be stored: the vault's share of its account's quota, and what is taken whatever the quota says.

use std::sync::Arc;

use lockstep_proto::api::account::AccountRoom;
use lockstep_proto::ids::AccountId;
use lockstep_proto::log::{AccountState, CommitBody, Entry, LinkBody, LogHead, VaultState};

use tokio::sync::Mutex;

use super::Ports;
use super::commits::{CommitRefusal, room};
use crate::limits::{Buckets, Budget, CAPACITY, Limit, Storage};
use crate::store::{AccountLimits, Allot, AllotOutcome, QuotaRule, Shortage, StagePlace, Store, StoreError};

/// What an account's links, slots and record may be together, in bytes, whatever its vaults hold (32 MiB).
const LOG_BYTES: u64 = 32 << 20;
/// The same for links that remove devices (320 MiB). Each but those of the Recovery Key takes at least one of 1,024 devices away,
/// none of which was added beyond [`LOG_BYTES`], and is 256 KiB at most: so whatever devices did before, there is room to
/// remove them. The slots of former generations, with which somebody who knows the password could fill it, go with a recovery:
/// that fits in any case.
const LOG_BYTES_TO_REMOVE: u64 = 320 << 20;

/// The service's part of quotas.
pub(super) struct Shares {
    store: Arc<dyn Store>,
    storage: Arc<Storage>,
    limits: AccountLimits,
    /// An account asks once at a time: whoever waits for another node holds a connection.
    turns: [Mutex<()>; TURNS],
    asked: Buckets<AccountId>,
}

/// How many accounts ask at once, at most.
const TURNS: usize = 4;
/// How often an account asks what it holds, or for room that it does not get: each looks at all of its vaults.
const ASKED: Budget = Budget::new(60, 1, Limit::AccountRoom);

impl Shares {
    pub(super) fn new(ports: &Ports, storage: Arc<Storage>, limits: AccountLimits) -> Self {
        let asked = Buckets::new(ASKED, CAPACITY, ports.clock.clone());
        Self { store: ports.store.clone(), storage, limits, turns: Default::default(), asked }
    }

    /// Makes room for so many bytes and gives the vault's share.
    ///
    /// # Errors
    /// [`CommitRefusal::StorageUsedUp`], [`CommitRefusal::TooMany`], [`CommitRefusal::Quota`], [`CommitRefusal::TooManyVaults`], [`CommitRefusal::Store`].
    pub(super) async fn make_room(&self, place: StagePlace, more: u64) -> Result<u64, CommitRefusal> {
        self.storage.check_data()?;
        let account_id = place.account_id;
        self.asked.take(&account_id)?;
        let _turn = self.turns[usize::from(account_id.0[0]) % TURNS].lock().await;
        match self.store.allot(Allot { place, more, limits: self.limits }).await? {
            AllotOutcome::Allotted(share) => {
                self.asked.give_back(&account_id);
                Ok(share)
            }
            AllotOutcome::Full(shortage) => Err(full(shortage)),
            AllotOutcome::TooManyVaults => Err(CommitRefusal::TooManyVaults),
        }
    }

    /// What an account holds and may hold.
    ///
    /// # Errors
    /// [`CommitRefusal::StorageUsedUp`], [`CommitRefusal::NoVault`] where there is no such account, [`CommitRefusal::Store`].
    pub(super) async fn account_room(&self, account_id: AccountId) -> Result<AccountRoom, CommitRefusal> {
        self.check_storage()?;
        self.asked.take(&account_id)?;
        let usage = self.store.usage(account_id).await?.ok_or(CommitRefusal::NoVault)?;
        let used_bytes = usage.log_bytes.saturating_add(usage.vault_bytes);
        Ok(AccountRoom { used_bytes, limit_bytes: usage.own.or(self.limits).bytes })
    }

    /// Whether the server takes new data.
    ///
    /// # Errors
    /// [`CommitRefusal::StorageUsedUp`].
    fn check_storage(&self) -> Result<(), CommitRefusal> {
        Ok(self.storage.check_data()?)
    }

    /// Stores something, and makes room where there is none, again where others took what was made. A vault that is there has a
    /// share; what one that is not there may hold is told to `store`. Gives the last outcome.
    ///
    /// # Errors
    /// As [`Self::make_room`], and what `store` fails with.
    pub(super) async fn with_room<T>(
        &self,
        place: StagePlace,
        vault: Option<LogHead>,
        more: u64,
        is_full: impl Fn(&T) -> bool,
        mut store: impl AsyncFnMut(u64) -> Result<T, StoreError>,
    ) -> Result<T, CommitRefusal> {
        self.check_storage()?;
        let share = match vault {
            Some(_) => 0,
            None => self.make_room(place, more).await?,
        };
        let mut outcome = store(share).await?;
        for _ in 0..AGAIN {
            if !is_full(&outcome) {
                break;
            }
            outcome = store(self.make_room(place, more).await?).await?;
        }
        Ok(outcome)
    }
}

/// How often room is made anew because others were faster.
const AGAIN: usize = 8;

fn full(shortage: Shortage) -> CommitRefusal {
    CommitRefusal::Quota { room: room(shortage.left()), shortage }
}

/// What the quota means for a commit. Two kinds are taken beyond it, and counted:
///
/// - *It purges*: every change makes a tombstone, whose blob is a header and nothing else, of a live item. No item comes to life
///   beyond the quota, so there are no more of these than there are items.
/// - *It brings the epoch that a rekey has named*, after which removed devices read nothing new. One for each vault and rekey,
///   and rekeys have a bound of their own.
pub(super) fn rule_for(entry: &Entry, before: &VaultState, after: &VaultState) -> QuotaRule {
    let waived = match &entry.body {
        CommitBody::Content(content) => {
            let gone = before.live().saturating_sub(after.live());
            gone > 0 && gone == content.changes.len() as u64
        }
        CommitBody::Control(_) => after.epoch() > before.epoch(),
        CommitBody::Genesis(_) | CommitBody::Heal(_) => false,
    };
    if waived { QuotaRule::Waived } else { QuotaRule::Enforced }
}

/// What an account's log may be with these new links, in bytes.
pub(super) fn log_limit<'a>(before: &AccountState, links: impl IntoIterator<Item = &'a LinkBody>) -> u64 {
    let removes = |link: &LinkBody| match link {
        LinkBody::Rekey(rekey) => rekey
            .revoked
            .iter()
            .any(|device_id| before.device(device_id).is_some_and(|device| device.is_active())),
        LinkBody::Recover(_) => true,
        _ => false,
    };
    if links.into_iter().any(removes) { LOG_BYTES_TO_REMOVE } else { LOG_BYTES }
}

/// What a log may be that is given back to a restored server: no more than it could have been.
pub(super) const LOG_BYTES_TO_HEAL: u64 = LOG_BYTES_TO_REMOVE;

#[cfg(test)]
mod tests {
    use lockstep_proto::api::SLOT_LIMIT;
    use lockstep_proto::log::{DEVICES_LIMIT, VAULT_KEY_SEALED_LIMIT, VAULTS_LIMIT};

    use super::*;

    /// A rekey, from its layout in PROTOCOL.md: device slots, vaults with their keys and heads, and the rest.
    const REKEY: usize = DEVICES_LIMIT * (16 + 32)
        + VAULTS_LIMIT * (32 + 4 + 32 + 8 + VAULT_KEY_SEALED_LIMIT + 32 + 72)
        + 16_384;
    const SLOTS: usize = (DEVICES_LIMIT + VAULTS_LIMIT + 8) * SLOT_LIMIT;

    #[test]
    fn whatever_devices_have_signed_there_is_room_to_remove_them() {
        // One after the other removes one, until one is left; then it is removed with the Recovery Key.
        let most = LOG_BYTES + (DEVICES_LIMIT * REKEY + SLOTS) as u64;
        assert!(
            REKEY < 262_144 && most + 2 * (REKEY + SLOTS) as u64 <= LOG_BYTES_TO_REMOVE,
            "{REKEY} {most}"
        );
    }
}
