//! A pull, from the first question to the local write.

use std::collections::BTreeSet;

use lockstep_proto::api::vaults::{Overtaken, Room};
use lockstep_proto::ids::{ItemId, Seq, VaultId};
use lockstep_proto::log::Entry;

use super::Wire;
use super::apply::{Ground, LiveCount, Step, StepError, step};
use super::error::SyncError;
use super::fetch::{Base, Fetch, Fetched};
use super::freshness::check_cut_offs;
use super::news::tell_news;
use super::report::SyncReport;
use super::staging::Staged;
use crate::account::{Claims, Said, said};
use crate::api::{ApiError, Garbage};
use crate::ports::Batch;
use crate::vault::{self, Fate, OpenVault, Past, Pin, Records, VaultKeys};

/// Brings a vault that this device has up to the server's head, and notes the heads of other vaults that the new
/// commits name. What a refusal `brought` along need not be asked for; it is verified like everything else.
///
/// # Errors
/// [`SyncError`]; the vault is as it was.
pub(crate) async fn pull(
    wire: Wire<'_>,
    vault: &mut OpenVault,
    brought: Option<Overtaken>,
    claims: &mut Claims,
    report: &mut SyncReport,
) -> Result<(), SyncError> {
    let vault_id = vault.vault_id();
    let fetch = Fetch::start(wire, Base::Pinned(vault)).await?;
    let Fetched { staged, blobs, room } = fetch.with(brought).run().await?;
    let state = staged.state();
    let keys = raised(wire, &vault.keys, &staged).await?;
    let since = vault.pin.history().since();
    check_cut_offs(&*wire.ports.store, &staged, since, wire.unlocked.state()).await?;
    let ground = Ground {
        vault_id,
        leaves: &vault.leaves,
        live: LiveCount::pinned(vault.pin.state().live()),
        outbox: &vault.outbox,
        in_flight: vault.in_flight.as_ref(),
        keys: &keys,
    };
    let mut step =
        step(ground, wire.unlocked.device_id(), &staged, blobs).map_err(|error| refused(vault_id, error))?;
    tell_news(wire.ports, vault, &mut step).await?;
    let author = staged.entries().last().map(|entry| entry.commit.value().author_device);
    let pin = vault.pin.advance(state.clone(), author.unwrap_or(vault.pin.head_author()));
    let pin = match step.fate {
        Some(Fate::Acknowledged) => observing_own(pin, vault),
        _ => pin,
    };
    let entries: Vec<_> = staged.entries().iter().collect();
    let end = End { pin, keys, room, entries: &entries, step, rewound: None };
    finish(wire, vault, end, claims, report).await
}

/// The keys after what was staged: those of the epochs that its control commits bring, too.
///
/// # Errors
/// [`SyncError::KeyMissing`] where the account's log, as far as it is known, does not name the current one.
pub(super) async fn raised(
    wire: Wire<'_>,
    known: &VaultKeys,
    staged: &Staged,
) -> Result<VaultKeys, SyncError> {
    let (state, entries) = (staged.state(), staged.entries().iter().collect::<Vec<_>>());
    let keys = vault::vault_keys(wire.ports, wire.unlocked, known.clone(), state, &entries).await?;
    if keys.key(state.epoch()).is_some() || keys.are_lost() {
        Ok(keys)
    } else {
        Err(SyncError::KeyMissing { vault_id: state.vault_id() })
    }
}

pub(super) fn refused(vault_id: VaultId, error: StepError) -> SyncError {
    match error {
        StepError::WrongCounts => SyncError::Counts { vault_id },
        StepError::KeyMissing => SyncError::KeyMissing { vault_id },
    }
}

/// A commit of one's own has been found in the chain: what it observed need not be said again.
fn observing_own(pin: Pin, vault: &OpenVault) -> Pin {
    let observed = vault.in_flight().map(|own| own.entry().commit.value().observed.clone());
    pin.observing(&observed.unwrap_or_default())
}

/// The answer is not one of this interface.
pub(super) fn garbage() -> SyncError {
    ApiError::Garbage { status: 200, what: Garbage::Body, retry_after: None }.into()
}

/// What ends a pull.
pub(super) struct End<'a> {
    pub(super) pin: Pin,
    pub(super) keys: VaultKeys,
    pub(super) room: Room,
    pub(super) entries: &'a [&'a Entry],
    pub(super) step: Step,
    /// What a heal takes back, before all else.
    pub(super) rewound: Option<Rewound<'a>>,
}

/// What a heal takes back of this device's branch.
pub(super) struct Rewound<'a> {
    /// Commits after this one of the chain go, up to `last`.
    pub(super) after: Seq,
    pub(super) last: Seq,
    /// They are kept with these, beside the chain.
    pub(super) sides: Vec<&'a Entry>,
    /// Items that the chain does not have any more.
    pub(super) gone: Vec<ItemId>,
    /// Items whose version on this device's branch does not count.
    pub(super) void: BTreeSet<ItemId>,
    /// What tells of it.
    pub(super) event: Batch,
}

