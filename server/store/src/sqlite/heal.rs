//! Staging areas.

use async_trait::async_trait;
use lockstep_domain::store::{
    FinishOutcome, FinishStage, HealStore, NewStage, StageOutcome, StagePlace, Staged, StagedBlob,
    StagedChange, StagedPage, StoreError,
};
use lockstep_proto::api::heal::WantedBlob;
use lockstep_proto::blob::ItemState;
use lockstep_proto::digest::Leaf;
use lockstep_proto::ids::{AccountId, Hash, Seq, VaultId, Version};
use lockstep_proto::log::LogHead;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::columns::{fixed, hash, head, item_id, number, place, to_column};
use super::commit::{LIVE, TOMBSTONE};
use super::heal_finish::finish;
use super::pages::commit_rows;
use super::quota::area_bytes;
use super::vaults::find;
use super::writer::Verdict;
use super::{SqliteStore, sides};

#[async_trait]
impl HealStore for SqliteStore {
    async fn staged(&self, place: StagePlace) -> Result<Staged, StoreError> {
        self.readers.read(move |connection| staged(connection, place)).await
    }

    async fn staged_commits(&self, place: StagePlace, after: Option<Seq>) -> Result<StagedPage, StoreError> {
        self.readers.read(move |connection| staged_commits(connection, place, after)).await
    }

    async fn stage(&self, stage: NewStage) -> Result<StageOutcome, StoreError> {
        self.writer.write(move |connection| add(connection, &stage)).await
    }

    async fn wanted(&self, place: StagePlace, limit: u32) -> Result<Vec<WantedBlob>, StoreError> {
        self.readers.read(move |connection| wanted(connection, place, limit)).await
    }

    async fn stage_blobs(
        &self,
        place: StagePlace,
        blobs: Vec<StagedBlob>,
        now_ms: u64,
        limit_bytes: u64,
    ) -> Result<bool, StoreError> {
        let add = move |connection: &Connection| add_blobs(connection, place, &blobs, now_ms, limit_bytes);
        self.writer.write(add).await
    }

    async fn finish_stage(&self, request: FinishStage) -> Result<FinishOutcome, StoreError> {
        self.writer.write(move |connection| finish(connection, &request)).await
    }

    async fn drop_stage(&self, place: StagePlace, before_ms: u64) -> Result<(), StoreError> {
        self.writer.write(move |connection| forget(connection, place, before_ms).map(Verdict::Keep)).await
    }

    async fn next_stage(&self, after: Option<StagePlace>) -> Result<Option<StagePlace>, StoreError> {
        self.readers.read(move |connection| next(connection, after)).await
    }
}

/// An area's own row.
pub(super) struct Area {
    pub(super) base: Option<LogHead>,
    pub(super) head: LogHead,
    pub(super) checkpoint: Vec<u8>,
    pub(super) live: i64,
    pub(super) tombstones: i64,
    pub(super) members: Vec<u8>,
    pub(super) bytes: u64,
}

pub(super) fn area(connection: &Connection, place: StagePlace) -> rusqlite::Result<Option<Area>> {
    let sql = "select base_seq, base_hash, head_seq, head_hash, checkpoint, live, tombstones, members, bytes
         from heal
         where vault_id = ?1 and account_id = ?2";
    let read = |row: &Row<'_>| {
        let base = if row.get::<_, i64>(0)? < 0 { None } else { Some(head(row, 0)?) };
        Ok(Area {
            base,
            head: head(row, 2)?,
            checkpoint: row.get(4)?,
            live: row.get(5)?,
            tombstones: row.get(6)?,
            members: row.get(7)?,
            bytes: number(row, 8)?,
        })
    };
    let values = params![place.vault_id.as_bytes(), place.account_id.as_bytes()];
    connection.prepare_cached(sql)?.query_row(values, read).optional()
}

fn staged(connection: &Connection, place: StagePlace) -> rusqlite::Result<Staged> {
    let vault = find(connection, place.vault_id)?.map(|standing| standing.head);
    if let Some(area) = area(connection, place)? {
        return Ok(Staged { vault, staged: Some(area.head), checkpoint: Some(area.checkpoint) });
    }
    let sql = "select checkpoint from vault where vault_id = ?1";
    let checkpoint =
        connection.query_row(sql, params![place.vault_id.as_bytes()], |row| row.get(0)).optional()?;
    Ok(Staged { vault, staged: None, checkpoint })
}

fn staged_commits(
    connection: &Connection,
    at: StagePlace,
    after: Option<Seq>,
) -> rusqlite::Result<StagedPage> {
    let sql = "select seq, hash, author_account, author_seq, author_hash, bytes, body, kind
         from heal_commit
         where vault_id = ?1 and account_id = ?2 and seq > ?3
         order by seq";
    let mut statement = connection.prepare_cached(sql)?;
    let values = params![at.vault_id.as_bytes(), at.account_id.as_bytes(), after.map_or(-1, place)];
    let (rows, more) = commit_rows(statement.query(values)?, usize::MAX)?;
    Ok(StagedPage { rows, more })
}

