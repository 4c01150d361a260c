//! A disk that is full: what was asked is refused as a whole, what is there is read, and with room it goes on.

use std::sync::Arc;

use lockstep_domain::store::{
    CommitOutcome, ItemPlace, NewCommit, NewVault, OperatorStore as _, StoreError, VaultReader,
    VaultStore as _,
};
use lockstep_proto::ids::VaultId;
use rusqlite::Connection;

use super::super::writer::Verdict;
use super::SqliteStore;
use super::crash::{READER, commit, genesis};

/// Lets the file grow by so many pages from here on.
async fn allow(store: &SqliteStore, more: u32) {
    let set = move |connection: &Connection| {
        let pages: u32 = connection.pragma_query_value(None, "page_count", |row| row.get(0))?;
        connection.pragma_update_and_check(None, "max_page_count", pages + more, |_| Ok(()))?;
        Ok(Verdict::Keep(()))
    };
    store.writer.write(set).await.unwrap();
}

async fn whole(store: &SqliteStore, reader: VaultReader, commits: u64) {
    let page = store.commit_page(reader, None, 100).await.unwrap().unwrap();
    assert_eq!((page.rows.len() as u64, page.standing.head.seq.0), (commits + 1, commits));
    let items = store.item_page(reader, ItemPlace::default()).await.unwrap().unwrap();
    assert_eq!(items.rows.len() as u64, commits * 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_without_room_is_refused_as_a_whole_and_taken_when_there_is_some() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("lockstep.db")).unwrap();
    store.create_vault(genesis()).await.unwrap();
    allow(&store, 12).await;
    let mut seq = 0;
    let error = loop {
        match store.commit(commit(seq + 1)).await {
            Ok(outcome) => assert!(matches!(outcome, CommitOutcome::Committed(_)), "{outcome:?}"),
            Err(error) => break error,
        }
        seq += 1;
    };
    assert!(matches!(error, StoreError::Full(_)) && seq > 0, "{error:?}");
    whole(&store, READER, seq).await;
    allow(&store, 100).await;
    assert!(matches!(store.commit(commit(seq + 1)).await.unwrap(), CommitOutcome::Committed(_)));
    whole(&store, READER, seq + 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_changes_that_share_a_transaction_each_is_told_the_truth() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(SqliteStore::open(&folder.path().join("lockstep.db")).unwrap());
    let vault_ids = (1..=32).map(|byte| VaultId([byte; 32])).collect::<Vec<_>>();
    for vault_id in &vault_ids {
        store.create_vault(NewVault { vault_id: *vault_id, ..genesis() }).await.unwrap();
    }
    allow(&store, 40).await;
    let sent = vault_ids.iter().map(|vault_id| {
        let (store, commit) = (store.clone(), NewCommit { vault_id: *vault_id, ..commit(1) });
        tokio::spawn(async move { store.commit(commit).await })
    });
    let (mut refused, sent) = (0, sent.collect::<Vec<_>>());
    for (vault_id, answer) in vault_ids.iter().zip(sent) {
        let stored = match answer.await.unwrap() {
            Ok(outcome) => u64::from(matches!(outcome, CommitOutcome::Committed(_))),
            Err(StoreError::Full(_)) => 0,
            Err(other) => panic!("{other:?}"),
        };
        refused += 1 - stored;
        whole(&store, VaultReader { vault_id: *vault_id, ..READER }, stored).await;
    }
    assert!(0 < refused, "{refused}");
    store.check().await.unwrap();
    // One that fits is taken still.
    allow(&store, 20).await;
    let none = store.commit(NewCommit { vault_id: VaultId([99; 32]), ..commit(1) }).await.unwrap();
    assert_eq!(none, CommitOutcome::NoVault);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_writes_and_the_size_is_what_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("lockstep.db")).unwrap();
    store.probe().await.unwrap();
    let before = store.size().await.unwrap();
    for _ in 0..50 {
        store.probe().await.unwrap();
    }
    assert_eq!(store.size().await.unwrap(), before, "probes take the place of each other");
    store.create_vault(genesis()).await.unwrap();
    for seq in 1..=10 {
        store.commit(commit(seq)).await.unwrap();
    }
    let added = store.size().await.unwrap() - before;
    assert!((90_000..300_000).contains(&added), "{added}");
}
