//! Accounts: logs, slots, records.

use std::collections::BTreeSet;

use async_trait::async_trait;
use deadpool_postgres::{GenericClient, Object};
use lockstep_domain::store::{
    AccountStore, Admission, AppendOutcome, CreateOutcome, LinkPage, NewAccount, NewLinks, SignInStore,
    StoreError, StoredLink, StoredRecord, StoredSlot,
};
use lockstep_proto::api::PAGE_LIMIT;
use lockstep_proto::ids::{AccountId, Hash, Seq};
use lockstep_proto::log::LogHead;
use lockstep_proto::signin::KsfProfile;

use super::PostgresStore;
use super::columns::{bytes, failed, fixed, head, number, place, to_column};
use super::operator::{SIGN_UPS, lock};

/// Links of one page, at most.
const PAGE_LINKS: i64 = 4_096;

#[async_trait]
impl AccountStore for PostgresStore {
    async fn create_account(
        &self,
        account: NewAccount,
        admission: Admission,
    ) -> Result<CreateOutcome, StoreError> {
        self.with(move |client| create(client, account, admission)).await
    }

    async fn append_links(&self, links: NewLinks) -> Result<AppendOutcome, StoreError> {
        self.with(move |client| append(client, links)).await
    }

    async fn link_page(
        &self,
        account_id: AccountId,
        after: Option<Seq>,
    ) -> Result<Option<LinkPage>, StoreError> {
        self.with(move |client| link_page(client, account_id, after)).await
    }

    async fn slots(
        &self,
        account_id: AccountId,
        named: BTreeSet<Hash>,
    ) -> Result<Vec<StoredSlot>, StoreError> {
        self.with(move |client| slots(client, account_id, named)).await
    }
}

#[async_trait]
impl SignInStore for PostgresStore {
    async fn record(&self, account_id: AccountId) -> Result<Option<StoredRecord>, StoreError> {
        self.with(move |client| record(client, account_id)).await
    }
}

/// Sign-ups are one after another, so that one of many is the first and one of many spends an invitation.
async fn create(
    mut client: Object,
    account: NewAccount,
    admission: Admission,
) -> Result<CreateOutcome, StoreError> {
    let tx = client.transaction().await.map_err(failed)?;
    lock(&tx, SIGN_UPS).await?;
    if account_head(&tx, account.account_id).await?.is_some() {
        let same = has_links(&tx, &account).await?;
        return Ok(if same { CreateOutcome::Already } else { CreateOutcome::Exists });
    }
    if !admit(&tx, admission).await? {
        return Ok(CreateOutcome::NotAdmitted);
    }
    let last = account.links.last().map(|link| link.head).unwrap_or_default();
    let sql = "insert into account (account_id, head_seq, head_hash, bytes) values ($1, $2, $3, 0)";
    let id = account.account_id.as_bytes().as_slice();
    tx.execute(sql, &[&id, &place(last.seq), &last.hash.as_bytes().as_slice()]).await.map_err(failed)?;
    let mut bytes = insert_links(&tx, account.account_id, &account.links).await?;
    bytes += insert_slots(&tx, account.account_id, &account.slots).await?;
    if let Some(record) = &account.record {
        bytes += set_record(&tx, account.account_id, record).await?;
    }
    add_bytes(&tx, account.account_id, bytes).await?;
    tx.commit().await.map_err(failed)?;
    Ok(CreateOutcome::Created)
}

/// Whether an account may be made now; spends the invitation.
async fn admit(tx: &impl GenericClient, admission: Admission) -> Result<bool, StoreError> {
    let first = tx.query_one("select not exists (select 1 from account)", &[]).await.map_err(failed)?;
    if first.try_get(0).map_err(failed)? {
        return Ok(true);
    }
    match admission {
        Admission::Anyone => Ok(true),
        Admission::FirstOnly => Ok(false),
        Admission::Invited { invite, now_ms } => {
            let sql = "delete from invite where hash = $1 and expires_ms > $2";
            let values = tx.execute(sql, &[&invite.as_bytes().as_slice(), &to_column(now_ms)]).await;
            Ok(values.map_err(failed)? == 1)
        }
    }
}

