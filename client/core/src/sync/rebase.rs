//! Waiting edits that do not stand on the pinned version of their item: each is decided anew before a commit is built,
//! so that none blocks the vault.

use lockstep_proto::ids::DeviceId;

use super::Wire;
use super::apply::{Ground, LiveCount, Step, put_outcome};
use super::error::SyncError;
use super::inspect::Incoming;
use super::merge::{Decision, Outcome, decide};
use super::news::{may_tell, tell_news};
use super::pull::{count, refused};
use super::report::SyncReport;
use crate::account::RecordError;
use crate::ports::{Batch, Ports};
use crate::vault::{Edit, LeafState, OpenVault, Outbox, OutboxEntry};

/// Takes every such edit to the pinned version, in one local write.
///
/// # Errors
/// [`SyncError`]; the outbox is as it was.
pub(crate) async fn rebase(
    wire: Wire<'_>,
    vault: &mut OpenVault,
    report: &mut SyncReport,
) -> Result<(), SyncError> {
    let Some(step) = rebased(wire.ports, vault, wire.unlocked.device_id()).await? else { return Ok(()) };
    let records = vault.records(wire.unlocked);
    let mut batch = Batch::new();
    for item_id in &step.touched {
        match step.outbox.get(item_id) {
            Some(entry) => records.put_outbox(&mut batch, item_id, entry)?,
            None => records.delete_outbox(&mut batch, item_id),
        }
    }
    let untold = vault.untold.with(&step.notices);
    records.put_untold(&mut batch, &untold)?;
    wire.ports.store.write(batch).await?;
    count(report, vault, &step);
    vault.untold.extend(untold);
    vault.outbox = step.outbox;
    Ok(())
}

/// The outbox afterwards; `None` when every edit stands on the pinned version.
pub(crate) async fn rebased(
    ports: &Ports,
    vault: &OpenVault,
    own: DeviceId,
) -> Result<Option<Step>, SyncError> {
    let stale = |outbox: &Outbox| {
        let found = outbox.iter().filter(|(item_id, entry)| entry.base != vault.leaf(item_id));
        found.map(|(item_id, entry)| (*item_id, entry.clone())).collect::<Vec<_>>()
    };
    let mut waiting = stale(&vault.outbox);
    if waiting.is_empty() {
        return Ok(None);
    }
    let vault_id = vault.vault_id();
    let ground = Ground {
        vault_id,
        leaves: &vault.leaves,
        live: LiveCount::pinned(vault.pin.state().live()),
        outbox: &vault.outbox,
        in_flight: None,
        keys: &vault.keys,
    };
    let mut step = Step { outbox: vault.outbox.clone(), ..Step::default() };
    while let Some((item_id, entry)) = waiting.pop() {
        let Decision { outcome, notice } = match vault.leaf(&item_id) {
            Some(leaf) => decide(&entry, leaf, &pinned(ports, vault, &item_id).await?, own),
            None => Decision { outcome: on_nothing(entry), notice: None },
        };
        put_outcome(&mut step, &ground, item_id, outcome).map_err(|error| refused(vault_id, error))?;
        step.merged += 1;
        step.notices.extend(notice.map(|notice| (item_id, notice)));
        // Where nothing waits any more, the pinned version is shown from now on.
        let shown = match step.outbox.get(&item_id) {
            Some(entry) => entry.edit.document().cloned(),
            None => vault.below(ports, &item_id).await?.document,
        };
        step.telling.extend(shown.filter(may_tell).map(|document| (item_id, document)));
        if waiting.is_empty() {
            waiting = stale(&step.outbox);
        }
    }
    tell_news(ports, vault, &mut step).await?;
    Ok(Some(step))
}

async fn pinned(
    ports: &Ports,
    vault: &OpenVault,
    item_id: &lockstep_proto::ids::ItemId,
) -> Result<Incoming, SyncError> {
    if let Some(mark) = vault.quarantine.get(item_id) {
        return Ok(Incoming::Quarantined(mark.reason));
    }
    if vault.leaves.leaf(item_id).is_some_and(|stored| stored.state == LeafState::Tombstone) {
        return Ok(Incoming::Tombstone(vault.tombstone(ports, item_id).await?));
    }
    let document = vault.below(ports, item_id).await?.document;
    let missing = RecordError::Damaged { table: crate::ports::Table::Items, what: "an item is missing" };
    Ok(document.map(Incoming::Live).ok_or(missing)?)
}

/// No commit names the item.
fn on_nothing(entry: OutboxEntry) -> Outcome {
    match entry.edit {
        Edit::Purge(_) => Outcome::Done,
        edit @ Edit::Write(_) => Outcome::Waits(OutboxEntry { base: None, base_document: None, edit }),
    }
}
