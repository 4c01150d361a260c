//! The vault log's verifier.

mod checkpoint;

use std::collections::{BTreeMap, BTreeSet};

use super::author::{AccountStates, authority};
use super::commit::{Commit, CommitKind, Entry};
use super::commit_bodies::{Change, CommitBody, ControlBody, Role};
use super::error::CommitError;
use super::leaves::change_digest;
use super::{LogHead, VaultHead};
use crate::digest::Digest;
use crate::ids::{AccountId, Epoch, Generation, Hash, Seq, VaultId};

/// A member as the chain has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemberState {
    /// What it may write.
    pub role: Role,
    /// The highest position of its account log that any commit of this chain names (R-AUTHOR 3).
    pub position: LogHead,
    /// The UEK generation that the latest control state names.
    pub uek_generation: Generation,
    /// The slot hash that the latest control state names; zero for the genesis.
    pub slot: Hash,
}

/// What a verified chain says about a vault: everything but the items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultState {
    vault_id: VaultId,
    seed: [u8; 32],
    head: LogHead,
    control: LogHead,
    /// The commit before the one that holds the control state: what slot contexts name.
    control_before: LogHead,
    epoch: Epoch,
    vault_key_commit: Hash,
    prev_vault_key: Vec<u8>,
    /// Positions that the latest control state names: revocations after them need a new epoch.
    control_positions: BTreeMap<AccountId, Seq>,
    members: BTreeMap<AccountId, MemberState>,
    digest: Digest,
    live: u64,
    tombstones: u64,
    pending_cut_offs: BTreeSet<LogHead>,
}

impl VaultState {
    /// Starts a chain from its genesis, which names no vault and makes this one.
    ///
    /// # Errors
    /// [`CommitError`]; nothing is trusted before all of it is verified.
    pub fn from_genesis(entry: &Entry, accounts: &impl AccountStates) -> Result<Self, CommitError> {
        let commit = entry.commit.value();
        let CommitBody::Genesis(genesis) = &entry.body else { return Err(CommitError::Genesis) };
        let zero = commit.vault_id.is_zero()
            && commit.seq.0 == 0
            && commit.prev_hash.is_zero()
            && commit.control_hash.is_zero();
        if commit.kind != CommitKind::Genesis || !zero {
            return Err(CommitError::Genesis);
        }
        if commit.digest != Digest::default() || commit.live != 0 || commit.tombstones != 0 {
            return Err(CommitError::Digest);
        }
        let control = &genesis.control;
        if commit.epoch != Epoch(1) || control.epoch != Epoch(1) || !control.prev_vault_key.is_empty() {
            return Err(CommitError::Rule("a vault starts at epoch 1"));
        }
        let hash = entry.commit.hash();
        let vault_id = VaultId::from(hash);
        let authority = authority(commit, vault_id, accounts)?;
        entry.commit.verify(&authority.key)?;
        let author = control.members.iter().find(|member| member.account_id == commit.author_account);
        let is_admin = author
            .is_some_and(|author| author.role == Role::Admin && author.position == commit.author_position);
        if !is_admin || control.members.iter().any(|member| !member.slot.is_zero()) {
            return Err(CommitError::Role);
        }
        let mut state = Self {
            vault_id,
            seed: genesis.seed,
            head: commit.head(hash),
            control: commit.head(hash),
            control_before: LogHead::default(),
            epoch: Epoch(1),
            vault_key_commit: control.vault_key_commit,
            prev_vault_key: Vec::new(),
            control_positions: BTreeMap::new(),
            members: BTreeMap::new(),
            digest: Digest::default(),
            live: 0,
            tombstones: 0,
            pending_cut_offs: BTreeSet::new(),
        };
        state.set_members(control);
        state.note_cut_off(authority.cut_off)?;
        Ok(state)
    }

