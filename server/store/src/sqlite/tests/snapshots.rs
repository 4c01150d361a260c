//! What a reader sees while others write: the moment it began.

use std::sync::Arc;
use std::sync::mpsc;

use lockstep_domain::store::OperatorStore as _;
use lockstep_proto::ids::Hash;
use rusqlite::Connection;

use super::SqliteStore;

fn count(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("select count(*) from invite", [], |row| row.get(0))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_keeps_its_moment_and_does_not_hold_up_writers() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(SqliteStore::open(&folder.path().join("lockstep.db")).unwrap());
    store.add_invite(Hash([0; 32]), 1).await.unwrap();
    let (go_on, held) = mpsc::channel::<()>();
    let (began, running) = tokio::sync::oneshot::channel();
    let reading = store.clone();
    let reader = tokio::spawn(async move {
        let work = move |connection: &Connection| {
            let before = count(connection)?;
            began.send(()).unwrap();
            held.recv().unwrap();
            Ok((before, count(connection)?))
        };
        reading.readers.read(work).await.unwrap()
    });
    running.await.unwrap();
    for number in 1..=20 {
        store.add_invite(Hash([number; 32]), 1).await.unwrap();
    }
    assert_eq!(store.readers.read(count).await.unwrap(), 21, "another reader sees what was acknowledged");
    go_on.send(()).unwrap();
    assert_eq!(reader.await.unwrap(), (1, 1));
    assert_eq!(store.readers.read(count).await.unwrap(), 21);
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_cannot_write_and_come_back_after_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("lockstep.db")).unwrap();
    for _ in 0..10 {
        let write = |connection: &Connection| connection.execute("delete from invite", []);
        assert!(store.readers.read(write).await.is_err());
    }
    assert_eq!(store.readers.read(count).await.unwrap(), 0);
}
