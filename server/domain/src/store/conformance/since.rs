//! What happened since a commit, and the commits that say who may write.

use lockstep_proto::api::PAGE_LIMIT;
use lockstep_proto::ids::{AccountId, Hash, ItemId, Seq};
use lockstep_proto::log::{CommitKind, LogHead};

use super::super::{CommitOutcome, CommitRow, NewCommit, Since, Store, VaultReader};
use super::made_up::{NONE, OWNER, READER, VAULT, item, item_id, make_vault, new_commit};

const STRANGER: VaultReader = VaultReader { vault_id: VAULT, account_id: AccountId([99; 32]) };

async fn committed(store: &dyn Store, commit: NewCommit) -> CommitRow {
    let row = commit.row.clone();
    let outcome = store.commit(commit).await.unwrap();
    assert!(
        matches!(outcome, CommitOutcome::Committed(standing) if standing.head == row.head),
        "{outcome:?}"
    );
    row
}

fn of_kind(kind: CommitKind, after: LogHead, body: usize) -> NewCommit {
    let mut commit = new_commit(after, &vec![7; body], Vec::new(), (0, 0));
    commit.row.kind = kind;
    commit.members = (kind == CommitKind::Control).then(|| vec![OWNER]);
    commit
}

/// Commits, and where items are, of what happened since; `None` where it is too much or the base is not known.
async fn since(
    store: &dyn Store,
    base: LogHead,
    limit: usize,
) -> Option<(Vec<CommitRow>, Vec<(u64, ItemId)>)> {
    let news = store.news(READER, base, limit).await.unwrap().unwrap();
    let standing = store.commit_page(READER, None, 1).await.unwrap().unwrap().standing;
    assert_eq!(news.standing, standing);
    let Since { commits, items } = news.since?;
    Some((commits, items.iter().map(|item| (item.seq.0, item.item_id)).collect()))
}

pub(super) async fn control_commits_are_found_among_all_others(store: &dyn Store) {
    let mut head = make_vault(store, 1 << 20).await;
    let mut rows = store.commit_page(READER, None, 1).await.unwrap().unwrap().rows;
    for kind in [
        CommitKind::Content,
        CommitKind::Control,
        CommitKind::Content,
        CommitKind::Content,
        CommitKind::Heal,
        CommitKind::Control,
        CommitKind::Content,
    ] {
        let row = committed(store, of_kind(kind, head, 10)).await;
        head = row.head;
        rows.push(row);
    }
    for (after, expected) in [
        (None, &[0, 2, 5, 6][..]),
        (Some(0), &[2, 5, 6]),
        (Some(2), &[5, 6]),
        (Some(5), &[6]),
        (Some(6), &[]),
        (Some(u64::MAX), &[]),
    ] {
        let page = store.control_page(READER, after.map(Seq)).await.unwrap().unwrap();
        let expected: Vec<_> = expected.iter().map(|seq| rows[*seq].clone()).collect();
        assert_eq!((page.rows, page.more), (expected, false), "after {after:?}");
        assert_eq!((page.standing.head, &page.last), (head, &rows[7]), "the head's commit comes along");
    }
    assert_eq!(store.control_page(STRANGER, None).await.unwrap(), None);
}

pub(super) async fn control_commits_fill_a_page_to_the_byte(store: &dyn Store) {
    let genesis = make_vault(store, 1 << 30).await;
    // A made-up commit is 64 bytes and its salt; content in between does not count.
    let mut head = committed(store, of_kind(CommitKind::Control, genesis, PAGE_LIMIT - 264)).await.head;
    head = committed(store, of_kind(CommitKind::Content, head, PAGE_LIMIT)).await.head;
    head = committed(store, of_kind(CommitKind::Control, head, 136)).await.head;
    head = committed(store, of_kind(CommitKind::Control, head, PAGE_LIMIT + 1)).await.head;
    committed(store, of_kind(CommitKind::Heal, head, 1)).await;
    let (mut pages, mut after) = (Vec::new(), Some(Seq(0)));
    loop {
        let page = store.control_page(READER, after).await.unwrap().unwrap();
        pages.push(page.rows.iter().map(|row| row.head.seq.0).collect::<Vec<_>>());
        after = page.rows.last().map(|row| row.head.seq);
        if !page.more {
            break;
        }
    }
    assert_eq!(pages, [vec![1, 3], vec![4], vec![5]]);
}

pub(super) async fn news_are_all_that_happened_since_a_commit(store: &dyn Store) {
    let genesis = make_vault(store, 1 << 20).await;
    let one = item(item_id(1), NONE, b"1");
    let first = committed(store, new_commit(genesis, b"a", vec![one.clone()], (1, 0))).await;
    let two = item(item_id(2), NONE, b"2");
    let second = committed(store, new_commit(first.head, b"b", vec![two], (2, 0))).await;
    let again = item(item_id(1), one.new, b"1b");
    let third = committed(store, new_commit(second.head, b"c", vec![again], (2, 0))).await;

    let (commits, items) = since(store, genesis, usize::MAX).await.unwrap();
    assert_eq!(commits, [first.clone(), second.clone(), third.clone()]);
    assert_eq!(items, [(2, item_id(2)), (3, item_id(1))], "each item once, as it is now");
    let (commits, items) = since(store, second.head, usize::MAX).await.unwrap();
    assert_eq!((commits, items), (vec![third.clone()], vec![(3, item_id(1))]));
    let news = store.news(READER, first.head, usize::MAX).await.unwrap().unwrap();
    let blobs: Vec<_> = news.since.unwrap().items.into_iter().map(|item| item.blob.0).collect();
    assert_eq!(blobs, [b"2".to_vec(), b"1b".to_vec()]);
    assert_eq!(since(store, third.head, 0).await, Some((Vec::new(), Vec::new())), "nothing needs no room");

    let sibling = LogHead { hash: Hash([9; 32]), ..first.head };
    assert_eq!(since(store, sibling, usize::MAX).await, None, "a base of another branch");
    let ahead = LogHead { seq: Seq(99), ..third.head };
    assert_eq!(since(store, ahead, usize::MAX).await, None, "a base that is not there yet");
    assert_eq!(store.news(STRANGER, genesis, usize::MAX).await.unwrap(), None);
    assert_eq!(store.news(STRANGER, sibling, usize::MAX).await.unwrap(), None);
}

pub(super) async fn news_end_at_their_limit_to_the_byte(store: &dyn Store) {
    let genesis = make_vault(store, 1 << 20).await;
    let mut head = genesis;
    for number in 0..3_u16 {
        let items = vec![item(item_id(number), NONE, &[0; 100])];
        head = committed(store, new_commit(head, b"salt", items, (u64::from(number) + 1, 0))).await.head;
    }
    // Three times 64 + 4 bytes of commits, and 100 of blob.
    let all = 3 * (64 + 4 + 100);
    for (limit, whole) in
        [(0, false), (100, false), (3 * 68, false), (300, false), (all - 1, false), (all, true)]
    {
        assert_eq!(since(store, genesis, limit).await.is_some(), whole, "{limit}");
    }
    let (commits, items) = since(store, genesis, all).await.unwrap();
    assert_eq!((commits.len(), items.len()), (3, 3));
}
