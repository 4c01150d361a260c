//! Edits: each one local write, sent by the next sync.

use lockstep_crypto::keys::{ItemIdKey, SourceRecord};
use lockstep_proto::ids::{DeviceId, ItemId, VaultId};

use super::{Client, ClientError, Notice};
use crate::item::{
    Author, Document, MAX_DOCUMENT_BYTES, MAX_MS, Saw, TrashState, Value,
    merge::{merge, merge_from_outside},
};
use crate::ports::Batch;
use crate::sync::news;
use crate::vault::{Current, Edit, OpenVault, OutboxEntry, names};

/// What [`Client::save_many`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Saved {
    /// Items that were not there.
    pub created: usize,
    /// Items that were there and hold something new now.
    pub changed: usize,
    /// Items that held all of it already; nothing was written for these.
    pub unchanged: usize,
}

/// Where documents that are saved were written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Written {
    /// On this device, since they were read.
    Here,
    Elsewhere,
}

impl Client {
    /// Saves an item's document, new or edited. It is merged with what the item holds now, so that nothing is lost
    /// when a sync came between reading and saving; a conflict that comes of it is told by the next sync.
    ///
    /// # Errors
    /// [`ClientError`]; nothing was changed.
    pub async fn save(
        &mut self,
        vault_id: VaultId,
        item_id: ItemId,
        document: Document,
    ) -> Result<(), ClientError> {
        self.save_many(vault_id, vec![(item_id, document)]).await.map(|_| ())
    }

    /// Saves many items that were edited here, each as [`Client::save`] does, in one local write: all of them or none.
    /// An item may be named once. What a sync brought since a document was read is kept; what this device itself saved
    /// since is kept as a value that waits for a choice, but for fields that were written more often than their history
    /// holds: read right before editing.
    ///
    /// # Errors
    /// [`ClientError`]; nothing was changed.
    pub async fn save_many(
        &mut self,
        vault_id: VaultId,
        items: Vec<(ItemId, Document)>,
    ) -> Result<Saved, ClientError> {
        self.put_documents(vault_id, items, Written::Here).await
    }

    /// Saves many items as they were written elsewhere, in an archive for example: each is merged with what is here, as
    /// a version that another device had, and its stamps stay as they are. What waits or is shown here stays, whatever
    /// such a document claims to have seen, or is in its history. Conflicts that come of it are told by the next sync.
    ///
    /// # Errors
    /// [`ClientError`]; nothing was changed.
    pub async fn merge_many(
        &mut self,
        vault_id: VaultId,
        items: Vec<(ItemId, Document)>,
    ) -> Result<Saved, ClientError> {
        self.put_documents(vault_id, items, Written::Elsewhere).await
    }

    async fn put_documents(
        &mut self,
        vault_id: VaultId,
        items: Vec<(ItemId, Document)>,
        written: Written,
    ) -> Result<Saved, ClientError> {
        self.settle::<ClientError>().await?;
        let vault = self.vault(&vault_id)?;
        let mut saved = Saved::default();
        let (mut entries, mut notices) = (Vec::new(), Vec::new());
        for (item_id, document) in items {
            let current = vault.current(&self.ports, &item_id).await?;
            let document = match written {
                Written::Here => self.risen(vault, &item_id, document, current.document.as_ref()).await?,
                Written::Elsewhere => document,
            };
            let document = self.revived(vault, &item_id, document, &current).await?;
            let merged = match &current.document {
                None => {
                    saved.created += 1;
                    if written == Written::Elsewhere {
                        notices.extend(conflicts(None, &document).map(|notice| (item_id, notice)));
                    }
                    document
                }
                Some(before) => {
                    let merged = match written {
                        Written::Here => merge(before, &document),
                        Written::Elsewhere => merge_from_outside(before, &document),
                    };
                    if merged == *before && !current.is_quarantined {
                        saved.unchanged += 1;
                        continue;
                    }
                    saved.changed += 1;
                    let told: Vec<_> = match written {
                        Written::Here => met(before, &document, &merged).collect(),
                        Written::Elsewhere => conflicts(Some(before), &merged).collect(),
                    };
                    notices.extend(told.into_iter().map(|notice| (item_id, notice)));
                    merged
                }
            };
            let length = merged.to_bytes().len();
            if length > MAX_DOCUMENT_BYTES {
                return Err(ClientError::ItemTooLarge { item_id, length });
            }
            entries.push((item_id, entry_for(current, Edit::Write(merged))));
        }
        self.put_told(vault_id, entries, &notices).await?;
        Ok(saved)
    }

