//! What a sync says: how far it is while it runs, and what it did.

use lockstep_proto::ids::{DeviceId, ItemId, VaultId};

use crate::ports::MaybeSend;
use crate::vault::Notice;

/// What a sync did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SyncReport {
    /// Vaults that were brought up to date.
    pub vaults: usize,
    /// Vaults that this device did not have before.
    pub new_vaults: Vec<VaultId>,
    /// Vaults that ended with the device that had added them, and that this device still has: nothing of them is sent
    /// any more.
    pub ended_vaults: Vec<VaultId>,
    /// Versions of items that came from the server.
    pub pulled: usize,
    /// Edits that the server took.
    pub pushed: usize,
    /// Items where both sides had changed.
    pub merged: usize,
    /// Items with an open conflict that the user was not told of.
    pub conflicts: usize,
    /// Items that came and cannot be opened, and that the user was not told of.
    pub quarantined: usize,
    /// What to tell per item: also what earlier syncs and saves have found. Each is in every report until
    /// [`Client::mark_told`](crate::client::Client::mark_told).
    pub notices: Vec<ItemNotice>,
    /// Logs that the server had lost, in whole or in part, and that this device gave back.
    pub healed: usize,
    /// Vaults of which two histories became one again.
    pub joined: usize,
    /// Devices that joined the account since the last sync.
    pub new_devices: Vec<DeviceId>,
}

impl SyncReport {
    /// What this sync and a later one did. The later one's notices are all that nobody was told of, its ended vaults
    /// all that are here.
    pub fn add(&mut self, later: Self) {
        let earlier = std::mem::replace(self, later);
        self.new_vaults.splice(..0, earlier.new_vaults);
        self.new_devices.splice(..0, earlier.new_devices);
        self.pulled += earlier.pulled;
        self.pushed += earlier.pushed;
        self.merged += earlier.merged;
        self.healed += earlier.healed;
        self.joined += earlier.joined;
    }
}

/// A notice, and the item that it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ItemNotice {
    /// The vault.
    pub vault_id: VaultId,
    /// The item.
    pub item_id: ItemId,
    /// What happened.
    pub what: Notice,
}

/// Hears how far a sync is.
pub trait ProgressSink: MaybeSend {
    /// A step was made. Must not block.
    fn progress(&self, progress: Progress);
}

/// Nobody listens.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl ProgressSink for Silent {
    fn progress(&self, _: Progress) {}
}

/// How far a running sync is; for a progress bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// The account's log is read.
    Account,
    /// Commits of a vault are read and verified.
    Commits {
        /// The vault.
        vault_id: VaultId,
        /// Commits verified so far.
        done: u64,
        /// Commits between the pin and the head.
        total: u64,
    },
    /// Items of a vault are fetched.
    Items {
        /// The vault.
        vault_id: VaultId,
        /// Items here.
        done: u64,
        /// Items that changed.
        total: u64,
    },
    /// The commits before a first sync are read and verified.
    History {
        /// The vault.
        vault_id: VaultId,
        /// Commits verified so far.
        done: u64,
        /// Commits of the vault.
        total: u64,
    },
    /// Edits are sent.
    Pushed {
        /// The vault.
        vault_id: VaultId,
        /// Edits that the server took in this sync.
        done: u64,
        /// Edits that still wait.
        left: u64,
    },
}
