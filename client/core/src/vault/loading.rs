//! Reading a vault's records when the profile is unlocked, and staged ones when a pull goes on.

use std::collections::BTreeMap;

use lockstep_proto::canon;
use lockstep_proto::ids::{Hash, ItemId, Seq, VaultId};
use lockstep_proto::log::{Entry, Sides, VaultState};
use zeroize::Zeroizing;

use super::in_flight::InFlight;
use super::key_chain::vault_keys;
use super::keys::VaultKeys;
use super::leaves::{Leaves, StoredLeaf};
use super::open_vault::OpenVault;
use super::outbox::{Outbox, OutboxEntry};
use super::past::{Past, PastStamp};
use super::pins::Pin;
use super::quarantine::Mark;
use super::reading::item_of;
use super::records::{
    BEGINNING, CURSOR, Cursor, HISTORY, PART_BLOB, PART_COMMIT, PART_ENTRY, PART_HEAL, PART_PAST, Records,
    STAGED_BLOB, STAGED_COMMIT, history_key, keys_key, part_key, read_entry, seq_key, side_key,
};
use super::untold::{Untold, read_untold};
use crate::account::{AccountError, RecordError, Unlocked};
use crate::ports::{Batch, LocalStore, MaybeSend, Ports, Table};

/// Records read from the local store at once.
const PAGE: usize = 512;
/// Commits that one write moves: the largest are half a mebibyte.
const MOVED: usize = 64;

/// Every vault that is pinned on this device. Takes time in proportion to the vaults.
///
/// # Errors
/// [`RecordError`] when a record is damaged: leaves that do not add up to the pinned digest are; [`AccountError`] when a
/// vault's key cannot be opened.
pub(crate) async fn open_all<E: From<RecordError> + From<AccountError>>(
    ports: &Ports,
    unlocked: &Unlocked,
) -> Result<BTreeMap<VaultId, OpenVault>, E> {
    let mut vaults = BTreeMap::new();
    for (key, sealed) in scan(&*ports.store, Table::Pins, &[]).await? {
        let record = unseal(unlocked, Table::Pins, &key, &sealed)?;
        let pin: Pin = canon::from_bytes(&record).map_err(RecordError::reading(Table::Pins))?;
        let vault_id = pin.state().vault_id();
        let keys = kept_keys::<E>(ports, unlocked, pin.state()).await?;
        vaults.insert(vault_id, open(ports, unlocked, pin, keys).await?);
    }
    Ok(vaults)
}

/// A vault that is pinned on this device, although nobody has it in memory: a write whose end nobody saw came to its
/// end.
///
/// # Errors
/// As [`open_all`].
pub(crate) async fn open_pinned<E: From<RecordError> + From<AccountError>>(
    ports: &Ports,
    unlocked: &Unlocked,
    vault_id: &VaultId,
) -> Result<Option<OpenVault>, E> {
    let key = vault_id.as_bytes().as_slice();
    let read = ports.store.read(Table::Pins, key).await.map_err(RecordError::from)?;
    let Some(sealed) = read else { return Ok(None) };
    let record = unseal(unlocked, Table::Pins, key, &sealed)?;
    let pin: Pin = canon::from_bytes(&record).map_err(RecordError::reading(Table::Pins))?;
    let keys = kept_keys::<E>(ports, unlocked, pin.state()).await?;
    Ok(Some(open(ports, unlocked, pin, keys).await?))
}

/// The keys that the vault's record holds, those of its epoch and the next, as the account's log names them.
async fn kept_keys<E: From<RecordError> + From<AccountError>>(
    ports: &Ports,
    unlocked: &Unlocked,
    state: &VaultState,
) -> Result<VaultKeys, E> {
    let known = read_keys(&*ports.store, unlocked, &state.vault_id()).await?;
    match vault_keys(ports, unlocked, known.clone(), state, &[]).await {
        // The vault opens with the keys that are here; a sync tells what is wrong with the others.
        Err(AccountError::Slot(_) | AccountError::SlotMissing { .. }) => Ok(known),
        keys => Ok(keys?),
    }
}

