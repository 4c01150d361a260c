//! What an item holds now: the pinned version, below the edits that wait.

use std::collections::BTreeSet;

use lockstep_crypto::item::open_item;
use lockstep_proto::blob::{Blob, ItemState, blob_hash};
use lockstep_proto::canon::CanonError;
use lockstep_proto::digest::Leaf;
use lockstep_proto::ids::ItemId;

use super::keys::VaultKeys;
use super::leaves::LeafState;
use super::open_vault::OpenVault;
use super::outbox::Edit;
use super::quarantine::QuarantineReason;
use super::records::item_key;
use crate::account::RecordError;
use crate::item::{DecodeError, Document, Saw};
use crate::ports::{LocalStore, MaybeSend, Ports, Table};

/// Records read from the local store at once.
const PAGE: usize = 256;

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

/// An item as its user sees it, and what the next edit of it stands on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Current {
    /// What is shown; `None` where there is no item, or a purged one.
    pub(crate) document: Option<Document>,
    /// The version that an edit would replace.
    pub(crate) base: Option<Leaf>,
    /// What that version holds.
    pub(crate) base_document: Option<Document>,
    /// Whether the server lacks something of it.
    pub(crate) pending: Pending,
    /// Whether the pinned version cannot be opened and no edit has replaced it.
    pub(crate) is_quarantined: bool,
}

/// An item as a list has it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shown<'a> {
    /// What is shown; `None` for a purged one.
    pub(crate) document: Option<&'a Document>,
    /// Whether the server lacks something of it.
    pub(crate) pending: Pending,
    /// Whether the pinned version cannot be opened and no edit has replaced it.
    pub(crate) is_quarantined: bool,
}

impl OpenVault {
    /// One item.
    pub(crate) async fn current(&self, ports: &Ports, item_id: &ItemId) -> Result<Current, RecordError> {
        if let Some(waiting) = self.waiting(item_id) {
            return Ok(waiting);
        }
        self.below(ports, item_id).await
    }

    /// One item without the edits that wait.
    pub(crate) async fn below(&self, ports: &Ports, item_id: &ItemId) -> Result<Current, RecordError> {
        let is_quarantined = self.quarantine.contains_key(item_id);
        let blob = match self.leaves.leaf(item_id).map(|stored| stored.state) {
            None => None,
            Some(LeafState::Tombstone) if !is_quarantined => None,
            Some(_) => ports.store.read(Table::Items, &item_key(&self.vault_id(), item_id)).await?,
        };
        self.pinned(item_id, blob.as_deref())
    }

    /// What whoever purged an item had seen of it.
    pub(crate) async fn tombstone(&self, ports: &Ports, item_id: &ItemId) -> Result<Saw, RecordError> {
        let key = item_key(&self.vault_id(), item_id);
        let Some(bytes) = ports.store.read(Table::Items, &key).await? else { return Ok(Saw::default()) };
        let blob = Blob::from_bytes(&bytes).map_err(RecordError::reading(Table::Items))?;
        // One that is not read is in quarantine.
        Ok(open_tombstone(&self.keys, &blob).unwrap_or_default())
    }

