//! Where a vault's keys come from: the slot that the account's log names, and from it back through the keys that control
//! commits seal for their predecessors.
//!
//! A rekey names the key of a vault's next epoch before a control commit brings that epoch. Until then the key of the
//! current one is on this device, or in a slot that the rekey replaced, under an earlier ARK.

use std::collections::BTreeMap;

use lockstep_crypto::keys::VaultKey;
use lockstep_crypto::slots::{VaultKeyCheck, open_slot};
use lockstep_proto::ids::{AccountId, DeviceId, Epoch, Generation, Hash, Seq};
use lockstep_proto::log::{CommitBody, ControlBody, Entry, LogHead, VaultState};
use lockstep_proto::wrap::{KeyKind, SlotKind, WrapContext};

use super::keys::VaultKeys;
use crate::account::{self, AccountError, Unlocked};
use crate::ports::Ports;

/// The keys of a vault at `state`: those `known`, the current one, and those between them that the control commits among
/// `entries` seal; and the key of the next epoch, if the account's log names one. Without the current one where the
/// account's log does not name it (yet).
///
/// # Errors
/// [`AccountError`] for a slot that is missing, does not open, or holds another key than the logs say.
pub(crate) async fn vault_keys(
    ports: &Ports,
    unlocked: &Unlocked,
    known: VaultKeys,
    state: &VaultState,
    entries: &[&Entry],
) -> Result<VaultKeys, AccountError> {
    let (vault_id, epoch) = (state.vault_id(), state.epoch());
    if !unlocked.state().vaults().contains_key(&vault_id) {
        return Ok(known);
    }
    let mut keys = known;
    if keys.key(epoch).is_none()
        && let Some(key) = current(ports, unlocked, state).await?
    {
        keys.add(epoch, key);
    }
    open_previous(&mut keys, state, entries);
    Ok(keys.with_next(next(ports, unlocked, state).await?))
}

/// The key of the epoch after the one that the vault's log is at: in the slot that the account's log names, or, where it
/// names a later one already, in one that a rekey replaced. None where none of them opens: then nothing more is sealed.
async fn next(
    ports: &Ports,
    unlocked: &Unlocked,
    state: &VaultState,
) -> Result<Option<(Epoch, VaultKey)>, AccountError> {
    let (vault_id, epoch) = (state.vault_id(), state.epoch().next());
    let Some(named) = unlocked.state().vaults().get(&vault_id) else { return Ok(None) };
    let opened = match named.epoch == epoch {
        true => account::next_vault_key(ports, unlocked, vault_id, &named.slot, epoch).await,
        false => {
            let mut before = named.before.iter().rev().filter(|before| before.epoch == epoch);
            let Some(before) = before.next().filter(|_| named.epoch > epoch) else { return Ok(None) };
            account::next_vault_key_before(ports, unlocked, vault_id, before).await
        }
    };
    match opened {
        Ok(key) => Ok(Some((epoch, key))),
        Err(AccountError::Slot(_) | AccountError::SlotMissing { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The key of the epoch that the vault's log is at, checked against the vault's own log.
async fn current(
    ports: &Ports,
    unlocked: &Unlocked,
    state: &VaultState,
) -> Result<Option<VaultKey>, AccountError> {
    let (vault_id, epoch) = (state.vault_id(), state.epoch());
    let check = VaultKeyCheck { seed: *state.seed(), epoch, commit: state.vault_key_commit() };
    let Some(named) = unlocked.state().vaults().get(&vault_id) else { return Ok(None) };
    let mut failure = None;
    if named.epoch == epoch {
        match account::vault_key(ports, unlocked, vault_id, &named.slot, &check).await {
            Ok(key) => return Ok(Some(key)),
            Err(error) => failure = Some(error),
        }
    }
    for before in named.before.iter().rev().filter(|before| before.epoch == epoch) {
        match account::vault_key_before(ports, unlocked, vault_id, before, &check).await {
            Ok(key) => return Ok(Some(key)),
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    failure.map_or(Ok(None), Err)
}

/// What a control commit says about its epoch.
struct Brought {
    commit: Hash,
    sealed: Vec<u8>,
    ctx: WrapContext,
}

/// Opens the keys of earlier epochs, each with the one after it.
fn open_previous(keys: &mut VaultKeys, state: &VaultState, entries: &[&Entry]) {
    let mut brought = BTreeMap::<Epoch, Brought>::new();
    for (entry, control) in entries.iter().filter_map(|entry| Some((entry, control(&entry.body)?))) {
        let commit = entry.commit.value();
        let before = LogHead { seq: Seq(commit.seq.0.saturating_sub(1)), hash: commit.prev_hash };
        brought.entry(control.epoch).or_insert_with(|| Brought {
            commit: control.vault_key_commit,
            sealed: control.prev_vault_key.clone(),
            ctx: previous_context(state, commit.author_account, control.epoch, before),
        });
    }
    for (epoch, after) in brought.iter().rev() {
        let Some(before) = epoch.0.checked_sub(1).map(Epoch) else { continue };
        let Some(commit) = brought.get(&before).map(|brought| brought.commit) else { continue };
        if keys.key(before).is_some() {
            continue;
        }
        let Some(key) = keys.key(*epoch) else { continue };
        let check = VaultKeyCheck { seed: *state.seed(), epoch: before, commit };
        // A device that sealed something else makes items of that epoch unreadable, not the vault.
        if let Ok(opened) = open_slot::<_, VaultKey>(key, &after.ctx, &after.sealed, &check) {
            keys.add(before, opened);
        }
    }
}

fn control(body: &CommitBody) -> Option<&ControlBody> {
    match body {
        CommitBody::Genesis(genesis) => Some(&genesis.control),
        CommitBody::Control(control) => Some(control),
        _ => None,
    }
}

/// The context of the key of the epoch before `epoch`, sealed by the control commit after `before`.
pub(crate) fn previous_context(
    state: &VaultState,
    author: AccountId,
    epoch: Epoch,
    before: LogHead,
) -> WrapContext {
    WrapContext {
        account_id: author,
        slot: SlotKind::PrevVaultKey,
        wrapping: KeyKind::VaultKey,
        wrapping_generation: Generation(epoch.0),
        wrapped: KeyKind::VaultKey,
        wrapped_generation: Generation(epoch.0.saturating_sub(1)),
        vault_id: state.vault_id(),
        device_id: DeviceId::ZERO,
        log_seq: before.seq,
        log_hash: before.hash,
    }
}
