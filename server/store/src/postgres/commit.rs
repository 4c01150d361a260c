//! Running the commit's statement, and reading its verdicts.

use deadpool_postgres::Object;
use lockstep_domain::store::{CommitOutcome, NewCommit, QuotaRule, Standing, StoreError};
use lockstep_proto::blob::ItemState;
use lockstep_proto::log::CommitKind;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::columns::{failed, number, place, standing, to_column};
use super::statement::{ALONE, MANY, ONE, OVERTAKEN};

/// How often a commit is judged anew because others were faster in the middle of it.
const AGAIN: usize = 16;

/// What the statement says about one commit.
pub(super) enum Verdict {
    /// The outcome, final and durable.
    Final(CommitOutcome),
    /// Somebody else has the vault's lock, or had it a moment ago: to be judged alone.
    Anew,
}

/// Judges and makes several content commits, of different vaults, in one transaction.
pub(super) async fn many(client: &Object, commits: &[&NewCommit]) -> Result<Vec<Verdict>, StoreError> {
    let statement = client.prepare_cached(&MANY).await.map_err(failed)?;
    let columns = Columns::of(commits);
    let rows = client.query(&statement, &columns.values()).await.map_err(failed)?;
    if rows.len() != commits.len() {
        return Err(StoreError::Corrupt("a vault has more than one row"));
    }
    rows.iter().zip(commits).map(|(row, commit)| verdict(row, commit)).collect()
}

/// Judges and makes one commit, waiting for the vault's lock.
pub(super) async fn alone(client: &Object, commit: &NewCommit) -> Result<CommitOutcome, StoreError> {
    for _ in 0..AGAIN {
        let row = match (&commit.items[..], commit.row.kind, &commit.members) {
            ([_], CommitKind::Content, None) => one(client, commit).await?,
            _ => any(client, commit).await?,
        };
        if let Verdict::Final(outcome) = verdict(&row, commit)? {
            return Ok(outcome);
        }
    }
    Err(StoreError::Failed("the vault was too busy".into()))
}

/// Answers commits that do not follow their vault's head, whatever is in them.
pub(super) async fn overtaken(
    client: &Object,
    commits: &[&NewCommit],
) -> Result<Vec<CommitOutcome>, StoreError> {
    let statement = client.prepare_cached(OVERTAKEN).await.map_err(failed)?;
    let n: Vec<i32> = (0..).take(commits.len()).collect();
    let vaults: Vec<&[u8]> = commits.iter().map(|commit| commit.vault_id.as_bytes().as_slice()).collect();
    let seqs: Vec<i64> = commits.iter().map(|commit| place(commit.row.head.seq)).collect();
    let hashes: Vec<&[u8]> =
        commits.iter().map(|commit| commit.row.head.hash.as_bytes().as_slice()).collect();
    let rows = client.query(&statement, &[&n, &vaults, &seqs, &hashes]).await.map_err(failed)?;
    if rows.len() != commits.len() {
        return Err(StoreError::Corrupt("a vault is gone"));
    }
    let outcome = |row: &Row| {
        let (standing, found) = (standing(row, 1)?, row.try_get(5).map_err(failed)?);
        Ok(if found { CommitOutcome::Already(standing) } else { CommitOutcome::HeadMoved(standing) })
    };
    rows.iter().map(outcome).collect()
}

async fn one(client: &Object, commit: &NewCommit) -> Result<Row, StoreError> {
    let statement = client.prepare_cached(&ONE).await.map_err(failed)?;
    let columns = Columns::of(&[commit]);
    let row = client.query_one(&statement, &columns.scalars()).await;
    row.map_err(failed)
}

async fn any(client: &Object, commit: &NewCommit) -> Result<Row, StoreError> {
    let statement = client.prepare_cached(&ALONE).await.map_err(failed)?;
    let columns = Columns::of(&[commit]);
    let members = commit.members.as_ref();
    let members: Option<Vec<&[u8]>> =
        members.map(|members| members.iter().map(|member| member.as_bytes().as_slice()).collect());
    let kind = i16::from(commit.row.kind as u8);
    let mut values = columns.values();
    values.extend([&members as &(dyn ToSql + Sync), &kind]);
    client.query_one(&statement, &values).await.map_err(failed)
}

/// From `n, outcome, head_seq, head_hash, quota_bytes, used_bytes, bad, added`.
fn verdict(row: &Row, commit: &NewCommit) -> Result<Verdict, StoreError> {
    let outcome = match row.try_get::<_, &str>(1).map_err(failed)? {
        "no_vault" => CommitOutcome::NoVault,
        "locked" | "again" => return Ok(Verdict::Anew),
        "already" => CommitOutcome::Already(standing(row, 2)?),
        "head_moved" => CommitOutcome::HeadMoved(standing(row, 2)?),
        "barred" => CommitOutcome::Barred,
        "item" => {
            let bad = usize::try_from(row.try_get::<_, i32>(6).map_err(failed)?).ok();
            let item = bad.and_then(|bad| commit.items.get(bad)).ok_or(StoreError::Corrupt("a verdict"))?;
            CommitOutcome::Item(item.item_id)
        }
        "counts" => CommitOutcome::Counts,
        "quota" => CommitOutcome::Quota(standing(row, 2)?),
        "ok" => {
            let before = standing(row, 2)?;
            let bytes_left = before.bytes_left.saturating_sub(number(row, 7)?);
            CommitOutcome::Committed(Standing { head: commit.row.head, bytes_left })
        }
        _ => return Err(StoreError::Corrupt("a verdict")),
    };
    Ok(Verdict::Final(outcome))
}