fn add(connection: &Connection, new: &NewStage) -> rusqlite::Result<Verdict<StageOutcome>> {
    let area = area(connection, new.place)?;
    let vault = find(connection, new.place.vault_id)?.map(|standing| standing.head);
    let (base, end) = area.as_ref().map_or((vault, vault), |area| (area.base, Some(area.head)));
    if end != new.after {
        return Ok(Verdict::Undo(StageOutcome::Moved));
    }
    let (vault_id, account_id) = (new.place.vault_id.as_bytes(), new.place.account_id.as_bytes());
    let mut bytes = area.as_ref().map_or(0, |area| area.bytes);
    let sql = "insert into heal_commit
             (vault_id, account_id, seq, hash, kind, author_account, author_device, author_seq, author_hash, bytes, body)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
    let mut statement = connection.prepare_cached(sql)?;
    for staged in &new.rows {
        let row = &staged.row;
        bytes += (row.entry.commit.len() + row.entry.body.len()) as u64;
        statement.execute(params![
            vault_id,
            account_id,
            place(row.head.seq),
            row.head.hash.as_bytes(),
            row.kind as u8,
            row.author.account_id.as_bytes(),
            staged.device_id.as_bytes(),
            place(row.author.head.seq),
            row.author.head.hash.as_bytes(),
            row.entry.commit.0,
            row.entry.body.0
        ])?;
    }
    for change in &new.changes {
        match add_change(connection, new.place, change)? {
            Some(freed) => bytes = bytes.saturating_sub(freed),
            None => return Ok(Verdict::Undo(StageOutcome::Item(change.item_id))),
        }
    }
    if !new.sides.is_empty() && !sides::need(connection, new.place, &new.sides)? {
        return Ok(Verdict::Undo(StageOutcome::SideMissing));
    }
    write_area(connection, new, base, bytes)?;
    let fits = fits(connection, new.place, new.limit_bytes)?;
    Ok(if fits { Verdict::Keep(StageOutcome::Staged) } else { Verdict::Undo(StageOutcome::Full) })
}

/// Sets an item's staged leaf and gives how many bytes of a blob went; `None` where it was at another leaf.
fn add_change(
    connection: &Connection,
    at: StagePlace,
    change: &StagedChange,
) -> rusqlite::Result<Option<u64>> {
    let (vault_id, account_id) = (at.vault_id.as_bytes(), at.account_id.as_bytes());
    let item = change.item_id.as_bytes();
    let leaf = |row: &Row<'_>| Ok(Leaf { version: Version(number(row, 0)?), blob_hash: hash(row, 1)? });
    let sql = "select version, blob_hash, coalesce(length(blob), 0)
         from heal_item
         where vault_id = ?1 and account_id = ?2 and item_id = ?3";
    let staged = connection
        .prepare_cached(sql)?
        .query_row(params![vault_id, account_id, item], |row| Ok((leaf(row)?, number(row, 2)?)))
        .optional()?;
    let (old, freed) = match staged {
        Some(staged) => staged,
        None => {
            let sql = "select version, blob_hash from item where vault_id = ?1 and item_id = ?2";
            let stored =
                connection.prepare_cached(sql)?.query_row(params![vault_id, item], leaf).optional()?;
            (stored.unwrap_or(Leaf { version: Version(0), blob_hash: Hash::ZERO }), 0)
        }
    };
    if old != change.old {
        return Ok(None);
    }
    let sql = "insert into heal_item (vault_id, account_id, item_id, version, blob_hash, seq, header)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         on conflict (vault_id, account_id, item_id) do update
         set version = excluded.version, blob_hash = excluded.blob_hash, seq = excluded.seq, header = excluded.header,
             state = null, blob = null";
    connection.prepare_cached(sql)?.execute(params![
        vault_id,
        account_id,
        item,
        to_column(change.new.version.0),
        change.new.blob_hash.as_bytes(),
        place(change.seq),
        change.header
    ])?;
    Ok(Some(freed))
}

fn write_area(
    connection: &Connection,
    new: &NewStage,
    base: Option<LogHead>,
    bytes: u64,
) -> rusqlite::Result<()> {
    let last = new.rows.last().map(|staged| staged.row.head).unwrap_or_default();
    let members: Vec<u8> = new.members.iter().flat_map(|member| member.0).collect();
    let sql = "insert into heal
             (vault_id, account_id, base_seq, base_hash, head_seq, head_hash, checkpoint, live, tombstones, members,
              bytes, touched_ms)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
         on conflict (vault_id, account_id) do update
         set head_seq = excluded.head_seq, head_hash = excluded.head_hash, checkpoint = excluded.checkpoint,
             live = excluded.live, tombstones = excluded.tombstones, members = excluded.members,
             bytes = excluded.bytes, touched_ms = excluded.touched_ms";
    connection.prepare_cached(sql)?.execute(params![
        new.place.vault_id.as_bytes(),
        new.place.account_id.as_bytes(),
        base.map_or(-1, |base| place(base.seq)),
        base.map_or(Hash::ZERO, |base| base.hash).as_bytes(),
        place(last.seq),
        last.hash.as_bytes(),
        new.checkpoint,
        to_column(new.live),
        to_column(new.tombstones),
        members,
        to_column(bytes),
        to_column(new.now_ms)
    ])?;
    Ok(())
}

