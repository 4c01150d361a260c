//! Telling what happened to items: once, by the first sync that succeeds.

use lockstep_proto::ids::ItemId;

use super::{Client, ItemNotice, Notice, SyncReport};
use crate::item::TrashState;
use crate::ports::{Batch, Ports};
use crate::sync::SyncError;
use crate::vault::OpenVault;

impl Client {
    /// Puts everything that is untold into the report, that of syncs that failed included, and ends its wait in one write.
    /// A crash between that write and the moment at which the caller shows the report is the one in which it is lost.
    ///
    /// # Errors
    /// [`SyncError::Store`]; it waits for the next sync.
    pub(super) async fn tell(&mut self, report: &mut SyncReport) -> Result<(), SyncError> {
        let mut batch = Batch::new();
        let mut told = Vec::new();
        for (vault_id, vault) in self.vaults.iter().filter(|(_, vault)| !vault.untold.is_empty()) {
            for (item_id, what) in vault.untold.iter() {
                if still_holds(&self.ports, vault, &item_id, what).await {
                    told.push(ItemNotice { vault_id: *vault_id, item_id, what });
                }
            }
            vault.records(&self.unlocked).delete_untold(&mut batch);
        }
        if batch.is_empty() {
            return Ok(());
        }
        self.ports.store.write(batch).await?;
        for vault in self.vaults.values_mut() {
            vault.untold = Default::default();
        }
        let count = |which| told.iter().filter(|notice| notice.what == which).count();
        report.conflicts = count(Notice::Conflict);
        report.quarantined = count(Notice::Quarantined);
        report.notices = told;
        Ok(())
    }
}

/// Whether a notice says something true: since it was noted, its user may have chosen, or put the item into the trash. What
/// cannot be read is told.
async fn still_holds(ports: &Ports, vault: &OpenVault, item_id: &ItemId, what: Notice) -> bool {
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
