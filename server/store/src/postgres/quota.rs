//! Shares. One node at a time changes those of an account, under a lock of its session; every step is a transaction of one vault
//! or of the account alone.

use async_trait::async_trait;
use deadpool_postgres::{GenericClient, Object};
use lockstep_domain::store::{
    AccountLimits, Allot, AllotOutcome, Counted, OwnLimits, QuotaStore, StagePlace, StoreError, Usage,
};
use lockstep_proto::ids::{AccountId, VaultId};
use tokio_postgres::Row;

use super::PostgresStore;
use super::columns::{failed, fixed, number, to_column};

#[async_trait]
impl QuotaStore for PostgresStore {
    async fn allot(&self, request: Allot) -> Result<AllotOutcome, StoreError> {
        self.with(move |client| allot(client, request)).await
    }

    async fn usage(&self, account_id: AccountId) -> Result<Option<Usage>, StoreError> {
        self.with(move |client| usage(client, account_id)).await
    }

    async fn set_limits(&self, account_id: AccountId, own: OwnLimits) -> Result<bool, StoreError> {
        let set = move |client: Object| async move {
            let sql = "update account set quota_bytes = $2, quota_vaults = $3 where account_id = $1";
            let (bytes, vaults) = (own.bytes.map(to_column), own.vaults.map(to_column));
            let changed = client.execute(sql, &[&account_id.as_bytes().as_slice(), &bytes, &vaults]).await;
            changed.map(|changed| changed == 1).map_err(failed)
        };
        self.with(set).await
    }
}

/// A connection on which something failed is not used again: the lock ends with it.
async fn allot(client: Object, request: Allot) -> Result<AllotOutcome, StoreError> {
    let (lock, unlock) = (
        "select pg_advisory_lock(hashtextextended(encode($1, 'hex'), 0))",
        "select pg_advisory_unlock(hashtextextended(encode($1, 'hex'), 0))",
    );
    let account_id = request.place.account_id.as_bytes().as_slice();
    client.execute(lock, &[&account_id]).await.map_err(failed)?;
    let outcome = allot_alone(&client, request).await;
    let unlocked = client.execute(unlock, &[&account_id]).await.map_err(failed);
    if outcome.is_err() || unlocked.is_err() {
        drop(Object::take(client));
    }
    unlocked.and(outcome)
}

async fn allot_alone(client: &Object, request: Allot) -> Result<AllotOutcome, StoreError> {
    let Allot { place, more, limits } = request;
    let mut account = Account::read(client, place.account_id).await?;
    let AccountLimits { bytes: limit, vaults } = account.own.or(limits);
    if !account.shares.iter().any(|(vault_id, _)| *vault_id == place.vault_id)
        && account.shares.len() as u64 >= vaults
    {
        return Ok(AllotOutcome::TooManyVaults);
    }
    let held = held(client, place).await?;
    let mut counted = account.counted(place, held);
    if counted.share(more, limit).is_none() {
        // The vaults first: what the account counts is never less than what they may hold.
        for (vault_id, share) in account.shares.iter_mut().filter(|(other, _)| *other != place.vault_id) {
            let other = StagePlace { vault_id: *vault_id, ..place };
            *share = trim(client, other).await?;
            write_share(client, other, *share).await?;
        }
        counted = account.counted(place, held);
    }
    let Some(share) = counted.share(more, limit) else {
        return Ok(AllotOutcome::Full(counted.shortage(limit)));
    };
    write_share(client, place, share).await?;
    let sql = "update vault set quota_bytes = $2 where vault_id = $1";
    let statement = client.prepare_cached(sql).await.map_err(failed)?;
    let values =
        client.execute(&statement, &[&place.vault_id.as_bytes().as_slice(), &to_column(share)]).await;
    values.map_err(failed)?;
    Ok(AllotOutcome::Allotted(share))
}

struct Account {
    log: u64,
    own: OwnLimits,
    shares: Vec<(VaultId, u64)>,
}

impl Account {
    async fn read(client: &Object, account_id: AccountId) -> Result<Self, StoreError> {
        let (log, own) = log_of(client, account_id).await?.unwrap_or_default();
        let sql = "select vault_id, bytes from account_vault where account_id = $1";
        let statement = client.prepare_cached(sql).await.map_err(failed)?;
        let rows = client.query(&statement, &[&account_id.as_bytes().as_slice()]).await.map_err(failed)?;
        let share = |row: &Row| Ok((VaultId(fixed(row, 0)?), number(row, 1)?));
        let shares = rows.iter().map(share).collect::<Result<_, StoreError>>()?;
        Ok(Self { log, own, shares })
    }