    /// Puts an item into the trash. An edit made elsewhere meanwhile brings it back.
    ///
    /// # Errors
    /// [`ClientError`]; nothing was changed.
    pub async fn trash(&mut self, vault_id: VaultId, item_id: ItemId) -> Result<(), ClientError> {
        self.settle::<ClientError>().await?;
        let mut document = self.document(vault_id, item_id).await?;
        document.edit(self.author()).trash().apply()?;
        self.save(vault_id, item_id, document).await
    }

    /// Takes an item out of the trash.
    ///
    /// # Errors
    /// [`ClientError`]; nothing was changed.
    pub async fn restore(&mut self, vault_id: VaultId, item_id: ItemId) -> Result<(), ClientError> {
        self.settle::<ClientError>().await?;
        let mut document = self.document(vault_id, item_id).await?;
        document.edit(self.author()).restore().apply()?;
        self.save(vault_id, item_id, document).await
    }

    /// Purges an item that is in the trash: after the next sync only a tombstone is left. Dropped, and told, if the
    /// item was changed elsewhere meanwhile.
    ///
    /// # Errors
    /// [`ClientError::NotInTrash`] for an item that is not in the trash; nothing was changed.
    pub async fn purge(&mut self, vault_id: VaultId, item_id: ItemId) -> Result<(), ClientError> {
        self.settle::<ClientError>().await?;
        let current = self.vault(&vault_id)?.current(&self.ports, &item_id).await?;
        let document = current.document.as_ref().ok_or(ClientError::NoItem(item_id))?;
        if !matches!(document.trash_state(), TrashState::Trashed { .. }) {
            return Err(ClientError::NotInTrash(item_id));
        }
        if current.base.is_none() {
            return self.drop_entry(vault_id, item_id).await;
        }
        let saw = Saw::of(document).for_tombstone();
        self.put_entries(vault_id, vec![(item_id, entry_for(current, Edit::Purge(saw)))]).await
    }

    /// Ends a field's conflict with the value chosen, which may be a new one.
    ///
    /// # Errors
    /// [`ClientError`]; nothing was changed.
    pub async fn resolve(
        &mut self,
        vault_id: VaultId,
        item_id: ItemId,
        field: &str,
        value: Value,
    ) -> Result<(), ClientError> {
        self.settle::<ClientError>().await?;
        let mut document = self.document(vault_id, item_id).await?;
        document.edit(self.author()).resolve(field, value).apply()?;
        self.save(vault_id, item_id, document).await
    }

    /// Renames a vault.
    ///
    /// # Errors
    /// [`ClientError`]; nothing was changed.
    pub async fn rename_vault(&mut self, vault_id: VaultId, name: &str) -> Result<(), ClientError> {
        self.settle::<ClientError>().await?;
        let item_id = self.item_ids(&vault_id)?.derive_vault_name();
        self.set_name(vault_id, item_id, name).await
    }

    /// Names this device: in the account's first vault, so that all devices of the account see it.
    ///
    /// # Errors
    /// [`ClientError::NoFirstVault`] while this device has no vault; nothing was changed.
    pub async fn name_device(&mut self, name: &str) -> Result<(), ClientError> {
        self.rename_device(self.device_id(), name).await
    }

    /// Names any device of the account.
    ///
    /// # Errors
    /// As [`Client::name_device`].
    pub async fn rename_device(&mut self, device_id: DeviceId, name: &str) -> Result<(), ClientError> {
        self.settle::<ClientError>().await?;
        let first = names::first_vault(self.unlocked.state()).filter(|first| self.vaults.contains_key(first));
        let vault_id = first.ok_or(ClientError::NoFirstVault)?;
        let item_id = self.item_ids(&vault_id)?.derive_device_name(&device_id);
        self.set_name(vault_id, item_id, name).await
    }

    /// The id under which a record of another program's export is imported: the same every time, on every device.
    ///
    /// # Errors
    /// [`ClientError::NoVault`], or [`ClientError::KeyMissing`] when the vault's first key is not at hand.
    pub fn derive_import_id(
        &self,
        vault_id: VaultId,
        source_kind: &str,
        record: SourceRecord<'_>,
    ) -> Result<ItemId, ClientError> {
        Ok(self.item_ids(&vault_id)?.derive_imported(source_kind, record))
    }

