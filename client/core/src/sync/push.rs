//! Sending what waits: one commit at a time, each durable before its first byte.

use lockstep_proto::api::ErrorCode;
use lockstep_proto::api::vaults::Room;
use lockstep_proto::ids::{DeviceId, ItemId};
use lockstep_proto::log::{OBSERVED_LIMIT, VaultHead};

use super::Wire;
use super::build::{BuildError, build};
use super::error::SyncError;
use super::plan::{BatchSize, PATIENT_REFUSALS, REFUSALS_LIMIT, make_refusal_delay_ms};
use super::pull::{garbage, pull};
use super::raise::raise;
use super::rebase::rebase;
use super::report::{Progress, SyncReport};
use super::room::{Told, full, is_full, purges};
use crate::account::{Claims, Unlocked};
use crate::api::ApiError;
use crate::item::Document;
use crate::ports::Batch;
use crate::vault::{self, History, InFlight, LeafState, OpenVault, OutboxEntry, Past, StoredLeaf};

/// Sends until nothing waits: first the commit in flight, as it is. `news` are the heads of other vaults that this
/// device's next commit names.
///
/// # Errors
/// [`SyncError`]; what was not acknowledged waits.
pub(crate) async fn push(
    wire: Wire<'_>,
    vault: &mut OpenVault,
    news: &[VaultHead],
    claims: &mut Claims,
    report: &mut SyncReport,
) -> Result<(), SyncError> {
    if vault.pin.history() != History::Checked {
        return Err(SyncError::NotMade { vault_id: vault.vault_id(), what: "its history is not verified" });
    }
    let mut size = BatchSize::default();
    let mut refusals = 0;
    let mut told = Told::default();
    // Edits may stand on other versions than the pinned ones: at the start, and after a pull. A commit in flight goes
    // first, since edits made meanwhile stand on what it makes.
    let mut pulled = true;
    loop {
        if vault.in_flight.is_none() {
            if std::mem::take(&mut pulled) {
                rebase(wire, vault, report).await?;
                drop_idle(wire, vault).await?;
            }
            if !raise_epoch(wire, vault).await? && !prepare(wire, vault, news, size, &mut told).await? {
                return Ok(());
            }
        }
        let Some(own) = vault.in_flight.clone() else { return Ok(()) };
        let request = own.to_request();
        let vault_id = vault.vault_id();
        let answer = wire.repeat(|| wire.api.post_commit(wire.session, &vault_id, &request)).await;
        match answer {
            Ok(committed) if committed.head == own.head() && committed.vault_id == vault_id => {
                acknowledge(wire, vault, own, committed.room, report).await?;
                (size, refusals) = (size.doubled(), 0);
            }
            Ok(_) => return Err(garbage()),
            Err(error) if is_refusal(&error) => {
                refusals += 1;
                told.forget();
                if refusals >= REFUSALS_LIMIT {
                    return Err(SyncError::Busy { vault_id, refusals });
                }
                if refusals >= PATIENT_REFUSALS {
                    size = size.halved();
                    wire.ports.clock.sleep_ms(make_refusal_delay_ms(refusals, &*wire.ports.random)).await;
                }
                pull(wire, vault, error.into_overtaken(), claims, report).await?;
                pulled = true;
            }
            Err(error) if is_full(&error) => return Err(full(vault_id, error)),
            Err(error) => return Err(error.into()),
        }
        let (done, left) = (report.pushed as u64, vault.pending() as u64);
        wire.progress.progress(Progress::Pushed { vault_id, done, left });
    }
}

/// The log has moved on: pull, merge, and try again.
fn is_refusal(error: &ApiError) -> bool {
    matches!(error.code(), Some(ErrorCode::HeadMoved | ErrorCode::EpochChanged | ErrorCode::ItemChanged))
}

/// Where a rekey has named the vault's next key, nothing more is sealed under the current one: makes the control commit
/// that brings it, and stores it. `false` where no epoch is due.
async fn raise_epoch(wire: Wire<'_>, vault: &mut OpenVault) -> Result<bool, SyncError> {
    let raised = raise(wire.unlocked, vault, wire.ports.clock.now_ms());
    let Some(own) = raised.map_err(|error| not_made(vault, error))? else {
        let vault_id = vault.vault_id();
        return if is_due(wire.unlocked, vault) {
            Err(SyncError::KeyMissing { vault_id })
        } else {
            Ok(false)
        };
    };
    let mut batch = Batch::new();
    vault.records(wire.unlocked).put_in_flight(&mut batch, &own)?;
    wire.ports.store.write(batch).await?;
    vault.in_flight = Some(own);
    Ok(true)
}

/// Whether the current epoch is over, so that nothing more may be sealed under its key: the account's log names a later
/// one, or has revoked a device since the vault's control state.
fn is_due(unlocked: &Unlocked, vault: &OpenVault) -> bool {
    let (account, state) = (unlocked.state(), vault.pin.state());
    let named = account.vaults().get(&state.vault_id()).map(|named| named.epoch);
    let since = state.members().get(&account.account_id()).map(|member| member.position.seq);
    named.is_some_and(|named| named > state.epoch())
        || since.is_some_and(|since| account.revoked_between(since, account.head().seq))
}

