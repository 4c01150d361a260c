//! The headers of a first sync's items, compared with the commits that wrote them.
//!
//! A pull has the commit of every version that it fetches, and puts a version aside whose header says another epoch,
//! author or version before than that commit. A first sync fetches items before their commits: it compares what it can,
//! and the rest here, while its history is verified. So every device puts aside the same versions, and names the same
//! author.

use std::collections::BTreeMap;

use lockstep_proto::ids::ItemId;
use lockstep_proto::log::{Change, Commit};

use super::inspect::{Incoming, header_agrees, inspect};
use super::staging::StagedChange;
use crate::account::RecordError;
use crate::ports::LocalStore;
use crate::vault::{Mark, OpenVault, read_blob};

/// Bytes of versions that cannot be opened, at most, that a first sync keeps: beyond, they are marked without them.
pub(super) const QUARANTINE_BYTES: usize = 16 << 20;

/// What was found so far.
pub(super) struct Headers<'a> {
    vault: &'a OpenVault,
    due: Vec<(ItemId, StagedChange)>,
    marks: BTreeMap<ItemId, Mark>,
    held: usize,
}

impl<'a> Headers<'a> {
    /// Nothing yet, of this vault's items.
    pub(super) fn new(vault: &'a OpenVault) -> Self {
        let held = vault.quarantine.values().map(|mark| mark.blob.len()).sum();
        Self { vault, due: Vec::new(), marks: BTreeMap::new(), held }
    }

    /// A verified commit: it wrote the pinned version of some items, or of none.
    pub(super) fn note(&mut self, commit: &Commit, changes: &[Change]) {
        let changes = changes.iter().map(|change| (change.item_id, StagedChange::of(commit, change)));
        self.due.extend(changes.filter(|(item_id, change)| self.vault.leaf(item_id) == Some(change.leaf)));
    }

    /// Reads what was noted since.
    pub(super) async fn read(&mut self, store: &dyn LocalStore) -> Result<(), RecordError> {
        for (item_id, change) in std::mem::take(&mut self.due) {
            let blob = read_blob(store, self.vault, &item_id).await?.unwrap_or_default();
            if let Some(mark) = self.mark(&item_id, &change, blob) {
                self.held += mark.blob.len();
                self.marks.insert(item_id, mark);
            }
        }
        Ok(())
    }

    /// The items that are put aside, or for another reason, or as another author's.
    pub(super) fn into_marks(self) -> BTreeMap<ItemId, Mark> {
        self.marks
    }

    fn mark(&self, item_id: &ItemId, change: &StagedChange, blob: Vec<u8>) -> Option<Mark> {
        let (vault_id, keys) = (self.vault.vault_id(), self.vault.keys());
        let known = self.vault.quarantine.get(item_id);
        let reason = match known {
            None if header_agrees(&vault_id, item_id, change, &blob) => return None,
            // It was too large to be kept, and cannot be looked at again.
            Some(mark) if blob.is_empty() => mark.reason,
            _ => match inspect(keys, &vault_id, item_id, change, &blob).1 {
                Incoming::Quarantined(reason) => reason,
                Incoming::Live(_) | Incoming::Tombstone(_) => return None,
            },
        };
        let fits = known.is_some() || self.held + blob.len() <= QUARANTINE_BYTES;
        let mark = Mark::new(change.leaf, change.author_device, reason, if fits { blob } else { Vec::new() });
        (known != Some(&mark)).then_some(mark)
    }
}
