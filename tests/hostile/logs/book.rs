//! Everything that was ever signed, each thing once, with what the real verifiers say of it: so a state of the world is
//! a few small numbers, and no signature is made or verified twice.

use std::collections::{BTreeSet, HashMap};

use lockstep_proto::digest::digest_of;
use lockstep_proto::ids::{Hash, Version};
use lockstep_proto::log::*;
use lockstep_proto::sign::Signed;

use super::evidence::{Held, contradict};
use super::fixture::{self, device_id, item_id, named, signing_key};

/// A state of the account's log: its links up to here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct LinkId(u16);

/// A commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct CommitId(u16);

/// A verified state of the vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct StateId(u16);

/// The account with all its devices and the vault.
pub(super) const FIRST_LINK: LinkId = LinkId(0);
/// The vault's genesis.
pub(super) const GENESIS: CommitId = CommitId(0);
/// The vault's state there.
pub(super) const FIRST_STATE: StateId = StateId(0);

/// How a commit is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Making {
    /// What it follows.
    pub(super) parent: CommitId,
    /// Whom it names as author.
    pub(super) author: usize,
    /// Whose key signs it.
    pub(super) key: usize,
    /// How far its author says it knows the account's log.
    pub(super) position: LinkId,
}

struct LinkNode {
    parent: Option<LinkId>,
    state: AccountState,
}

struct CommitNode {
    making: Option<Making>,
    entry: Entry,
    leaves: LeafMap,
}

/// What a device may not take, or not yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Links are missing.
    Withheld,
    /// It is wrong.
    Wrong,
}

/// What the account's log says of a chain now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Judgement {
    /// A device wrote after its cut-off.
    Invalid,
    /// These commits must be in the chain.
    Contains(BTreeSet<LogHead>),
}

pub(super) struct Book {
    links: Vec<LinkNode>,
    commits: Vec<CommitNode>,
    states: Vec<(VaultState, CommitId)>,
    link_ids: HashMap<(LinkId, usize, CommitId), LinkId>,
    commit_ids: HashMap<Making, CommitId>,
    state_ids: HashMap<Vec<u8>, StateId>,
    followed: HashMap<(StateId, CommitId, LinkId), Result<StateId, Refusal>>,
    judged: HashMap<(StateId, LinkId), Judgement>,
    contradictions: HashMap<[(CommitId, LinkId); 2], bool>,
}

impl Book {
    pub(super) fn new() -> Self {
        let (account, genesis) = fixture::account();
        let state = VaultState::from_genesis(&genesis, &account).unwrap();
        Self {
            states: vec![(state.clone(), GENESIS)],
            state_ids: HashMap::from([(state.to_checkpoint(), FIRST_STATE)]),
            links: vec![LinkNode { parent: None, state: account }],
            commits: vec![CommitNode { making: None, entry: genesis, leaves: LeafMap::default() }],
            link_ids: HashMap::new(),
            commit_ids: HashMap::new(),
            followed: HashMap::new(),
            judged: HashMap::new(),
            contradictions: HashMap::new(),
        }
    }

    /// A device revokes the lost one after `parent`, with `head` as cut-off.
    pub(super) fn revoke(&mut self, parent: LinkId, device: usize, head: CommitId) -> LinkId {
        if let Some(id) = self.link_ids.get(&(parent, device, head)) {
            return *id;
        }
        let state = fixture::revoke(self.account(parent), device, self.head(head));
        self.links.push(LinkNode { parent: Some(parent), state });
        let id = LinkId(u16::try_from(self.links.len() - 1).unwrap());
        self.link_ids.insert((parent, device, head), id);
        id
    }

    /// Makes a commit: the author's own item gets its next version.
    pub(super) fn write(&mut self, making: Making) -> CommitId {
        if let Some(id) = self.commit_ids.get(&making) {
            return *id;
        }
        let node = self.build(making);
        self.commits.push(node);
        let id = CommitId(u16::try_from(self.commits.len() - 1).unwrap());
        self.commit_ids.insert(making, id);
        id
    }

    fn build(&self, making: Making) -> CommitNode {
        let parent = &self.commits[usize::from(making.parent.0)];
        let before = parent.entry.commit.value();
        let vault_id = self.vault_id();
        let item_id = item_id(&format!("item of {}", making.author));
        let old = parent.leaves.leaf(&item_id);
        let old_version = old.map_or(Version(0), |leaf| leaf.version);
        let change = Change {
            item_id,
            old_version,
            old_blob_hash: old.map_or(Hash::ZERO, |leaf| leaf.blob_hash),
            new_version: old_version.next(),
            new_blob_hash: named(&format!("{making:?}")),
        };
        let body = CommitBody::Content(ContentBody { changes: vec![change] });
        let account = self.account(making.position);
        let control = self.commits[0].entry.commit.hash();
        let commit = Commit {
            vault_id,
            seq: before.seq.next(),
            prev_hash: parent.entry.commit.hash(),
            kind: CommitKind::Content,
            epoch: before.epoch,
            control_hash: control,
            author_account: account.account_id(),
            author_device: device_id(making.author),
            author_position: account.head(),
            time_ms: 0,
            digest: change_digest(&vault_id, &before.digest, &[change]).unwrap(),
            live: before.live + u64::from(old.is_none()),
            tombstones: 0,
            observed: Vec::new(),
            body_hash: body.hash(),
        };
        let mut leaves = parent.leaves.clone();
        leaves.apply(&[change]);
        let entry = Entry { commit: Signed::sign(commit, &signing_key(making.key)), body };
        CommitNode { making: Some(making), entry, leaves }
    }

