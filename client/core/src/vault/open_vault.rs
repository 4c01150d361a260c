//! One vault of an unlocked profile, as it stands on this device.

use std::collections::BTreeMap;

use lockstep_proto::digest::Leaf;
use lockstep_proto::ids::{ItemId, VaultId};

use super::keys::VaultKeys;
use super::leaves::Leaves;
use super::pins::Pin;
use super::records::{Mark, Records};
use crate::account::Unlocked;
use crate::sync::in_flight::InFlight;
use crate::sync::outbox::Outbox;

/// Pin, leaves, keys and waiting edits. Changed only after the local store has taken the change.
pub(crate) struct OpenVault {
    pub(crate) pin: Pin,
    pub(crate) leaves: Leaves,
    pub(crate) outbox: Outbox,
    pub(crate) in_flight: Option<InFlight>,
    pub(crate) quarantine: BTreeMap<ItemId, Mark>,
    pub(crate) keys: VaultKeys,
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

    /// Writes this vault's records.
    pub(crate) fn records<'a>(&self, unlocked: &'a Unlocked) -> Records<'a> {
        Records::new(unlocked, self.vault_id())
    }
}
