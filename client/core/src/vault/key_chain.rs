//! Where a vault's keys come from: the slot that the account's log names holds the newest, and each key seals the one that
//! the log has named before. In a recovery, and on a device that was not given the present ARK, the newest is the one that an
//! ARK which is here opens.
//!
//! A rekey names the key of a vault's next epoch before a control commit brings that epoch.

use std::collections::BTreeMap;
use std::sync::Arc;

use lockstep_crypto::keys::VaultKey;
use lockstep_crypto::slots::VaultKeyCheck;
use lockstep_proto::ids::{Epoch, Hash};
use lockstep_proto::log::{AccountVault, CommitBody, ControlBody, Entry, VaultState};

use super::keys::VaultKeys;
use crate::account::{self, AccountError, Unlocked};
use crate::ports::Ports;

/// The keys of a vault at `state`: those `known`, those that the account's log leads to, and the key of the next epoch, if
/// it names one. `entries` are commits of the vault: a check of its first key may need the genesis. Without the current key
/// where the account's log does not name it (yet).
///
/// # Errors
/// [`AccountError`] for a slot that is missing, does not open, or holds another key than the logs say, where the current
/// key is not known.
pub(crate) async fn vault_keys(
    ports: &Ports,
    unlocked: &Unlocked,
    known: VaultKeys,
    state: &VaultState,
    entries: &[&Entry],
) -> Result<VaultKeys, AccountError> {
    let mut keys = known.with_ahead(BTreeMap::new());
    let Some(named) = unlocked.state().vaults().get(&state.vault_id()) else { return Ok(keys) };
    let chain = Chain { state, named, entries };
    if chain.check(named.epoch).is_none() || named.epoch < state.epoch() {
        return Ok(keys);
    }
    let goes_back = unlocked.goes_back();
    let newest = match chain.newest(ports, unlocked, &keys).await {
        Ok(newest) => newest,
        // Nothing more is sealed in this vault than with the keys that are here.
        Err(AccountError::Slot(_)) if !keys.is_empty() => return Ok(keys.with_lost()),
        Err(AccountError::SlotMissing { .. }) if !keys.is_empty() => {
            return Ok(if goes_back { keys.with_lost() } else { keys });
        }
        Err(error) => return Err(error),
    };
    let is_lost = newest.0 < named.epoch;
    let mut ahead = BTreeMap::new();
    let mut step = Some(newest);
    while let Some((epoch, key)) = step {
        step = chain.before(unlocked, &keys, epoch, &key);
        if epoch <= state.epoch() {
            keys.add(epoch, key);
        } else {
            ahead.insert(epoch, key);
        }
    }
    let keys = keys.with_ahead(ahead);
    Ok(if is_lost { keys.with_lost() } else { keys })
}

/// A vault's keys as both logs name them.
struct Chain<'a> {
    state: &'a VaultState,
    named: &'a AccountVault,
    entries: &'a [&'a Entry],
}

impl Chain<'_> {
    /// The newest key that is here or that a root key opens which is here, and its epoch.
    async fn newest(
        &self,
        ports: &Ports,
        unlocked: &Unlocked,
        keys: &VaultKeys,
    ) -> Result<(Epoch, Arc<VaultKey>), AccountError> {
        let vault_id = self.state.vault_id();
        if let Some(key) = keys.shared(self.named.epoch) {
            return Ok((self.named.epoch, key));
        }
        let mut failed = None;
        for (generation, ark) in unlocked.arks() {
            let Some((epoch, slot)) = unlocked.state().vault_slot(&vault_id, generation) else { continue };
            if let Some(key) = keys.shared(epoch) {
                return Ok((epoch, key));
            }
            let Some(check) = self.check(epoch) else { continue };
            match account::vault_key(ports, unlocked, (generation, ark), vault_id, &slot, &check).await {
                Ok(key) => return Ok((epoch, Arc::new(key))),
                Err(error @ (AccountError::Slot(_) | AccountError::SlotMissing { .. })) => {
                    failed.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
        Err(failed.unwrap_or(AccountError::SlotMissing { hash: self.named.slot.hash }))
    }

    /// What the key of an epoch must be, if that is known here.
    fn check(&self, epoch: Epoch) -> Option<VaultKeyCheck> {
        let commit = match self.named.epochs.get(&epoch) {
            Some(named) => named.vault_key_commit,
            None if self.state.epoch() == epoch => self.state.vault_key_commit(),
            None => self.entries.iter().find_map(|entry| commit_of(&entry.body, epoch))?,
        };
        Some(VaultKeyCheck { seed: *self.state.seed(), epoch, commit })
    }

    /// The key that stands before the one of `epoch`: of the epoch before, or, where that was lost, of the last one that was
    /// not.
    fn before(
        &self,
        unlocked: &Unlocked,
        keys: &VaultKeys,
        epoch: Epoch,
        key: &VaultKey,
    ) -> Option<(Epoch, Arc<VaultKey>)> {
        let named = self.named.epochs.get(&epoch)?;
        let sealed = account::SealedVaultKey { vault_id: self.state.vault_id(), epoch, named };
        // Whoever named the epoch may have sealed something else: items of earlier ones are unreadable then, not the vault.
        (1..epoch.0).rev().map(Epoch).find_map(|before| {
            let known = keys.shared(before);
            let open = || sealed.open(unlocked.account_id(), key, &self.check(before)?).ok().map(Arc::new);
            known.or_else(open).map(|key| (before, key))
        })
    }
}

fn commit_of(body: &CommitBody, epoch: Epoch) -> Option<Hash> {
    let control: &ControlBody = match body {
        CommitBody::Genesis(genesis) => &genesis.control,
        CommitBody::Control(control) => control,
        CommitBody::Content(_) | CommitBody::Heal(_) => return None,
    };
    (control.epoch == epoch).then_some(control.vault_key_commit)
}