/// The keys that the vault's record holds.
async fn read_keys(
    store: &dyn LocalStore,
    unlocked: &Unlocked,
    vault_id: &VaultId,
) -> Result<VaultKeys, RecordError> {
    let (table, key) = (Table::Profile, keys_key(vault_id));
    let Some(sealed) = store.read(table, &key).await? else { return Ok(VaultKeys::default()) };
    canon::from_bytes(&unseal(unlocked, table, &key, &sealed)?).map_err(RecordError::reading(table))
}

async fn open(
    ports: &Ports,
    unlocked: &Unlocked,
    pin: Pin,
    keys: VaultKeys,
) -> Result<OpenVault, RecordError> {
    let store = &*ports.store;
    let vault_id = pin.state().vault_id();
    let leaves = read_leaves(store, unlocked, &vault_id).await?;
    if leaves.digest(&vault_id) != pin.state().digest() {
        return Err(RecordError::Damaged {
            table: Table::Leaves,
            what: "they do not add up to the pinned digest",
        });
    }
    let mut outbox = Outbox::new();
    let each = each_record(store, Table::Outbox, vault_id.as_bytes(), |key, sealed| {
        outbox.insert(item_of(Table::Outbox, key)?, entry(unlocked, Table::Outbox, key, &sealed)?);
        Ok(())
    });
    each.await?;
    let quarantine = read_marks(store, &vault_id).await?;
    let in_flight = in_flight(store, unlocked, &vault_id).await?;
    let past = read_past(store, unlocked, &vault_id).await?;
    let untold = read_untold(store, unlocked, &vault_id).await?;
    Ok(OpenVault { pin, leaves, outbox, in_flight, quarantine, keys, past, untold })
}

async fn read_past(
    store: &dyn LocalStore,
    unlocked: &Unlocked,
    vault_id: &VaultId,
) -> Result<Past, RecordError> {
    let table = Table::InFlight;
    let mut past = Past::new();
    for (key, sealed) in scan(store, table, &part_key(vault_id, PART_PAST, &[])).await? {
        let record = unseal(unlocked, table, &key, &sealed)?;
        let PastStamp(stamp) = canon::from_bytes(&record).map_err(RecordError::reading(table))?;
        past.insert(item_of(table, &key)?, stamp);
    }
    Ok(past)
}

async fn read_leaves(
    store: &dyn LocalStore,
    unlocked: &Unlocked,
    vault_id: &VaultId,
) -> Result<Leaves, RecordError> {
    let mut leaves = Leaves::default();
    let each = each_record(store, Table::Leaves, vault_id.as_bytes(), |key, sealed| {
        let record = unseal(unlocked, Table::Leaves, key, &sealed)?;
        let leaf: StoredLeaf = canon::from_bytes(&record).map_err(RecordError::reading(Table::Leaves))?;
        leaves.extend([(item_of(Table::Leaves, key)?, leaf)]);
        Ok(())
    });
    each.await?;
    Ok(leaves)
}

async fn read_marks(
    store: &dyn LocalStore,
    vault_id: &VaultId,
) -> Result<BTreeMap<ItemId, Mark>, RecordError> {
    let mut marks = BTreeMap::new();
    for (key, record) in scan(store, Table::Quarantine, vault_id.as_bytes()).await? {
        let mark: Mark = canon::from_bytes(&record).map_err(RecordError::reading(Table::Quarantine))?;
        marks.insert(item_of(Table::Quarantine, &key)?, mark);
    }
    Ok(marks)
}

/// What an unfinished first sync has: what it began with, how far it came, the items up to there and what to tell of
/// them.
pub(crate) struct Begun {
    pub(crate) entries: Vec<Entry>,
    pub(crate) cursor: Cursor,
    pub(crate) leaves: Leaves,
    pub(crate) marks: BTreeMap<ItemId, Mark>,
    pub(crate) untold: Untold,
}

