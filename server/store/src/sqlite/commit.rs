//! The commit: an atomic compare-and-set with an exact outcome.

use lockstep_domain::store::{CommitOutcome, NewCommit, NewItem, QuotaRule, Standing};
use lockstep_proto::blob::ItemState;
use lockstep_proto::digest::Leaf;
use lockstep_proto::ids::{Hash, VaultId, Version};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::bars::is_barred;
use super::columns::{hash, number, place, to_column};
use super::quota::staged_bytes;
use super::vaults::{contains, find, insert_commit, set_members};
use super::writer::Verdict;

pub(super) fn commit(
    connection: &Connection,
    commit: &NewCommit,
) -> rusqlite::Result<Verdict<CommitOutcome>> {
    let Some(before) = find(connection, commit.vault_id)? else {
        return Ok(Verdict::Undo(CommitOutcome::NoVault));
    };
    if let Some(refusal) = refusal(connection, commit, before)? {
        return Ok(Verdict::Undo(refusal));
    }
    for item in &commit.items {
        write_item(connection, commit, item)?;
    }
    write_commit(connection, commit, commit.bytes())?;
    let bytes_left = before.bytes_left.saturating_sub(commit.bytes());
    let after = Standing { head: commit.row.head, bytes_left };
    Ok(Verdict::Keep(CommitOutcome::Committed(after)))
}

/// Appends the commit itself and moves the vault on, which holds so much more.
pub(super) fn write_commit(connection: &Connection, commit: &NewCommit, added: u64) -> rusqlite::Result<()> {
    insert_commit(connection, commit.vault_id, &commit.row)?;
    if let Some(members) = &commit.members {
        set_members(connection, commit.vault_id, members)?;
    }
    let sql = "update vault
         set head_seq = ?2, head_hash = ?3, checkpoint = ?4, live = ?5, tombstones = ?6, used_bytes = used_bytes + ?7
         where vault_id = ?1";
    connection.prepare_cached(sql)?.execute(params![
        commit.vault_id.as_bytes(),
        place(commit.row.head.seq),
        commit.row.head.hash.as_bytes(),
        commit.checkpoint,
        to_column(commit.live),
        to_column(commit.tombstones),
        to_column(added)
    ])?;
    Ok(())
}

/// What stands against the commit, in the order that the port promises. Reads only.
fn refusal(
    connection: &Connection,
    commit: &NewCommit,
    before: Standing,
) -> rusqlite::Result<Option<CommitOutcome>> {
    if contains(connection, commit.vault_id, commit.row.head)? {
        return Ok(Some(CommitOutcome::Already(before)));
    }
    if before.head != commit.after {
        return Ok(Some(CommitOutcome::HeadMoved(before)));
    }
    if is_barred(connection, commit.vault_id, commit.device_id, commit.now_ms)? {
        return Ok(Some(CommitOutcome::Barred));
    }
    let mut counts = counts(connection, commit.vault_id)?;
    for item in &commit.items {
        let (leaf, state) = stored(connection, commit.vault_id, item)?;
        if leaf != item.old {
            return Ok(Some(CommitOutcome::Item(item.item_id)));
        }
        count(&mut counts, state, -1);
        count(&mut counts, Some(item.state), 1);
    }
    if counts != (to_column(commit.live), to_column(commit.tombstones)) {
        return Ok(Some(CommitOutcome::Counts));
    }
    let full = commit.quota == QuotaRule::Enforced && !has_room(connection, commit, before)?;
    Ok(full.then_some(CommitOutcome::Quota(before)))
}

/// Whether the vault's share has room for a commit beside what is staged.
pub(super) fn has_room(
    connection: &Connection,
    commit: &NewCommit,
    before: Standing,
) -> rusqlite::Result<bool> {
    let staged = staged_bytes(connection, commit.vault_id)?;
    Ok(commit.bytes().saturating_add(staged) <= before.bytes_left)
}

pub(super) fn counts(connection: &Connection, vault_id: VaultId) -> rusqlite::Result<(i64, i64)> {
    let sql = "select live, tombstones from vault where vault_id = ?1";
    let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
    connection.prepare_cached(sql)?.query_row(params![vault_id.as_bytes()], read)
}

fn count(counts: &mut (i64, i64), state: Option<ItemState>, by: i64) {
    match state {
        Some(ItemState::Live) => counts.0 += by,
        Some(ItemState::Tombstone) => counts.1 += by,
        None => {}
    }
}

fn stored(
    connection: &Connection,
    vault_id: VaultId,
    item: &NewItem,
) -> rusqlite::Result<(Leaf, Option<ItemState>)> {
    let sql = "select version, blob_hash, state from item where vault_id = ?1 and item_id = ?2";
    let read = |row: &rusqlite::Row<'_>| {
        let leaf = Leaf { version: Version(number(row, 0)?), blob_hash: hash(row, 1)? };
        let state = if row.get::<_, i64>(2)? == LIVE { ItemState::Live } else { ItemState::Tombstone };
        Ok((leaf, Some(state)))
    };
    let values = params![vault_id.as_bytes(), item.item_id.as_bytes()];
    let found = connection.prepare_cached(sql)?.query_row(values, read).optional()?;
    Ok(found.unwrap_or((Leaf { version: Version(0), blob_hash: Hash::ZERO }, None)))
}

pub(super) const LIVE: i64 = 1;
pub(super) const TOMBSTONE: i64 = 2;

fn write_item(connection: &Connection, commit: &NewCommit, item: &NewItem) -> rusqlite::Result<()> {
    let (vault_id, seq) = (commit.vault_id.as_bytes(), place(commit.row.head.seq));
    let version = to_column(item.new.version.0);
    let state = match item.state {
        ItemState::Live => LIVE,
        ItemState::Tombstone => TOMBSTONE,
    };
    let sql = "insert into item (vault_id, item_id, version, blob_hash, seq, state)
         values (?1, ?2, ?3, ?4, ?5, ?6)
         on conflict (vault_id, item_id) do update
         set version = excluded.version, blob_hash = excluded.blob_hash, seq = excluded.seq, state = excluded.state";
    let values =
        params![vault_id, item.item_id.as_bytes(), version, item.new.blob_hash.as_bytes(), seq, state];
    connection.prepare_cached(sql)?.execute(values)?;
    let now_ms = to_column(commit.now_ms);
    let sql =
        "update item_version set replaced_ms = ?4 where vault_id = ?1 and item_id = ?2 and version = ?3";
    let values = params![vault_id, item.item_id.as_bytes(), to_column(item.old.version.0), now_ms];
    connection.prepare_cached(sql)?.execute(values)?;
    let sql = "insert into item_version (vault_id, item_id, version, seq, blob, stored_ms)
         values (?1, ?2, ?3, ?4, ?5, ?6)";
    let values = params![vault_id, item.item_id.as_bytes(), version, seq, item.blob, now_ms];
    connection.prepare_cached(sql)?.execute(values)?;
    Ok(())
}
