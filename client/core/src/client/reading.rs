//! What this device has, read offline.

use std::collections::{BTreeMap, BTreeSet};

use lockstep_proto::ids::{DeviceId, ItemId, VaultId};

use super::{
    Client, ClientError, ConflictInfo, ConflictValue, DeviceInfo, ItemSummary, OpenItem, Pending,
    QuarantineInfo, Status, VaultInfo, VaultStatus,
};
use crate::account::{AccountDates, added_ms, removed_ms};
use crate::item::{Document, Entry, TrashState};
use crate::vault::{History, Shown, creations, names};

impl Client {
    /// The vaults that this device has, ascending by id.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn vaults(&self) -> Result<Vec<VaultInfo>, ClientError> {
        let mut found = Vec::new();
        for (vault_id, vault) in &self.vaults {
            let state = vault.pin().state();
            let ids = vault.keys().item_ids(vault_id).ok_or(ClientError::KeyMissing(*vault_id))?;
            let name_id = ids.derive_vault_name();
            let devices = self.unlocked.state().devices().keys();
            let mut names: BTreeSet<ItemId> = devices.map(|device| ids.derive_device_name(device)).collect();
            names.insert(name_id);
            found.push(VaultInfo {
                vault_id: *vault_id,
                name: self.name(vault_id, &name_id).await?,
                items: vault.count_items(&names),
                head: state.head(),
                epoch: state.epoch(),
                pending: vault.pending(),
                quarantined: vault.quarantine().len(),
            });
        }
        Ok(found)
    }

    /// The items of a vault with the edits that wait, ascending by id; purged ones and names are left out.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn items(&self, vault_id: VaultId) -> Result<Vec<ItemSummary>, ClientError> {
        let vault = self.vault(&vault_id)?;
        let mut found = Vec::new();
        let each = vault.each_shown(&self.ports, |item_id, shown| {
            if let Some(document) = shown.document.filter(|document| !names::is_name(document)) {
                found.push(summary(item_id, document, &shown));
            }
        });
        each.await?;
        found.sort_by_key(|item| item.item_id);
        Ok(found)
    }

    /// One item, opened; `None` where there is none, or a purged one.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn item(&self, vault_id: VaultId, item_id: ItemId) -> Result<Option<OpenItem>, ClientError> {
        let vault = self.vault(&vault_id)?;
        let current = vault.current(&self.ports, &item_id).await?;
        let quarantine = vault.quarantine().get(&item_id).filter(|_| current.is_quarantined);
        let quarantine = quarantine.map(|mark| QuarantineInfo {
            vault_id,
            item_id,
            author: mark.author,
            reason: mark.reason,
        });
        let (leaf, pending) = (vault.leaf(&item_id), current.pending);
        Ok(current.document.map(|document| OpenItem { document, leaf, pending, quarantine }))
    }

    /// Whether there was such an item and it was purged, here or elsewhere.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn is_purged(&self, vault_id: VaultId, item_id: ItemId) -> Result<bool, ClientError> {
        let current = self.vault(&vault_id)?.current(&self.ports, &item_id).await?;
        let was_there = current.base.is_some() || current.pending != Pending::No;
        Ok(current.document.is_none() && was_there && !current.is_quarantined)
    }

    /// Every field of every vault that waits for a person's choice.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn conflicts(&self) -> Result<Vec<ConflictInfo>, ClientError> {
        let mut found = Vec::new();
        for (vault_id, vault) in &self.vaults {
            let each = vault.each_shown(&self.ports, |item_id, shown| {
                let Some(document) = shown.document.filter(|document| !names::is_name(document)) else {
                    return;
                };
                found.extend(document.conflicts().into_iter().map(|conflict| ConflictInfo {
                    vault_id: *vault_id,
                    item_id,
                    title: title(document),
                    field: conflict.field.to_owned(),
                    winner: conflict_value(conflict.winner),
                    losers: conflict.losers.into_iter().map(conflict_value).collect(),
                }));
            });
            each.await?;
        }
        // By vault, item and field.
        found.sort_by_key(|conflict| (conflict.vault_id, conflict.item_id));
        Ok(found)
    }

    /// Every item whose current version cannot be opened.
    pub fn quarantined(&self) -> Vec<QuarantineInfo> {
        let vaults = self.vaults.iter();
        let marks =
            vaults.flat_map(|(vault_id, vault)| vault.quarantine().iter().map(move |mark| (vault_id, mark)));
        marks
            .map(|(vault_id, (item_id, mark))| QuarantineInfo {
                vault_id: *vault_id,
                item_id: *item_id,
                author: mark.author,
                reason: mark.reason,
            })
            .collect()
    }

    /// The devices of the account, with names where somebody gave them one.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn devices(&self) -> Result<Vec<DeviceInfo>, ClientError> {
        let mut found = BTreeMap::new();
        let state = self.unlocked.state();
        for (device_id, device) in state.devices() {
            let name = self.device_name(device_id).await?;
            let this = *device_id == self.unlocked.device_id();
            let info = DeviceInfo {
                device_id: *device_id,
                name,
                how: device.how(),
                added_ms: added_ms(state, device),
                removed_ms: removed_ms(state, device),
                active: device.is_active(),
                this,
            };
            found.insert(*device_id, info);
        }
        Ok(found.into_values().collect())
    }

    /// When the account was made, and its password and Recovery Key changed last, by the word of the devices that did
    /// it.
    pub fn dates(&self) -> AccountDates {
        AccountDates::of(self.unlocked.state())
    }

    /// Where this device stands: what waits, what was confirmed when.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn status(&self) -> Result<Status, ClientError> {
        let state = self.unlocked.state();
        let vaults: Vec<VaultStatus> = self
            .vaults
            .iter()
            .map(|(vault_id, vault)| VaultStatus {
                vault_id: *vault_id,
                head: vault.pin().state().head(),
                head_author: vault.pin().head_author(),
                confirmed_ms: vault.pin().confirmed_ms(),
                pending: vault.pending(),
                in_flight: vault.in_flight().is_some(),
                history_checked: vault.pin().history() == History::Checked,
            })
            .collect();
        Ok(Status {
            device_id: self.unlocked.device_id(),
            account_head: state.head(),
            pending: vaults.iter().map(|vault| vault.pending).sum(),
            vaults_in_creation: creations(&self.ports, &self.unlocked).await?.len(),
            vaults_missing: state.vaults().keys().filter(|id| !self.vaults.contains_key(id)).count(),
            vaults,
        })
    }

    async fn device_name(&self, device_id: &DeviceId) -> Result<String, ClientError> {
        for (vault_id, vault) in &self.vaults {
            let ids = vault.keys().item_ids(vault_id).ok_or(ClientError::KeyMissing(*vault_id))?;
            let name = self.name(vault_id, &ids.derive_device_name(device_id)).await?;
            if !name.is_empty() {
                return Ok(name);
            }
        }
        Ok(String::new())
    }

    async fn name(&self, vault_id: &VaultId, item_id: &ItemId) -> Result<String, ClientError> {
        let current = self.vault(vault_id)?.current(&self.ports, item_id).await?;
        Ok(current.document.as_ref().map(names::name_of).unwrap_or_default())
    }
}

fn title(document: &Document) -> String {
    document.name().to_owned()
}

fn conflict_value(entry: &Entry) -> ConflictValue {
    ConflictValue { stamp: entry.stamp(), value: entry.value().clone() }
}

fn summary(item_id: ItemId, document: &Document, shown: &Shown<'_>) -> ItemSummary {
    ItemSummary {
        item_id,
        kind: document.kind().to_owned(),
        title: title(document),
        username: document.text("username").map(str::to_owned),
        tags: document.tags().map(str::to_owned).collect(),
        favourite: document.is_favourite(),
        trashed: matches!(document.trash_state(), TrashState::Trashed { .. }),
        archived: document.archived_ms().is_some(),
        updated_ms: document.updated_ms(),
        conflict: !document.conflicts().is_empty(),
        pending: shown.pending != Pending::No,
        quarantined: shown.is_quarantined,
    }
}
