//! What the facade hands to an app: plain values, decoupled from how they are stored.

use lockstep_proto::digest::Leaf;
use lockstep_proto::ids::{DeviceId, Epoch, ItemId, VaultId};
use lockstep_proto::log::{Enrolment, LogHead};

use crate::item::{Document, Stamp, TrashState, Value};
use crate::vault::{Pending, QuarantineReason};

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