/// Makes the next commit and stores it. `false` when nothing waits that may be sent.
async fn prepare(
    wire: Wire<'_>,
    vault: &mut OpenVault,
    news: &[VaultHead],
    size: BatchSize,
    told: &mut Told,
) -> Result<bool, SyncError> {
    let chosen = told.choose(wire, vault, size).await?;
    if chosen.is_empty() {
        return Ok(false);
    }
    let said = vault.pin.observed();
    let observed = news.iter().copied().filter(|head| said.get(&head.vault_id) != Some(&head.head));
    // What only purges is taken beyond the quota, if it says nothing else.
    let limit = if purges(vault, &chosen) { 0 } else { OBSERVED_LIMIT };
    let observed = observed.take(limit).collect();
    let built = build(wire.unlocked, vault, &chosen, observed, wire.ports.clock.now_ms());
    let own = built.map_err(|error| not_made(vault, error))?;
    let records = vault.records(wire.unlocked);
    let mut batch = Batch::new();
    records.put_in_flight(&mut batch, &own)?;
    for item_id in own.edits().keys() {
        records.delete_outbox(&mut batch, item_id);
    }
    if !lockstep_proto::seeded!("sent-before-durable") {
        wire.ports.store.write(batch).await?;
    }
    for item_id in own.edits().keys() {
        vault.outbox.remove(item_id);
    }
    vault.in_flight = Some(own);
    Ok(true)
}

/// An edit and its undoing need no commit.
async fn drop_idle(wire: Wire<'_>, vault: &mut OpenVault) -> Result<(), SyncError> {
    let idle = vault.outbox.iter().filter(|(_, entry)| entry.is_idle()).map(|(item_id, _)| *item_id);
    let idle: Vec<_> = idle.collect();
    if idle.is_empty() {
        return Ok(());
    }
    let records = vault.records(wire.unlocked);
    let mut batch = Batch::new();
    for item_id in &idle {
        records.delete_outbox(&mut batch, item_id);
    }
    wire.ports.store.write(batch).await?;
    vault.outbox.retain(|item_id, _| !idle.contains(item_id));
    Ok(())
}

fn not_made(vault: &OpenVault, error: BuildError) -> SyncError {
    let vault_id = vault.vault_id();
    match error {
        BuildError::KeyMissing => SyncError::KeyMissing { vault_id },
        BuildError::Commit(source) => SyncError::Commit { vault_id, source },
        BuildError::Base(_) => SyncError::NotMade { vault_id, what: "an edit stands on another version" },
        BuildError::Seal(_) => SyncError::NotMade { vault_id, what: "an item is too large to be sealed" },
        BuildError::Format(_) => SyncError::NotMade { vault_id, what: "the pinned digest cannot be read" },
        BuildError::Parts => SyncError::NotMade { vault_id, what: "its parts do not belong together" },
    }
}

/// This device's highest stamps in what its commit replaces, or replaced before, where the new version does not know
/// them (R-STAMP).
fn past_of(vault: &OpenVault, commit: &InFlight, own: DeviceId) -> Past {
    let highest = |document: Option<&Document>| document.and_then(|document| document.highest_stamp_of(own));
    let lost = |item_id: &ItemId, entry: &OutboxEntry| {
        let before = highest(entry.base_document.as_ref()).max(vault.past.get(item_id).copied())?;
        (highest(entry.edit.document()) < Some(before)).then_some(before)
    };
    let past = commit.edits().iter().filter(|_| !lockstep_proto::seeded!("stamps-start-again"));
    past.filter_map(|(item_id, entry)| Some((*item_id, lost(item_id, entry)?))).collect()
}

/// The server has the commit: one write advances the pin and ends the flight.
async fn acknowledge(
    wire: Wire<'_>,
    vault: &mut OpenVault,
    own: InFlight,
    room: Room,
    report: &mut SyncReport,
) -> Result<(), SyncError> {
    let vault_id = vault.vault_id();
    let state = vault.pin.state().apply(own.entry(), wire.unlocked.state());
    let state = state.map_err(|source| SyncError::Commit { vault_id, source })?;
    let observed = &own.entry().commit.value().observed;
    let pin = vault.pin.advance(state, wire.unlocked.device_id()).observing(observed);
    let mut keys = vault.keys.raised_to(pin.state());
    if !keys.same_epochs(&vault.keys) {
        // The account's log may name one more.
        keys = vault::vault_keys(wire.ports, wire.unlocked, keys, pin.state(), &[]).await?;
    }
    let leaves: Vec<_> = own
        .edits()
        .iter()
        .filter_map(|(item_id, entry)| {
            let state = if entry.edit.document().is_some() { LeafState::Live } else { LeafState::Tombstone };
            Some((*item_id, StoredLeaf { leaf: own.leaf(item_id)?, state }))
        })
        .collect();
    let past = past_of(vault, &own, wire.unlocked.device_id());
    let pin = pin.confirmed(wire.ports.clock.now_ms(), room);
    let records = vault.records(wire.unlocked);
    let mut batch = Batch::new();
    records.put_pin(&mut batch, &pin)?;
    records.put_past(&mut batch, &past)?;
    if !keys.same_epochs(&vault.keys) {
        records.put_keys(&mut batch, &keys)?;
    }
    records.put_commit(&mut batch, own.entry());
    for (item_id, leaf) in &leaves {
        records.put_leaf(&mut batch, item_id, leaf)?;
    }
    for (item_id, blob) in own.blobs() {
        records.put_blob(&mut batch, item_id, blob);
    }
    records.delete_in_flight(&mut batch);
    wire.ports.store.write(batch).await?;
    vault.pin = pin;
    vault.keys = keys;
    vault.past.extend(past);
    vault.leaves.extend(leaves);
    for item_id in own.edits().keys() {
        vault.quarantine.remove(item_id);
    }
    vault.in_flight = None;
    report.pushed += own.edits().len();
    Ok(())
}
