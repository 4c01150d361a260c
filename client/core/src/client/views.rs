//! What the facade hands to an app: plain values, decoupled from how they are stored.

use lockstep_proto::digest::Leaf;
use lockstep_proto::ids::{DeviceId, Epoch, ItemId, VaultId};
use lockstep_proto::log::{Enrolment, LogHead};

use crate::item::{Document, Stamp, TrashState, Value};

/// A vault as this device has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultInfo {
    /// The vault.
    pub vault_id: VaultId,
    /// Its name; empty while the item that holds it has not arrived.
    pub name: String,
    /// Items in it, without names and purged ones, edits that wait included.
    pub items: usize,
    /// The head that this device has verified and pinned.
    pub head: LogHead,
    /// The vault key's epoch.
    pub epoch: Epoch,
    /// Edits that the server does not have yet.
    pub pending: usize,
    /// Items whose current version cannot be opened.
    pub quarantined: usize,
}

/// One line of a list of items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemSummary {
    /// The item.
    pub item_id: ItemId,
    /// The kind: `login`, `note`, …; unknown kinds as they are.
    pub kind: String,
    /// The title; may be empty.
    pub title: String,
    /// The user name, if the item has one.
    pub username: Option<String>,
    /// The tags, ascending.
    pub tags: Vec<String>,
    /// Whether it is marked as a favourite.
    pub favourite: bool,
    /// Whether it is in the trash.
    pub trashed: bool,
    /// Whether it is archived.
    pub archived: bool,
    /// When it was last written, milliseconds since 1970, by the writers' clocks.
    pub updated_ms: u64,
    /// Whether a field holds values that nobody has compared yet.
    pub conflict: bool,
    /// Whether the server lacks the newest edit.
    pub pending: bool,
    /// Whether the current version cannot be opened; what is shown is the last good one.
    pub quarantined: bool,
}

/// Where an item stands with the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pending {
    /// The server has it.
    #[default]
    No,
    /// It waits for the next sync.
    Edited,
    /// It is in a commit whose answer has not arrived.
    InFlight,
}

/// An item, opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenItem {
    /// What it holds, edits that wait included.
    pub document: Document,
    /// The version that this device has verified; `None` for an item that no commit holds yet.
    pub leaf: Option<Leaf>,
    /// Whether the server lacks something of it.
    pub pending: Pending,
    /// Why the current version cannot be opened, if so; `document` is then the last good one.
    pub quarantine: Option<QuarantineInfo>,
}

impl OpenItem {
    /// Whether the item is in the trash.
    pub fn trash_state(&self) -> TrashState {
        self.document.trash_state()
    }
}

/// An item whose current version cannot be opened (R-ORACLE). Saving it anew ends that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantineInfo {
    /// The vault.
    pub vault_id: VaultId,
    /// The item.
    pub item_id: ItemId,
    /// The device that wrote the version.
    pub author: DeviceId,
    /// Why it cannot be opened.
    pub reason: QuarantineReason,
}

/// Why a version that a valid commit names cannot be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuarantineReason {
    /// A newer program wrote it: update.
    UpdateNeeded,
    /// Its header does not agree with the commit that names it.
    Header,
    /// It does not open with the vault's key.
    Sealed,
    /// It opens but holds no document.
    Document,
    /// A device that had been removed wrote it on a server that had forgotten that: it is to be written over.
    Removed,
}

/// One of the values of a field that two devices wrote without having seen each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConflictValue {
    /// When and by which device.
    pub stamp: Stamp,
    /// What.
    pub value: Value,
}

/// A field that waits for a person's choice. The losers stay until then, outside every bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConflictInfo {
    /// The vault.
    pub vault_id: VaultId,
    /// The item.
    pub item_id: ItemId,
    /// The item's title.
    pub title: String,
    /// The field's key.
    pub field: String,
    /// What the field shows.
    pub winner: ConflictValue,
    /// What lost unseen, newest first.
    pub losers: Vec<ConflictValue>,
}

/// What happened to an item that its user should hear about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ItemNotice {
    /// The vault.
    pub vault_id: VaultId,
    /// The item.
    pub item_id: ItemId,
    /// What happened.
    pub what: Notice,
}

/// See [`ItemNotice`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Notice {
    /// Both sides changed the item; the document holds both edits.
    Merged,
    /// A field holds a value that lost and that nobody has seen: it waits for a choice, however large it is.
    Conflict,
    /// It had been purged, and an edit or an import, made here or elsewhere, brought it back.
    BroughtBack,
    /// It was put into the trash by somebody who had not seen an edit: it is out of the trash again.
    OutOfTrash,
    /// It was to be purged here, but changed elsewhere meanwhile: it was kept.
    PurgeDropped,
    /// The current version cannot be opened; the last good one, if this device has one, is shown.
    Quarantined,
    /// Two versions of another item are too large for one: the older side became an item of its own, this one.
    SplitOff,
}

/// What a sync did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SyncReport {
    /// Vaults that were brought up to date.
    pub vaults: usize,
    /// Vaults that this device did not have before.
    pub new_vaults: Vec<VaultId>,
    /// Vaults that ended with the device that had added them, and that this device still has: nothing of them is sent any
    /// more.
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
    /// [`Client::mark_told`](super::Client::mark_told).
    pub notices: Vec<ItemNotice>,
    /// Logs that the server had lost, in whole or in part, and that this device gave back.
    pub healed: usize,
    /// Vaults of which two histories became one again.
    pub joined: usize,
    /// Devices that joined the account since the last sync.
    pub new_devices: Vec<DeviceId>,
}

impl SyncReport {
    /// What this sync and a later one did. The later one's notices are all that nobody was told of, its ended vaults all that
    /// are here.
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

/// Where this device stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// This device.
    pub device_id: DeviceId,
    /// The head of the account's log as pinned.
    pub account_head: LogHead,
    /// Edits that wait, all vaults together.
    pub pending: usize,
    /// Vaults that are being created and of which the server may not know yet.
    pub vaults_in_creation: usize,
    /// Vaults of the account that this device has not fetched yet.
    pub vaults_missing: usize,
    /// Each vault.
    pub vaults: Vec<VaultStatus>,
}

/// Where one vault stands on this device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VaultStatus {
    /// The vault.
    pub vault_id: VaultId,
    /// The head that was verified and pinned.
    pub head: LogHead,
    /// The device that wrote it.
    pub head_author: DeviceId,
    /// When the server last answered with this head, milliseconds since 1970 by this device's clock; 0 for never.
    pub confirmed_ms: u64,
    /// Edits that wait.
    pub pending: usize,
    /// Whether a commit was sent, or was about to be, and has no answer yet.
    pub in_flight: bool,
    /// Whether every commit from the vault's first one on was verified here. A vault that is new on this device is
    /// shown before that; the next sync does it before it sends anything.
    pub history_checked: bool,
}

/// A device of the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceInfo {
    /// The device.
    pub device_id: DeviceId,
    /// Its name; empty while nobody gave it one, or it has not arrived.
    pub name: String,
    /// How it came in; `None` for the device that signed up.
    pub how: Option<Enrolment>,
    /// When it was added, in milliseconds since 1970: the word of the clock of who signed that.
    pub added_ms: u64,
    /// When it was removed, if it was: such a word, too.
    pub removed_ms: Option<u64>,
    /// Whether the account's log still authorises it.
    pub active: bool,
    /// Whether it is this one.
    pub this: bool,
}
