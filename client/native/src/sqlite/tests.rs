#![allow(clippy::unwrap_used, clippy::panic)]

use lockstep_client::ports::conformance::{self, Fixture};
use tempfile::TempDir;

use super::*;

struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn store(&self) -> SqliteLocalStore {
        SqliteLocalStore::open(&self.0.path().join("profile.db")).unwrap()
    }
}

#[async_trait::async_trait]
impl Fixture for Files {
    async fn open(&self) -> Arc<dyn LocalStore> {
        Arc::new(self.store())
    }

    /// What the files hold now, without a checkpoint or a clean close.
    async fn power_cut(&self) -> Arc<dyn LocalStore> {
        let copy = tempfile::tempdir_in(self.0.path()).unwrap().keep();
        for name in ["profile.db", "profile.db-wal"] {
            let from = self.0.path().join(name);
            if from.exists() {
                std::fs::copy(from, copy.join(name)).unwrap();
            }
        }
        Arc::new(SqliteLocalStore::open(&copy.join("profile.db")).unwrap())
    }
}

fn batch(records: &[(&[u8], Vec<u8>)]) -> Batch {
    let mut batch = Batch::new();
    for (key, value) in records {
        batch.put(Table::Items, *key, value.clone());
    }
    batch
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sqlite_store_conforms() {
    conformance::run(Files::new).await;
}

#[tokio::test]
async fn a_batch_that_does_not_fit_changes_nothing_and_says_full() {
    let files = Files::new();
    let store = files.store();
    store.write(batch(&[(b"a", vec![1])])).await.unwrap();
    store.connection.try_lock().unwrap().pragma_update(None, "max_page_count", 16).unwrap();
    let error = store.write(batch(&[(b"a", vec![2]), (b"b", vec![3; 1 << 20])])).await.unwrap_err();
    assert!(matches!(error, LocalStoreError::Full), "{error}");
    assert_eq!(store.read(Table::Items, b"a").await.unwrap(), Some(vec![1]));
    assert_eq!(store.read(Table::Items, b"b").await.unwrap(), None);
    store.write(batch(&[(b"a", vec![4])])).await.unwrap();
    assert_eq!(store.read(Table::Items, b"a").await.unwrap(), Some(vec![4]));
}

#[tokio::test]
async fn a_power_cut_at_any_length_of_the_log_leaves_whole_batches() {
    let files = Files::new();
    let store = files.store();
    for round in 0..4_u8 {
        store.write(batch(&[(b"left", vec![round; 600]), (b"right", vec![round; 600])])).await.unwrap();
    }
    let log = std::fs::read(files.0.path().join("profile.db-wal")).unwrap();
    let database = std::fs::read(files.0.path().join("profile.db")).unwrap();
    for length in (0..=log.len()).step_by(509) {
        let copy = tempfile::tempdir().unwrap();
        std::fs::write(copy.path().join("profile.db"), &database).unwrap();
        std::fs::write(copy.path().join("profile.db-wal"), &log[..length]).unwrap();
        let after = SqliteLocalStore::open(&copy.path().join("profile.db")).unwrap();
        let left = after.read(Table::Items, b"left").await.unwrap();
        assert_eq!(left, after.read(Table::Items, b"right").await.unwrap(), "log cut at {length}");
    }
}

#[tokio::test]
async fn a_newer_format_is_refused_and_left_alone() {
    let files = Files::new();
    let store = files.store();
    store.connection.try_lock().unwrap().pragma_update(None, "user_version", FORMAT + 1).unwrap();
    drop(store);
    let refused = SqliteLocalStore::open(&files.0.path().join("profile.db")).err().unwrap();
    assert!(matches!(refused, LocalStoreError::Newer { found } if found == FORMAT + 1));
}

#[tokio::test]
async fn a_file_that_is_no_store_is_called_damaged() {
    let files = Files::new();
    let path = files.0.path().join("profile.db");
    std::fs::write(&path, vec![b'x'; 8192]).unwrap();
    let refused = SqliteLocalStore::open(&path).err().unwrap();
    assert!(refused.to_string().contains("damaged"), "{refused}");
    assert_eq!(std::fs::read(&path).unwrap(), vec![b'x'; 8192]);
}

#[cfg(unix)]
#[tokio::test]
async fn its_files_are_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let files = Files::new();
    let store = files.store();
    store.write(batch(&[(b"a", vec![1])])).await.unwrap();
    for name in ["profile.db", "profile.db-wal", "profile.db-shm"] {
        let mode = std::fs::metadata(files.0.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_was_dropped_is_over_before_the_next_call_starts() {
    let files = Files::new();
    let store = files.store();
    for round in 0..50_u8 {
        {
            let mut dropped = Box::pin(store.write(batch(&[(b"a", vec![round; 1 << 12])])));
            // It may be done already, or be dropped at any point before.
            drop(std::future::poll_fn(|cx| std::task::Poll::Ready(dropped.as_mut().poll(cx))).await);
        }
        let found = store.read(Table::Items, b"a").await.unwrap();
        for _ in 0..10 {
            tokio::task::yield_now().await;
            assert_eq!(store.read(Table::Items, b"a").await.unwrap(), found);
        }
    }
}
