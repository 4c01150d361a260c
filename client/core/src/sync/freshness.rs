//! Heads that other devices say they have seen: what makes withholding and forking a vault show.

use std::collections::{BTreeMap, BTreeSet};

use lockstep_proto::ids::{Seq, VaultId};
use lockstep_proto::log::{AccountState, LogHead, OBSERVED_LIMIT, VaultHead};

use super::error::{Missing, SyncError};
use super::staging::Staged;
use crate::ports::LocalStore;
use crate::vault::{OpenVault, read_commit};

/// Heads that devices say they have seen, by vault.
pub(crate) type Claims = BTreeMap<VaultId, BTreeSet<LogHead>>;

/// Claims about one vault that are checked in one sync, the highest.
const CLAIMS_LIMIT: usize = 64;

/// Keeps the claims about each vault: two that differ at one position are both checked.
pub(crate) fn note(claims: &mut Claims, observed: impl IntoIterator<Item = VaultHead>) {
    for VaultHead { vault_id, head } in observed {
        let claims = claims.entry(vault_id).or_default();
        claims.insert(head);
        if claims.len() > CLAIMS_LIMIT {
            claims.pop_first();
        }
    }
}

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
/// it. Below `since` the chain is not at hand, and its check judges.
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
    for cut_off in cut_offs.into_iter().filter(|cut_off| cut_off.seq >= since) {
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

#[cfg(test)]
mod tests {
    use lockstep_proto::ids::{Hash, Seq};

    use super::*;

    fn said(seq: u64, hash: u8) -> VaultHead {
        VaultHead { vault_id: VaultId([1; 32]), head: LogHead { seq: Seq(seq), hash: Hash([hash; 32]) } }
    }

    #[test]
    fn a_higher_claim_does_not_hide_one_about_another_branch() {
        let mut claims = Claims::new();
        note(&mut claims, vec![said(3, 1), said(5, 2), said(3, 9), said(3, 1)]);
        let kept: Vec<_> = claims[&VaultId([1; 32])].iter().copied().collect();
        assert_eq!(kept, [said(3, 1).head, said(3, 9).head, said(5, 2).head]);
    }

    #[test]
    fn claims_are_bounded_and_the_highest_stay() {
        let mut claims = Claims::new();
        note(&mut claims, (0..1_000).map(|seq| said(seq, 1)));
        let kept = &claims[&VaultId([1; 32])];
        assert_eq!((kept.len(), kept.last().copied()), (CLAIMS_LIMIT, Some(said(999, 1).head)));
    }
}
