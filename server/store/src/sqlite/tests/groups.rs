//! Changes that share a transaction: one that fails takes no other with it.

use std::sync::Arc;
use std::sync::mpsc;

use lockstep_domain::store::{OperatorStore as _, StoreError};
use rusqlite::Connection;

use super::super::writer::Verdict;
use super::SqliteStore;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    Keep,
    Undo,
    Fail,
    LoseTransaction,
}

fn insert(connection: &Connection, number: u8, then: Then) -> rusqlite::Result<Verdict<u8>> {
    connection.execute("insert into invite (hash, expires_ms) values (?1, 1)", [vec![number; 32]])?;
    match then {
        Then::Keep => Ok(Verdict::Keep(number)),
        Then::Undo => Ok(Verdict::Undo(number)),
        Then::Fail => connection.execute("insert into nowhere values (1)", []).map(|_| Verdict::Keep(0)),
        // What SQLite does by itself when the disk is full.
        Then::LoseTransaction => connection.execute("rollback", []).map(|_| Verdict::Keep(0)),
    }
}

/// Lets the changes wait together behind one that does not end, so that they share a transaction.
async fn together(store: &Arc<SqliteStore>, changes: &[Then]) -> Vec<Result<u8, StoreError>> {
    let (release, held) = mpsc::channel::<()>();
    let (started, running) = tokio::sync::oneshot::channel();
    let holding = store.clone();
    let hold = tokio::spawn(async move {
        let work = move |_: &Connection| {
            started.send(()).unwrap();
            held.recv().unwrap();
            Ok(Verdict::Undo(()))
        };
        holding.writer.write(work).await
    });
    running.await.unwrap();
    let mut waiting: Vec<_> = Vec::new();
    for (number, then) in changes.iter().copied().enumerate() {
        let mut write = Box::pin({
            let store = store.clone();
            async move { store.writer.write(move |connection| insert(connection, number as u8, then)).await }
        });
        // The first poll puts the change into the queue.
        let first = std::future::poll_fn(|context| std::task::Poll::Ready(write.as_mut().poll(context)));
        assert!(first.await.is_pending());
        waiting.push(write);
    }
    release.send(()).unwrap();
    hold.await.unwrap().unwrap();
    let mut answers = Vec::new();
    for write in waiting {
        answers.push(write.await);
    }
    answers
}

async fn stored(store: &SqliteStore) -> Vec<u8> {
    let read = |connection: &Connection| {
        let mut statement = connection.prepare("select hash from invite order by hash")?;
        let rows = statement.query_map([], |row| row.get::<_, Vec<u8>>(0).map(|hash| hash[0]))?;
        rows.collect()
    };
    store.readers.read(read).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_fails_undoes_itself_alone() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(SqliteStore::open(&folder.path().join("lockstep.db")).unwrap());
    let mut changes = vec![Then::Keep; 40];
    changes[0] = Then::Undo;
    changes[17] = Then::Fail;
    changes[39] = Then::Fail;
    for (number, answer) in together(&store, &changes).await.into_iter().enumerate() {
        match changes[number] {
            Then::Keep | Then::Undo => assert_eq!(answer.unwrap(), number as u8),
            _ => assert!(matches!(answer, Err(StoreError::Failed(_))), "{number}"),
        }
    }
    let kept: Vec<u8> = (0..40).filter(|number| changes[usize::from(*number)] == Then::Keep).collect();
    assert_eq!(stored(&store).await, kept);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_is_lost_is_lost_for_all_of_its_changes_and_the_next_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(SqliteStore::open(&folder.path().join("lockstep.db")).unwrap());
    let changes = [Then::Keep, Then::Keep, Then::LoseTransaction, Then::Keep, Then::Undo];
    let answers = together(&store, &changes).await;
    assert!(answers.iter().all(Result::is_err), "nobody is told of a success that is not durable");
    assert_eq!(stored(&store).await, []);
    let answers = together(&store, &[Then::Keep, Then::Keep]).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(stored(&store).await, [0, 1]);
    store.check().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_goes_away_leaves_its_change_and_harms_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lockstep.db");
    let store = Arc::new(SqliteStore::open(&path).unwrap());
    for number in 0..8 {
        let mut write =
            Box::pin(store.writer.write(move |connection| insert(connection, number, Then::Keep)));
        let _ = std::future::poll_fn(|context| std::task::Poll::Ready(write.as_mut().poll(context))).await;
    }
    drop(store);
    let store = SqliteStore::open(&path).unwrap();
    assert_eq!(stored(&store).await, (0..8).collect::<Vec<_>>(), "closing waits for what was queued");
}
