//! Side commits: those that wait, and those that are kept beside a vault's chain.

use async_trait::async_trait;
use lockstep_domain::store::{
    CommitRows, JoinOutcome, NewJoin, NewSides, SideStore, SidesOutcome, StagePlace, StagedPage, Standing,
    StoreError, VaultReader,
};
use lockstep_proto::log::LogHead;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::SqliteStore;
use super::bars::is_barred;
use super::columns::{number, place, to_column};
use super::commit::{counts, has_room, write_commit};
use super::heal::fits;
use super::pages::commit_rows;
use super::vaults::{contains, find, readable};
use super::writer::Verdict;

#[async_trait]
impl SideStore for SqliteStore {
    async fn stage_sides(&self, sides: NewSides) -> Result<SidesOutcome, StoreError> {
        self.writer.write(move |connection| add(connection, &sides)).await
    }

    async fn staged_sides(
        &self,
        place: StagePlace,
        after: Option<LogHead>,
    ) -> Result<StagedPage, StoreError> {
        self.readers.read(move |connection| staged(connection, place, after)).await
    }

    async fn side_page(
        &self,
        reader: VaultReader,
        after: Option<LogHead>,
    ) -> Result<Option<CommitRows>, StoreError> {
        self.readers.read(move |connection| kept(connection, reader, after)).await
    }

    async fn join(&self, request: NewJoin) -> Result<JoinOutcome, StoreError> {
        self.writer.write(move |connection| join(connection, &request)).await
    }
}

