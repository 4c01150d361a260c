//! Real links and commits for a model: each is made and signed once, and each chain is verified once for each state of
//! the account's log.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use lockstep_proto::ids::{Generation, Hash, Seq, Version};
use lockstep_proto::log::*;
use lockstep_proto::sign::Signed;

use super::document::Doc;
use crate::logs::fixture::{self, device_id, item_id, named, signing_key};

/// A link, which says which log it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct LinkId(pub(super) u32);

/// A commit, which says which chain it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct CommitId(pub(super) u32);

/// The log that all devices begin with.
pub(super) const LOG: LinkId = LinkId(0);
/// The vault's genesis.
pub(super) const GENESIS: CommitId = CommitId(0);

/// An item.
pub(super) type Item = u8;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Says {
    /// The lost device is removed: with what the signer has as cut-off.
    Removal { cut_off: CommitId },
    /// The account goes on from a history.
    Reanchor { fork: CommitId, head: CommitId, lists_lost: bool },
    /// Anything else.
    Other { seen: CommitId },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct LinkMaking {
    parent: LinkId,
    by: usize,
    says: Says,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Body {
    Content(Vec<(Item, Doc)>),
    /// The next epoch, which the log names.
    Raise,
    /// Members and epoch as they are.
    Control,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Making {
    pub(super) parent: CommitId,
    pub(super) by: usize,
    /// The log that the author names.
    pub(super) log: LinkId,
    pub(super) body: Body,
}

pub(super) struct Linked {
    parent: Option<LinkId>,
    state: AccountState,
    /// The link by which a history was accepted last, and that history's head.
    accepted: Option<(LinkId, CommitId)>,
    /// The cut-off of the lost device, once it is removed.
    cut_off: Option<CommitId>,
}

/// What the chain says last about an item, and which commit does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Leaf {
    pub(super) doc: Doc,
    pub(super) set: CommitId,
}

pub(super) struct Made {
    pub(super) making: Option<Making>,
    pub(super) entry: Entry,
    pub(super) head: LogHead,
    pub(super) by_lost: bool,
    /// From the genesis to this one.
    pub(super) chain: Vec<CommitId>,
    pub(super) leaves: LeafMap,
    pub(super) docs: BTreeMap<Item, Leaf>,
}

/// Everything that was ever signed.
pub(super) struct Book {
    links: Vec<Linked>,
    link_ids: HashMap<LinkMaking, LinkId>,
    pub(super) commits: Vec<Made>,
    commit_ids: HashMap<Making, CommitId>,
    pub(super) states: HashMap<(CommitId, LinkId), Option<Rc<VaultState>>>,
    pub(super) whole: HashMap<(CommitId, LinkId), bool>,
    pub(super) distrusted: RefCell<HashMap<(CommitId, CommitId, LinkId), bool>>,
    pub(super) claims: RefCell<HashMap<(CommitId, LinkId), bool>>,
    pub(super) assumed: RefCell<HashMap<(CommitId, CommitId, LinkId), bool>>,
}

impl Book {
    pub(super) fn new() -> Self {
        let (state, entry) = fixture::account();
        let genesis = Made::new(None, entry, &[], (LeafMap::default(), BTreeMap::new()));
        Self {
            links: vec![Linked { parent: None, state, accepted: None, cut_off: None }],
            link_ids: HashMap::new(),
            commits: vec![genesis],
            commit_ids: HashMap::new(),
            states: HashMap::new(),
            whole: HashMap::new(),
            distrusted: RefCell::default(),
            claims: RefCell::default(),
            assumed: RefCell::default(),
        }
    }

    /// How many links and commits were signed.
    pub(super) fn signed(&self) -> (usize, usize) {
        (self.links.len(), self.commits.len())
    }

    pub(super) fn account(&self, log: LinkId) -> &AccountState {
        &self.linked(log).state
    }

    fn linked(&self, link: LinkId) -> &Linked {
        &self.links[link.0 as usize]
    }

    /// Whether `log` has this link, so is it or goes on from it.
    pub(super) fn log_has(&self, log: LinkId, link: LinkId) -> bool {
        std::iter::successors(Some(log), |at| self.linked(*at).parent).any(|at| at == link)
    }

    /// The link by which a history was accepted last, and that history's head.
    pub(super) fn accepted(&self, log: LinkId) -> Option<(LinkId, CommitId)> {
        self.linked(log).accepted
    }

    /// The cut-off of the lost device, if this log has removed it.
    pub(super) fn cut_off(&self, log: LinkId) -> Option<CommitId> {
        self.linked(log).cut_off
    }

    /// Signs a link, with the password. The verifier takes every one that is asked for.
    pub(super) fn sign_link(&mut self, parent: LinkId, by: usize, says: Says) -> LinkId {
        let making = LinkMaking { parent, by, says };
        if let Some(id) = self.link_ids.get(&making) {
            return *id;
        }
        let before = self.account(parent);
        let state = match says {
            Says::Removal { cut_off } => fixture::revoke(before, by, self.head(cut_off)),
            Says::Reanchor { fork, head, lists_lost } => {
                let anchor = self.anchor(fork, head, lists_lost);
                let body = LinkBody::Reanchor(Reanchor { vaults: vec![anchor] });
                fixture::link(before, by, self.head(head), body)
            }
            Says::Other { seen } => {
                let version = LinkBody::SecurityVersion(before.security_version() + 1);
                fixture::link(before, by, self.head(seen), version)
            }
        };
        let id = LinkId(u32::try_from(self.links.len()).unwrap());
        let Linked { mut accepted, mut cut_off, .. } = *self.linked(parent);
        match says {
            Says::Removal { cut_off: seen } => cut_off = Some(seen),
            Says::Reanchor { head, .. } => accepted = Some((id, head)),
            Says::Other { .. } => {}
        }
        self.links.push(Linked { parent: Some(parent), state, accepted, cut_off });
        self.link_ids.insert(making, id);
        id
    }

    pub(super) fn anchor(&self, fork: CommitId, head: CommitId, lists_lost: bool) -> Anchor {
        let vault_id = vault_id_of(&self.commits[0].entry.commit);
        let listed = lists_lost.then(|| device_id(fixture::LOST));
        let distrusted = Distrusted(listed.into_iter().collect());
        Anchor { vault_id, fork: self.head(fork), head: self.head(head), distrusted }
    }

    pub(super) fn made(&self, commit: CommitId) -> &Made {
        &self.commits[commit.0 as usize]
    }

    pub(super) fn head(&self, commit: CommitId) -> LogHead {
        self.made(commit).head
    }

    pub(super) fn seq(&self, commit: CommitId) -> Seq {
        self.made(commit).head.seq
    }

    pub(super) fn parent(&self, commit: CommitId) -> Option<CommitId> {
        self.made(commit).making.as_ref().map(|making| making.parent)
    }

    pub(super) fn making(&self, commit: CommitId) -> Option<&Making> {
        self.made(commit).making.as_ref()
    }

    pub(super) fn chain(&self, head: CommitId) -> &[CommitId] {
        &self.made(head).chain
    }

    pub(super) fn has(&self, head: CommitId, commit: CommitId) -> bool {
        self.chain(head).get(self.seq(commit).0 as usize) == Some(&commit)
    }

    pub(super) fn has_head(&self, head: CommitId, wanted: &LogHead) -> bool {
        let found = self.chain(head).get(wanted.seq.0 as usize);
        found.is_some_and(|found| self.head(*found) == *wanted)
    }

    /// The last commit that both chains have.
    pub(super) fn common(&self, one: CommitId, other: CommitId) -> CommitId {
        let both = self.chain(one).iter().zip(self.chain(other));
        both.take_while(|(one, other)| one == other).last().map_or(GENESIS, |(one, _)| *one)
    }

    pub(super) fn leaf(&self, head: CommitId, item: Item) -> Option<Leaf> {
        self.made(head).docs.get(&item).copied()
    }

    /// The leaves of an item along a chain, the last one first.
    pub(super) fn leaves(&self, head: CommitId, item: Item) -> impl Iterator<Item = Leaf> + '_ {
        std::iter::successors(self.leaf(head, item), move |leaf| self.leaf(self.parent(leaf.set)?, item))
    }

    /// Everything that the chain's leaves have seen, those that others have taken the place of included.
    pub(super) fn seen(&self, head: CommitId) -> super::document::Values {
        let docs = self.chain(head).iter().flat_map(|at| self.made(*at).docs.values());
        docs.fold(super::document::Values::NONE, |all, leaf| all.and(leaf.doc.seen))
    }

    /// Signs a commit.
    pub(super) fn sign(&mut self, making: Making) -> CommitId {
        if let Some(id) = self.commit_ids.get(&making) {
            return *id;
        }
        let id = CommitId(u32::try_from(self.commits.len()).unwrap());
        let made = self.build(&making, id);
        self.commits.push(made);
        self.commit_ids.insert(making, id);
        id
    }

    fn build(&mut self, making: &Making, id: CommitId) -> Made {
        let before = self.state(making.parent, making.log).expect("nobody writes on what is not valid");
        let account = self.account(making.log);
        let parent = self.made(making.parent);
        let (mut leaves, mut docs) = (parent.leaves.clone(), parent.docs.clone());
        let value = parent.entry.commit.value();
        let mut commit = Commit {
            vault_id: before.vault_id(),
            seq: before.head().seq.next(),
            prev_hash: before.head().hash,
            kind: CommitKind::Content,
            epoch: before.epoch(),
            control_hash: before.control().hash,
            author_account: account.account_id(),
            author_device: device_id(making.by),
            author_position: account.head(),
            time_ms: 0,
            digest: value.digest,
            live: value.live,
            tombstones: value.tombstones,
            observed: Vec::new(),
            body_hash: Hash::ZERO,
        };
        let body = match &making.body {
            Body::Content(changes) => {
                let changed: Vec<Change> =
                    changes.iter().map(|(item, _)| change(&leaves, *item, making)).collect();
                commit.digest = change_digest(&commit.vault_id, &commit.digest, &changed).unwrap();
                leaves.apply(&changed);
                docs.extend(changes.iter().map(|(item, doc)| (*item, Leaf { doc: *doc, set: id })));
                commit.live = docs.values().filter(|leaf| !leaf.doc.shown.is_empty()).count() as u64;
                commit.tombstones = docs.len() as u64 - commit.live;
                CommitBody::Content(ContentBody { changes: changed })
            }
            Body::Raise | Body::Control => {
                commit.kind = CommitKind::Control;
                let control = control(&before, account, making.body == Body::Raise);
                commit.epoch = control.epoch;
                CommitBody::Control(control)
            }
        };
        commit.body_hash = body.hash();
        let entry = Entry { commit: Signed::sign(commit, &signing_key(making.by)), body };
        let mut chain = parent.chain.clone();
        chain.push(id);
        Made::new(Some(making.clone()), entry, &chain, (leaves, docs))
    }
}

impl Made {
    fn new(
        making: Option<Making>,
        entry: Entry,
        chain: &[CommitId],
        (leaves, docs): (LeafMap, BTreeMap<Item, Leaf>),
    ) -> Self {
        let value = entry.commit.value();
        let head = value.head(entry.commit.hash());
        let by_lost = value.author_device == device_id(fixture::LOST);
        let chain = if chain.is_empty() { vec![GENESIS] } else { chain.to_vec() };
        Self { making, entry, head, by_lost, chain, leaves, docs }
    }
}

fn change(leaves: &LeafMap, item: Item, making: &Making) -> Change {
    let item_id = item_id(&format!("item {item}"));
    let old = leaves.leaf(&item_id).copied();
    let old_version = old.map_or(Version(0), |leaf| leaf.version);
    Change {
        item_id,
        old_version,
        old_blob_hash: old.map_or(Hash::ZERO, |leaf| leaf.blob_hash),
        new_version: old_version.next(),
        new_blob_hash: named(&format!("{item} {making:?}")),
    }
}

fn control(before: &VaultState, account: &AccountState, raises: bool) -> ControlBody {
    let epoch = if raises { before.epoch().next() } else { before.epoch() };
    let member = Member {
        account_id: account.account_id(),
        role: Role::Admin,
        position: account.head(),
        uek_generation: Generation(1),
        slot: named(&format!("slot of {}", epoch.0)),
    };
    let key = account.vaults()[&before.vault_id()].epochs.get(&epoch).filter(|_| raises);
    let kept = || (before.vault_key_commit(), before.prev_vault_key().to_vec());
    let (vault_key_commit, prev_vault_key) =
        key.map_or_else(kept, |named| (named.vault_key_commit, named.prev_vault_key.clone()));
    ControlBody { members: vec![member], epoch, vault_key_commit, prev_vault_key }
}