/// Reads an unfinished first sync; `None` where none was begun.
pub(crate) async fn begun(
    store: &dyn LocalStore,
    unlocked: &Unlocked,
    vault_id: &VaultId,
) -> Result<Option<Begun>, RecordError> {
    let table = Table::Staging;
    let Some(cursor) = store.read(table, &part_key(vault_id, CURSOR, &[])).await? else { return Ok(None) };
    let cursor = canon::from_bytes(&cursor).map_err(RecordError::reading(table))?;
    let mut entries = Vec::new();
    for (_, record) in scan(store, table, &part_key(vault_id, BEGINNING, &[])).await? {
        entries.push(read_entry(table, &record)?);
    }
    let leaves = read_leaves(store, unlocked, vault_id).await?;
    let marks = read_marks(store, vault_id).await?;
    let untold = read_untold(store, unlocked, vault_id).await?;
    Ok(Some(Begun { entries, cursor, leaves, marks, untold }))
}

async fn in_flight(
    store: &dyn LocalStore,
    unlocked: &Unlocked,
    vault_id: &VaultId,
) -> Result<Option<InFlight>, RecordError> {
    let table = Table::InFlight;
    let key = part_key(vault_id, PART_COMMIT, &[]);
    let Some(sealed) = store.read(table, &key).await? else { return Ok(None) };
    let commit = read_entry(table, &unseal(unlocked, table, &key, &sealed)?)?;
    let mut edits = Outbox::new();
    for (key, sealed) in scan(store, table, &part_key(vault_id, PART_ENTRY, &[])).await? {
        edits.insert(item_of(table, &key)?, entry(unlocked, table, &key, &sealed)?);
    }
    let mut blobs = BTreeMap::<ItemId, Vec<u8>>::new();
    for (key, blob) in scan(store, table, &part_key(vault_id, PART_BLOB, &[])).await? {
        blobs.insert(item_of(table, &key)?, blob);
    }
    let whole = InFlight::new(commit, blobs, edits);
    whole.map(Some).ok_or(RecordError::Damaged { table, what: "a commit lacks a part" })
}

/// The heal that this device has signed on this commit, if any.
pub(crate) async fn read_heal(
    store: &dyn LocalStore,
    unlocked: &Unlocked,
    vault_id: &VaultId,
    on: &Hash,
) -> Result<Option<Entry>, RecordError> {
    let (table, key) = (Table::InFlight, part_key(vault_id, PART_HEAL, on.as_bytes()));
    let Some(sealed) = store.read(table, &key).await? else { return Ok(None) };
    read_entry(table, &unseal(unlocked, table, &key, &sealed)?).map(Some)
}

/// What an unfinished pull has put aside: commits in order, and blobs by hash.
pub(crate) async fn staged(
    store: &dyn LocalStore,
    vault_id: &VaultId,
) -> Result<(Vec<Entry>, BTreeMap<Hash, Vec<u8>>), RecordError> {
    let table = Table::Staging;
    let mut entries = Vec::new();
    for (_, record) in scan(store, table, &part_key(vault_id, STAGED_COMMIT, &[])).await? {
        entries.push(read_entry(table, &record)?);
    }
    let mut blobs = BTreeMap::new();
    for (_, blob) in scan(store, table, &part_key(vault_id, STAGED_BLOB, &[])).await? {
        blobs.insert(lockstep_proto::blob::blob_hash(&blob), blob);
    }
    Ok((entries, blobs))
}

/// A commit at or below the pin, if this device keeps it.
pub(crate) async fn read_commit(
    store: &dyn LocalStore,
    vault_id: &VaultId,
    seq: Seq,
) -> Result<Option<Entry>, RecordError> {
    let record = store.read(Table::Commits, &seq_key(vault_id, seq)).await?;
    record.map(|record| read_entry(Table::Commits, &record)).transpose()
}

/// All commits of the vault's chain that this device keeps, in order.
pub(crate) async fn read_chain(
    store: &dyn LocalStore,
    vault_id: &VaultId,
) -> Result<Vec<Entry>, RecordError> {
    read_entries(store, Table::Commits, vault_id).await
}

