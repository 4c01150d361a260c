//! The one local write that ends a pull: what it holds is worked out here, without effects.

use std::collections::{BTreeMap, BTreeSet};

use lockstep_crypto::keys::ItemIdKey;
use lockstep_proto::ids::{DeviceId, ItemId, VaultId};

use super::inspect::{Incoming, inspect};
use super::merge::{Outcome, decide};
use super::news::may_tell;
use super::staging::Staged;
use crate::item::merge::{Merged, merge_fitting};
use crate::item::{Document, Stamp};
use crate::vault::{
    Edit, Fate, InFlight, LeafState, Leaves, Mark, Notice, Outbox, OutboxEntry, StoredLeaf, VaultKeys,
};

/// What a vault has before the pull; empty for a new one.
#[derive(Clone, Copy)]
pub(crate) struct Ground<'a> {
    pub(crate) vault_id: VaultId,
    pub(crate) leaves: &'a Leaves,
    pub(crate) live: LiveCount,
    pub(crate) outbox: &'a Outbox,
    pub(crate) in_flight: Option<&'a InFlight>,
    pub(crate) keys: &'a VaultKeys,
}

/// What a pull changes beside pin and commits.
#[derive(Debug, Default)]
pub(crate) struct Step {
    /// New leaves.
    pub(crate) leaves: Vec<(ItemId, StoredLeaf)>,
    /// Blobs that take the place of older ones.
    pub(crate) blobs: Vec<(ItemId, Vec<u8>)>,
    /// Items that cannot be opened now.
    pub(crate) marks: Vec<(ItemId, Mark)>,
    /// The outbox afterwards.
    pub(crate) outbox: Outbox,
    /// Its entries that are new, other or gone.
    pub(crate) touched: BTreeSet<ItemId>,
    /// What became of the commit in flight; `None` without one.
    pub(crate) fate: Option<Fate>,
    /// Items that others changed.
    pub(crate) pulled: usize,
    /// Items where both sides had changed.
    pub(crate) merged: usize,
    /// This device's highest stamp in each of the documents that came, where it has one.
    pub(crate) highest: BTreeMap<ItemId, Stamp>,
    /// What to tell.
    pub(crate) notices: Vec<(ItemId, Notice)>,
    /// Documents, as they are shown afterwards, of which there may be more to tell ([`mod@super::news`]).
    pub(crate) telling: Vec<(ItemId, Document)>,
}

/// Why a pull changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StepError {
    /// The counts in the log do not agree with the items' headers (R-DIGEST).
    WrongCounts,
    /// An item must part in two, and the key that derives the new one's id is not at hand.
    KeyMissing,
}

/// Works out what verified commits and their blobs change. `blobs` has one for every changed item, each with the hash
/// that its leaf names. `own` is this device.
pub(crate) fn step(
    ground: Ground<'_>,
    own: DeviceId,
    staged: &Staged,
    blobs: BTreeMap<ItemId, Vec<u8>>,
) -> Result<Step, StepError> {
    let mut step = Step { outbox: ground.outbox.clone(), ..Step::default() };
    settle_in_flight(&ground, staged, &mut step);
    let mut live = ground.live;
    for (item_id, blob) in blobs {
        let Some(change) = staged.changed().get(&item_id) else { continue };
        let (state, incoming) = inspect(ground.keys, &ground.vault_id, &item_id, change, &blob);
        live.replace(ground.leaves.leaf(&item_id).map(|stored| stored.state), state);
        step.leaves.push((item_id, StoredLeaf { leaf: change.leaf, state }));
        if ground.in_flight.is_none_or(|own| own.leaf(&item_id) != Some(change.leaf)) {
            step.pulled += 1;
            step.notices.extend(back(&ground, &step.outbox, item_id, &incoming));
        }
        if let Some(entry) = step.outbox.get(&item_id).filter(|entry| entry.base != Some(change.leaf)) {
            let decision = decide(entry, change.leaf, &incoming, own);
            put_outcome(&mut step, &ground, item_id, decision.outcome)?;
            step.merged += 1;
            step.notices.extend(decision.notice.map(|notice| (item_id, notice)));
        }
        note_telling(&mut step, item_id, &incoming);
        if let Incoming::Live(document) = &incoming {
            step.highest.extend(document.highest_stamp_of(own).map(|stamp| (item_id, stamp)));
        }
        match incoming {
            Incoming::Quarantined(reason) => {
                let mark = Mark::new(change.leaf, change.author_device, reason, blob);
                step.marks.push((item_id, mark));
                step.notices.push((item_id, Notice::Quarantined));
            }
            Incoming::Live(_) | Incoming::Tombstone(_) => step.blobs.push((item_id, blob)),
        }
    }
    if live.agrees(staged.state().live()) || lockstep_proto::seeded!("live-count-unchecked") {
        Ok(step)
    } else {
        Err(StepError::WrongCounts)
    }
}

