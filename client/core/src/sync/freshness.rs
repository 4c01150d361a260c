//! Heads that other devices say they have seen: what makes withholding and forking a vault show.

use lockstep_proto::ids::VaultId;
use lockstep_proto::log::{AccountState, LogHead, OBSERVED_LIMIT, VaultHead, VaultState};

use super::error::{Missing, SyncError};
use super::staging::Staged;
use crate::ports::LocalStore;
use crate::vault::{OpenVault, read_commit};

/// The heads that a commit into `vault_id` names: those of the account's other sole-member vaults.
pub(crate) fn news<'a>(
    vaults: impl IntoIterator<Item = (&'a VaultId, &'a OpenVault)>,
    vault_id: &VaultId,
) -> Vec<VaultHead> {
    let others = vaults.into_iter().filter(|(other, _)| *other != vault_id);
    let sole = others.filter(|(_, vault)| vault.pin().state().members().len() == 1);
    sole.map(|(_, vault)| vault.pin().state().vault_head()).take(OBSERVED_LIMIT).collect()
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
) -> Result<(), SyncError> {
    let vault_id = vault.vault_id();
    let pinned = vault.pin().state().head();
    if claim.seq > pinned.seq {
        return Err(SyncError::Withheld { vault_id, what: Missing::Observed(claim) });
    }
    let known = match claim.seq == pinned.seq {
        true => Some(pinned.hash),
        false => read_commit(store, &vault_id, claim.seq).await?.map(|entry| entry.commit.hash()),
    };
    match known {
        Some(hash) if hash != claim.hash => Err(SyncError::Diverged { vault_id, at: claim.seq }),
        _ => Ok(()),
    }
}

/// Judges a staged chain by what the account logs say now (R-AUTHOR 4): every cut-off of a revoked author must be in
/// it.
///
/// # Errors
/// [`SyncError::Withheld`] for a cut-off above its head; [`SyncError::Diverged`] for one that it lacks;
/// [`SyncError::Commit`] when a device wrote after its cut-off.
pub(crate) async fn check_cut_offs(
    store: &dyn LocalStore,
    staged: &Staged,
    state: &VaultState,
    accounts: &AccountState,
) -> Result<(), SyncError> {
    let vault_id = state.vault_id();
    let cut_offs = state.cut_offs(accounts).map_err(|source| SyncError::Commit { vault_id, source })?;
    for cut_off in cut_offs {
        if cut_off.seq > state.head().seq {
            return Err(SyncError::Withheld { vault_id, what: Missing::CutOff(cut_off) });
        }
        let known = match staged.commit_at(cut_off.seq) {
            Some(found) => Some(found.hash),
            None => read_commit(store, &vault_id, cut_off.seq).await?.map(|entry| entry.commit.hash()),
        };
        if known != Some(cut_off.hash) {
            return Err(SyncError::Diverged { vault_id, at: cut_off.seq });
        }
    }
    Ok(())
}
