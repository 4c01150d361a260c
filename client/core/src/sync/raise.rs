//! The control commit that brings a vault's next epoch, which a rekey has named.
//!
//! Any device of the account can make it: it says what the rekey says of the key. So it does not matter where the
//! device that made the rekey was stopped.

use std::collections::BTreeMap;

use lockstep_proto::log::{Commit, CommitBody, CommitKind, ControlBody, Entry, LATEST_MS, Member};

use super::build::BuildError;
use crate::account::Unlocked;
use crate::vault::{InFlight, OpenVault, Outbox};

/// Signs the control commit after the pinned head; `None` where no epoch is due.
pub(crate) fn raise(
    unlocked: &Unlocked,
    vault: &OpenVault,
    now_ms: u64,
) -> Result<Option<InFlight>, BuildError> {
    if !vault.keys.are_due() {
        return Ok(None);
    }
    let (state, account, own) = (vault.pin.state(), unlocked.state(), unlocked.account_id());
    let epoch = state.epoch().next();
    let vault = account.vaults().get(&state.vault_id()).ok_or(BuildError::KeyMissing)?;
    let named = vault.epochs.get(&epoch).ok_or(BuildError::KeyMissing)?;
    let slot = vault.slot.hash;
    let members = state.members().iter().map(|(account_id, member)| match *account_id == own {
        true => Member {
            account_id: own,
            role: member.role,
            position: account.head(),
            uek_generation: account.uek().0,
            slot,
        },
        false => Member {
            account_id: *account_id,
            role: member.role,
            position: member.position,
            uek_generation: member.uek_generation,
            slot: member.slot,
        },
    });
    let body = CommitBody::Control(ControlBody {
        members: members.collect(),
        epoch,
        vault_key_commit: named.vault_key_commit,
        prev_vault_key: named.prev_vault_key.clone(),
    });
    let commit = Commit {
        vault_id: state.vault_id(),
        seq: state.head().seq.next(),
        prev_hash: state.head().hash,
        kind: CommitKind::Control,
        epoch,
        control_hash: state.control().hash,
        author_account: own,
        author_device: unlocked.device_id(),
        author_position: account.head(),
        time_ms: now_ms.min(LATEST_MS),
        digest: state.digest(),
        live: state.live(),
        tombstones: state.tombstones(),
        observed: Vec::new(),
        body_hash: body.hash(),
    };
    let entry = Entry { commit: unlocked.sign_commit(commit), body };
    state.apply(&entry, account)?;
    InFlight::new(entry, BTreeMap::new(), Outbox::new()).map(Some).ok_or(BuildError::Parts)
}
