//! Versions that a re-anchor makes distrusted on the chain that this device has: they are neither shown nor merged.

use lockstep_proto::ids::ItemId;

use super::Wire;
use super::error::SyncError;
use super::whole::Whole;
use crate::account::Claims;
use crate::ports::Batch;
use crate::vault::{self, History, Mark, OpenVault, QuarantineReason};

/// Whether the account's log has a re-anchor of this vault that the chain was not looked at under.
pub(super) fn is_due(wire: Wire<'_>, vault: &OpenVault) -> bool {
    let anchors = wire.unlocked.state().anchors(&vault.vault_id());
    let is_new = anchors.last().is_some_and(|anchored| anchored.seq > vault.pin.judged_at());
    is_new && !lockstep_proto::seeded!("distrusted-leaf-shown")
}

/// Looks at the chain again, and hides every version that is distrusted.
///
/// # Errors
/// [`SyncError`]; the pin is as it was.
pub(super) async fn distrust(
    wire: Wire<'_>,
    vault: &mut OpenVault,
    claims: &mut Claims,
) -> Result<(), SyncError> {
    if !is_due(wire, vault) || vault.pin.history() != History::Checked {
        return Ok(());
    }
    let (vault_id, store, account) = (vault.vault_id(), &*wire.ports.store, wire.unlocked.state());
    let chain = vault::read_chain(store, &vault_id).await?;
    let whole = Whole::verify(&chain, account);
    let whole = whole.map_err(|source| SyncError::Commit { vault_id, source })?;
    whole.check_cut_offs(account)?;
    let mut batch = Batch::new();
    let marks = marks(wire, vault, &whole, &mut batch).await?;
    let pin = vault.pin.clone().judged(account.head().seq);
    vault.records(wire.unlocked).put_pin(&mut batch, &pin)?;
    // What was said of the vault before says nothing any more.
    claims.forget(&vault_id);
    claims.put(&mut batch, wire.unlocked)?;
    store.write(batch).await?;
    vault.pin = pin;
    vault.quarantine.extend(marks);
    Ok(())
}

async fn marks(
    wire: Wire<'_>,
    vault: &OpenVault,
    whole: &Whole,
    batch: &mut Batch,
) -> Result<Vec<(ItemId, Mark)>, SyncError> {
    let records = vault.records(wire.unlocked);
    let mut marks = Vec::new();
    for item_id in whole.distrusted() {
        let Some(last) = whole.items().get(item_id) else { continue };
        if vault.quarantine.get(item_id).is_some_and(|mark| mark.reason == QuarantineReason::Removed) {
            continue;
        }
        let blob = vault::read_blob(&*wire.ports.store, vault, item_id).await?.unwrap_or_default();
        let mark = Mark::new(last.leaf, last.author_device, QuarantineReason::Removed, blob);
        records.put_mark(batch, item_id, &mark);
        records.delete_blob(batch, item_id);
        marks.push((*item_id, mark));
    }
    Ok(marks)
}