/// Another device brought an item back from a purge that this one has seen. Where an edit waits here, its user has
/// heard of the purge, or hears what becomes of the edit.
fn back(
    ground: &Ground<'_>,
    outbox: &Outbox,
    item_id: ItemId,
    incoming: &Incoming,
) -> Option<(ItemId, Notice)> {
    let was = ground.leaves.leaf(&item_id).map(|stored| stored.state);
    let is_back = was == Some(LeafState::Tombstone) && matches!(incoming, Incoming::Live(_));
    (is_back && !outbox.contains_key(&item_id)).then_some((item_id, Notice::BroughtBack))
}

/// Notes the document that the item is shown with from now on, if there may be something to tell of it.
fn note_telling(step: &mut Step, item_id: ItemId, incoming: &Incoming) {
    let waiting = step.outbox.get(&item_id).map(|entry| entry.edit.document());
    let shown = match (waiting, incoming) {
        (Some(waiting), _) => waiting,
        (None, Incoming::Live(document)) => Some(document),
        (None, Incoming::Tombstone(_) | Incoming::Quarantined(_)) => None,
    };
    let telling = shown.filter(|document| may_tell(document)).cloned();
    step.telling.extend(telling.map(|document| (item_id, document)));
}

fn settle_in_flight(ground: &Ground<'_>, staged: &Staged, step: &mut Step) {
    let Some(own) = ground.in_flight else { return };
    let fate = own.fate(staged.head().seq, staged.commit_at(own.head().seq).as_ref());
    if fate == Fate::Overtaken {
        own.return_to(&mut step.outbox);
        step.touched.extend(own.edits().keys().copied());
    }
    step.fate = Some(fate);
}

/// Puts what becomes of an item's edit into the outbox.
pub(super) fn put_outcome(
    step: &mut Step,
    ground: &Ground<'_>,
    item_id: ItemId,
    outcome: Outcome,
) -> Result<(), StepError> {
    step.touched.insert(item_id);
    let waits = match outcome {
        Outcome::Done => None,
        Outcome::Waits(entry) => Some(entry),
        Outcome::Split { stays, apart } => {
            let ids = ground.keys.item_ids(&ground.vault_id).ok_or(StepError::KeyMissing)?;
            let apart_id = ids.derive_apart(&item_id, &apart.to_bytes());
            put_apart(step, ids, apart_id, apart);
            stays
        }
    };
    match waits {
        Some(entry) => step.outbox.insert(item_id, entry),
        None => step.outbox.remove(&item_id),
    };
    Ok(())
}

/// An item that parted from another waits as a new one. What waits under its id already is kept and merged with it;
/// what is pinned under it is met before the next commit ([`super::rebase`]).
fn put_apart(step: &mut Step, ids: ItemIdKey, mut item_id: ItemId, mut apart: Document) {
    loop {
        step.touched.insert(item_id);
        step.notices.push((item_id, Notice::SplitOff));
        let waits = step.outbox.get(&item_id).cloned();
        let merged =
            waits.as_ref().and_then(|entry| entry.edit.document()).map(|own| merge_fitting(own, &apart));
        let (stays, leaves) = match merged {
            None => (apart, None),
            Some(Merged::One(merged)) => (merged, None),
            Some(Merged::Apart { stays, leaves }) => (stays, Some(leaves)),
        };
        let (base, base_document) = waits.map(|entry| (entry.base, entry.base_document)).unwrap_or_default();
        step.outbox.insert(item_id, OutboxEntry { base, base_document, edit: Edit::Write(stays) });
        let Some(leaves) = leaves else { return };
        item_id = ids.derive_apart(&item_id, &leaves.to_bytes());
        apart = leaves;
    }
}

/// Counts live items through the changes. Headers that cannot be read leave room for doubt, one item each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LiveCount {
    live: i128,
    doubtful: i128,
}

impl LiveCount {
    /// As the pinned commit says.
    pub(crate) fn pinned(live: u64) -> Self {
        Self { live: i128::from(live), doubtful: 0 }
    }

    /// As the headers of these items say.
    pub(crate) fn of(leaves: &Leaves) -> Self {
        let mut count = Self::pinned(0);
        for (_, stored) in leaves.iter() {
            count.replace(None, stored.state);
        }
        count
    }

    /// An item of this state goes.
    pub(super) fn remove(&mut self, state: LeafState) {
        match state {
            LeafState::Tombstone => {}
            LeafState::Live => self.live -= 1,
            LeafState::Unreadable => self.doubtful += 1,
        }
    }

    fn replace(&mut self, old: Option<LeafState>, new: LeafState) {
        for (state, sign) in [(old, -1), (Some(new), 1)] {
            match state {
                None | Some(LeafState::Tombstone) => {}
                Some(LeafState::Live) => self.live += sign,
                Some(LeafState::Unreadable) => self.doubtful += 1,
            }
        }
    }

    fn agrees(&self, named: u64) -> bool {
        (i128::from(named) - self.live).abs() <= self.doubtful
    }
}
