//! The vault log's verifier.

mod checkpoint;
mod control;
mod heal;
mod overruled;
mod skip;

use overruled::Overruled;

pub(super) use heal::Side;
pub use heal::{CutOffs, Join};

use std::collections::{BTreeMap, BTreeSet};

use super::author::{AccountStates, Alone, Removals, authority};
use super::commit::{Commit, CommitKind, Entry};
use super::commit_bodies::{Change, CommitBody, Role};
use super::error::CommitError;
use super::leaves::change_digest;
use super::{LogHead, VaultHead};
use crate::digest::Digest;
use crate::ids::{AccountId, DeviceId, Epoch, Generation, Hash, Seq, VaultId};

/// A member as the chain has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemberState {
    /// What it may write.
    pub role: Role,
    /// How far the latest control state has its account log: a revocation after that needs a new epoch.
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
    /// The latest genesis or control commit whose members and epoch are in force: what a heal takes over from its side.
    charter: LogHead,
    /// The control state is not in force: the chain is valid only if a heal takes another one. Never so in a state that
    /// somebody keeps.
    overruled: Option<Box<Overruled>>,
    /// The commit before the one that holds the control state: what slot contexts name.
    control_before: LogHead,
    epoch: Epoch,
    vault_key_commit: Hash,
    prev_vault_key: Vec<u8>,
    members: BTreeMap<AccountId, MemberState>,
    /// The highest position of each account's log that any commit of this chain names (R-AUTHOR 3); for whoever was
    /// ever a member.
    positions: BTreeMap<AccountId, LogHead>,
    /// The last commit of each device that ever wrote, but for those that a heal writes over or keeps beside.
    last_written: BTreeMap<(AccountId, DeviceId), Seq>,
    /// The heals of this chain.
    joins: Vec<Join>,
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
        Self::from_genesis_among(entry, accounts, &Alone)
    }

    /// The same where it is known what the chain joins.
    pub(super) fn from_genesis_among(
        entry: &Entry,
        accounts: &impl AccountStates,
        removals: &impl Removals,
    ) -> Result<Self, CommitError> {
        let commit = entry.commit.value();
        let CommitBody::Genesis(genesis) = &entry.body else { return Err(CommitError::Genesis) };
        check_body(entry)?;
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
        let authority = authority(entry, vault_id, accounts, removals)?;
        entry.commit.verify(&authority.key)?;
        let [member] = control.members.as_slice() else { return Err(CommitError::Role) };
        let is_author =
            member.account_id == commit.author_account && member.position == commit.author_position;
        if !is_author || member.role != Role::Admin || !member.slot.is_zero() {
            return Err(CommitError::Role);
        }
        let mut state = Self {
            vault_id,
            seed: genesis.seed,
            head: commit.head(hash),
            control: commit.head(hash),
            charter: commit.head(hash),
            overruled: None,
            control_before: LogHead::default(),
            epoch: Epoch(1),
            vault_key_commit: control.vault_key_commit,
            prev_vault_key: Vec::new(),
            members: BTreeMap::new(),
            positions: BTreeMap::new(),
            last_written: BTreeMap::new(),
            joins: Vec::new(),
            digest: Digest::default(),
            live: 0,
            tombstones: 0,
            pending_cut_offs: BTreeSet::new(),
        };
        state.set_members(control);
        state.note_author(commit);
        state.note_cut_off(authority.cut_off)?;
        Ok(state)
    }

    /// The state after one more commit. Old leaves are not looked at: that is [`super::LeafMap::check`]'s business on
    /// a client and the store's on the server.
    ///
    /// # Errors
    /// [`CommitError`]; `self` is as it was. [`CommitError::Heal`] for one that joins two branches: [`super::Line`] verifies
    /// it with both, and the commits before it that it writes over.
    pub fn apply(&self, entry: &Entry, accounts: &impl AccountStates) -> Result<Self, CommitError> {
        self.apply_among(entry, accounts, &Alone).map(|(state, _)| state)
    }

    /// The same where it is known what the chain joins, which says whether the commit is void.
    pub(super) fn apply_among(
        &self,
        entry: &Entry,
        accounts: &impl AccountStates,
        removals: &impl Removals,
    ) -> Result<(Self, bool), CommitError> {
        let commit = entry.commit.value();
        if commit.kind == CommitKind::Heal {
            return Err(CommitError::Heal);
        }
        check_body(entry)?;
        self.check_chain(commit)?;
        let authority = authority(entry, self.vault_id, accounts, removals)?;
        entry.commit.verify(&authority.key)?;
        self.check_role(commit)?;
        let mut next = self.clone();
        match &entry.body {
            CommitBody::Genesis(_) => return Err(CommitError::Genesis),
            CommitBody::Content(body) => self.check_content(commit, &body.changes)?,
            CommitBody::Control(body) => {
                if (commit.digest, commit.live, commit.tombstones)
                    != (self.digest, self.live, self.tombstones)
                {
                    return Err(CommitError::Digest);
                }
                self.check_control(commit, body, accounts)?;
                next.set_control(commit, body, entry.commit.hash());
                next.overrule(self, authority.is_void.then_some(commit.author_device));
            }
            CommitBody::Heal(_) => return Err(CommitError::Heal),
        }
        next.move_to(entry);
        next.note_author(commit);
        next.note_cut_off(authority.cut_off)?;
        Ok((next, authority.is_void || self.is_by_nobody(commit)))
    }

    fn move_to(&mut self, entry: &Entry) {
        let commit = entry.commit.value();
        self.head = commit.head(entry.commit.hash());
        self.digest = commit.digest;
        self.live = commit.live;
        self.tombstones = commit.tombstones;
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

    /// The latest genesis or control commit whose members and epoch are in force, on this chain or on the side of a heal.
    pub fn charter(&self) -> LogHead {
        self.charter
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

    /// The last commit that this device of this account wrote, those that a heal writes over or keeps beside included.
    pub fn last_written(&self, account_id: AccountId, device_id: DeviceId) -> Option<Seq> {
        let author = (account_id, device_id);
        let joined = self.joins.iter().flat_map(|join| [join.written.get(&author), join.beside.get(&author)]);
        self.last_written.get(&author).into_iter().chain(joined.flatten()).max().copied()
    }

    /// The heals of this chain, in order.
    pub fn joins(&self) -> &[Join] {
        &self.joins
    }

    /// Cut-offs that revocations of this chain's authors name and that this chain does not contain yet. A chain that
    /// ends with one of them open is `withheld`.
    pub fn pending_cut_offs(&self) -> &BTreeSet<LogHead> {
        &self.pending_cut_offs
    }

    fn check_chain(&self, commit: &Commit) -> Result<(), CommitError> {
        if commit.kind != CommitKind::Genesis
            && commit.vault_id == self.vault_id
            && (commit.seq != self.head.seq.next()
                || (commit.prev_hash != self.head.hash && !crate::seeded!("prev-hash-unchecked")))
        {
            return Err(CommitError::Chain { expected: self.head.seq.next(), found: commit.seq });
        }
        self.check_place(commit)
    }

    /// What holds of every later commit of this vault under this control state.
    fn check_place(&self, commit: &Commit) -> Result<(), CommitError> {
        if commit.kind == CommitKind::Genesis {
            return Err(CommitError::Genesis);
        }
        if commit.vault_id != self.vault_id {
            return Err(CommitError::Vault);
        }
        if commit.observed.iter().any(|seen| seen.vault_id == self.vault_id) {
            return Err(CommitError::Rule("a commit observes other vaults than its own"));
        }
        let older = crate::seeded!("older-epoch-accepted") && commit.epoch < self.epoch;
        let epoch_fits = commit.kind == CommitKind::Control || commit.epoch == self.epoch || older;
        let other_control =
            commit.control_hash != self.control.hash && !older && !crate::seeded!("control-hash-unchecked");
        if !epoch_fits {
            return Err(CommitError::Epoch { current: self.epoch, found: commit.epoch });
        }
        if other_control { Err(CommitError::Control) } else { Ok(()) }
    }

    fn check_role(&self, commit: &Commit) -> Result<(), CommitError> {
        if self.overruled.is_some() {
            // Who has no role in what is in force writes nothing that counts.
            return self.check_position_kept(commit);
        }
        let member = self.members.get(&commit.author_account).ok_or(CommitError::Role)?;
        if !member.role.allows(commit.kind) && !crate::seeded!("role-unchecked") {
            return Err(CommitError::Role);
        }
        self.check_position_kept(commit)
    }

    /// R-AUTHOR (3).
    fn check_position_kept(&self, commit: &Commit) -> Result<(), CommitError> {
        let position = self.positions.get(&commit.author_account).copied().unwrap_or_default();
        if commit.author_position.seq < position.seq && !crate::seeded!("author-position-goes-back") {
            let (found, known) = (commit.author_position.seq, position.seq);
            return Err(CommitError::PositionBack { found, known });
        }
        Ok(())
    }

    fn note_author(&mut self, commit: &Commit) {
        self.positions.insert(commit.author_account, commit.author_position);
        self.last_written.insert((commit.author_account, commit.author_device), commit.seq);
    }

    fn check_content(&self, commit: &Commit, changes: &[Change]) -> Result<(), CommitError> {
        if changes.is_empty() {
            return Err(CommitError::Rule("a content commit changes something"));
        }
        if let Some(change) = changes.iter().find(|change| !change.is_plausible()) {
            return Err(CommitError::Item(change.item_id));
        }
        let digest = change_digest(&self.vault_id, &self.digest, changes)?;
        if digest != commit.digest && !crate::seeded!("digest-unchecked") {
            return Err(CommitError::Digest);
        }
        let created = changes.iter().filter(|change| change.old_version.0 == 0).count() as u64;
        let total = self.live.checked_add(self.tombstones).and_then(|sum| sum.checked_add(created));
        let adds_up = total.is_some() && commit.live.checked_add(commit.tombstones) == total;
        if !adds_up && !crate::seeded!("counts-unchecked") {
            return Err(CommitError::Counts);
        }
        Ok(())
    }

    /// A cut-off is met when the chain has that very commit at that position.
    fn note_cut_off(&mut self, cut_off: Option<LogHead>) -> Result<(), CommitError> {
        self.pending_cut_offs.extend(cut_off);
        let due: Vec<LogHead> =
            self.pending_cut_offs.iter().copied().filter(|cut| cut.seq <= self.head.seq).collect();
        for cut_off in due {
            if cut_off != self.head && !crate::seeded!("cut-off-branch-unchecked") {
                return Err(CommitError::CutOff { seq: cut_off.seq, hash: cut_off.hash });
            }
            self.pending_cut_offs.remove(&cut_off);
        }
        Ok(())
    }
}

/// The body is of the commit's kind, and the one it names.
fn check_body(entry: &Entry) -> Result<(), CommitError> {
    let commit = entry.commit.value();
    if crate::seeded!("body-unchecked") {
        return Ok(());
    }
    let same = entry.body.kind() == commit.kind && entry.body.hash() == commit.body_hash;
    if same { Ok(()) } else { Err(CommitError::Body) }
}