    /// The state after one more commit. Old leaves are not looked at: that is [`super::LeafMap::check`]'s business on
    /// a client and the store's on the server.
    ///
    /// # Errors
    /// [`CommitError`]; `self` is as it was.
    pub fn apply(&self, entry: &Entry, accounts: &impl AccountStates) -> Result<Self, CommitError> {
        let commit = entry.commit.value();
        self.check_chain(commit)?;
        let authority = authority(commit, self.vault_id, accounts)?;
        entry.commit.verify(&authority.key)?;
        self.check_role(commit)?;
        let mut next = self.clone();
        match &entry.body {
            CommitBody::Genesis(_) => return Err(CommitError::Genesis),
            CommitBody::Content(body) => self.check_content(commit, &body.changes)?,
            CommitBody::Control(body) => {
                self.check_control(commit, body, accounts)?;
                next.set_control(commit, body, entry.commit.hash());
            }
            CommitBody::Heal(_) => return Err(CommitError::UpdateNeeded("heal")),
        }
        next.head = commit.head(entry.commit.hash());
        next.digest = commit.digest;
        next.live = commit.live;
        next.tombstones = commit.tombstones;
        if let Some(member) = next.members.get_mut(&commit.author_account) {
            member.position = commit.author_position;
        }
        next.note_cut_off(authority.cut_off)?;
        Ok(next)
    }

    /// The vault.
    pub fn vault_id(&self) -> VaultId {
        self.vault_id
    }

    /// The genesis' random bytes: what key commitments are bound to.
    pub fn seed(&self) -> &[u8; 32] {
        &self.seed
    }

    /// The last commit.
    pub fn head(&self) -> LogHead {
        self.head
    }

    /// The vault and its last commit.
    pub fn vault_head(&self) -> VaultHead {
        VaultHead { vault_id: self.vault_id, head: self.head }
    }

    /// The latest genesis, control or heal commit.
    pub fn control(&self) -> LogHead {
        self.control
    }

    /// The commit before it: what the context of a slot named there holds.
    pub fn control_before(&self) -> LogHead {
        self.control_before
    }

    /// The current epoch.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The commitment to the current vault key.
    pub fn vault_key_commit(&self) -> Hash {
        self.vault_key_commit
    }

    /// The vault key of the epoch before, sealed; empty at epoch 1.
    pub fn prev_vault_key(&self) -> &[u8] {
        &self.prev_vault_key
    }

    /// The members.
    pub fn members(&self) -> &BTreeMap<AccountId, MemberState> {
        &self.members
    }

    /// The digest of all leaves.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// How many live items there are.
    pub fn live(&self) -> u64 {
        self.live
    }

    /// How many tombstones there are.
    pub fn tombstones(&self) -> u64 {
        self.tombstones
    }

    /// Cut-offs that revocations of this chain's authors name and that this chain does not contain yet. A chain that
    /// ends with one of them open is `withheld`.
    pub fn pending_cut_offs(&self) -> &BTreeSet<LogHead> {
        &self.pending_cut_offs
    }

    fn check_chain(&self, commit: &Commit) -> Result<(), CommitError> {
        if commit.kind == CommitKind::Genesis {
            return Err(CommitError::Genesis);
        }
        if commit.vault_id != self.vault_id {
            return Err(CommitError::Vault);
        }
        if commit.seq != self.head.seq.next() || commit.prev_hash != self.head.hash {
            return Err(CommitError::Chain { expected: self.head.seq.next(), found: commit.seq });
        }
        let epoch_fits = commit.kind == CommitKind::Control || commit.epoch == self.epoch;
        if commit.control_hash != self.control.hash || !epoch_fits {
            return Err(CommitError::Epoch { current: self.epoch, found: commit.epoch });
        }
        Ok(())
    }

    fn check_role(&self, commit: &Commit) -> Result<(), CommitError> {
        let member = self.members.get(&commit.author_account).ok_or(CommitError::Role)?;
        if !member.role.allows(commit.kind) {
            return Err(CommitError::Role);
        }
        if commit.author_position.seq < member.position.seq {
            return Err(CommitError::Position(commit.author_position.seq));
        }
        Ok(())
    }

