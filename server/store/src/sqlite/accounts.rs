//! Accounts: logs, slots, records.

use std::collections::BTreeSet;

use async_trait::async_trait;
use lockstep_domain::store::{
    AccountStore, Admission, AppendOutcome, CreateOutcome, LinkPage, NewAccount, NewLinks, SignInStore,
    StoreError, StoredLink, StoredRecord, StoredSlot,
};
use lockstep_proto::ids::{AccountId, Hash, Seq};
use lockstep_proto::log::LogHead;
use lockstep_proto::signin::KsfProfile;
use rusqlite::types::Type;
use rusqlite::{Connection, Error, OptionalExtension as _, params};

use super::SqliteStore;
use super::columns::{fits, head, number, place, to_column};
use super::operator::is_empty;
use super::writer::Verdict;

#[async_trait]
impl AccountStore for SqliteStore {
    async fn create_account(
        &self,
        account: NewAccount,
        admission: Admission,
    ) -> Result<CreateOutcome, StoreError> {
        self.writer.write(move |connection| create(connection, &account, admission)).await
    }

    async fn append_links(&self, links: NewLinks) -> Result<AppendOutcome, StoreError> {
        self.writer.write(move |connection| append(connection, &links)).await
    }

    async fn link_page(
        &self,
        account_id: AccountId,
        after: Option<Seq>,
    ) -> Result<Option<LinkPage>, StoreError> {
        self.readers.read(move |connection| link_page(connection, account_id, after)).await
    }

    async fn slots(
        &self,
        account_id: AccountId,
        named: BTreeSet<Hash>,
    ) -> Result<Vec<StoredSlot>, StoreError> {
        self.readers.read(move |connection| slots(connection, account_id, &named)).await
    }
}

#[async_trait]
impl SignInStore for SqliteStore {
    async fn record(&self, account_id: AccountId) -> Result<Option<StoredRecord>, StoreError> {
        self.readers.read(move |connection| record(connection, account_id)).await
    }
}

fn create(
    connection: &Connection,
    account: &NewAccount,
    admission: Admission,
) -> rusqlite::Result<Verdict<CreateOutcome>> {
    if account_head(connection, account.account_id)?.is_some() {
        let same = has_links(connection, account)?;
        return Ok(Verdict::Undo(if same { CreateOutcome::Already } else { CreateOutcome::Exists }));
    }
    if !admit(connection, admission)? {
        return Ok(Verdict::Undo(CreateOutcome::NotAdmitted));
    }
    let last = account.links.last().map(|link| link.head).unwrap_or_default();
    let sql = "insert into account (account_id, head_seq, head_hash, bytes) values (?1, ?2, ?3, 0)";
    connection.execute(sql, params![account.account_id.as_bytes(), place(last.seq), last.hash.as_bytes()])?;
    let mut bytes = insert_links(connection, account.account_id, &account.links)?;
    bytes += insert_slots(connection, account.account_id, &account.slots)?;
    if let Some(record) = &account.record {
        bytes += set_record(connection, account.account_id, record)?;
    }
    add_bytes(connection, account.account_id, bytes)?;
    Ok(Verdict::Keep(CreateOutcome::Created))
}

/// Whether an account may be made now; spends the invitation.
fn admit(connection: &Connection, admission: Admission) -> rusqlite::Result<bool> {
    if is_empty(connection)? {
        return Ok(true);
    }
    match admission {
        Admission::Anyone => Ok(true),
        Admission::FirstOnly => Ok(false),
        Admission::Invited { invite, now_ms } => {
            let sql = "delete from invite where hash = ?1 and expires_ms > ?2";
            Ok(connection.execute(sql, params![invite.as_bytes(), to_column(now_ms)])? == 1)
        }
    }
}

fn append(connection: &Connection, links: &NewLinks) -> rusqlite::Result<Verdict<AppendOutcome>> {
    match account_head(connection, links.account_id)? {
        None => return Ok(Verdict::Undo(AppendOutcome::NoAccount)),
        Some(head) if head != links.after => return Ok(Verdict::Undo(AppendOutcome::HeadMoved(head))),
        Some(_) => {}
    }
    let last = links.links.last().map(|link| link.head).unwrap_or(links.after);
    let sql = "update account set head_seq = ?2, head_hash = ?3 where account_id = ?1";
    connection.execute(sql, params![links.account_id.as_bytes(), place(last.seq), last.hash.as_bytes()])?;
    let mut bytes = insert_links(connection, links.account_id, &links.links)?;
    bytes += insert_slots(connection, links.account_id, &links.slots)?;
    bytes -= drop_slots(connection, links.account_id, &links.gone)?;
    if let Some(record) = &links.record {
        bytes += set_record(connection, links.account_id, record)?;
    }
    let fits = add_bytes(connection, links.account_id, bytes)? <= links.limit_bytes;
    Ok(if fits { Verdict::Keep(AppendOutcome::Appended) } else { Verdict::Undo(AppendOutcome::Full) })
}

/// Counts so many bytes more, or less, and gives how many there are.
fn add_bytes(connection: &Connection, account_id: AccountId, bytes: i64) -> rusqlite::Result<u64> {
    let sql = "update account set bytes = bytes + ?2 where account_id = ?1 returning bytes";
    connection.prepare_cached(sql)?.query_row(params![account_id.as_bytes(), bytes], |row| number(row, 0))
}