async fn append(mut client: Object, links: NewLinks) -> Result<AppendOutcome, StoreError> {
    let tx = client.transaction().await.map_err(failed)?;
    let id = links.account_id.as_bytes().as_slice();
    let sql = "select head_seq, head_hash from account where account_id = $1 for update";
    let statement = tx.prepare_cached(sql).await.map_err(failed)?;
    match tx.query_opt(&statement, &[&id]).await.map_err(failed)? {
        None => return Ok(AppendOutcome::NoAccount),
        Some(row) => match head(&row, 0)? {
            found if found != links.after => return Ok(AppendOutcome::HeadMoved(found)),
            _ => {}
        },
    }
    let last = links.links.last().map(|link| link.head).unwrap_or(links.after);
    let sql = "update account set head_seq = $2, head_hash = $3 where account_id = $1";
    let statement = tx.prepare_cached(sql).await.map_err(failed)?;
    let values = tx.execute(&statement, &[&id, &place(last.seq), &last.hash.as_bytes().as_slice()]).await;
    values.map_err(failed)?;
    let mut bytes = insert_links(&tx, links.account_id, &links.links).await?;
    bytes += insert_slots(&tx, links.account_id, &links.slots).await?;
    bytes -= drop_slots(&tx, links.account_id, &links.gone).await?;
    if let Some(record) = &links.record {
        bytes += set_record(&tx, links.account_id, record).await?;
    }
    if add_bytes(&tx, links.account_id, bytes).await? > links.limit_bytes {
        return Ok(AppendOutcome::Full);
    }
    tx.commit().await.map_err(failed)?;
    Ok(AppendOutcome::Appended)
}

/// Counts so many bytes more, or less, and gives how many there are.
async fn add_bytes(
    client: &impl GenericClient,
    account_id: AccountId,
    bytes: i64,
) -> Result<u64, StoreError> {
    let sql = "update account set bytes = bytes + $2 where account_id = $1 returning bytes";
    let statement = client.prepare_cached(sql).await.map_err(failed)?;
    let row = client.query_one(&statement, &[&account_id.as_bytes().as_slice(), &bytes]).await;
    number(&row.map_err(failed)?, 0)
}

async fn account_head(
    client: &impl GenericClient,
    account_id: AccountId,
) -> Result<Option<LogHead>, StoreError> {
    let sql = "select head_seq, head_hash from account where account_id = $1";
    let statement = client.prepare_cached(sql).await.map_err(failed)?;
    let row = client.query_opt(&statement, &[&account_id.as_bytes().as_slice()]).await.map_err(failed)?;
    row.map(|row| head(&row, 0)).transpose()
}

