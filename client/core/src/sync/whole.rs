//! A vault's chain that was verified from its genesis, and which of its versions are distrusted.

use std::collections::BTreeSet;

use lockstep_proto::ids::{Hash, ItemId, Seq};
use lockstep_proto::log::{
    AccountState, AccountStates, CommitError, Entry, LastChange, Line, LogHead, Sides, VaultState,
};

use super::error::{Missing, SyncError};

/// It.
pub(super) struct Whole {
    line: Line,
    distrusted: BTreeSet<ItemId>,
}

impl Whole {
    /// Verifies all commits of a chain, and finds the items whose version was set by a removed device where its remover could
    /// not see it (R-REANCHOR).
    ///
    /// # Errors
    /// The first commit's [`CommitError`].
    pub(super) fn verify(chain: &[Entry], accounts: &AccountState) -> Result<Self, CommitError> {
        let line = Line::verify(chain, &Sides::default(), accounts)?;
        let has = |head: &LogHead| line.hash_at(head.seq) == Some(head.hash);
        let vault_id = line.state().vault_id();
        let distrusts = |last: &LastChange| {
            let Some(account) = accounts.account(&last.author_account) else { return false };
            let mut anchors = account.anchors(&vault_id).iter().filter(|anchored| has(&anchored.head));
            anchors.any(|anchored| {
                account.distrusts((&vault_id, anchored), &last.author_device, last.seq, has)
            })
        };
        let distrusted = line.items().iter().filter(|(_, last)| distrusts(last));
        let distrusted = distrusted.map(|(item_id, _)| *item_id).collect();
        Ok(Self { line, distrusted })
    }

    /// The state at the end.
    pub(super) fn state(&self) -> &VaultState {
        self.line.state()
    }

    /// The hash of the commit at a position.
    pub(super) fn hash_at(&self, seq: Seq) -> Option<Hash> {
        self.line.hash_at(seq)
    }

    /// Whether the chain has this commit.
    pub(super) fn has(&self, head: &LogHead) -> bool {
        self.hash_at(head.seq) == Some(head.hash)
    }

    /// Every item's last change.
    pub(super) fn items(&self) -> &std::collections::BTreeMap<ItemId, LastChange> {
        self.line.items()
    }

    /// Items whose last change is neither shown nor merged.
    pub(super) fn distrusted(&self) -> &BTreeSet<ItemId> {
        &self.distrusted
    }

    /// What the account's log says now: the chain has every commit that it must have.
    ///
    /// # Errors
    /// [`SyncError::Withheld`] for one above the head, [`SyncError::Diverged`] for one that it lacks.
    pub(super) fn check_cut_offs(&self, accounts: &AccountState) -> Result<(), SyncError> {
        let (state, vault_id) = (self.state(), self.state().vault_id());
        let cut_offs = state.cut_offs(accounts).map_err(|source| SyncError::Commit { vault_id, source })?;
        for cut_off in cut_offs.contained.iter().chain(state.pending_cut_offs()) {
            if cut_off.seq > state.head().seq {
                return Err(SyncError::Withheld { vault_id, what: Missing::CutOff(*cut_off) });
            }
            if !self.has(cut_off) {
                return Err(SyncError::Diverged { vault_id, at: cut_off.seq });
            }
        }
        Ok(())
    }
}
