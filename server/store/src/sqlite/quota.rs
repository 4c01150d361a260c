//! Shares. The one thread that writes changes all of an account's in one turn.

use async_trait::async_trait;
use lockstep_domain::store::{
    Allot, AllotOutcome, Counted, OwnLimits, QuotaStore, StagePlace, StoreError, Usage,
};
use lockstep_proto::ids::{AccountId, VaultId};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::SqliteStore;
use super::columns::{number, to_column};
use super::writer::Verdict;

#[async_trait]
impl QuotaStore for SqliteStore {
    async fn allot(&self, request: Allot) -> Result<AllotOutcome, StoreError> {
        self.writer.write(move |connection| allot(connection, request)).await
    }

    async fn usage(&self, account_id: AccountId) -> Result<Option<Usage>, StoreError> {
        self.readers.read(move |connection| usage(connection, account_id)).await
    }

    async fn set_limits(&self, account_id: AccountId, own: OwnLimits) -> Result<bool, StoreError> {
        let set = move |connection: &Connection| {
            let sql = "update account set quota_bytes = ?2, quota_vaults = ?3 where account_id = ?1";
            let (bytes, vaults) = (own.bytes.map(to_column), own.vaults.map(to_column));
            let changed = connection.execute(sql, params![account_id.as_bytes(), bytes, vaults])?;
            Ok(Verdict::Keep(changed == 1))
        };
        self.writer.write(set).await
    }
}

fn allot(connection: &Connection, request: Allot) -> rusqlite::Result<Verdict<AllotOutcome>> {
    let place = request.place;
    let (log, own) = account(connection, place.account_id)?.unwrap_or_default();
    let limits = own.or(request.limits);
    if !has_place(connection, place)? && places(connection, place.account_id)? >= limits.vaults {
        return Ok(Verdict::Undo(AllotOutcome::TooManyVaults));
    }
    let counted = Counted { log, others: others(connection, place)?, held: held(connection, place)? };
    if let Some(share) = counted.share(request.more, limits.bytes) {
        set_share(connection, place, share)?;
        return Ok(Verdict::Keep(AllotOutcome::Allotted(share)));
    }
    trim_others(connection, place)?;
    let counted = Counted { others: others(connection, place)?, ..counted };
    Ok(match counted.share(request.more, limits.bytes) {
        Some(share) => {
            set_share(connection, place, share)?;
            Verdict::Keep(AllotOutcome::Allotted(share))
        }
        None => Verdict::Undo(AllotOutcome::Full(counted.shortage(limits.bytes))),
    })
}

/// What the account's log holds, and its own limits.
fn account(connection: &Connection, account_id: AccountId) -> rusqlite::Result<Option<(u64, OwnLimits)>> {
    let sql = "select bytes, quota_bytes, quota_vaults from account where account_id = ?1";
    let limit =
        |row: &Row<'_>, index| row.get::<_, Option<i64>>(index).map(|limit| limit.map(i64::cast_unsigned));
    let read =
        |row: &Row<'_>| Ok((number(row, 0)?, OwnLimits { bytes: limit(row, 1)?, vaults: limit(row, 2)? }));
    connection.query_row(sql, params![account_id.as_bytes()], read).optional()
}

fn has_place(connection: &Connection, place: StagePlace) -> rusqlite::Result<bool> {
    let sql = "select exists (select 1 from account_vault where account_id = ?1 and vault_id = ?2)";
    let values = params![place.account_id.as_bytes(), place.vault_id.as_bytes()];
    connection.query_row(sql, values, |row| row.get(0))
}

fn places(connection: &Connection, account_id: AccountId) -> rusqlite::Result<u64> {
    let sql = "select count(*) from account_vault where account_id = ?1";
    connection.query_row(sql, params![account_id.as_bytes()], |row| number(row, 0))
}

/// The shares of the account's other vaults.
fn others(connection: &Connection, place: StagePlace) -> rusqlite::Result<u64> {
    let sql = "select coalesce(sum(bytes), 0) from account_vault where account_id = ?1 and vault_id <> ?2";
    let values = params![place.account_id.as_bytes(), place.vault_id.as_bytes()];
    connection.query_row(sql, values, |row| number(row, 0))
}

