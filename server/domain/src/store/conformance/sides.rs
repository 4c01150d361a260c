//! Side commits: they wait, nobody sees them, and with a heal commit they are kept.

use std::collections::BTreeSet;
use std::sync::Arc;

use lockstep_proto::api::PAGE_LIMIT;
use lockstep_proto::ids::{AccountId, DeviceId, Hash, Seq};
use lockstep_proto::log::{CommitKind, LogHead};

use super::super::{
    CommitOutcome, CommitRow, FinishOutcome, FinishStage, JoinOutcome, NewBars, NewJoin, NewSides, NewStage,
    SidesOutcome, StageOutcome, StagePlace, StagedRow, Standing, Store, VaultReader,
};
use super::heal::{PLACE, finish, head_of, stage};
use super::made_up::{NONE, OWNER, READER, VAULT, item, item_id, make_vault, new_commit, row};

const LIMIT: u64 = 1 << 20;
const SIDE_WRITER: DeviceId = DeviceId([6; 16]);
const STRANGER: VaultReader = VaultReader { vault_id: VAULT, account_id: AccountId([99; 32]) };

/// Side commits at these positions.
fn sides(seqs: &[u64], salt: &[u8]) -> Vec<StagedRow> {
    seqs.iter().map(|seq| StagedRow { row: row(*seq, salt), device_id: SIDE_WRITER }).collect()
}

fn heads(rows: &[StagedRow]) -> Vec<LogHead> {
    rows.iter().map(|staged| staged.row.head).collect()
}

async fn stage_sides(store: &dyn Store, rows: &[StagedRow]) {
    let new =
        NewSides { place: PLACE, rows: rows.to_vec(), now_ms: 2_000, limit_bytes: LIMIT, stage_bytes: LIMIT };
    assert_eq!(store.stage_sides(new).await.unwrap(), SidesOutcome::Staged);
}

/// A heal commit after `after`, at this position, that needs these side commits.
fn join(after: LogHead, seq: u64, needed: Vec<LogHead>, counts: (u64, u64)) -> NewJoin {
    let mut commit = new_commit(after, b"heal", Vec::new(), counts);
    commit.row = CommitRow { kind: CommitKind::Heal, ..row(seq, b"heal") };
    commit.checkpoint = format!("healed at {seq}").into_bytes();
    commit.members = Some(vec![OWNER]);
    NewJoin {
        commit,
        place: PLACE,
        sides: needed,
        writers: BTreeSet::from([SIDE_WRITER]),
        limit_bytes: LIMIT,
    }
}

async fn kept(store: &dyn Store) -> Vec<CommitRow> {
    let page = store.side_page(READER, None).await.unwrap().unwrap();
    assert!(!page.more);
    page.rows
}

async fn waiting(store: &dyn Store) -> Vec<LogHead> {
    let page = store.staged_sides(PLACE, None).await.unwrap();
    page.rows.iter().map(|row| row.head).collect()
}

pub(super) async fn a_join_moves_the_chain_and_keeps_its_sides(store: &dyn Store) {
    let genesis = make_vault(store, 100_000).await;
    let made = item(item_id(1), NONE, b"made");
    let CommitOutcome::Committed(before) =
        store.commit(new_commit(genesis, b"b", vec![made], (1, 0))).await.unwrap()
    else {
        panic!()
    };
    let side = sides(&[1, 2, 3], b"side");
    let other = sides(&[2], b"other");
    stage_sides(store, &[&other[..], &side[..]].concat()).await;
    assert_eq!(kept(store).await, [], "what waits is nobody's yet");
    let mut new = join(before.head, 4, heads(&side), (1, 0));
    new.commit.members = Some(vec![STRANGER.account_id, OWNER]);
    // The heal commit is 36 bytes, and each of the sides, too.
    let now = Standing { head: new.commit.row.head, bytes_left: before.bytes_left - 4 * 36 };
    assert_eq!(store.join(new.clone()).await.unwrap(), JoinOutcome::Joined(now));
    let rows: Vec<_> = side.iter().map(|staged| staged.row.clone()).collect();
    assert_eq!(kept(store).await, rows, "those that are needed and no others");
    assert_eq!(waiting(store).await, []);
    assert_eq!(store.checkpoint(VAULT).await.unwrap(), Some(b"healed at 4".to_vec()));
    let page = store.side_page(STRANGER, Some(rows[1].head)).await.unwrap().unwrap();
    assert_eq!((page.standing, &page.rows[..]), (now, &rows[2..]), "a new member reads, too");
    let chain = store.commit_page(READER, None, 9).await.unwrap().unwrap();
    assert_eq!(chain.rows.iter().map(|row| row.head.seq.0).collect::<Vec<_>>(), [0, 1, 4]);
    assert_eq!(store.join(new.clone()).await.unwrap(), JoinOutcome::Already(now));
    // The next one needs nothing that waits; who is left out reads no more.
    let next = join(now.head, 5, Vec::new(), (1, 0));
    let joined = store.join(next.clone()).await.unwrap();
    let later = Standing { head: next.commit.row.head, bytes_left: now.bytes_left - 36 };
    assert_eq!(joined, JoinOutcome::Joined(later));
    assert_eq!(store.join(new).await.unwrap(), JoinOutcome::Already(later));
    assert_eq!(store.side_page(STRANGER, None).await.unwrap(), None);
    assert_eq!(kept(store).await, rows);
}