fn wanted(connection: &Connection, at: StagePlace, limit: u32) -> rusqlite::Result<Vec<WantedBlob>> {
    let sql = "select item_id, version, blob_hash
         from heal_item
         where vault_id = ?1 and account_id = ?2 and blob is null
         order by item_id
         limit ?3";
    let values = params![at.vault_id.as_bytes(), at.account_id.as_bytes(), limit];
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(values, |row| {
        Ok(WantedBlob {
            item_id: item_id(row, 0)?,
            version: Version(number(row, 1)?),
            blob_hash: hash(row, 2)?,
        })
    })?;
    rows.collect()
}

fn add_blobs(
    connection: &Connection,
    at: StagePlace,
    blobs: &[StagedBlob],
    now_ms: u64,
    limit_bytes: u64,
) -> rusqlite::Result<Verdict<bool>> {
    let (vault_id, account_id) = (at.vault_id.as_bytes(), at.account_id.as_bytes());
    let mut added = 0;
    for sent in blobs {
        let state = match sent.state {
            ItemState::Live => LIVE,
            ItemState::Tombstone => TOMBSTONE,
        };
        let sql = "update heal_item
             set state = ?4, blob = ?5
             where vault_id = ?1 and account_id = ?2 and item_id = ?3 and blob is null and blob_hash = ?6 and header = ?7";
        let item = sent.item_id.as_bytes();
        let values =
            params![vault_id, account_id, item, state, sent.blob, sent.blob_hash.as_bytes(), sent.header];
        if connection.prepare_cached(sql)?.execute(values)? == 1 {
            added += sent.blob.len() as u64;
        }
    }
    let sql = "update heal set bytes = bytes + ?3, touched_ms = ?4 where vault_id = ?1 and account_id = ?2";
    connection.prepare_cached(sql)?.execute(params![
        vault_id,
        account_id,
        to_column(added),
        to_column(now_ms)
    ])?;
    Ok(if fits(connection, at, limit_bytes)? { Verdict::Keep(true) } else { Verdict::Undo(false) })
}

/// Whether the area has room: as much as the vault's share leaves, or `limit_bytes` where it is not there.
pub(super) fn fits(connection: &Connection, at: StagePlace, limit_bytes: u64) -> rusqlite::Result<bool> {
    let vault = find(connection, at.vault_id)?;
    let limit = vault.map_or(limit_bytes, |standing| standing.bytes_left);
    Ok(area_bytes(connection, at)? <= limit)
}

fn forget(connection: &Connection, at: StagePlace, before_ms: u64) -> rusqlite::Result<()> {
    let sql = "select touched_ms from heal where vault_id = ?1 and account_id = ?2";
    let values = params![at.vault_id.as_bytes(), at.account_id.as_bytes()];
    let area: Option<i64> = connection.query_row(sql, values, |row| row.get(0)).optional()?;
    let last = area.max(sides::touched(connection, at)?);
    if last.is_some_and(|touched_ms| touched_ms < to_column(before_ms)) {
        clear(connection, at)?;
    }
    Ok(())
}

/// Empties an area, and forgets the side commits that wait beside it.
pub(super) fn clear(connection: &Connection, at: StagePlace) -> rusqlite::Result<()> {
    for sql in [
        "delete from heal_commit where vault_id = ?1 and account_id = ?2",
        "delete from heal_item where vault_id = ?1 and account_id = ?2",
        "delete from heal where vault_id = ?1 and account_id = ?2",
    ] {
        connection.execute(sql, params![at.vault_id.as_bytes(), at.account_id.as_bytes()])?;
    }
    sides::clear(connection, at)
}

fn next(connection: &Connection, after: Option<StagePlace>) -> rusqlite::Result<Option<StagePlace>> {
    let sql = "select vault_id, account_id
         from (
             select vault_id, account_id from heal
             union all
             select vault_id, account_id from heal_side_area
         )
         where (vault_id, account_id) > (?1, ?2)
         order by vault_id, account_id
         limit 1";
    let (vault_id, account_id) =
        after.map(|after| (after.vault_id.0.to_vec(), after.account_id.0.to_vec())).unwrap_or_default();
    let read = |row: &Row<'_>| {
        Ok(StagePlace { vault_id: VaultId(fixed(row, 0)?), account_id: AccountId(fixed(row, 1)?) })
    };
    connection.query_row(sql, params![vault_id, account_id], read).optional()
}