fn account_head(connection: &Connection, account_id: AccountId) -> rusqlite::Result<Option<LogHead>> {
    let sql = "select head_seq, head_hash from account where account_id = ?1";
    connection.prepare_cached(sql)?.query_row(params![account_id.as_bytes()], |row| head(row, 0)).optional()
}

fn has_links(connection: &Connection, account: &NewAccount) -> rusqlite::Result<bool> {
    let sql = "select exists (select 1 from account_link where account_id = ?1 and seq = ?2 and bytes = ?3)";
    let mut statement = connection.prepare_cached(sql)?;
    for link in &account.links {
        let values = params![account.account_id.as_bytes(), place(link.head.seq), link.bytes];
        if !statement.query_row(values, |row| row.get(0))? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn insert_links(
    connection: &Connection,
    account_id: AccountId,
    links: &[StoredLink],
) -> rusqlite::Result<i64> {
    let sql = "insert into account_link (account_id, seq, hash, bytes, added_ms) values (?1, ?2, ?3, ?4, ?5)";
    let mut statement = connection.prepare_cached(sql)?;
    for link in links {
        let (seq, hash) = (place(link.head.seq), link.head.hash.as_bytes());
        let added_ms = to_column(link.added_ms);
        statement.execute(params![account_id.as_bytes(), seq, hash, link.bytes, added_ms])?;
    }
    Ok(links.iter().map(|link| link.bytes.len() as i64).sum())
}

/// Keeps those that are new and gives how many bytes they are.
fn insert_slots(
    connection: &Connection,
    account_id: AccountId,
    slots: &[StoredSlot],
) -> rusqlite::Result<i64> {
    let sql = "insert or ignore into slot (account_id, hash, bytes) values (?1, ?2, ?3)";
    let mut statement = connection.prepare_cached(sql)?;
    let mut added = 0;
    for slot in slots {
        let new = statement.execute(params![account_id.as_bytes(), slot.hash.as_bytes(), slot.bytes])?;
        added += (new * slot.bytes.len()) as i64;
    }
    Ok(added)
}

/// Removes those that are there, and gives how many bytes they were.
fn drop_slots(
    connection: &Connection,
    account_id: AccountId,
    gone: &BTreeSet<Hash>,
) -> rusqlite::Result<i64> {
    let sql = "delete from slot where account_id = ?1 and hash = ?2 returning length(bytes)";
    let mut statement = connection.prepare_cached(sql)?;
    let mut held = 0;
    for hash in gone {
        let values = params![account_id.as_bytes(), hash.as_bytes()];
        held += statement.query_row(values, |row| row.get::<_, i64>(0)).optional()?.unwrap_or_default();
    }
    Ok(held)
}

/// Gives how many bytes it takes more than the one before.
fn set_record(
    connection: &Connection,
    account_id: AccountId,
    record: &StoredRecord,
) -> rusqlite::Result<i64> {
    let sql = "select length(upload) from signin_record where account_id = ?1";
    let before: Option<i64> =
        connection.query_row(sql, params![account_id.as_bytes()], |row| row.get(0)).optional()?;
    let sql = "insert or replace into signin_record (account_id, upload, profile) values (?1, ?2, ?3)";
    let profile = u16::from(record.profile);
    connection.execute(sql, params![account_id.as_bytes(), record.upload, profile])?;
    Ok(record.upload.len() as i64 - before.unwrap_or_default())
}

fn link_page(
    connection: &Connection,
    account_id: AccountId,
    after: Option<Seq>,
) -> rusqlite::Result<Option<LinkPage>> {
    let log_head = account_head(connection, account_id)?;
    let sql = "select seq, hash, bytes, added_ms from account_link
         where account_id = ?1 and seq > ?2 order by seq";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params![account_id.as_bytes(), after.map_or(-1, place)])?;
    let mut page = LinkPage { links: Vec::new(), head: log_head.unwrap_or_default(), more: false };
    let mut held = 0;
    while let Some(row) = rows.next()? {
        let bytes: Vec<u8> = row.get(2)?;
        if !fits(held, bytes.len()) {
            page.more = true;
            break;
        }
        held += bytes.len();
        page.links.push(StoredLink { head: head(row, 0)?, bytes, added_ms: number(row, 3)? });
    }
    // Both statements run where there is no account, too: its absence shall not be seen in the time that an answer
    // takes.
    Ok(log_head.map(|_| page))
}

fn slots(
    connection: &Connection,
    account_id: AccountId,
    named: &BTreeSet<Hash>,
) -> rusqlite::Result<Vec<StoredSlot>> {
    let mut statement =
        connection.prepare_cached("select bytes from slot where account_id = ?1 and hash = ?2")?;
    let mut found = Vec::new();
    for hash in named {
        let values = params![account_id.as_bytes(), hash.as_bytes()];
        if let Some(bytes) = statement.query_row(values, |row| row.get(0)).optional()? {
            found.push(StoredSlot { hash: *hash, bytes });
        }
    }
    Ok(found)
}

fn record(connection: &Connection, account_id: AccountId) -> rusqlite::Result<Option<StoredRecord>> {
    let sql = "select upload, profile from signin_record where account_id = ?1";
    let read = |row: &rusqlite::Row<'_>| {
        let profile = KsfProfile::try_from(row.get::<_, u16>(1)?)
            .map_err(|error| Error::FromSqlConversionFailure(1, Type::Integer, Box::new(error)))?;
        Ok(StoredRecord { upload: row.get(0)?, profile })
    };
    connection.query_row(sql, params![account_id.as_bytes()], read).optional()
}