/// Commits and changes as columns.
#[derive(Default)]
struct Columns<'a> {
    n: Vec<i32>,
    waived: Vec<bool>,
    bytes: [Vec<&'a [u8]>; 9],
    numbers: [Vec<i64>; 6],
    change_n: Vec<i32>,
    change_number: Vec<i32>,
    item_id: Vec<&'a [u8]>,
    old_version: Vec<i64>,
    old_hash: Vec<&'a [u8]>,
    new_version: Vec<i64>,
    new_hash: Vec<&'a [u8]>,
    new_state: Vec<i16>,
    blob: Vec<&'a [u8]>,
}

impl<'a> Columns<'a> {
    fn of(commits: &[&'a NewCommit]) -> Self {
        let mut columns = Self::default();
        for (n, commit) in (0..).zip(commits) {
            columns.n.push(n);
            columns.waived.push(commit.quota == QuotaRule::Waived);
            let row = &commit.row;
            let bytes: [&[u8]; 9] = [
                commit.vault_id.as_bytes(),
                commit.after.hash.as_bytes(),
                row.head.hash.as_bytes(),
                commit.device_id.as_bytes(),
                row.author.account_id.as_bytes(),
                row.author.head.hash.as_bytes(),
                &row.entry.commit.0,
                &row.entry.body.0,
                &commit.checkpoint,
            ];
            columns.bytes.iter_mut().zip(bytes).for_each(|(column, bytes)| column.push(bytes));
            let numbers = [
                place(commit.after.seq),
                place(row.head.seq),
                place(row.author.head.seq),
                to_column(commit.live),
                to_column(commit.tombstones),
                to_column(commit.now_ms),
            ];
            columns.numbers.iter_mut().zip(numbers).for_each(|(column, number)| column.push(number));
            columns.push_changes(n, commit);
        }
        columns
    }

    fn push_changes(&mut self, n: i32, commit: &'a NewCommit) {
        for (number, item) in (0..).zip(&commit.items) {
            self.change_n.push(n);
            self.change_number.push(number);
            self.item_id.push(item.item_id.as_bytes());
            self.old_version.push(to_column(item.old.version.0));
            self.old_hash.push(item.old.blob_hash.as_bytes());
            self.new_version.push(to_column(item.new.version.0));
            self.new_hash.push(item.new.blob_hash.as_bytes());
            self.new_state.push(state_column(item.state));
            self.blob.push(&item.blob);
        }
    }

    /// In the order of [`MANY`].
    fn values(&self) -> Vec<&(dyn ToSql + Sync)> {
        let [vault_id, after_hash, hash, device_id, account, author_hash, bytes, body, checkpoint] =
            &self.bytes;
        let [after_seq, seq, author_seq, live, tombstones, now_ms] = &self.numbers;
        vec![
            &self.n,
            vault_id,
            after_seq,
            after_hash,
            seq,
            hash,
            device_id,
            account,
            author_seq,
            author_hash,
            bytes,
            body,
            checkpoint,
            live,
            tombstones,
            now_ms,
            &self.change_n,
            &self.change_number,
            &self.item_id,
            &self.old_version,
            &self.old_hash,
            &self.new_version,
            &self.new_hash,
            &self.new_state,
            &self.blob,
            &self.waived,
        ]
    }

    /// The first commit and the first change, in the order of [`ONE`].
    fn scalars(&self) -> Vec<&(dyn ToSql + Sync)> {
        let [vault_id, after_hash, hash, device_id, account, author_hash, bytes, body, checkpoint] =
            &self.bytes;
        let [after_seq, seq, author_seq, live, tombstones, now_ms] = &self.numbers;
        vec![
            &vault_id[0],
            &after_seq[0],
            &after_hash[0],
            &seq[0],
            &hash[0],
            &device_id[0],
            &account[0],
            &author_seq[0],
            &author_hash[0],
            &bytes[0],
            &body[0],
            &checkpoint[0],
            &live[0],
            &tombstones[0],
            &now_ms[0],
            &self.item_id[0],
            &self.old_version[0],
            &self.old_hash[0],
            &self.new_version[0],
            &self.new_hash[0],
            &self.new_state[0],
            &self.blob[0],
            &self.waived[0],
        ]
    }
}

pub(super) fn state_column(state: ItemState) -> i16 {
    match state {
        ItemState::Live => 1,
        ItemState::Tombstone => 2,
    }
}
