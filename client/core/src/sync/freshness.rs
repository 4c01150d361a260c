//! Heads that other devices say they have seen: what makes withholding and forking a vault show.

use lockstep_proto::ids::{Seq, VaultId};
use lockstep_proto::log::{AccountState, Join, LogHead, VaultHead, VaultState};

use super::error::{Missing, SyncError};
use super::staging::Staged;
use crate::account::RecordError;
use crate::ports::{LocalStore, Table};
use crate::vault::{History, OpenVault, has_side, read_commit, read_sides};

/// The heads that a commit into `vault_id` names: those of the account's other sole-member vaults, as far as this
/// device has verified them from their genesis.
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
        Some(hash) if hash != claim.hash && has_side(store, &vault_id, &claim.hash).await? => Ok(Claim::Met),
        Some(hash) if hash != claim.hash => Err(SyncError::Diverged { vault_id, at: claim.seq }),
        Some(_) => Ok(Claim::Met),
        None if claim.seq < vault.pin().history().since() => Ok(Claim::Open),
        None if has_side(store, &vault_id, &claim.hash).await? => Ok(Claim::Met),
        None if vault.pin().state().joins().iter().any(|join| join.is_over(claim.seq)) => {
            Err(SyncError::Diverged { vault_id, at: claim.seq })
        }
        None => Err(RecordError::Damaged { table: Table::Commits, what: "a commit is missing" }.into()),
    }
}

/// Judges a staged chain by what the account logs say now (R-AUTHOR 4): every cut-off of a revoked author must be in
/// it, or on the side of a heal of it; and what such an author wrote beyond must be written over by a heal whose side
/// has it. Below `since` the chain is not at hand, and its check judges.
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
        if known != Some(cut_off.hash) && !has_side(store, &vault_id, &cut_off.hash).await? {
            return Err(SyncError::Diverged { vault_id, at: cut_off.seq });
        }
    }
    let over = cut_offs.written_over.into_iter().filter(|(seq, _)| *seq >= since);
    for (seq, cut_off) in over {
        if !is_mended(store, state, seq, &cut_off).await? {
            return Err(SyncError::Diverged { vault_id, at: seq });
        }
    }
    Ok(())
}

/// Whether a heal that writes over this position has the cut-off on its side's chain.
async fn is_mended(
    store: &dyn LocalStore,
    state: &VaultState,
    seq: Seq,
    cut_off: &LogHead,
) -> Result<bool, SyncError> {
    let vault_id = state.vault_id();
    let common = read_commit(store, &vault_id, cut_off.seq).await?;
    let is_common = common.is_some_and(|entry| entry.commit.hash() == cut_off.hash);
    let sides = read_sides(store, &vault_id).await?;
    let has = |join: &Join| sides.holds(&join.fork, &join.side, cut_off);
    // On the side's chain it is, too, where a heal before the fork has joined it.
    let before = |fork: LogHead| state.joins().iter().any(|join| join.heal.seq <= fork.seq && has(join));
    let mut joins = state.joins().iter().filter(|join| join.is_over(seq));
    Ok(joins.any(|join| has(join) || before(join.fork) || (is_common && cut_off.seq <= join.fork.seq)))
}
