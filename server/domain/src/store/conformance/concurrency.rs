//! Many at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use lockstep_proto::ids::Seq;
use lockstep_proto::log::LogHead;

use super::super::{Admission, CommitOutcome, CreateOutcome, ItemPlace, Store};
use super::made_up::{NONE, READER, account, item, item_id, make_vault, new_commit};

const TASKS: u16 = 64;
const EACH: u16 = 20;

/// One writer: gets `EACH` commits in, whatever the others do. Gives the places it won.
async fn write(store: Arc<dyn Store>, task: u16, genesis: LogHead) -> Vec<LogHead> {
    let (mut head, mut won) = (genesis, Vec::new());
    for number in 0..EACH {
        let id = task * EACH + number;
        loop {
            // Every commit makes one item, so the counts follow from the position.
            let items = vec![item(item_id(id), NONE, &id.to_be_bytes())];
            let commit = new_commit(head, &id.to_be_bytes(), items, (head.seq.0 + 1, 0));
            match store.commit(commit).await.unwrap() {
                CommitOutcome::Committed(standing) => {
                    won.push(standing.head);
                    head = standing.head;
                    break;
                }
                CommitOutcome::HeadMoved(standing) => head = standing.head,
                other => panic!("{other:?}"),
            }
            // A store that never waits must not keep the others from their turn.
            tokio::task::yield_now().await;
        }
    }
    won
}

async fn write_all(store: &Arc<dyn Store>, genesis: LogHead) -> Vec<LogHead> {
    let tasks: Vec<_> = (0..TASKS).map(|task| tokio::spawn(write(store.clone(), task, genesis))).collect();
    let mut won = Vec::new();
    for task in tasks {
        won.extend(task.await.unwrap());
    }
    won.sort();
    won
}

pub(super) async fn every_writer_gets_all_its_commits_in(store: Arc<dyn Store>) {
    let genesis = make_vault(&*store, 1 << 30).await;
    let won = write_all(&store, genesis).await;
    let places: Vec<u64> = won.iter().map(|head| head.seq.0).collect();
    let all = u64::from(TASKS * EACH);
    assert_eq!(places, (1..=all).collect::<Vec<_>>(), "exactly one winner for each place, and no gap");
    let mut chain = Vec::new();
    loop {
        let after = chain.last().map(|head: &LogHead| head.seq);
        let page = store.commit_page(READER, after, 1_000).await.unwrap().unwrap();
        chain.extend(page.rows.iter().map(|row| row.head));
        if !page.more {
            break;
        }
    }
    assert_eq!(chain[1..], won);
    let items = store.item_page(READER, ItemPlace::default()).await.unwrap().unwrap();
    assert_eq!(items.rows.len(), usize::from(TASKS * EACH));
}

pub(super) async fn readers_never_see_a_commit_without_the_one_before(store: Arc<dyn Store>) {
    let genesis = make_vault(&*store, 1 << 30).await;
    let done = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..2).map(|_| tokio::spawn(read(store.clone(), done.clone()))).collect();
    write_all(&store, genesis).await;
    done.store(true, Ordering::SeqCst);
    for reader in readers {
        assert!(reader.await.unwrap() > 0);
    }
}

async fn read(store: Arc<dyn Store>, done: Arc<AtomicBool>) -> u64 {
    let (mut last, mut pages) = (Seq(0), 0);
    loop {
        let ended = done.load(Ordering::SeqCst);
        let page = store.commit_page(READER, Some(last), 100).await.unwrap().unwrap();
        for row in &page.rows {
            assert_eq!(row.head.seq, last.next());
            last = row.head.seq;
        }
        assert!(page.standing.head.seq >= last);
        let place = ItemPlace { seq: Some(Seq(last.0.saturating_sub(1))), item_id: None, upto: Some(last) };
        let items = store.item_page(READER, place).await.unwrap().unwrap();
        assert_eq!(items.rows.len(), usize::from(last.0 > 0), "a commit comes with its item");
        pages += 1;
        if ended && !page.more {
            return pages;
        }
        tokio::task::yield_now().await;
    }
}

pub(super) async fn one_commit_sent_many_times_is_stored_once(store: Arc<dyn Store>) {
    let genesis = make_vault(&*store, 1 << 30).await;
    let commit = new_commit(genesis, b"same", vec![item(item_id(1), NONE, b"same")], (1, 0));
    let sent: Vec<_> = (0..TASKS)
        .map(|_| {
            let (store, commit) = (store.clone(), commit.clone());
            tokio::spawn(async move { store.commit(commit).await.unwrap() })
        })
        .collect();
    let mut committed = 0;
    for task in sent {
        match task.await.unwrap() {
            CommitOutcome::Committed(_) => committed += 1,
            CommitOutcome::Already(standing) => assert_eq!(standing.head, commit.row.head),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(committed, 1);
    let page = store.commit_page(READER, None, 10).await.unwrap().unwrap();
    assert_eq!(page.rows.len(), 2);
}

pub(super) async fn of_many_first_accounts_without_admission_one_is_made(store: Arc<dyn Store>) {
    let tasks: Vec<_> = (1..=32)
        .map(|byte| {
            let store = store.clone();
            tokio::spawn(
                async move { store.create_account(account(byte), Admission::FirstOnly).await.unwrap() },
            )
        })
        .collect();
    let mut made = 0;
    for task in tasks {
        made += usize::from(task.await.unwrap() == CreateOutcome::Created);
    }
    assert_eq!(made, 1);
}