    /// Whether the real verifier lets `next` follow `state`, for whoever knows the account's log up to `account`.
    pub(super) fn follow(
        &mut self,
        state: StateId,
        next: CommitId,
        account: LinkId,
    ) -> Result<StateId, Refusal> {
        if let Some(known) = self.followed.get(&(state, next, account)) {
            return *known;
        }
        let found = self.verify(state, next, account);
        self.followed.insert((state, next, account), found);
        found
    }

    fn verify(&mut self, state: StateId, next: CommitId, account: LinkId) -> Result<StateId, Refusal> {
        let (before, at) = &self.states[usize::from(state.0)];
        let entry = &self.commits[usize::from(next.0)].entry;
        let after = before.apply(entry, self.account(account)).map_err(|error| match error {
            CommitError::Withheld { .. } => Refusal::Withheld,
            _ => Refusal::Wrong,
        })?;
        let CommitBody::Content(body) = &entry.body else { return Err(Refusal::Wrong) };
        let leaves = &self.commits[usize::from(at.0)].leaves;
        leaves.check(&body.changes).map_err(|_| Refusal::Wrong)?;
        let key = after.to_checkpoint();
        let new = StateId(u16::try_from(self.states.len()).unwrap());
        let id = *self.state_ids.entry(key).or_insert(new);
        if id == new {
            self.states.push((after, next));
        }
        Ok(id)
    }

    /// What the account's log up to `account` says of a verified chain.
    pub(super) fn judge(&mut self, state: StateId, account: LinkId) -> Judgement {
        if let Some(known) = self.judged.get(&(state, account)) {
            return known.clone();
        }
        let vault = &self.states[usize::from(state.0)].0;
        let judgement = match vault.cut_offs(self.account(account)) {
            Ok(mut cut_offs) => {
                cut_offs.contained.extend(vault.pending_cut_offs());
                Judgement::Contains(cut_offs.contained)
            }
            Err(_) => Judgement::Invalid,
        };
        self.judged.insert((state, account), judgement.clone());
        judgement
    }

    /// Whether two commits contradict each other, each as far as the account's log is known beside it.
    pub(super) fn contradict(&mut self, left: (CommitId, LinkId), right: (CommitId, LinkId)) -> bool {
        if let Some(known) = self.contradictions.get(&[left, right]) {
            return *known;
        }
        let held = [left, right].map(|(commit, link)| Held {
            commit: &self.commits[usize::from(commit.0)].entry.commit,
            account: self.account(link),
        });
        let found = contradict(&held[0], &held[1]);
        self.contradictions.insert([left, right], found);
        found
    }

    /// Whether the digest of a verified state is that of its items, summed anew.
    pub(super) fn adds_up(&self, state: StateId) -> bool {
        let (vault, at) = &self.states[usize::from(state.0)];
        let leaves = self.commits[usize::from(at.0)].leaves.iter();
        digest_of(&self.vault_id(), leaves) == vault.digest()
    }

    fn vault_id(&self) -> lockstep_proto::ids::VaultId {
        vault_id_of(&self.commits[0].entry.commit)
    }

    pub(super) fn account(&self, link: LinkId) -> &AccountState {
        &self.links[usize::from(link.0)].state
    }

    /// Whether the log up to `link` continues the one up to `before`, by exactly one link.
    pub(super) fn continues(&self, link: LinkId, before: LinkId) -> bool {
        self.links[usize::from(link.0)].parent == Some(before)
    }

    /// The cut-off of the lost device in the log up to `link`, if it is revoked there.
    pub(super) fn cut_off(&self, link: LinkId) -> Option<LogHead> {
        let revocation = self.account(link).device(&device_id(fixture::LOST))?.revocation()?;
        revocation.cut_off(&self.vault_id())
    }

    pub(super) fn making(&self, commit: CommitId) -> Option<Making> {
        self.commits[usize::from(commit.0)].making
    }

    pub(super) fn head(&self, commit: CommitId) -> LogHead {
        let commit = &self.commits[usize::from(commit.0)].entry.commit;
        commit.value().head(commit.hash())
    }

    pub(super) fn seq(&self, commit: CommitId) -> usize {
        usize::try_from(self.head(commit).seq.0).unwrap()
    }

    /// The commits from the genesis to `commit`.
    pub(super) fn path(&self, commit: CommitId) -> Vec<CommitId> {
        let mut path = vec![commit];
        while let Some(making) = self.making(path[path.len() - 1]) {
            path.push(making.parent);
        }
        path.reverse();
        path
    }
}
