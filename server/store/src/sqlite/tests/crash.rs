//! A machine that stops: the files as they are at that moment are opened again.

use std::fs;
use std::path::{Path, PathBuf};

use lockstep_domain::store::{
    CommitOutcome, CommitRow, ItemPlace, NewCommit, NewItem, NewVault, OperatorStore as _, QuotaRule,
    VaultReader, VaultStore as _,
};
use lockstep_proto::api::vaults::{AuthorPosition, StoredCommit};
use lockstep_proto::blob::ItemState;
use lockstep_proto::digest::Leaf;
use lockstep_proto::ids::{AccountId, DeviceId, Hash, ItemId, Seq, ServerId, VaultId, Version};
use lockstep_proto::log::{CommitKind, LogHead};

use super::SqliteStore;

const OWNER: AccountId = AccountId([1; 32]);
const VAULT: VaultId = VaultId([2; 32]);
pub(super) const READER: VaultReader = VaultReader { vault_id: VAULT, account_id: OWNER };
const COMMITS: u64 = 24;

fn row(seq: u64) -> CommitRow {
    let head = LogHead { seq: Seq(seq), hash: Hash([seq as u8 + 1; 32]) };
    let author = AuthorPosition { account_id: OWNER, head: LogHead::default() };
    let entry = StoredCommit { commit: vec![seq as u8; 300].into(), body: Vec::new().into() };
    let kind = if seq == 0 { CommitKind::Genesis } else { CommitKind::Content };
    CommitRow { head, kind, author, entry }
}

pub(super) fn genesis() -> NewVault {
    NewVault {
        vault_id: VAULT,
        owner: OWNER,
        device_id: DeviceId([5; 16]),
        now_ms: 0,
        genesis: row(0),
        checkpoint: vec![0],
        members: vec![OWNER],
        quota_bytes: 1 << 30,
    }
}

/// The commit at `seq` makes two items, one of them larger than a database page.
pub(super) fn commit(seq: u64) -> NewCommit {
    let none = Leaf { version: Version(0), blob_hash: Hash::ZERO };
    let made = |number: u8, size| NewItem {
        item_id: ItemId::from_random([number; 16]),
        old: none,
        new: Leaf { version: Version(1), blob_hash: Hash([number; 32]) },
        state: ItemState::Live,
        blob: vec![number; size],
    };
    NewCommit {
        vault_id: VAULT,
        device_id: DeviceId([5; 16]),
        after: row(seq - 1).head,
        row: row(seq),
        checkpoint: vec![seq as u8],
        members: None,
        items: vec![made(seq as u8 * 2, 60), made(seq as u8 * 2 + 1, 9_000)],
        live: seq * 2,
        tombstones: 0,
        quota: QuotaRule::Enforced,
        now_ms: 1_000,
    }
}

async fn filled(path: &Path) -> SqliteStore {
    let store = SqliteStore::open(path).unwrap();
    store.create_vault(genesis()).await.unwrap();
    for seq in 1..=COMMITS {
        assert!(matches!(store.commit(commit(seq)).await.unwrap(), CommitOutcome::Committed(_)));
    }
    store
}

/// The files as a crash leaves them, with the write-ahead log cut off after `keep` bytes.
fn stopped(from: &Path, to: &Path, keep: usize) -> PathBuf {
    let path = to.join(format!("{keep}.db"));
    fs::copy(from, &path).unwrap();
    let log = fs::read(from.with_extension("db-wal")).unwrap();
    fs::write(path.with_extension("db-wal"), &log[..keep.min(log.len())]).unwrap();
    path
}

/// How many commits the store has, after checking that each is whole.
async fn whole_commits(store: &SqliteStore) -> Option<u64> {
    let page = store.commit_page(READER, None, 1_000).await.unwrap()?;
    let last = page.rows.len() as u64 - 1;
    assert_eq!(page.standing.head, row(last).head);
    assert!(page.rows.iter().zip(0..).all(|(found, seq)| *found == row(seq)));
    assert_eq!(store.checkpoint(VAULT).await.unwrap(), Some(vec![last as u8]));
    let items = store.item_page(READER, ItemPlace::default()).await.unwrap().unwrap();
    assert_eq!(items.rows.len() as u64, last * 2);
    for (item, number) in items.rows.iter().zip(2_u8..) {
        assert!(item.seq.0 == u64::from(number) / 2 && item.blob.iter().all(|byte| *byte == number));
    }
    Some(last)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_there_after_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lockstep.db");
    let store = filled(&path).await;
    let copy = stopped(&path, folder.path(), usize::MAX);
    let after = SqliteStore::open(&copy).unwrap();
    assert_eq!(whole_commits(&after).await, Some(COMMITS));
    assert!(matches!(after.commit(commit(COMMITS)).await.unwrap(), CommitOutcome::Already(_)));
    assert!(matches!(after.commit(commit(COMMITS + 1)).await.unwrap(), CommitOutcome::Committed(_)));
    drop(store);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_torn_log_gives_whole_commits_from_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lockstep.db");
    let store = filled(&path).await;
    let length = fs::metadata(path.with_extension("db-wal")).unwrap().len() as usize;
    let mut seen = Vec::new();
    for part in 0..=40 {
        // Never at a page's edge: a torn write ends anywhere.
        let copy = stopped(&path, folder.path(), length * part / 40 + 7 * part % 31);
        let after = SqliteStore::open(&copy).unwrap();
        let count = whole_commits(&after).await;
        seen.extend(count);
        if let Some(count) = count.filter(|count| *count < COMMITS) {
            assert!(matches!(after.commit(commit(count + 1)).await.unwrap(), CommitOutcome::Committed(_)));
        }
    }
    assert!(seen.is_sorted() && seen.first() < seen.last());
    assert_eq!(seen.last(), Some(&COMMITS));
    drop(store);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_page_of_the_log_hides_what_follows_and_nothing_before() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lockstep.db");
    let store = filled(&path).await;
    let copy = stopped(&path, folder.path(), usize::MAX);
    let log = copy.with_extension("db-wal");
    let mut bytes = fs::read(&log).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&log, bytes).unwrap();
    let count = whole_commits(&SqliteStore::open(&copy).unwrap()).await.unwrap();
    assert!(count > 0 && count < COMMITS);
    drop(store);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_are_no_database_are_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in [("text.db", b"dear diary, ".repeat(400)), ("noise.db", vec![0xa5; 8_192])] {
        let path = folder.path().join(name);
        fs::write(&path, &bytes).unwrap();
        let refused = SqliteStore::open(&path).err().unwrap().to_string();
        assert!(refused.contains(name), "{refused}");
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }
    assert!(SqliteStore::open(&folder.path().join("no/such/folder.db")).is_err());
    let store = SqliteStore::open(&folder.path().join("good.db")).unwrap();
    assert_eq!(store.bind_server(ServerId([1; 16])).await.unwrap(), ServerId([1; 16]));
}