fn add(connection: &Connection, new: &NewSides) -> rusqlite::Result<Verdict<SidesOutcome>> {
    let (vault_id, account_id) = (new.place.vault_id.as_bytes(), new.place.account_id.as_bytes());
    let sql = "insert into heal_side
             (vault_id, account_id, seq, hash, kind, author_account, author_device, author_seq, author_hash, bytes, body)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
         on conflict (vault_id, account_id, seq, hash) do nothing";
    let mut statement = connection.prepare_cached(sql)?;
    let mut added = 0;
    for staged in &new.rows {
        let row = &staged.row;
        let written = statement.execute(params![
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
        added += (written * (row.entry.commit.len() + row.entry.body.len())) as u64;
    }
    let sql = "insert into heal_side_area (vault_id, account_id, bytes, touched_ms)
         values (?1, ?2, ?3, ?4)
         on conflict (vault_id, account_id) do update
         set bytes = bytes + excluded.bytes, touched_ms = excluded.touched_ms
         returning bytes";
    let values = params![vault_id, account_id, to_column(added), to_column(new.now_ms)];
    let held = connection.query_row(sql, values, |row| number(row, 0))?;
    Ok(if held > new.limit_bytes {
        Verdict::Undo(SidesOutcome::SidesFull)
    } else if fits(connection, new.place, new.stage_bytes)? {
        Verdict::Keep(SidesOutcome::Staged)
    } else {
        Verdict::Undo(SidesOutcome::Full)
    })
}

fn staged(connection: &Connection, at: StagePlace, after: Option<LogHead>) -> rusqlite::Result<StagedPage> {
    let sql = "select seq, hash, author_account, author_seq, author_hash, bytes, body, kind
         from heal_side
         where vault_id = ?1 and account_id = ?2 and (seq, hash) > (?3, ?4)
         order by seq, hash";
    let (seq, hash) = start(after);
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query(params![at.vault_id.as_bytes(), at.account_id.as_bytes(), seq, hash])?;
    let (rows, more) = commit_rows(rows, usize::MAX)?;
    Ok(StagedPage { rows, more })
}

fn kept(
    connection: &Connection,
    reader: VaultReader,
    after: Option<LogHead>,
) -> rusqlite::Result<Option<CommitRows>> {
    let Some(standing) = readable(connection, reader)? else { return Ok(None) };
    let sql = "select seq, hash, author_account, author_seq, author_hash, bytes, body, kind
         from vault_side
         where vault_id = ?1 and (seq, hash) > (?2, ?3)
         order by seq, hash";
    let (seq, hash) = start(after);
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query(params![reader.vault_id.as_bytes(), seq, hash])?;
    let (rows, more) = commit_rows(rows, usize::MAX)?;
    Ok(Some(CommitRows { standing, rows, more }))
}

/// The (position, hash) that a page starts after.
fn start(after: Option<LogHead>) -> (i64, Vec<u8>) {
    after.map_or((-1, Vec::new()), |after| (place(after.seq), after.hash.0.to_vec()))
}

fn join(connection: &Connection, new: &NewJoin) -> rusqlite::Result<Verdict<JoinOutcome>> {
    let commit = &new.commit;
    let Some(before) = find(connection, commit.vault_id)? else {
        return Ok(Verdict::Undo(JoinOutcome::NoVault));
    };
    if contains(connection, commit.vault_id, commit.row.head)? {
        return Ok(Verdict::Undo(JoinOutcome::Already(before)));
    }
    if before.head != commit.after {
        return Ok(Verdict::Undo(JoinOutcome::HeadMoved(before)));
    }
    if !are_staged(connection, new.place, &new.sides)? {
        return Ok(Verdict::Undo(JoinOutcome::SideMissing));
    }
    for device_id in new.writers.iter().chain([&commit.device_id]) {
        if is_barred(connection, commit.vault_id, *device_id, commit.now_ms)? {
            return Ok(Verdict::Undo(JoinOutcome::Barred));
        }
    }
    if counts(connection, commit.vault_id)? != (to_column(commit.live), to_column(commit.tombstones)) {
        return Ok(Verdict::Undo(JoinOutcome::Counts));
    }
    if !has_room(connection, commit, before)? {
        return Ok(Verdict::Undo(JoinOutcome::Quota(before)));
    }
    need(connection, new.place, &new.sides)?;
    let Some(kept) = keep(connection, new.place, new.limit_bytes)? else {
        return Ok(Verdict::Undo(JoinOutcome::SidesFull));
    };
    let added = commit.bytes() + kept;
    write_commit(connection, commit, added)?;
    clear(connection, new.place)?;
    Ok(Verdict::Keep(JoinOutcome::Joined(Standing {
        head: commit.row.head,
        bytes_left: before.bytes_left.saturating_sub(added),
    })))
}

/// Whether all of these side commits wait here.
fn are_staged(connection: &Connection, at: StagePlace, sides: &[LogHead]) -> rusqlite::Result<bool> {
    let sql = "select 1 from heal_side where vault_id = ?1 and account_id = ?2 and seq = ?3 and hash = ?4";
    let mut statement = connection.prepare_cached(sql)?;
    let (vault_id, account_id) = (at.vault_id.as_bytes(), at.account_id.as_bytes());
    for side in sides {
        if !statement.exists(params![vault_id, account_id, place(side.seq), side.hash.as_bytes()])? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Says which of the side commits that wait are needed; `false` where one of them is not there.
pub(super) fn need(connection: &Connection, at: StagePlace, sides: &[LogHead]) -> rusqlite::Result<bool> {
    let (vault_id, account_id) = (at.vault_id.as_bytes(), at.account_id.as_bytes());
    let sql = "update heal_side set needed = 0 where vault_id = ?1 and account_id = ?2 and needed <> 0";
    connection.prepare_cached(sql)?.execute(params![vault_id, account_id])?;
    let sql = "update heal_side set needed = 1
         where vault_id = ?1 and account_id = ?2 and seq = ?3 and hash = ?4";
    let mut statement = connection.prepare_cached(sql)?;
    for side in sides {
        let values = params![vault_id, account_id, place(side.seq), side.hash.as_bytes()];
        if statement.execute(values)? == 0 {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether a device that wrote one of the needed side commits is barred.
pub(super) fn wrote_barred(connection: &Connection, at: StagePlace, now_ms: u64) -> rusqlite::Result<bool> {
    let sql = "select exists (
             select 1
             from vault_barred b
             where b.vault_id = ?1 and b.until_ms > ?3 and exists (
                 select 1 from heal_side s
                 where s.vault_id = ?1 and s.account_id = ?2 and s.needed <> 0 and s.author_device = b.device_id
             )
         )";
    let values = params![at.vault_id.as_bytes(), at.account_id.as_bytes(), to_column(now_ms)];
    connection.prepare_cached(sql)?.query_row(values, |row| row.get(0))
}

/// Puts the needed side commits beside the chain and gives how many bytes that are new there; `None` where all are more than
/// the vault may keep.
pub(super) fn keep(
    connection: &Connection,
    at: StagePlace,
    limit_bytes: u64,
) -> rusqlite::Result<Option<u64>> {
    let before = kept_bytes(connection, at)?;
    let sql = "insert into vault_side
             (vault_id, seq, hash, kind, author_account, author_seq, author_hash, bytes, body)
         select vault_id, seq, hash, kind, author_account, author_seq, author_hash, bytes, body
         from heal_side
         where vault_id = ?1 and account_id = ?2 and needed <> 0
         on conflict (vault_id, seq, hash) do nothing";
    connection.prepare_cached(sql)?.execute(params![at.vault_id.as_bytes(), at.account_id.as_bytes()])?;
    let held = kept_bytes(connection, at)?;
    Ok((held <= limit_bytes).then(|| held.saturating_sub(before)))
}

/// What the vault keeps of side commits.
fn kept_bytes(connection: &Connection, at: StagePlace) -> rusqlite::Result<u64> {
    let sql = "select coalesce(sum(length(bytes) + length(body)), 0) from vault_side where vault_id = ?1";
    connection.prepare_cached(sql)?.query_row(params![at.vault_id.as_bytes()], |row| number(row, 0))
}

/// When side commits were staged here the last time.
pub(super) fn touched(connection: &Connection, at: StagePlace) -> rusqlite::Result<Option<i64>> {
    let sql = "select touched_ms from heal_side_area where vault_id = ?1 and account_id = ?2";
    let values = params![at.vault_id.as_bytes(), at.account_id.as_bytes()];
    connection.prepare_cached(sql)?.query_row(values, |row| row.get(0)).optional()
}

/// Forgets the side commits that wait.
pub(super) fn clear(connection: &Connection, at: StagePlace) -> rusqlite::Result<()> {
    for sql in [
        "delete from heal_side_area where vault_id = ?1 and account_id = ?2",
        "delete from heal_side where vault_id = ?1 and account_id = ?2",
    ] {
        connection.prepare_cached(sql)?.execute(params![at.vault_id.as_bytes(), at.account_id.as_bytes()])?;
    }
    Ok(())
}
