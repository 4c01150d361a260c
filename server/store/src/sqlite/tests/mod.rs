//! What only a database can get wrong: crashes, groups of changes, snapshots.
//!
//! **Invariant:** whatever happened to the files, an open store shows whole changes, in order, from the first.

mod crash;
mod full;
mod groups;
mod snapshots;

use std::cell::RefCell;
use std::sync::Arc;

use rusqlite::Connection;

use super::SqliteStore;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn passes_the_conformance_suite() {
    let folder = tempfile::tempdir().unwrap();
    let count = RefCell::new(0);
    lockstep_domain::store::conformance::run(|| {
        *count.borrow_mut() += 1;
        let path = folder.path().join(format!("{}.db", count.borrow()));
        Arc::new(SqliteStore::open(&path).unwrap())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_the_same_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lockstep.db");
    lockstep_domain::store::conformance::survive_reopening(|| Arc::new(SqliteStore::open(&path).unwrap()))
        .await;
    let whole: String = Connection::open(&path)
        .unwrap()
        .pragma_query_value(None, "integrity_check", |row| row.get(0))
        .unwrap();
    assert_eq!(whole, "ok");
}