    fn counted(&self, place: StagePlace, held: u64) -> Counted {
        let others = self.shares.iter().filter(|(vault_id, _)| *vault_id != place.vault_id);
        Counted { log: self.log, others: others.map(|(_, share)| share).sum(), held }
    }
}

/// What the account's log holds, and its own limits.
async fn log_of(
    client: &impl GenericClient,
    account_id: AccountId,
) -> Result<Option<(u64, OwnLimits)>, StoreError> {
    let sql = "select bytes, quota_bytes, quota_vaults from account where account_id = $1";
    let statement = client.prepare_cached(sql).await.map_err(failed)?;
    let row = client.query_opt(&statement, &[&account_id.as_bytes().as_slice()]).await.map_err(failed)?;
    let Some(row) = row else { return Ok(None) };
    let limit = |index| {
        let limit = row.try_get::<_, Option<i64>>(index).map_err(failed)?;
        Ok::<_, StoreError>(limit.map(i64::cast_unsigned))
    };
    Ok(Some((number(&row, 0)?, OwnLimits { bytes: limit(1)?, vaults: limit(2)? })))
}

/// What a vault and the account's staging area of it hold.
const HELD: &str = "coalesce((select v.used_bytes from vault v where v.vault_id = $1), 0)
           + coalesce((select h.bytes from heal h where h.vault_id = $1 and h.account_id = $2), 0)
           + coalesce((select s.bytes from heal_side_area s where s.vault_id = $1 and s.account_id = $2), 0)";

async fn held(client: &impl GenericClient, place: StagePlace) -> Result<u64, StoreError> {
    let statement = client.prepare_cached(&format!("select {HELD}")).await.map_err(failed)?;
    let (vault_id, account_id) =
        (place.vault_id.as_bytes().as_slice(), place.account_id.as_bytes().as_slice());
    let row = client.query_one(&statement, &[&vault_id, &account_id]).await.map_err(failed)?;
    number(&row, 0)
}

/// Lowers a vault's share to what it holds, where it is there, and gives that.
async fn trim(client: &impl GenericClient, place: StagePlace) -> Result<u64, StoreError> {
    let sql = format!(
        "update vault v
         set quota_bytes = {}
         where v.vault_id = $1
         returning quota_bytes",
        // The row's own newest, not the one that the statement began with.
        HELD.replacen(
            "coalesce((select v.used_bytes from vault v where v.vault_id = $1), 0)",
            "v.used_bytes",
            1
        )
    );
    let statement = client.prepare_cached(&sql).await.map_err(failed)?;
    let (vault_id, account_id) =
        (place.vault_id.as_bytes().as_slice(), place.account_id.as_bytes().as_slice());
    match client.query_opt(&statement, &[&vault_id, &account_id]).await.map_err(failed)? {
        Some(row) => number(&row, 0),
        None => held(client, place).await,
    }
}

async fn write_share(client: &impl GenericClient, place: StagePlace, share: u64) -> Result<(), StoreError> {
    let sql = "insert into account_vault (account_id, vault_id, bytes)
         values ($1, $2, $3)
         on conflict (account_id, vault_id) do update set bytes = excluded.bytes";
    let statement = client.prepare_cached(sql).await.map_err(failed)?;
    let (vault_id, account_id) =
        (place.vault_id.as_bytes().as_slice(), place.account_id.as_bytes().as_slice());
    let values = client.execute(&statement, &[&account_id, &vault_id, &to_column(share)]).await;
    values.map(|_| ()).map_err(failed)
}

async fn usage(client: Object, account_id: AccountId) -> Result<Option<Usage>, StoreError> {
    let Some((log_bytes, own)) = log_of(&client, account_id).await? else { return Ok(None) };
    let account = Account::read(&client, account_id).await?;
    let mut vault_bytes = 0;
    for (vault_id, _) in &account.shares {
        vault_bytes += held(&client, StagePlace { vault_id: *vault_id, account_id }).await?;
    }
    Ok(Some(Usage { log_bytes, vault_bytes, vaults: account.shares.len() as u64, own }))
}