async fn has_links(client: &impl GenericClient, account: &NewAccount) -> Result<bool, StoreError> {
    let sql = "select exists (select 1 from account_link where account_id = $1 and seq = $2 and bytes = $3)";
    let id = account.account_id.as_bytes().as_slice();
    for link in &account.links {
        let values = client.query_one(sql, &[&id, &place(link.head.seq), &link.bytes]).await;
        if !values.map_err(failed)?.try_get::<_, bool>(0).map_err(failed)? {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn insert_links(
    client: &impl GenericClient,
    account_id: AccountId,
    links: &[StoredLink],
) -> Result<i64, StoreError> {
    let sql = "insert into account_link (account_id, seq, hash, bytes, added_ms)
         select $1, l.seq, l.hash, l.bytes, l.added_ms
         from unnest($2::int8[], $3::bytea[], $4::bytea[], $5::int8[]) as l (seq, hash, bytes, added_ms)";
    let statement = client.prepare_cached(sql).await.map_err(failed)?;
    let seqs: Vec<i64> = links.iter().map(|link| place(link.head.seq)).collect();
    let hashes: Vec<&[u8]> = links.iter().map(|link| link.head.hash.as_bytes().as_slice()).collect();
    let bytes: Vec<&[u8]> = links.iter().map(|link| link.bytes.as_slice()).collect();
    let added: Vec<i64> = links.iter().map(|link| to_column(link.added_ms)).collect();
    let id = account_id.as_bytes().as_slice();
    client.execute(&statement, &[&id, &seqs, &hashes, &bytes, &added]).await.map_err(failed)?;
    Ok(links.iter().map(|link| link.bytes.len() as i64).sum())
}

/// Keeps those that are new and gives how many bytes they are.
async fn insert_slots(
    client: &impl GenericClient,
    account_id: AccountId,
    slots: &[StoredSlot],
) -> Result<i64, StoreError> {
    let sql = "with added as (
             insert into slot (account_id, hash, bytes)
             select $1, s.hash, s.bytes
             from unnest($2::bytea[], $3::bytea[]) as s (hash, bytes)
             on conflict (account_id, hash) do nothing
             returning octet_length(bytes) as held
         )
         select coalesce(sum(held), 0)::int8 from added";
    let statement = client.prepare_cached(sql).await.map_err(failed)?;
    let hashes: Vec<&[u8]> = slots.iter().map(|slot| slot.hash.as_bytes().as_slice()).collect();
    let bytes: Vec<&[u8]> = slots.iter().map(|slot| slot.bytes.as_slice()).collect();
    let id = account_id.as_bytes().as_slice();
    let row = client.query_one(&statement, &[&id, &hashes, &bytes]).await.map_err(failed)?;
    row.try_get(0).map_err(failed)
}

/// Removes those that are there, and gives how many bytes they were.
async fn drop_slots(
    client: &impl GenericClient,
    account_id: AccountId,
    gone: &BTreeSet<Hash>,
) -> Result<i64, StoreError> {
    if gone.is_empty() {
        return Ok(0);
    }
    let sql = "with gone as (
             delete from slot where account_id = $1 and hash = any($2) returning octet_length(bytes) as held
         )
         select coalesce(sum(held), 0)::int8 from gone";
    let statement = client.prepare_cached(sql).await.map_err(failed)?;
    let gone: Vec<&[u8]> = gone.iter().map(|hash| hash.as_bytes().as_slice()).collect();
    let row = client.query_one(&statement, &[&account_id.as_bytes().as_slice(), &gone]).await;
    row.and_then(|row| row.try_get(0)).map_err(failed)
}

/// Gives how many bytes it takes more than the one before.
async fn set_record(
    client: &impl GenericClient,
    account_id: AccountId,
    record: &StoredRecord,
) -> Result<i64, StoreError> {
    let sql = "select octet_length(upload)::int8 from signin_record where account_id = $1";
    let before = client.query_opt(sql, &[&account_id.as_bytes().as_slice()]).await.map_err(failed)?;
    let before: Option<i64> = before.map(|row| row.try_get(0)).transpose().map_err(failed)?;
    let sql = "insert into signin_record (account_id, upload, profile) values ($1, $2, $3)
         on conflict (account_id) do update set upload = excluded.upload, profile = excluded.profile";
    let profile = i32::from(u16::from(record.profile));
    let id = account_id.as_bytes().as_slice();
    client.execute(sql, &[&id, &record.upload, &profile]).await.map_err(failed)?;
    Ok(record.upload.len() as i64 - before.unwrap_or_default())
}

/// One statement, so that head and links are of one moment.
async fn link_page(
    client: Object,
    account_id: AccountId,
    after: Option<Seq>,
) -> Result<Option<LinkPage>, StoreError> {
    let sql = "select a.head_seq, a.head_hash, l.seq, l.hash, l.bytes, l.total, l.added_ms
         from account a
         left join lateral (
             select p.seq, p.hash, p.bytes, p.total, p.added_ms
             from (
                 select k.seq, k.hash, k.bytes, k.added_ms, count(*) over () as total,
                        row_number() over w as number, sum(octet_length(k.bytes)) over w as held
                 from (
                     select seq, hash, bytes, added_ms
                     from account_link
                     where account_id = $1 and seq > $2
                     order by seq
                     limit $3
                 ) k
                 window w as (order by k.seq)
             ) p
             where p.number = 1 or p.held <= $4
         ) l on true
         where a.account_id = $1
         order by l.seq";
    let statement = client.prepare_cached(sql).await.map_err(failed)?;
    let id = account_id.as_bytes().as_slice();
    let after = after.map_or(-1, place);
    let values = client.query(&statement, &[&id, &after, &(PAGE_LINKS + 1), &(PAGE_LIMIT as i64)]).await;
    let rows = values.map_err(failed)?;
    let Some(first) = rows.first() else { return Ok(None) };
    let mut page = LinkPage { links: Vec::new(), head: head(first, 0)?, more: false };
    let total: Option<i64> = first.try_get(5).map_err(failed)?;
    for row in rows.iter().filter(|_| total.is_some()) {
        page.links.push(StoredLink { head: head(row, 2)?, bytes: bytes(row, 4)?, added_ms: number(row, 6)? });
    }
    page.more = total.unwrap_or_default() > page.links.len() as i64;
    Ok(Some(page))
}

async fn slots(
    client: Object,
    account_id: AccountId,
    named: BTreeSet<Hash>,
) -> Result<Vec<StoredSlot>, StoreError> {
    let sql = "select hash, bytes from slot where account_id = $1 and hash = any($2) order by hash";
    let statement = client.prepare_cached(sql).await.map_err(failed)?;
    let named: Vec<&[u8]> = named.iter().map(|hash| hash.as_bytes().as_slice()).collect();
    let rows =
        client.query(&statement, &[&account_id.as_bytes().as_slice(), &named]).await.map_err(failed)?;
    rows.iter().map(|row| Ok(StoredSlot { hash: Hash(fixed(row, 0)?), bytes: bytes(row, 1)? })).collect()
}

async fn record(client: Object, account_id: AccountId) -> Result<Option<StoredRecord>, StoreError> {
    let sql = "select upload, profile from signin_record where account_id = $1";
    let statement = client.prepare_cached(sql).await.map_err(failed)?;
    let row = client.query_opt(&statement, &[&account_id.as_bytes().as_slice()]).await.map_err(failed)?;
    let Some(row) = row else { return Ok(None) };
    let profile = u16::try_from(row.try_get::<_, i32>(1).map_err(failed)?).ok();
    let profile = profile.and_then(|profile| KsfProfile::try_from(profile).ok());
    let profile = profile.ok_or(StoreError::Corrupt("a key-stretching profile"))?;
    Ok(Some(StoredRecord { upload: bytes(&row, 0)?, profile }))
}
