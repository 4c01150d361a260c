//! One vault of an unlocked profile, as it stands on this device.

use std::collections::{BTreeMap, BTreeSet};

use lockstep_proto::digest::Leaf;
use lockstep_proto::ids::{ItemId, VaultId};

use super::in_flight::InFlight;
use super::keys::VaultKeys;
use super::leaves::{LeafState, Leaves};
use super::outbox::Outbox;
use super::past::Past;
use super::pins::Pin;
use super::quarantine::Mark;
use super::records::Records;
use super::untold::Untold;
use crate::account::Unlocked;

/// Pin, leaves, keys, waiting edits and what is to be told. Changed only after the local store has taken the change.
pub(crate) struct OpenVault {
    pub(crate) pin: Pin,
    pub(crate) leaves: Leaves,
    pub(crate) outbox: Outbox,
    pub(crate) in_flight: Option<InFlight>,
    pub(crate) quarantine: BTreeMap<ItemId, Mark>,
    pub(crate) keys: VaultKeys,
    pub(crate) past: Past,
    pub(crate) untold: Untold,
}

impl OpenVault {
    /// A vault without items.
    pub(crate) fn empty(pin: Pin, keys: VaultKeys) -> Self {
        Self {
            pin,
            leaves: Leaves::default(),
            outbox: Outbox::new(),
            in_flight: None,
            quarantine: BTreeMap::new(),
            keys,
            past: Past::new(),
            untold: Untold::default(),
        }
    }

    /// The vault.
    pub(crate) fn vault_id(&self) -> VaultId {
        self.pin.state().vault_id()
    }

    /// Where the log is pinned.
    pub(crate) fn pin(&self) -> &Pin {
        &self.pin
    }

    /// The keys at hand.
    pub(crate) fn keys(&self) -> &VaultKeys {
        &self.keys
    }

    /// The items whose current version cannot be opened.
    pub(crate) fn quarantine(&self) -> &BTreeMap<ItemId, Mark> {
        &self.quarantine
    }

    /// The commit that was sent, or is about to be.
    pub(crate) fn in_flight(&self) -> Option<&InFlight> {
        self.in_flight.as_ref()
    }

    /// An item's pinned version.
    pub(crate) fn leaf(&self, item_id: &ItemId) -> Option<Leaf> {
        self.leaves.leaf(item_id).map(|stored| stored.leaf)
    }

    /// Items with an edit that the server lacks.
    pub(crate) fn pending(&self) -> usize {
        let sent = self.in_flight.as_ref().map(InFlight::edits);
        let sent = sent.map_or(0, |edits| edits.keys().filter(|id| !self.outbox.contains_key(id)).count());
        self.outbox.len() + sent
    }

    /// Items that are not purged, edits that wait included, without those in `apart`. Opens none.
    pub(crate) fn count_items(&self, apart: &BTreeSet<ItemId>) -> usize {
        let mut counted = 0;
        let sent = self.in_flight.as_ref().map(InFlight::edits);
        let waiting = |item_id: &ItemId| self.outbox.get(item_id).or_else(|| sent?.get(item_id));
        for (item_id, stored) in self.leaves.iter() {
            let live = match waiting(item_id) {
                Some(entry) => entry.edit.document().is_some(),
                None => stored.state != LeafState::Tombstone,
            };
            counted += usize::from(live && !apart.contains(item_id));
        }
        let new: BTreeSet<&ItemId> =
            self.outbox.keys().chain(sent.into_iter().flat_map(|sent| sent.keys())).collect();
        let new =
            new.into_iter().filter(|item_id| self.leaves.leaf(item_id).is_none() && !apart.contains(item_id));
        counted
            + new
                .filter(|item_id| waiting(item_id).is_some_and(|entry| entry.edit.document().is_some()))
                .count()
    }

    /// Writes this vault's records.
    pub(crate) fn records<'a>(&self, unlocked: &'a Unlocked) -> Records<'a> {
        Records::new(unlocked, self.vault_id())
    }
}
