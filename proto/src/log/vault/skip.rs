//! A chain of which only the control commits and the last commit are at hand: where a first sync begins.

use super::super::LogHead;
use super::super::author::{AccountStates, Alone, authority};
use super::super::commit::{Commit, CommitKind, Entry};
use super::super::commit_bodies::CommitBody;
use super::super::error::CommitError;
use super::{VaultState, check_body};

impl VaultState {
    /// The state after a later commit, without those in between. Call it with every control commit after the genesis,
    /// heals and the control commits of their sides among them ([`crate::log::lineage`]), and then with the last commit:
    /// `control_hash` links them, so members, roles and epochs are verified as in [`Self::apply`], and so are signatures and
    /// R-AUTHOR (1), (2) and (5).
    ///
    /// What the commits in between would prove is **not** verified: that they exist, that digest and counts are the
    /// sum of their changes, R-AUTHOR (3), and the cut-offs of (4) that lie among them. Whoever goes on from here has
    /// the signer's word for it until the chain was verified from its genesis.
    ///
    /// # Errors
    /// [`CommitError`]; `self` is as it was.
    pub fn skip_to(&self, entry: &Entry, accounts: &impl AccountStates) -> Result<Self, CommitError> {
        let commit = entry.commit.value();
        if commit.kind == CommitKind::Heal {
            return self.skip_to_heal(entry, accounts);
        }
        if commit.seq == self.head.seq.next() {
            let mut before = self.clone();
            before.skip_cut_offs(commit.head(entry.commit.hash()));
            return before.apply(entry, accounts);
        }
        check_body(entry)?;
        self.check_later(commit)?;
        let authority = authority(entry, self.vault_id, accounts, &Alone)?;
        entry.commit.verify(&authority.key)?;
        self.check_role(commit)?;
        let mut next = self.clone();
        match &entry.body {
            CommitBody::Content(body) if body.changes.is_empty() => {
                return Err(CommitError::Rule("a content commit changes something"));
            }
            CommitBody::Content(_) => {}
            CommitBody::Control(body) => {
                self.check_control(commit, body, accounts)?;
                next.set_control(commit, body, entry.commit.hash());
            }
            CommitBody::Genesis(_) | CommitBody::Heal(_) => return Err(CommitError::Genesis),
        }
        next.move_to(entry);
        next.note_author(commit);
        next.skip_cut_offs(next.head);
        next.note_cut_off(authority.cut_off)?;
        Ok(next)
    }

    /// Cut-offs that lie among the commits up to this one, or beside it, are not looked for: they may be on another branch.
    pub(super) fn skip_cut_offs(&mut self, head: LogHead) {
        self.pending_cut_offs.retain(|cut_off| cut_off.seq > head.seq || *cut_off == head);
    }

    fn check_later(&self, commit: &Commit) -> Result<(), CommitError> {
        if commit.seq <= self.head.seq {
            return Err(CommitError::Chain { expected: self.head.seq.next(), found: commit.seq });
        }
        self.check_place(commit)
    }
}

/// The commit before this one, which need not be at hand.
pub(super) fn before(commit: &Commit) -> LogHead {
    LogHead { seq: crate::ids::Seq(commit.seq.0.saturating_sub(1)), hash: commit.prev_hash }
}