pub(super) async fn every_refusal_of_a_join_writes_nothing(store: &dyn Store) {
    let side = sides(&[1, 2], b"side");
    assert_eq!(
        store.join(join(LogHead::default(), 3, Vec::new(), (0, 0))).await.unwrap(),
        JoinOutcome::NoVault
    );
    assert_eq!(store.side_page(READER, None).await.unwrap(), None);
    let genesis = make_vault(store, 100_000).await;
    let standing = Standing { head: genesis, bytes_left: 100_000 };
    stage_sides(store, &side).await;
    let good = join(genesis, 3, heads(&side), (0, 0));
    let elsewhere = LogHead { hash: Hash([9; 32]), ..genesis };
    let moved = store.join(join(elsewhere, 3, heads(&side), (0, 0))).await.unwrap();
    assert_eq!(moved, JoinOutcome::HeadMoved(standing));
    let more = [heads(&side), heads(&sides(&[2], b"lacking"))].concat();
    assert_eq!(store.join(join(genesis, 3, more, (0, 0))).await.unwrap(), JoinOutcome::SideMissing);
    let foreign = StagePlace { account_id: STRANGER.account_id, ..PLACE };
    let foreign = NewJoin { place: foreign, ..good.clone() };
    assert_eq!(store.join(foreign).await.unwrap(), JoinOutcome::SideMissing, "each has its own");
    assert_eq!(store.join(join(genesis, 3, heads(&side), (1, 0))).await.unwrap(), JoinOutcome::Counts);
    let full = NewJoin { limit_bytes: 71, ..good.clone() };
    assert_eq!(store.join(full).await.unwrap(), JoinOutcome::SidesFull);
    for device_id in [SIDE_WRITER, good.commit.device_id] {
        let bars = NewBars { vault_id: VAULT, devices: vec![device_id], now_ms: 3_000, until_ms: 4_000 };
        store.bar(bars).await.unwrap();
        assert_eq!(store.join(good.clone()).await.unwrap(), JoinOutcome::Barred);
        let end = NewBars { vault_id: VAULT, devices: Vec::new(), now_ms: 5_000, until_ms: 5_000 };
        store.bar(end).await.unwrap();
    }
    // One that wrote nothing that is needed, or is removed, stands in nobody's way.
    stage_sides(store, &[StagedRow { device_id: DeviceId([8; 16]), ..sides(&[7], b"more")[0].clone() }])
        .await;
    let bars = NewBars { vault_id: VAULT, devices: vec![DeviceId([8; 16])], now_ms: 0, until_ms: 9_000 };
    store.bar(bars).await.unwrap();
    let chain = store.commit_page(READER, None, 9).await.unwrap().unwrap();
    assert_eq!((chain.standing, chain.rows.len()), (standing, 1));
    assert_eq!((kept(store).await.len(), waiting(store).await.len()), (0, 3));
    let bars = NewBars { vault_id: VAULT, devices: vec![SIDE_WRITER], now_ms: 0, until_ms: 9_000 };
    store.bar(bars).await.unwrap();
    assert_eq!(store.join(good.clone()).await.unwrap(), JoinOutcome::Barred);
    let exact = NewJoin { limit_bytes: 72, writers: BTreeSet::new(), ..good };
    assert!(matches!(store.join(exact).await.unwrap(), JoinOutcome::Joined(_)));
    assert_eq!((kept(store).await.len(), waiting(store).await.len()), (2, 0));
}

