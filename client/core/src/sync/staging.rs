//! A chain on its way to the pin: verified commit by commit, over the leaves that are pinned.
//!
//! **Invariant:** it holds only what passed the verifier, and costs nothing in proportion to the vault.

use std::collections::BTreeMap;

use lockstep_proto::digest::Leaf;
use lockstep_proto::ids::{AccountId, DeviceId, Epoch, Hash, ItemId, Seq, Version};
use lockstep_proto::log::{
    AccountStates, Change, Commit, CommitBody, CommitError, Entry, LogHead, VaultState,
};

use crate::vault::Leaves;

/// The last change of an item between pin and target, and what its header must say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StagedChange {
    pub(crate) leaf: Leaf,
    pub(crate) prev_blob_hash: Hash,
    pub(crate) epoch: Epoch,
    pub(crate) author_account: AccountId,
    pub(crate) author_device: DeviceId,
    /// Its author had been removed, and a re-anchor says that it does not count.
    pub(crate) is_distrusted: bool,
}

impl StagedChange {
    /// What this change of this commit's makes of its item.
    pub(crate) fn of(commit: &Commit, change: &Change) -> Self {
        Self {
            leaf: Leaf { version: change.new_version, blob_hash: change.new_blob_hash },
            prev_blob_hash: change.old_blob_hash,
            epoch: commit.epoch,
            author_account: commit.author_account,
            author_device: commit.author_device,
            is_distrusted: false,
        }
    }
}

/// Whether every leaf at the chain's beginning is at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    /// All are: what is not among them was never there.
    Whole,
    /// Those of items that changed since may be lacking, and are noted from the changes that replace them. Whoever goes
    /// on from there compares them with the digest before anything is used.
    Gaps,
}

/// The verified commits after the pin, or after a first sync's target.
pub(crate) struct Staged {
    base: VaultState,
    state: VaultState,
    known: Known,
    gaps: BTreeMap<ItemId, Leaf>,
    entries: Vec<Entry>,
    changed: BTreeMap<ItemId, StagedChange>,
}

impl Staged {
    /// Nothing yet; the chain goes on from `base`.
    pub(crate) fn new(base: VaultState, known: Known) -> Self {
        Self {
            state: base.clone(),
            base,
            known,
            gaps: BTreeMap::new(),
            entries: Vec::new(),
            changed: BTreeMap::new(),
        }
    }

    /// A chain that was verified as a whole, from a fork below `base` on ([`super::reanchor`]).
    pub(crate) fn whole(
        base: VaultState,
        state: VaultState,
        entries: Vec<Entry>,
        changed: BTreeMap<ItemId, StagedChange>,
    ) -> Self {
        Self { base, state, known: Known::Whole, gaps: BTreeMap::new(), entries, changed }
    }

    /// Verifies one more commit: chain, authority, control, digest, and every change against the leaves.
    ///
    /// # Errors
    /// [`CommitError`]; nothing was taken.
    pub(crate) fn push(
        &mut self,
        entry: Entry,
        leaves: &Leaves,
        accounts: &impl AccountStates,
    ) -> Result<(), CommitError> {
        let next = self.state.apply(&entry, accounts)?;
        if let CommitBody::Content(body) = &entry.body {
            let mut gaps = Vec::new();
            for change in &body.changes {
                match self.leaf(&change.item_id, leaves) {
                    Some(leaf) if leaf == old_leaf(change) => {}
                    None if old_leaf(change) == NO_LEAF => {}
                    _ if lockstep_proto::seeded!("staged-leaf-unchecked") => {}
                    None if self.known == Known::Gaps => gaps.push((change.item_id, old_leaf(change))),
                    _ => return Err(CommitError::Item(change.item_id)),
                }
            }
            self.gaps.extend(gaps);
            let commit = entry.commit.value();
            for change in &body.changes {
                self.changed.insert(change.item_id, StagedChange::of(commit, change));
            }
        }
        self.state = next;
        self.entries.push(entry);
        Ok(())
    }

    /// Where the chain goes on from.
    pub(crate) fn base(&self) -> &VaultState {
        &self.base
    }

    /// The state after the last commit.
    pub(crate) fn state(&self) -> &VaultState {
        &self.state
    }

    /// The position of the last commit.
    pub(crate) fn head(&self) -> LogHead {
        self.state.head()
    }

    /// Leaves at the base that were lacking, as the changes that replace them name them.
    pub(crate) fn gaps(&self) -> &BTreeMap<ItemId, Leaf> {
        &self.gaps
    }

    /// The new commits, in order.
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The items that changed.
    pub(crate) fn changed(&self) -> &BTreeMap<ItemId, StagedChange> {
        &self.changed
    }

    /// The new commit at a position.
    pub(crate) fn commit_at(&self, seq: Seq) -> Option<LogHead> {
        let at = self.entries.binary_search_by_key(&seq, |entry| entry.commit.value().seq).ok()?;
        let entry = self.entries.get(at)?;
        Some(entry.commit.value().head(entry.commit.hash()))
    }

    /// A commit that a revocation names and this chain, taken to its end, does not contain.
    pub(crate) fn open_cut_off(&self) -> Option<LogHead> {
        self.state.pending_cut_offs().first().copied()
    }

    fn leaf(&self, item_id: &ItemId, leaves: &Leaves) -> Option<Leaf> {
        let staged = self.changed.get(item_id).map(|change| change.leaf);
        staged.or_else(|| leaves.leaf(item_id).map(|stored| stored.leaf))
    }
}

/// What a creation replaces.
const NO_LEAF: Leaf = Leaf { version: Version(0), blob_hash: Hash::ZERO };

fn old_leaf(change: &Change) -> Leaf {
    Leaf { version: change.old_version, blob_hash: change.old_blob_hash }
}
