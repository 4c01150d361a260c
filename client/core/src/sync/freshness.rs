//! Heads that other devices say they have seen: what makes withholding and forking a vault show.

use lockstep_proto::ids::VaultId;
use lockstep_proto::log::{LogHead, OBSERVED_LIMIT, VaultHead};

use super::error::{Missing, SyncError};
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