/// The commits beside it, which heals joined.
pub(crate) async fn read_sides(store: &dyn LocalStore, vault_id: &VaultId) -> Result<Sides, RecordError> {
    Ok(Sides::new(read_entries(store, Table::Sides, vault_id).await?))
}

async fn read_entries(
    store: &dyn LocalStore,
    table: Table,
    vault_id: &VaultId,
) -> Result<Vec<Entry>, RecordError> {
    let mut entries = Vec::new();
    let each = each_record(store, table, vault_id.as_bytes(), |_, record| {
        entries.push(read_entry(table, &record)?);
        Ok(())
    });
    each.await?;
    Ok(entries)
}

/// A commit beside the vault's chain, if it is there.
pub(crate) async fn has_side(
    store: &dyn LocalStore,
    vault_id: &VaultId,
    hash: &Hash,
) -> Result<bool, RecordError> {
    Ok(store.read(Table::Sides, &side_key(vault_id, hash)).await?.is_some())
}

/// Whether a check of the history has put something aside.
pub(crate) async fn has_history(store: &dyn LocalStore, vault_id: &VaultId) -> Result<bool, RecordError> {
    let page = store.scan(Table::Staging, &part_key(vault_id, HISTORY, &[]), None, 1).await?;
    Ok(!page.is_empty())
}

/// A commit at or below the pin, also one that a check of the history has put aside.
pub(crate) async fn read_history(
    store: &dyn LocalStore,
    vault_id: &VaultId,
    seq: Seq,
) -> Result<Option<Entry>, RecordError> {
    match store.read(Table::Staging, &history_key(vault_id, seq)).await? {
        Some(record) => read_entry(Table::Staging, &record).map(Some),
        None => read_commit(store, vault_id, seq).await,
    }
}

/// What a check of the history has put aside, and found to lead to the pin, joins the vault's commits: in several
/// writes, after each of which every commit is at one of both places.
pub(crate) async fn keep_history(
    ports: &Ports,
    unlocked: &Unlocked,
    vault_id: &VaultId,
) -> Result<(), RecordError> {
    let records = Records::new(unlocked, *vault_id);
    loop {
        let page = ports.store.scan(Table::Staging, &part_key(vault_id, HISTORY, &[]), None, MOVED).await?;
        if page.is_empty() {
            return Ok(());
        }
        let mut batch = Batch::new();
        for (key, record) in page {
            records.put_commit(&mut batch, &read_entry(Table::Staging, &record)?);
            batch.delete(Table::Staging, key);
        }
        ports.store.write(batch).await?;
    }
}

fn entry(unlocked: &Unlocked, table: Table, key: &[u8], sealed: &[u8]) -> Result<OutboxEntry, RecordError> {
    canon::from_bytes(&unseal(unlocked, table, key, sealed)?).map_err(RecordError::reading(table))
}

pub(super) fn unseal(
    unlocked: &Unlocked,
    table: Table,
    key: &[u8],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, RecordError> {
    unlocked.sealer().open(table, key, sealed).map_err(RecordError::opening(table))
}

pub(super) async fn scan(
    store: &dyn LocalStore,
    table: Table,
    prefix: &[u8],
) -> Result<Vec<(Vec<u8>, Vec<u8>)>, RecordError> {
    let mut all = Vec::new();
    let each = each_record(store, table, prefix, |key, record| {
        all.push((key.to_vec(), record));
        Ok(())
    });
    each.await?;
    Ok(all)
}

/// Hands every record below `prefix` to `take`, ascending by key. Holds one page of them at a time.
async fn each_record(
    store: &dyn LocalStore,
    table: Table,
    prefix: &[u8],
    mut take: impl FnMut(&[u8], Vec<u8>) -> Result<(), RecordError> + MaybeSend,
) -> Result<(), RecordError> {
    let mut after: Option<Vec<u8>> = None;
    loop {
        let page = store.scan(table, prefix, after.as_deref(), PAGE).await?;
        let last = page.len() < PAGE;
        for (key, record) in page {
            take(&key, record)?;
            after = Some(key);
        }
        if last {
            return Ok(());
        }
    }
}