pub(super) async fn side_commits_wait_once_each_and_within_their_limit(store: &dyn Store) {
    // Each is 32 bytes and its salt.
    let new = |rows: Vec<StagedRow>, limit_bytes| NewSides {
        place: PLACE,
        rows,
        now_ms: 2_000,
        limit_bytes,
        stage_bytes: LIMIT,
    };
    let (one, two) = (sides(&[3], b"12345678"), sides(&[1], b"12345678"));
    assert_eq!(store.stage_sides(new(one.clone(), 39)).await.unwrap(), SidesOutcome::SidesFull);
    assert_eq!((waiting(store).await, store.next_stage(None).await.unwrap()), (Vec::new(), None));
    for _ in 0..3 {
        assert_eq!(store.stage_sides(new(one.clone(), 40)).await.unwrap(), SidesOutcome::Staged);
    }
    assert_eq!(store.stage_sides(new(two.clone(), 79)).await.unwrap(), SidesOutcome::SidesFull);
    assert_eq!(waiting(store).await, heads(&one));
    assert_eq!(store.stage_sides(new([&one[..], &two].concat(), 80)).await.unwrap(), SidesOutcome::Staged);
    assert_eq!(waiting(store).await, [heads(&two), heads(&one)].concat());
    // What is there stays as it is: the hash says nothing about a signature.
    let mut again = one.clone();
    again[0].row.entry.commit = vec![1; 32].into();
    assert_eq!(store.stage_sides(new(again, 80)).await.unwrap(), SidesOutcome::Staged);
    let page = store.staged_sides(PLACE, Some(two[0].row.head)).await.unwrap();
    assert_eq!((&page.rows[..], page.more), (&[one[0].row.clone()][..], false));
}

pub(super) async fn side_commits_are_ordered_and_fill_a_page_to_the_byte(store: &dyn Store) {
    let genesis = make_vault(store, 1 << 30).await;
    // A made-up commit is 32 bytes and its salt.
    let mut rows = Vec::new();
    for (seq, size) in [(9, PAGE_LIMIT - 100), (10, 68 - 32), (10, 1), (11, PAGE_LIMIT + 1), (12, 5)] {
        rows.extend(sides(&[seq], &vec![7; size]));
    }
    let limit_bytes = 3 * PAGE_LIMIT as u64;
    let mut sent = rows.clone();
    sent.reverse();
    let new = NewSides { place: PLACE, rows: sent, now_ms: 2_000, limit_bytes, stage_bytes: 0 };
    assert_eq!(store.stage_sides(new).await.unwrap(), SidesOutcome::Staged);
    rows.sort_by_key(|staged| staged.row.head);
    let sizes = |rows: &[CommitRow]| rows.iter().map(|row| row.head).collect::<Vec<_>>();
    let (mut pages, mut after) = (Vec::new(), None);
    loop {
        let page = store.staged_sides(PLACE, after).await.unwrap();
        after = page.rows.last().map(|row| row.head);
        pages.push(sizes(&page.rows));
        if !page.more {
            break;
        }
    }
    assert_eq!(pages.concat(), heads(&rows));
    assert_eq!(pages.iter().map(Vec::len).max(), Some(2), "{pages:?}");
    let new = NewJoin { limit_bytes, ..join(genesis, 13, heads(&rows), (0, 0)) };
    assert!(matches!(store.join(new).await.unwrap(), JoinOutcome::Joined(_)));
    let (mut again, mut after) = (Vec::new(), None);
    loop {
        let page = store.side_page(READER, after).await.unwrap().unwrap();
        after = page.rows.last().map(|row| row.head);
        again.push(sizes(&page.rows));
        if !page.more {
            break;
        }
    }
    assert_eq!(again, pages, "kept ones come in the same pages");
    let all_of_ten = LogHead { seq: Seq(10), hash: Hash([0xff; 32]) };
    let page = store.side_page(READER, Some(all_of_ten)).await.unwrap().unwrap();
    assert_eq!((page.rows[0].head.seq, page.more), (Seq(11), true));
    let beyond = LogHead { seq: Seq(u64::MAX), hash: Hash::ZERO };
    let page = store.side_page(READER, Some(beyond)).await.unwrap().unwrap();
    assert_eq!((page.rows, page.more), (Vec::new(), false));
}

