//! Room for what is to be stored: the vault's share of its account's quota, and what is taken whatever the quota says.

use std::sync::Arc;

use lockstep_proto::api::account::AccountRoom;
use lockstep_proto::ids::AccountId;
use lockstep_proto::log::{AccountState, CommitBody, Entry, LinkBody, LogHead, VaultState};

use tokio::sync::Mutex;

use super::Ports;
use super::commits::{CommitRefusal, room};
use crate::limits::{Buckets, Budget, CAPACITY, Limit, Storage};
use crate::store::{
    AccountLimits, Allot, AllotOutcome, QuotaRule, Shortage, StagePlace, Store, StoreError, StoredLink,
    StoredSlot,
};

/// What an account's links, slots and record may be together, in bytes, whatever its vaults hold (32 MiB).
const LOG_BYTES: u64 = 32 << 20;
/// The same for links that remove devices (320 MiB). Each but those of the Recovery Key takes at least one of 1,024
/// devices away, none of which was added beyond [`LOG_BYTES`], and is 256 KiB at most: so whatever devices did before,
/// there is room to remove them. The slots of former generations, with which somebody who knows the password could fill
/// it, go with a recovery: that fits in any case.
const LOG_BYTES_TO_REMOVE: u64 = 320 << 20;

/// The service's part of quotas.
pub(super) struct Shares {
    store: Arc<dyn Store>,
    storage: Arc<Storage>,
    limits: AccountLimits,
    /// An account asks once at a time: whoever waits for another node holds a connection.
    turns: [Mutex<()>; TURNS],
    asked: Buckets<AccountId>,
    shown: Buckets<AccountId>,
}

/// How many accounts ask at once, at most.
const TURNS: usize = 4;
/// How often an account asks for room that it does not get, and, apart from that, what it holds: each looks at all of
/// its vaults.
const ASKED: Budget = Budget::new(60, 1, Limit::AccountRoom);

impl Shares {
    pub(super) fn new(ports: &Ports, storage: Arc<Storage>, limits: AccountLimits) -> Self {
        let buckets = || Buckets::new(ASKED, CAPACITY, ports.clock.clone());
        let (asked, shown) = (buckets(), buckets());
        Self { store: ports.store.clone(), storage, limits, turns: Default::default(), asked, shown }
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
        self.shown.take(&account_id)?;
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

    /// Stores something, and makes room where there is none, again where others took what was made. A vault that is
    /// there has a share; what one that is not there may hold is told to `store`. Gives the last outcome.
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
/// - *It purges and says nothing else*: every change makes a tombstone of a live item, and no head is observed. No
///   item comes to life beyond the quota, so there are no more of these than there are items, and each takes 2.2 times
///   the room at most that its item took at least.
/// - *It brings the epoch that a rekey has named*, after which removed devices read nothing new. One for each vault and rekey,
///   and rekeys have a bound of their own.
pub(super) fn rule_for(entry: &Entry, before: &VaultState, after: &VaultState) -> QuotaRule {
    let waived = match &entry.body {
        CommitBody::Content(content) => {
            if !entry.commit.value().observed.is_empty() {
                return QuotaRule::Enforced;
            }
            let gone = before.live().saturating_sub(after.live());
            gone > 0 && gone == content.changes.len() as u64
        }
        CommitBody::Control(_) => after.epoch() > before.epoch(),
        CommitBody::Genesis(_) | CommitBody::Heal(_) => false,
    };
    if waived { QuotaRule::Waived } else { QuotaRule::Enforced }
}

/// Whether a link removes a device that this state has.
pub(super) fn removes(before: &AccountState, link: &LinkBody) -> bool {
    match link {
        LinkBody::Rekey(rekey) => rekey
            .revoked
            .iter()
            .any(|device_id| before.device(device_id).is_some_and(|device| device.is_active())),
        LinkBody::Recover(_) => true,
        _ => false,
    }
}

/// What a log may be with new links: however many come at once, those before the last that does not remove anybody are
/// within what the log may be without removals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct LogLimit {
    links: usize,
    /// How many of them, at the end, remove somebody.
    removals: usize,
}

impl LogLimit {
    /// Notes the next new link.
    pub(super) fn note(&mut self, removes: bool) {
        self.links += 1;
        self.removals = if removes { self.removals + 1 } else { 0 };
    }

    /// What links, slots and record together may be with these new ones, in bytes. Slots alone have room in any case: a
    /// log names them.
    pub(super) fn bytes(self, links: &[StoredLink], slots: &[StoredSlot]) -> u64 {
        if self.removals == self.links {
            return LOG_BYTES_TO_REMOVE;
        }
        let last = links.len().saturating_sub(self.removals);
        let removals = links.iter().skip(last).map(|link| link.bytes.len() as u64).sum::<u64>();
        let slots = slots.iter().map(|slot| slot.bytes.len() as u64).sum::<u64>();
        match self.removals {
            0 => LOG_BYTES,
            _ => (LOG_BYTES + removals + slots).min(LOG_BYTES_TO_REMOVE),
        }
    }
}

#[cfg(test)]
mod tests {
    use lockstep_proto::api::SLOT_LIMIT;
    use lockstep_proto::ids::Hash;
    use lockstep_proto::log::{DEVICES_LIMIT, VAULT_KEY_SEALED_LIMIT, VAULTS_LIMIT};

    use super::*;

    /// A rekey, from its layout in PROTOCOL.md: device slots, vaults with their keys and heads, and the rest.
    const REKEY: usize = DEVICES_LIMIT * (16 + 32)
        + VAULTS_LIMIT * (32 + 4 + 32 + 8 + VAULT_KEY_SEALED_LIMIT + 32 + 72)
        + 16_384;
    const SLOTS: usize = (DEVICES_LIMIT + VAULTS_LIMIT + 8) * SLOT_LIMIT;

    fn link(bytes: usize) -> StoredLink {
        StoredLink { head: LogHead::default(), bytes: vec![0; bytes], added_ms: 0 }
    }

    #[test]
    fn links_that_come_at_once_may_be_what_they_may_be_one_by_one() {
        let limit = |removes: &[bool]| {
            let mut limit = LogLimit::default();
            removes.iter().for_each(|removes| limit.note(*removes));
            let links = removes.iter().map(|_| link(100)).collect::<Vec<_>>();
            limit.bytes(&links, &[StoredSlot { hash: Hash([1; 32]), bytes: vec![0; 7] }])
        };
        for (removes, bytes) in [
            (&[][..], LOG_BYTES_TO_REMOVE),
            (&[true], LOG_BYTES_TO_REMOVE),
            (&[true, true], LOG_BYTES_TO_REMOVE),
            (&[false], LOG_BYTES),
            (&[true, false], LOG_BYTES),
            (&[false, true], LOG_BYTES + 107),
            (&[true, false, true, true], LOG_BYTES + 207),
        ] {
            assert_eq!(limit(removes), bytes, "{removes:?}");
        }
    }

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