    /// Hands every item that there is or was to `show`, each once. Holds one page of items at a time.
    pub(crate) async fn each_shown(
        &self,
        ports: &Ports,
        mut show: impl FnMut(ItemId, Shown<'_>) + MaybeSend,
    ) -> Result<(), RecordError> {
        let vault_id = self.vault_id();
        let sent = self.in_flight().into_iter().flat_map(|in_flight| in_flight.edits().keys());
        let mut waiting: BTreeSet<ItemId> = self.outbox.keys().chain(sent).copied().collect();
        let mut after: Option<Vec<u8>> = None;
        loop {
            let page = ports.store.scan(Table::Items, vault_id.as_bytes(), after.as_deref(), PAGE).await?;
            for (key, blob) in &page {
                let item_id = item_of(Table::Items, key)?;
                if !waiting.contains(&item_id) {
                    let document = self.pinned_document(&item_id, Some(blob))?;
                    let is_quarantined = self.quarantine.contains_key(&item_id);
                    show(
                        item_id,
                        Shown { document: document.as_ref(), pending: Pending::No, is_quarantined },
                    );
                }
            }
            after = page.last().map(|(key, _)| key.clone());
            if page.len() < PAGE {
                break;
            }
        }
        while let Some(item_id) = waiting.pop_first() {
            if let Some((edit, pending)) = self.edit(&item_id) {
                show(item_id, Shown { document: edit.document(), pending, is_quarantined: false });
            }
        }
        Ok(())
    }

    /// The newest edit of an item that waits, and where.
    fn edit(&self, item_id: &ItemId) -> Option<(&Edit, Pending)> {
        if let Some(entry) = self.outbox.get(item_id) {
            return Some((&entry.edit, Pending::Edited));
        }
        let entry = self.in_flight()?.edits().get(item_id)?;
        Some((&entry.edit, Pending::InFlight))
    }

    /// An item with an edit that waits.
    fn waiting(&self, item_id: &ItemId) -> Option<Current> {
        if let Some(entry) = self.outbox.get(item_id) {
            return Some(Current {
                document: entry.edit.document().cloned(),
                base: entry.base,
                base_document: entry.base_document.clone(),
                pending: Pending::Edited,
                is_quarantined: false,
            });
        }
        let in_flight = self.in_flight()?;
        let document = in_flight.edits().get(item_id)?.edit.document().cloned();
        Some(Current {
            document: document.clone(),
            base: in_flight.leaf(item_id),
            base_document: document,
            pending: Pending::InFlight,
            is_quarantined: false,
        })
    }

    /// An item without one: `blob` is its last good version.
    fn pinned(&self, item_id: &ItemId, blob: Option<&[u8]>) -> Result<Current, RecordError> {
        let Some(stored) = self.leaves.leaf(item_id) else { return Ok(Current::default()) };
        let is_quarantined = self.quarantine.contains_key(item_id);
        let document = self.pinned_document(item_id, blob)?;
        let base_document = document.clone().filter(|_| !is_quarantined);
        Ok(Current { document, base: Some(stored.leaf), base_document, pending: Pending::No, is_quarantined })
    }

    fn pinned_document(
        &self,
        item_id: &ItemId,
        blob: Option<&[u8]>,
    ) -> Result<Option<Document>, RecordError> {
        let Some(stored) = self.leaves.leaf(item_id) else { return Ok(None) };
        let is_quarantined = self.quarantine.contains_key(item_id);
        match (stored.state, blob) {
            (LeafState::Tombstone, _) if !is_quarantined => Ok(None),
            (_, None) if is_quarantined => Ok(None),
            (_, None) => Err(RecordError::Damaged { table: Table::Items, what: "an item is missing" }),
            (_, Some(blob)) if !is_quarantined && blob_hash(blob) != stored.leaf.blob_hash => {
                Err(RecordError::Damaged { table: Table::Items, what: "an item is another one" })
            }
            (_, Some(blob)) => self.open_blob(item_id, blob),
        }
    }

    /// Opens a blob that was opened before it was stored.
    fn open_blob(&self, item_id: &ItemId, bytes: &[u8]) -> Result<Option<Document>, RecordError> {
        let damaged = |what| RecordError::Damaged { table: Table::Items, what };
        let blob = Blob::from_bytes(bytes).map_err(RecordError::reading(Table::Items))?;
        if blob.header.item_id != *item_id || blob.header.vault_id != self.vault_id() {
            return Err(damaged("an item is another one"));
        }
        if blob.header.state == ItemState::Tombstone {
            return Ok(None);
        }
        open_document(&self.keys, &blob).map(Some).map_err(|_| damaged("an item does not open"))
    }
}

/// Opens the document of a live item.
pub(crate) fn open_document(keys: &VaultKeys, blob: &Blob) -> Result<Document, QuarantineReason> {
    let key = keys.key(blob.header.epoch).ok_or(QuarantineReason::Sealed)?;
    let plaintext = open_item(key, blob).map_err(|error| match error {
        lockstep_crypto::envelope::OpenError::UpdateNeeded { .. } => QuarantineReason::UpdateNeeded,
        _ => QuarantineReason::Sealed,
    })?;
    Document::from_bytes(&plaintext).map_err(|_: DecodeError| QuarantineReason::Document)
}

/// What whoever purged an item had seen of it; nothing where that cannot be opened, so that the tombstone covers
/// nothing.
///
/// # Errors
/// [`QuarantineReason::UpdateNeeded`] for one that a later version of this program made: it is not written over unread.
pub(crate) fn open_tombstone(keys: &VaultKeys, blob: &Blob) -> Result<Saw, QuarantineReason> {
    let Some(key) = keys.key(blob.header.epoch) else { return Ok(Saw::default()) };
    let opened = open_item(key, blob);
    let read = match &opened {
        Ok(plaintext) => Saw::from_bytes(plaintext),
        Err(lockstep_crypto::envelope::OpenError::UpdateNeeded { .. }) => {
            return Err(QuarantineReason::UpdateNeeded);
        }
        Err(_) => return Ok(Saw::default()),
    };
    match read {
        Err(CanonError::UpdateNeeded { .. }) => Err(QuarantineReason::UpdateNeeded),
        read => Ok(read.unwrap_or_default()),
    }
}

/// The item that a record's key names after its vault.
pub(super) fn item_of(table: Table, key: &[u8]) -> Result<ItemId, RecordError> {
    let bytes = key.get(key.len().saturating_sub(16)..).unwrap_or_default();
    let read = lockstep_proto::canon::from_bytes(bytes);
    read.map_err(|_: CanonError| RecordError::Damaged { table, what: "a key is not an item's" })
}

/// The sealed bytes of an item's pinned version, also of one that cannot be opened.
pub(crate) async fn read_blob(
    store: &dyn LocalStore,
    vault: &OpenVault,
    item_id: &ItemId,
) -> Result<Option<Vec<u8>>, RecordError> {
    if let Some(mark) = vault.quarantine.get(item_id) {
        return Ok(Some(mark.blob.clone()));
    }
    Ok(store.read(Table::Items, &item_key(&vault.vault_id(), item_id)).await?)
}
