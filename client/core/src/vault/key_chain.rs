//! Where a vault's keys come from: the slot that the account's log names holds the newest, and each key seals the one that
//! the log has named before.
//!
//! A rekey names the key of a vault's next epoch before a control commit brings that epoch.

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
    let mut keys = known.with_next(None);
    let Some(named) = unlocked.state().vaults().get(&state.vault_id()) else { return Ok(keys) };
    let chain = Chain { state, named, entries };
    let Some(check) = chain.check(named.epoch).filter(|_| named.epoch >= state.epoch()) else {
        return Ok(keys);
    };
    let newest = match keys.shared(named.epoch) {
        Some(key) => key,
        None => {
            match account::vault_key(ports, unlocked, state.vault_id(), &named.slot, &check).await {
                Ok(key) => Arc::new(key),
                // Nothing more is sealed in this vault than with the key that is here.
                Err(AccountError::Slot(_) | AccountError::SlotMissing { .. })
                    if keys.key(state.epoch()).is_some() =>
                {
                    return Ok(keys);
                }
                Err(error) => return Err(error),
            }
        }
    };
    let (due, mut next) = (state.epoch().next(), None);
    let mut step = Some((named.epoch, newest));
    while let Some((epoch, key)) = step {
        step = chain.before(unlocked, &keys, epoch, &key);
        if epoch <= state.epoch() {
            keys.add(epoch, key);
        } else if epoch == due {
            next = Some((epoch, key));
        }
    }
    Ok(keys.with_next(next))
}

/// A vault's keys as both logs name them.
struct Chain<'a> {
    state: &'a VaultState,
    named: &'a AccountVault,
    entries: &'a [&'a Entry],
}

impl Chain<'_> {
    /// What the key of an epoch must be, if that is known here.
    fn check(&self, epoch: Epoch) -> Option<VaultKeyCheck> {
        let commit = match self.named.epochs.get(&epoch) {
            Some(named) => named.vault_key_commit,
            None if self.state.epoch() == epoch => self.state.vault_key_commit(),
            None => self.entries.iter().find_map(|entry| commit_of(&entry.body, epoch))?,
        };
        Some(VaultKeyCheck { seed: *self.state.seed(), epoch, commit })
    }

    /// The key that the log has named before the one of `epoch`.
    fn before(
        &self,
        unlocked: &Unlocked,
        keys: &VaultKeys,
        epoch: Epoch,
        key: &VaultKey,
    ) -> Option<(Epoch, Arc<VaultKey>)> {
        let named = self.named.epochs.get(&epoch)?;
        let before = Epoch(epoch.0.checked_sub(1)?);
        if let Some(known) = keys.shared(before) {
            return Some((before, known));
        }
        // Whoever named the epoch has sealed something else: items of earlier ones are unreadable then, not the vault.
        let sealed = account::SealedVaultKey { vault_id: self.state.vault_id(), epoch, named };
        let opened = sealed.open(unlocked.account_id(), key, &self.check(before)?).ok()?;
        Some((before, Arc::new(opened)))
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