/// What a vault and the account's staging area of it hold.
fn held(connection: &Connection, place: StagePlace) -> rusqlite::Result<u64> {
    let sql = "select used_bytes from vault where vault_id = ?1";
    let vault =
        connection.query_row(sql, params![place.vault_id.as_bytes()], |row| number(row, 0)).optional()?;
    Ok(vault.unwrap_or_default() + area_bytes(connection, place)?)
}

/// What an account's staging area holds, side commits included.
pub(super) fn area_bytes(connection: &Connection, place: StagePlace) -> rusqlite::Result<u64> {
    let sql = "select coalesce((select bytes from heal where vault_id = ?1 and account_id = ?2), 0)
                    + coalesce((select bytes from heal_side_area where vault_id = ?1 and account_id = ?2), 0)";
    let values = params![place.vault_id.as_bytes(), place.account_id.as_bytes()];
    connection.prepare_cached(sql)?.query_row(values, |row| number(row, 0))
}

/// What all staging areas of a vault hold.
pub(super) fn staged_bytes(connection: &Connection, vault_id: VaultId) -> rusqlite::Result<u64> {
    let sql = "select coalesce((select sum(bytes) from heal where vault_id = ?1), 0)
                    + coalesce((select sum(bytes) from heal_side_area where vault_id = ?1), 0)";
    connection.prepare_cached(sql)?.query_row(params![vault_id.as_bytes()], |row| number(row, 0))
}

/// Lowers the shares of the account's other vaults to what they hold.
fn trim_others(connection: &Connection, place: StagePlace) -> rusqlite::Result<()> {
    let sql = "update account_vault
         set bytes = coalesce((select used_bytes from vault v where v.vault_id = account_vault.vault_id), 0)
             + coalesce((
                 select h.bytes from heal h where h.vault_id = account_vault.vault_id and h.account_id = ?1
             ), 0)
             + coalesce((
                 select s.bytes from heal_side_area s where s.vault_id = account_vault.vault_id and s.account_id = ?1
             ), 0)
         where account_id = ?1 and vault_id <> ?2";
    let values = params![place.account_id.as_bytes(), place.vault_id.as_bytes()];
    connection.execute(sql, values)?;
    let sql = "update vault
         set quota_bytes = (select a.bytes from account_vault a where a.account_id = ?1 and a.vault_id = vault.vault_id)
         where vault_id in (select vault_id from account_vault where account_id = ?1 and vault_id <> ?2)";
    connection.execute(sql, values)?;
    Ok(())
}

fn set_share(connection: &Connection, place: StagePlace, share: u64) -> rusqlite::Result<()> {
    let sql = "insert into account_vault (account_id, vault_id, bytes)
         values (?1, ?2, ?3)
         on conflict (account_id, vault_id) do update set bytes = excluded.bytes";
    let values = params![place.account_id.as_bytes(), place.vault_id.as_bytes(), to_column(share)];
    connection.execute(sql, values)?;
    let sql = "update vault set quota_bytes = ?2 where vault_id = ?1";
    connection.execute(sql, params![place.vault_id.as_bytes(), to_column(share)])?;
    Ok(())
}

fn usage(connection: &Connection, account_id: AccountId) -> rusqlite::Result<Option<Usage>> {
    let Some((log_bytes, own)) = account(connection, account_id)? else { return Ok(None) };
    let sql = "select count(*),
                coalesce(sum(
                    coalesce((select v.used_bytes from vault v where v.vault_id = a.vault_id), 0)
                    + coalesce((
                        select h.bytes from heal h where h.vault_id = a.vault_id and h.account_id = ?1
                    ), 0)
                    + coalesce((
                        select s.bytes from heal_side_area s where s.vault_id = a.vault_id and s.account_id = ?1
                    ), 0)
                ), 0)
         from account_vault a
         where a.account_id = ?1";
    let read =
        |row: &Row<'_>| Ok(Usage { log_bytes, vaults: number(row, 0)?, vault_bytes: number(row, 1)?, own });
    connection.query_row(sql, params![account_id.as_bytes()], read).map(Some)
}