    fn item_ids(&self, vault_id: &VaultId) -> Result<ItemIdKey, ClientError> {
        self.vault(vault_id)?.keys().item_ids(vault_id).ok_or(ClientError::KeyMissing(*vault_id))
    }

    /// A document that is put where the item was purged says so with a fresh stamp: no purge that was made before, and
    /// is sent or comes back later, can have seen it. One that is in the trash stays there.
    pub(super) async fn revived(
        &self,
        vault: &OpenVault,
        item_id: &ItemId,
        mut document: Document,
        current: &Current,
    ) -> Result<Document, ClientError> {
        let was_purged = current.document.is_none() && current.base.is_some() && !current.is_quarantined;
        if !was_purged || matches!(document.trash_state(), TrashState::Trashed { .. }) {
            return Ok(document);
        }
        let author = self.author();
        let past = vault.highest_own(&self.ports, item_id, author.device).await?;
        let above = past.map_or(0, |stamp| (stamp.ms() + 1).min(MAX_MS - 1));
        document.edit(Author { now_ms: author.now_ms.max(above), ..author }).restore().apply()?;
        Ok(document)
    }

    /// The document with stamps of this device that rise in the item (R-STAMP).
    pub(super) async fn risen(
        &self,
        vault: &OpenVault,
        item_id: &ItemId,
        document: Document,
        current: Option<&Document>,
    ) -> Result<Document, ClientError> {
        let own = self.device_id();
        if document.highest_stamp_of(own).is_none() {
            return Ok(document);
        }
        let above = vault.highest_own(&self.ports, item_id, own).await?;
        Ok(document.rising(current, own, above)?)
    }

    async fn set_name(&mut self, vault_id: VaultId, item_id: ItemId, name: &str) -> Result<(), ClientError> {
        let current = self.vault(&vault_id)?.current(&self.ports, &item_id).await?;
        let document = names::named(current.document.clone(), name, self.author())?;
        self.save(vault_id, item_id, document).await
    }

    async fn document(&self, vault_id: VaultId, item_id: ItemId) -> Result<Document, ClientError> {
        let current = self.vault(&vault_id)?.current(&self.ports, &item_id).await?;
        current.document.ok_or(ClientError::NoItem(item_id))
    }

    pub(super) async fn put_entries(
        &mut self,
        vault_id: VaultId,
        entries: Vec<(ItemId, OutboxEntry)>,
    ) -> Result<(), ClientError> {
        self.put_told(vault_id, entries, &[]).await
    }

    /// The edits and what is to be told of them, in one write.
    pub(super) async fn put_told(
        &mut self,
        vault_id: VaultId,
        entries: Vec<(ItemId, OutboxEntry)>,
        notices: &[(ItemId, Notice)],
    ) -> Result<(), ClientError> {
        let vault = self.vaults.get_mut(&vault_id).ok_or(ClientError::NoVault(vault_id))?;
        let mut batch = Batch::new();
        for (item_id, entry) in &entries {
            vault.records(&self.unlocked).put_outbox(&mut batch, item_id, entry)?;
        }
        let untold = vault.untold.with(notices);
        vault.records(&self.unlocked).put_untold(&mut batch, &untold)?;
        if !batch.is_empty() {
            self.ports.store.write(batch).await?;
        }
        vault.outbox.extend(entries);
        vault.untold.extend(untold);
        Ok(())
    }

    async fn drop_entry(&mut self, vault_id: VaultId, item_id: ItemId) -> Result<(), ClientError> {
        let vault = self.vaults.get_mut(&vault_id).ok_or(ClientError::NoVault(vault_id))?;
        let mut batch = Batch::new();
        vault.records(&self.unlocked).delete_outbox(&mut batch, &item_id);
        self.ports.store.write(batch).await?;
        vault.outbox.remove(&item_id);
        Ok(())
    }
}

/// What merging made and neither side held: who saved has seen what the document held, and this device shows what was
/// there.
fn met(before: &Document, saved: &Document, merged: &Document) -> impl Iterator<Item = Notice> {
    let beyond_saved = news(Some(saved), merged);
    news(Some(before), merged).into_iter().filter(move |notice| beyond_saved.contains(notice))
}

/// Conflicts that a document has beyond those that were shown.
fn conflicts(before: Option<&Document>, now: &Document) -> impl Iterator<Item = Notice> {
    news(before, now).into_iter().filter(|notice| *notice == Notice::Conflict)
}

pub(super) fn entry_for(current: Current, edit: Edit) -> OutboxEntry {
    OutboxEntry { base: current.base, base_document: current.base_document, edit }
}
