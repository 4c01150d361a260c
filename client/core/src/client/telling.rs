//! Telling what happened to items: by every sync that succeeds, until the app says that its user was told.

use std::collections::BTreeMap;

use lockstep_proto::ids::{ItemId, VaultId};

use super::{Client, ItemNotice, Notice, SyncReport};
use crate::item::TrashState;
use crate::ports::{Batch, Ports};
use crate::sync::SyncError;
use crate::vault::OpenVault;

impl Client {
    /// Puts everything that is untold into the report, that of syncs that failed included. What has become untrue since it
    /// was noted is dropped; the rest waits for [`Client::mark_told`].
    ///
    /// # Errors
    /// [`SyncError::Store`]; it waits for the next sync.
    pub(super) async fn tell(&mut self, report: &mut SyncReport) -> Result<(), SyncError> {
        let (mut told, mut untrue) = (Vec::new(), Vec::new());
        for (vault_id, vault) in &self.vaults {
            for (item_id, what) in vault.untold.iter() {
                let holds = still_holds(&self.ports, vault, &item_id, what).await;
                let list = if holds { &mut told } else { &mut untrue };
                list.push(ItemNotice { vault_id: *vault_id, item_id, what });
            }
        }
        self.forget(&untrue).await?;
        let count = |which| told.iter().filter(|notice| notice.what == which).count();
        report.conflicts = count(Notice::Conflict);
        report.quarantined = count(Notice::Quarantined);
        report.notices = told;
        Ok(())
    }

    /// The user was told of these notices of a [`SyncReport`]: no later report has them. To be called once they are on the
    /// screen; what it was not called for, is in the next report again, so that a crash tells twice rather than never.
    ///
    /// # Errors
    /// [`SyncError::Store`]; they are told again.
    pub async fn mark_told(&mut self, notices: &[ItemNotice]) -> Result<(), SyncError> {
        self.settle::<SyncError>().await?;
        self.forget(notices).await
    }

    /// Ends the wait of these notices, in one write.
    async fn forget(&mut self, notices: &[ItemNotice]) -> Result<(), SyncError> {
        let mut by_vault = BTreeMap::<VaultId, Vec<(ItemId, Notice)>>::new();
        for ItemNotice { vault_id, item_id, what } in notices {
            by_vault.entry(*vault_id).or_default().push((*item_id, *what));
        }
        let mut batch = Batch::new();
        let mut remaining = Vec::new();
        for (vault_id, notices) in by_vault {
            let Some(vault) = self.vaults.get(&vault_id) else { continue };
            let untold = vault.untold.without(&notices);
            vault.records(&self.unlocked).put_untold(&mut batch, &untold)?;
            remaining.push((vault_id, untold));
        }
        if batch.is_empty() {
            return Ok(());
        }
        self.ports.store.write(batch).await?;
        for (vault_id, untold) in remaining {
            if let Some(vault) = self.vaults.get_mut(&vault_id) {
                vault.untold.extend(untold);
            }
        }
        Ok(())
    }
}

/// Whether a notice says something true: since it was noted, its user may have chosen, or put the item into the trash. What
/// cannot be read is told.
async fn still_holds(ports: &Ports, vault: &OpenVault, item_id: &ItemId, what: Notice) -> bool {
    if what == Notice::Quarantined {
        return vault.quarantine.contains_key(item_id);
    }
    if !matches!(what, Notice::Conflict | Notice::BroughtBack | Notice::OutOfTrash) {
        return true;
    }
    let Ok(current) = vault.current(ports, item_id).await else { return true };
    let Some(document) = current.document else { return false };
    match what {
        Notice::Conflict => !document.conflicts().is_empty(),
        _ => !matches!(document.trash_state(), TrashState::Trashed { .. }),
    }
}
