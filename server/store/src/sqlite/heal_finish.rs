//! A staging area that becomes the vault.

use lockstep_domain::store::{FinishOutcome, FinishStage, Standing};
use lockstep_proto::ids::AccountId;
use rusqlite::{Connection, params};

use super::columns::{place, to_column};
use super::heal::{Area, area, clear};
use super::sides::{keep, wrote_barred};
use super::vaults::{find, set_members};
use super::writer::Verdict;

pub(super) fn finish(
    connection: &Connection,
    request: &FinishStage,
) -> rusqlite::Result<Verdict<FinishOutcome>> {
    let before = find(connection, request.place.vault_id)?;
    let Some(area) = area(connection, request.place)? else {
        let already = before.filter(|standing| standing.head == request.head);
        return Ok(Verdict::Undo(already.map_or(FinishOutcome::Moved, FinishOutcome::Already)));
    };
    if area.head != request.head || area.base != before.map(|standing| standing.head) {
        return Ok(Verdict::Undo(FinishOutcome::Moved));
    }
    if let Some(refusal) = refusal(connection, request)? {
        return Ok(Verdict::Undo(refusal));
    }
    let sums = sums(connection, request)?;
    if (sums.live, sums.tombstones) != (area.live, area.tombstones) {
        return Ok(Verdict::Undo(FinishOutcome::Counts));
    }
    let Some(kept) = keep(connection, request.place, request.sides_limit)? else {
        return Ok(Verdict::Undo(FinishOutcome::SidesFull));
    };
    let added = area.bytes + kept;
    let bytes_left = before.map_or(0, |standing| standing.bytes_left.saturating_sub(added));
    let standing = Standing { head: area.head, bytes_left };
    write_vault(connection, request, &area, added)?;
    move_rows(connection, request)?;
    let members = area.members.chunks_exact(32).map(|id| AccountId(id.try_into().unwrap_or_default()));
    set_members(connection, request.place.vault_id, &members.collect::<Vec<_>>())?;
    clear(connection, request.place)?;
    Ok(Verdict::Keep(FinishOutcome::Finished(standing)))
}

fn refusal(connection: &Connection, request: &FinishStage) -> rusqlite::Result<Option<FinishOutcome>> {
    let (vault_id, account_id) = (request.place.vault_id.as_bytes(), request.place.account_id.as_bytes());
    let sql =
        "select exists (select 1 from heal_item where vault_id = ?1 and account_id = ?2 and blob is null)";
    if connection.query_row(sql, params![vault_id, account_id], |row| row.get(0))? {
        return Ok(Some(FinishOutcome::Incomplete));
    }
    let sql = "select exists (
             select 1
             from vault_barred b
             where b.vault_id = ?1 and b.until_ms > ?3 and exists (
                 select 1 from heal_commit c
                 where c.vault_id = ?1 and c.account_id = ?2 and c.author_device = b.device_id
             )
         )";
    let values = params![vault_id, account_id, to_column(request.now_ms)];
    let barred = connection.query_row(sql, values, |row| row.get(0))?
        || wrote_barred(connection, request.place, request.now_ms)?;
    Ok(if barred { Some(FinishOutcome::Barred) } else { None })
}

/// What the vault will count.
struct Sums {
    live: i64,
    tombstones: i64,
}

fn sums(connection: &Connection, request: &FinishStage) -> rusqlite::Result<Sums> {
    let (vault_id, account_id) = (request.place.vault_id.as_bytes(), request.place.account_id.as_bytes());
    let sql = "select coalesce((select live from vault where vault_id = ?1), 0)
                    + count(*) filter (where h.state = 1) - count(*) filter (where i.state = 1),
                coalesce((select tombstones from vault where vault_id = ?1), 0)
                    + count(*) filter (where h.state = 2) - count(*) filter (where i.state = 2)
         from heal_item h
         left join item i on i.vault_id = h.vault_id and i.item_id = h.item_id
         where h.vault_id = ?1 and h.account_id = ?2";
    connection.query_row(sql, params![vault_id, account_id], |row| {
        Ok(Sums { live: row.get(0)?, tombstones: row.get(1)? })
    })
}

fn write_vault(
    connection: &Connection,
    request: &FinishStage,
    area: &Area,
    added: u64,
) -> rusqlite::Result<()> {
    let sql = "insert into vault
             (vault_id, head_seq, head_hash, checkpoint, live, tombstones, used_bytes, quota_bytes)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)
         on conflict (vault_id) do update
         set head_seq = excluded.head_seq, head_hash = excluded.head_hash, checkpoint = excluded.checkpoint,
             live = excluded.live, tombstones = excluded.tombstones, used_bytes = used_bytes + excluded.used_bytes";
    connection.execute(
        sql,
        params![
            request.place.vault_id.as_bytes(),
            place(area.head.seq),
            area.head.hash.as_bytes(),
            area.checkpoint,
            area.live,
            area.tombstones,
            to_column(added)
        ],
    )?;
    Ok(())
}

fn move_rows(connection: &Connection, request: &FinishStage) -> rusqlite::Result<()> {
    let (vault_id, account_id) = (request.place.vault_id.as_bytes(), request.place.account_id.as_bytes());
    let sql = "insert into vault_commit
             (vault_id, seq, hash, kind, author_account, author_seq, author_hash, bytes, body)
         select vault_id, seq, hash, kind, author_account, author_seq, author_hash, bytes, body
         from heal_commit
         where vault_id = ?1 and account_id = ?2";
    connection.execute(sql, params![vault_id, account_id])?;
    let now_ms = to_column(request.now_ms);
    let sql = "update item_version
         set replaced_ms = ?3
         where vault_id = ?1 and replaced_ms is null
           and item_id in (select item_id from heal_item where vault_id = ?1 and account_id = ?2)";
    connection.execute(sql, params![vault_id, account_id, now_ms])?;
    let sql = "insert into item_version (vault_id, item_id, version, seq, blob, stored_ms)
         select vault_id, item_id, version, seq, blob, ?3
         from heal_item
         where vault_id = ?1 and account_id = ?2";
    connection.execute(sql, params![vault_id, account_id, now_ms])?;
    let sql = "insert into item (vault_id, item_id, version, blob_hash, seq, state)
         select vault_id, item_id, version, blob_hash, seq, state
         from heal_item
         where vault_id = ?1 and account_id = ?2
         on conflict (vault_id, item_id) do update
         set version = excluded.version, blob_hash = excluded.blob_hash, seq = excluded.seq, state = excluded.state";
    connection.execute(sql, params![vault_id, account_id])?;
    Ok(())
}