pub(super) async fn what_waits_is_of_one_account_and_is_forgotten_with_its_area(store: &dyn Store) {
    let genesis = make_vault(store, 100_000).await;
    let other = StagePlace { account_id: AccountId([0; 32]), ..PLACE };
    let rows = sides(&[1], b"side");
    stage_sides(store, &rows).await;
    assert_eq!(store.staged_sides(other, None).await.unwrap().rows, []);
    let new =
        NewSides { place: other, rows: rows.clone(), now_ms: 2_000, limit_bytes: LIMIT, stage_bytes: LIMIT };
    assert_eq!(store.stage_sides(new).await.unwrap(), SidesOutcome::Staged);
    assert_eq!(store.next_stage(None).await.unwrap(), Some(other));
    assert_eq!(store.next_stage(Some(other)).await.unwrap(), Some(PLACE));
    assert_eq!(store.next_stage(Some(PLACE)).await.unwrap(), None);
    let staged = NewStage { now_ms: 3_000, ..stage(Some(genesis), 1, &[], (0, 0)) };
    assert_eq!(store.stage(staged.clone()).await.unwrap(), StageOutcome::Staged);
    assert_eq!(store.next_stage(Some(PLACE)).await.unwrap(), None, "one place, however much is there");
    store.drop_stage(PLACE, 3_000).await.unwrap();
    assert_eq!(waiting(store).await, heads(&rows), "commits were added at that time");
    stage_sides(store, &rows).await;
    store.drop_stage(PLACE, 3_001).await.unwrap();
    assert_eq!((waiting(store).await, store.staged(PLACE).await.unwrap().staged), (Vec::new(), None));
    assert_eq!(store.next_stage(None).await.unwrap(), Some(other));
    store.drop_stage(other, 2_000).await.unwrap();
    assert_eq!(store.staged_sides(other, None).await.unwrap().rows.len(), 1);
    store.drop_stage(other, 2_001).await.unwrap();
    assert_eq!(store.next_stage(None).await.unwrap(), None);
}

pub(super) async fn a_catch_up_keeps_the_sides_that_its_chain_needs(store: &dyn Store) {
    let genesis = make_vault(store, 100_000).await;
    let side = sides(&[1, 2], b"side");
    let needs =
        |needed: &[LogHead]| NewStage { sides: needed.to_vec(), ..stage(Some(genesis), 2, &[], (0, 0)) };
    assert_eq!(store.stage(needs(&heads(&side))).await.unwrap(), StageOutcome::SideMissing);
    assert_eq!(store.staged(PLACE).await.unwrap().staged, None);
    stage_sides(store, &[&side[..], &sides(&[2], b"other")].concat()).await;
    let staged = needs(&heads(&side[..1]));
    assert_eq!(store.stage(staged.clone()).await.unwrap(), StageOutcome::Staged);
    // A later part needs another one; a part without heals changes nothing of that.
    let next = NewStage { sides: heads(&side), ..stage(Some(head_of(&staged)), 1, &[], (0, 0)) };
    assert_eq!(store.stage(next.clone()).await.unwrap(), StageOutcome::Staged);
    let last = stage(Some(head_of(&next)), 1, &[], (0, 0));
    assert_eq!(store.stage(last.clone()).await.unwrap(), StageOutcome::Staged);
    let head = head_of(&last);
    let bars = NewBars { vault_id: VAULT, devices: vec![SIDE_WRITER], now_ms: 0, until_ms: 3_001 };
    store.bar(bars).await.unwrap();
    assert_eq!(store.finish_stage(finish(head)).await.unwrap(), FinishOutcome::Barred);
    let later = FinishStage { now_ms: 3_001, ..finish(head) };
    let full = FinishStage { sides_limit: 71, ..later };
    assert_eq!(store.finish_stage(full).await.unwrap(), FinishOutcome::SidesFull);
    assert_eq!(kept(store).await, []);
    assert!(matches!(store.finish_stage(later).await.unwrap(), FinishOutcome::Finished(_)));
    assert_eq!(kept(store).await.iter().map(|row| row.head).collect::<Vec<_>>(), heads(&side));
    assert_eq!((waiting(store).await, store.next_stage(None).await.unwrap()), (Vec::new(), None));
}