/// The one local write, and then the same in memory.
pub(super) async fn finish(
    wire: Wire<'_>,
    vault: &mut OpenVault,
    end: End<'_>,
    claims: &mut Claims,
    report: &mut SyncReport,
) -> Result<(), SyncError> {
    let End { pin, keys, room, entries, step, rewound } = end;
    let pin = pin.confirmed(wire.ports.clock.now_ms(), room);
    let taken = rewound.as_ref().map(|rewound| rewound.gone.iter().chain(&rewound.void).copied());
    let past = past_after(wire, vault, &step, taken.into_iter().flatten().collect()).await?;
    let records = Records::new(wire.unlocked, pin.state().vault_id());
    let mut batch = Batch::new();
    records.put_pin(&mut batch, &pin)?;
    records.put_past(&mut batch, &past)?;
    if !keys.same_epochs(&vault.keys) {
        records.put_keys(&mut batch, &keys)?;
    }
    if lockstep_proto::seeded!("pin-before-items") {
        wire.ports.store.write(std::mem::take(&mut batch)).await?;
    }
    if !entries.is_empty() {
        records.clear_staging(&mut batch);
    }
    let beside = rewound.as_ref().map(|rewound| rewound.sides.clone()).unwrap_or_default();
    let gone = match rewound {
        Some(Rewound { after, last, sides, gone, void, event }) => {
            records.delete_commits(&mut batch, after, last);
            sides.into_iter().for_each(|entry| records.put_side(&mut batch, entry));
            gone.iter().for_each(|item_id| records.delete_item(&mut batch, item_id));
            let void = void.iter().filter(|_| !lockstep_proto::seeded!("void-version-kept"));
            void.for_each(|item_id| records.delete_blob(&mut batch, item_id));
            batch.append(event);
            gone
        }
        None => Vec::new(),
    };
    for entry in entries {
        records.put_commit(&mut batch, entry);
    }
    for (item_id, leaf) in &step.leaves {
        records.put_leaf(&mut batch, item_id, leaf)?;
    }
    for (item_id, blob) in &step.blobs {
        records.put_blob(&mut batch, item_id, blob);
    }
    for (item_id, mark) in &step.marks {
        records.put_mark(&mut batch, item_id, mark);
        if vault.leaf(item_id) == Some(mark.leaf) {
            records.delete_blob(&mut batch, item_id);
        }
    }
    for item_id in &step.touched {
        match step.outbox.get(item_id) {
            Some(entry) => records.put_outbox(&mut batch, item_id, entry)?,
            None => records.delete_outbox(&mut batch, item_id),
        }
    }
    let untold = vault.untold.with(&step.notices);
    records.put_untold(&mut batch, &untold)?;
    let landed = matches!(step.fate, Some(Fate::Acknowledged | Fate::Overtaken));
    if landed {
        records.delete_in_flight(&mut batch);
    }
    let own = wire.unlocked.account_id();
    let named = entries.iter().chain(&beside);
    let said: Vec<Said> = named.flat_map(|entry| said(entry.commit.value(), own)).collect();
    if !said.is_empty() {
        claims.note(said);
        claims.put(&mut batch, wire.unlocked)?;
    }
    wire.ports.store.write(batch).await?;
    vault.past.extend(past);
    count(report, vault, &step);
    vault.untold.extend(untold);
    for item_id in gone {
        vault.leaves.remove(&item_id);
        vault.quarantine.remove(&item_id);
    }
    install(vault, (pin, keys), step, landed);
    Ok(())
}

/// What this device is to remember of its stamps (R-STAMP): of items that a heal takes away, and of those whose new
/// version does not know them, for the item was purged, or purged and made anew: nor does the edit that waits, if one
/// does.
async fn past_after(
    wire: Wire<'_>,
    vault: &OpenVault,
    step: &Step,
    taken: Vec<ItemId>,
) -> Result<Past, SyncError> {
    // Nothing of a vault that is new here was ever held.
    if vault.keys.same_epochs(&VaultKeys::default()) || lockstep_proto::seeded!("stamps-start-again") {
        return Ok(Past::new());
    }
    let own = wire.unlocked.device_id();
    let replaced = step.leaves.iter().map(|(item_id, _)| *item_id);
    let mut past = vault.past_of(wire.ports, replaced.collect(), own).await?;
    let waiting = |item_id: &ItemId| step.outbox.get(item_id)?.edit.document()?.highest_stamp_of(own);
    past.retain(|item_id, stamp| step.highest.get(item_id).copied().max(waiting(item_id)) < Some(*stamp));
    past.extend(vault.past_of(wire.ports, taken, own).await?);
    Ok(past)
}

fn install(vault: &mut OpenVault, (pin, keys): (Pin, VaultKeys), step: Step, landed: bool) {
    vault.pin = pin;
    vault.keys = keys;
    vault.leaves.extend(step.leaves);
    for (item_id, _) in &step.blobs {
        vault.quarantine.remove(item_id);
    }
    vault.quarantine.extend(step.marks);
    vault.outbox = step.outbox;
    if landed {
        vault.in_flight = None;
    }
}

/// Counts what the step did.
pub(super) fn count(report: &mut SyncReport, vault: &OpenVault, step: &Step) {
    report.pulled += step.pulled;
    report.merged += step.merged;
    if step.fate == Some(Fate::Acknowledged) {
        report.pushed += vault.in_flight().map_or(0, |own| own.edits().len());
    }
}
