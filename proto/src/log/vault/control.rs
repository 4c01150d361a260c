//! Control commits: members and epochs.

use super::super::author::AccountStates;
use super::super::commit::Commit;
use super::super::commit_bodies::{ControlBody, Member, Role};
use super::super::error::CommitError;
use super::skip::before;
use super::{MemberState, VaultState};
use crate::ids::{Hash, Seq};

impl VaultState {
    pub(super) fn check_control(
        &self,
        commit: &Commit,
        body: &ControlBody,
        accounts: &impl AccountStates,
    ) -> Result<(), CommitError> {
        if body.epoch != commit.epoch {
            return Err(CommitError::Rule("a control commit and its body name one epoch"));
        }
        if self.overruled.is_some() {
            // It builds on what is not in force, and is not, either.
            return Ok(());
        }
        let same = body.epoch == self.epoch;
        if !same && !self.may_bring(commit, body, accounts)? {
            return Err(CommitError::Epoch { current: self.epoch, found: body.epoch });
        }
        let keeps_commit = body.vault_key_commit == self.vault_key_commit;
        let keeps_prev = body.prev_vault_key == self.prev_vault_key;
        let prev_fits = if same { keeps_prev } else { !body.prev_vault_key.is_empty() };
        if same != keeps_commit || !prev_fits {
            return Err(CommitError::Rule("a new epoch, and only that, brings a new vault key"));
        }
        if !body.members.iter().any(|member| member.role == Role::Admin) {
            return Err(CommitError::Rule("a vault keeps an admin"));
        }
        for member in &body.members {
            self.check_position(commit, member, accounts)?;
        }
        if same && self.loses_somebody(body, accounts) && !crate::seeded!("removal-keeps-the-key") {
            return Err(CommitError::Rule("removing a member or a device needs a new epoch"));
        }
        Ok(())
    }

    /// R-EPOCH: an epoch is the one after, and the key of a vault that is one account's alone changes by a rekey of that
    /// account: its log has named the epoch at the author's position, with that very key. Else any device could bring a key
    /// that nobody has, and the vault could be written by nobody. Where several are members an admin brings any key.
    fn may_bring(
        &self,
        commit: &Commit,
        body: &ControlBody,
        accounts: &impl AccountStates,
    ) -> Result<bool, CommitError> {
        if body.epoch != self.epoch.next() {
            return Ok(false);
        }
        if self.members.len() != 1 || crate::seeded!("epoch-unnamed") {
            return Ok(true);
        }
        let (account_id, needed) = (commit.author_account, commit.author_position.seq);
        let account = accounts.account(&account_id).ok_or(CommitError::Withheld { account_id, needed })?;
        let vault = account.vaults().get(&self.vault_id);
        let Some(named) = vault.and_then(|vault| vault.epochs.get(&body.epoch)) else { return Ok(false) };
        Ok(named.before.seq < needed
            && named.vault_key_commit == body.vault_key_commit
            && named.prev_vault_key == body.prev_vault_key)
    }

    /// A member's position is one of its log, never below one that this chain names, and the author's is its own.
    fn check_position(
        &self,
        commit: &Commit,
        member: &Member,
        accounts: &impl AccountStates,
    ) -> Result<(), CommitError> {
        let position = member.position;
        let withheld = CommitError::Withheld { account_id: member.account_id, needed: position.seq };
        let account = accounts.account(&member.account_id).ok_or(withheld.clone())?;
        let known = self.positions.get(&member.account_id).map_or(Seq(0), |known| known.seq);
        let is_own = member.account_id == commit.author_account;
        if position.seq < known {
            return Err(CommitError::PositionBack { found: position.seq, known });
        }
        let other = is_own && position != commit.author_position;
        if other || account.hash_at(position.seq).ok_or(withheld)? != position.hash {
            return Err(CommitError::Position(position.seq));
        }
        Ok(())
    }

    /// Whether a member goes, or a device of one that stays was revoked since the last control state.
    fn loses_somebody(&self, body: &ControlBody, accounts: &impl AccountStates) -> bool {
        self.members.iter().any(|(account_id, before)| {
            let stays = body.members.binary_search_by_key(account_id, |member| member.account_id);
            let Some(after) = stays.ok().and_then(|index| body.members.get(index)) else { return true };
            let account = accounts.account(account_id);
            account.is_none_or(|account| account.revoked_between(before.position.seq, after.position.seq))
        })
    }

    pub(super) fn set_control(&mut self, commit: &Commit, body: &ControlBody, hash: Hash) {
        self.control_before = before(commit);
        self.control = commit.head(hash);
        self.charter = self.control;
        self.epoch = body.epoch;
        self.vault_key_commit = body.vault_key_commit;
        self.prev_vault_key.clone_from(&body.prev_vault_key);
        self.set_members(body);
    }

    /// Members and epoch are those of another branch of this vault.
    pub(super) fn take_control(&mut self, other: &Self) {
        self.control_before = other.control_before;
        self.control = other.control;
        self.charter = other.charter;
        self.overruled.clone_from(&other.overruled);
        self.epoch = other.epoch;
        self.vault_key_commit = other.vault_key_commit;
        self.prev_vault_key.clone_from(&other.prev_vault_key);
        self.members.clone_from(&other.members);
    }

    pub(super) fn set_members(&mut self, body: &ControlBody) {
        self.members.clear();
        for member in &body.members {
            let state = MemberState {
                role: member.role,
                position: member.position,
                uek_generation: member.uek_generation,
                slot: member.slot,
            };
            self.members.insert(member.account_id, state);
            if self.overruled.is_none() {
                // Else nobody has verified it.
                self.positions.insert(member.account_id, member.position);
            }
        }
    }
}