pub(super) async fn a_chain_with_a_gap_is_read_and_continued_like_any_other(store: &dyn Store) {
    let genesis = make_vault(store, 100_000).await;
    let made = item(item_id(1), NONE, b"made");
    let first = new_commit(genesis, b"b", vec![made.clone()], (1, 0));
    store.commit(first.clone()).await.unwrap();
    let heal = join(first.row.head, 1_000, Vec::new(), (1, 0));
    assert!(matches!(store.join(heal.clone()).await.unwrap(), JoinOutcome::Joined(_)));
    let head = heal.commit.row.head;
    assert_eq!(head.seq, Seq(1_000));
    let edit = item(item_id(1), made.new, b"edit");
    let next = new_commit(head, b"c", vec![edit], (1, 0));
    let CommitOutcome::Committed(standing) = store.commit(next.clone()).await.unwrap() else { panic!() };
    let known = [genesis, first.row.head, head, next.row.head];
    for (index, commit) in known.into_iter().enumerate() {
        assert_eq!(store.find_commit(READER, commit).await.unwrap(), Some((true, standing)));
        let news = store.news(READER, commit, usize::MAX).await.unwrap().unwrap().since.unwrap();
        let later: Vec<_> = news.commits.iter().map(|row| row.head).collect();
        assert_eq!(later, known[index + 1..]);
        assert_eq!(news.items.len(), usize::from(index < 3));
        let page = store.commit_page(READER, Some(commit.seq), 9).await.unwrap().unwrap();
        assert_eq!(page.rows.len(), 3 - index);
    }
    let between = LogHead { seq: Seq(500), ..first.row.head };
    assert_eq!(store.find_commit(READER, between).await.unwrap(), Some((false, standing)));
    assert_eq!(store.news(READER, between, usize::MAX).await.unwrap().unwrap().since, None);
    let page = store.commit_page(READER, Some(Seq(500)), 9).await.unwrap().unwrap();
    assert_eq!(page.rows.iter().map(|row| row.head).collect::<Vec<_>>(), known[2..]);
    let control = store.control_page(READER, None).await.unwrap().unwrap();
    let control_heads: Vec<_> = control.rows.iter().map(|row| row.head).collect();
    assert_eq!((control_heads, control.last), (vec![genesis, head], next.row.clone()));
    assert_eq!(store.commit(next).await.unwrap(), CommitOutcome::Already(standing));
    let late = new_commit(first.row.head, b"late", Vec::new(), (1, 0));
    assert_eq!(store.commit(late).await.unwrap(), CommitOutcome::HeadMoved(standing));
}

pub(super) async fn one_of_many_joins_on_one_head_is_made(store: Arc<dyn Store>) {
    let genesis = make_vault(&*store, 100_000).await;
    let side = sides(&[1], b"side");
    let mut tasks = Vec::new();
    for number in 0..8_u8 {
        let (store, side) = (store.clone(), side.clone());
        tasks.push(tokio::spawn(async move {
            let place = StagePlace { account_id: AccountId([number; 32]), ..PLACE };
            let new =
                NewSides { place, rows: side.clone(), now_ms: 2_000, limit_bytes: LIMIT, stage_bytes: LIMIT };
            assert_eq!(store.stage_sides(new).await.unwrap(), SidesOutcome::Staged);
            if number % 2 == 0 {
                let mut new = NewJoin { place, ..join(genesis, 2, heads(&side), (0, 0)) };
                new.commit.row = CommitRow { kind: CommitKind::Heal, ..row(2, &[number]) };
                matches!(store.join(new).await.unwrap(), JoinOutcome::Joined(_))
            } else {
                let commit = new_commit(genesis, &[number], Vec::new(), (0, 0));
                matches!(store.commit(commit).await.unwrap(), CommitOutcome::Committed(_))
            }
        }));
    }
    let mut made = 0;
    for task in tasks {
        made += usize::from(task.await.unwrap());
    }
    assert_eq!(made, 1);
    let chain = store.commit_page(READER, None, 99).await.unwrap().unwrap();
    assert_eq!(chain.rows.len(), 2);
    let is_heal = chain.rows[1].kind == CommitKind::Heal;
    assert_eq!(kept(&*store).await.len(), usize::from(is_heal), "sides are kept with their heal alone");
}