    fn check_content(&self, commit: &Commit, changes: &[Change]) -> Result<(), CommitError> {
        if changes.is_empty() {
            return Err(CommitError::Rule("a content commit changes something"));
        }
        if let Some(change) = changes.iter().find(|change| !change.is_plausible()) {
            return Err(CommitError::Item(change.item_id));
        }
        if change_digest(&self.vault_id, &self.digest, changes)? != commit.digest {
            return Err(CommitError::Digest);
        }
        let created = changes.iter().filter(|change| change.old_version.0 == 0).count() as u64;
        let total = self.live.checked_add(self.tombstones).and_then(|sum| sum.checked_add(created));
        if total.is_none() || commit.live.checked_add(commit.tombstones) != total {
            return Err(CommitError::Counts);
        }
        Ok(())
    }

    fn check_control(
        &self,
        commit: &Commit,
        body: &ControlBody,
        accounts: &impl AccountStates,
    ) -> Result<(), CommitError> {
        let counts = (commit.digest, commit.live, commit.tombstones);
        if counts != (self.digest, self.live, self.tombstones) {
            return Err(CommitError::Digest);
        }
        if body.epoch != commit.epoch {
            return Err(CommitError::Rule("a control commit and its body name one epoch"));
        }
        let same = body.epoch == self.epoch;
        if !same && body.epoch != self.epoch.next() {
            return Err(CommitError::Epoch { current: self.epoch, found: body.epoch });
        }
        let key_repeated =
            body.vault_key_commit == self.vault_key_commit && body.prev_vault_key == self.prev_vault_key;
        if same != key_repeated || (!same && body.prev_vault_key.is_empty()) {
            return Err(CommitError::Rule("a new epoch, and only that, brings a new vault key"));
        }
        if !body.members.iter().any(|member| member.role == Role::Admin) {
            return Err(CommitError::Rule("a vault keeps an admin"));
        }
        if same && self.needs_new_epoch(body, accounts)? {
            return Err(CommitError::Rule("removing a member or a device needs a new epoch"));
        }
        Ok(())
    }

    /// Whether a member goes, or a device of one was revoked since the last control state.
    fn needs_new_epoch(
        &self,
        body: &ControlBody,
        accounts: &impl AccountStates,
    ) -> Result<bool, CommitError> {
        let stays = |id: &AccountId| body.members.iter().any(|member| member.account_id == *id);
        if !self.members.keys().all(stays) {
            return Ok(true);
        }
        for member in &body.members {
            let withheld =
                CommitError::Withheld { account_id: member.account_id, needed: member.position.seq };
            let account = accounts.account(&member.account_id).ok_or(withheld.clone())?;
            if account.hash_at(member.position.seq).ok_or(withheld)? != member.position.hash {
                return Err(CommitError::Position(member.position.seq));
            }
            let since = self.control_positions.get(&member.account_id).copied().unwrap_or_default();
            if account.revoked_between(since, member.position.seq) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn set_control(&mut self, commit: &Commit, body: &ControlBody, hash: Hash) {
        self.control_before = self.head;
        self.control = commit.head(hash);
        self.epoch = body.epoch;
        self.vault_key_commit = body.vault_key_commit;
        self.prev_vault_key.clone_from(&body.prev_vault_key);
        self.set_members(body);
    }

    fn set_members(&mut self, body: &ControlBody) {
        let before = std::mem::take(&mut self.members);
        for member in &body.members {
            let known = before.get(&member.account_id).map(|known| known.position);
            let position = known.filter(|known| known.seq > member.position.seq).unwrap_or(member.position);
            let state = MemberState {
                role: member.role,
                position,
                uek_generation: member.uek_generation,
                slot: member.slot,
            };
            self.members.insert(member.account_id, state);
            self.control_positions.insert(member.account_id, member.position.seq);
        }
    }

    /// A cut-off is met when the chain has that very commit at that position.
    fn note_cut_off(&mut self, cut_off: Option<LogHead>) -> Result<(), CommitError> {
        if let Some(cut_off) = cut_off {
            self.pending_cut_offs.insert(cut_off);
        }
        let due: Vec<LogHead> =
            self.pending_cut_offs.iter().copied().filter(|cut| cut.seq <= self.head.seq).collect();
        for cut_off in due {
            if cut_off != self.head {
                return Err(CommitError::CutOff { seq: cut_off.seq, hash: cut_off.hash });
            }
            self.pending_cut_offs.remove(&cut_off);
        }
        Ok(())
    }
}
