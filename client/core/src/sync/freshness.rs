//! Heads that other devices say they have seen: what makes withholding and forking a vault show.

use lockstep_proto::ids::{Seq, VaultId};
use lockstep_proto::log::{AccountState, LogHead, VaultHead};

use super::error::{Missing, SyncError};
use super::staging::Staged;
use crate::account::RecordError;
use crate::ports::{LocalStore, Table};
use crate::vault::{History, OpenVault, read_commit};

/// The heads that a commit into `vault_id` names: those of the account's other sole-member vaults, as far as this device
/// has verified them from their genesis.
pub(crate) fn news<'a>(
    vaults: impl IntoIterator<Item = (&'a VaultId, &'a OpenVault)>,
    vault_id: &VaultId,
) -> Vec<VaultHead> {
    let others = vaults.into_iter().filter(|(other, _)| *other != vault_id);
    let sole = others.filter(|(_, vault)| {
        vault.pin().history() == History::Checked && vault.pin().state().members().len() == 1
    });
    sole.map(|(_, vault)| vault.pin().state().vault_head()).collect()
}

/// What became of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Claim {
    /// This device's chain holds that commit.
    Met,
    /// That part of the chain is not verified here yet.
    Open,
}

/// Checks one claim against a vault that was just pulled.
///
/// # Errors
/// [`SyncError::Diverged`] where this device has another commit at that position; [`SyncError::Withheld`] where the
/// server does not reach it.
pub(crate) async fn check(
    store: &dyn LocalStore,
    vault: &OpenVault,
    claim: LogHead,
) -> Result<Claim, SyncError> {
    let vault_id = vault.vault_id();
    let pinned = vault.pin().state().head();
    if lockstep_proto::seeded!("observed-unchecked") {
        return Ok(Claim::Met);
    }
    if claim.seq > pinned.seq {
        return Err(SyncError::Withheld { vault_id, what: Missing::Observed(claim) });
    }
    let known = match claim.seq == pinned.seq {
        true => Some(pinned.hash),
        false => read_commit(store, &vault_id, claim.seq).await?.map(|entry| entry.commit.hash()),
    };
    match known {
        Some(hash) if hash != claim.hash => Err(SyncError::Diverged { vault_id, at: claim.seq }),
        Some(_) => Ok(Claim::Met),
        None if claim.seq < vault.pin().history().since() => Ok(Claim::Open),
        None => Err(RecordError::Damaged { table: Table::Commits, what: "a commit is missing" }.into()),
    }
}

/// Judges a staged chain by what the account logs say now (R-AUTHOR 4): every cut-off of a revoked author must be in
/// it, and so must the head that the account has accepted last. Below `since` the chain is not at hand, and its check judges.
///
/// # Errors
/// [`SyncError::Withheld`] for a cut-off above its head; [`SyncError::Diverged`] for one that it lacks;
/// [`SyncError::Commit`] when a device wrote after its cut-off.
pub(crate) async fn check_cut_offs(
    store: &dyn LocalStore,
    staged: &Staged,
    since: Seq,
    accounts: &AccountState,
) -> Result<(), SyncError> {
    let state = staged.state();
    let vault_id = state.vault_id();
    let cut_offs = state.cut_offs(accounts).map_err(|source| SyncError::Commit { vault_id, source })?;
    for cut_off in cut_offs.contained.into_iter().filter(|cut_off| cut_off.seq >= since) {
        if cut_off.seq > state.head().seq {
            return Err(SyncError::Withheld { vault_id, what: Missing::CutOff(cut_off) });
        }
        let base = Some(staged.base().head()).filter(|base| base.seq == cut_off.seq);
        let known = match base.or_else(|| staged.commit_at(cut_off.seq)) {
            Some(found) => Some(found.hash),
            None => read_commit(store, &vault_id, cut_off.seq).await?.map(|entry| entry.commit.hash()),
        };
        if known != Some(cut_off.hash) {
            return Err(SyncError::Diverged { vault_id, at: cut_off.seq });
        }
    }
    Ok(())
}
