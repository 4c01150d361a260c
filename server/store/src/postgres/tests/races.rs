//! Two nodes and one vault: who was first is decided once, and everybody hears the truth.

use lockstep_domain::store::{CommitOutcome, Standing, StoreError};

use super::made_up::{QUOTA, genesis, neighbours, next, rewrite, standing, vault_id, whole_chain};
use super::scene::{Scene, lock, session};

#[tokio::test(flavor = "multi_thread")]
async fn of_two_rivals_one_is_committed_and_the_other_learns_where_the_vault_is() {
    let scene = Scene::with_one_vault().await;
    let rivals = [next(vault_id(0), genesis(), 1), next(vault_id(0), genesis(), 2)];
    // Both have taken their snapshot, and see the vault at its genesis.
    scene.lock(vault_id(0)).await;
    let sent = [scene.send(0, &rivals[0]), scene.send(1, &rivals[1])];
    scene.until_waiting(2).await;
    scene.mine.batch_execute("rollback").await.unwrap();
    let mut outcomes = Vec::new();
    for answer in sent {
        outcomes.push(answer.await.unwrap().unwrap());
    }
    let chain = whole_chain(&scene.nodes[0], vault_id(0)).await;
    let winner = usize::from(chain[1] == rivals[1].row.head);
    let truth = standing(&rivals[winner]);
    assert_eq!(outcomes[winner], CommitOutcome::Committed(truth));
    assert_eq!(outcomes[1 - winner], CommitOutcome::HeadMoved(truth));
    assert_eq!(chain.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_commit_sent_to_two_nodes_at_once_is_stored_once() {
    let scene = Scene::with_one_vault().await;
    let commit = next(vault_id(0), genesis(), 1);
    scene.lock(vault_id(0)).await;
    let sent = [scene.send(0, &commit), scene.send(1, &commit)];
    scene.until_waiting(2).await;
    scene.mine.batch_execute("rollback").await.unwrap();
    let mut outcomes = Vec::new();
    for answer in sent {
        outcomes.push(answer.await.unwrap().unwrap());
    }
    let truth = standing(&commit);
    outcomes.sort_by_key(|outcome| matches!(outcome, CommitOutcome::Already(_)));
    assert_eq!(outcomes, [CommitOutcome::Committed(truth), CommitOutcome::Already(truth)]);
    assert_eq!(whole_chain(&scene.nodes[0], vault_id(0)).await, [genesis(), commit.row.head]);
    assert_eq!(scene.number("select count(*) from item_version").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_comes_before_its_predecessor_is_durable_waits_for_it() {
    let scene = Scene::with_one_vault().await;
    let first = next(vault_id(0), genesis(), 1);
    let second = next(vault_id(0), first.row.head, 2);
    scene.hold_writes().await;
    let one = scene.send(0, &first);
    scene.until_waiting(1).await;
    let two = scene.send(1, &second);
    scene.until_waiting(2).await;
    scene.let_writes_go().await;
    assert_eq!(one.await.unwrap().unwrap(), CommitOutcome::Committed(standing(&first)));
    assert_eq!(two.await.unwrap().unwrap(), CommitOutcome::Committed(standing(&second)));
    let heads = [genesis(), first.row.head, second.row.head];
    assert_eq!(whole_chain(&scene.nodes[1], vault_id(0)).await, heads);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_is_judged_by_what_its_predecessor_left_and_not_by_what_it_saw_before() {
    let scene = Scene::with_one_vault().await;
    let first = rewrite(vault_id(0), genesis(), 1);
    let second = rewrite(vault_id(0), first.row.head, 2);
    let third = rewrite(vault_id(0), second.row.head, 3);
    scene.send(0, &first).await.unwrap().unwrap();
    scene.hold_writes().await;
    let two = scene.send(0, &second);
    scene.until_waiting(1).await;
    // It sees the item as it is before the second, which the third does not replace.
    let three = scene.send(1, &third);
    scene.until_waiting(2).await;
    scene.let_writes_go().await;
    for (answer, commit) in [(two, second), (three, third)] {
        let outcome = answer.await.unwrap().unwrap();
        assert!(matches!(outcome, CommitOutcome::Committed(at) if at.head == commit.row.head), "{outcome:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_waits_until_it_is_there_and_overtaken_says_that_it_is_there() {
    let scene = Scene::with_one_vault().await;
    let commit = next(vault_id(0), genesis(), 1);
    let follower = next(vault_id(0), commit.row.head, 2);
    scene.lock(vault_id(0)).await;
    let sent = scene.send(1, &commit);
    scene.until_waiting(1).await;
    // Somebody else's doing: this very commit, and one after it.
    let sql = "insert into vault_commit
             (vault_id, seq, hash, kind, author_account, author_seq, author_hash, bytes, body)
         select vault_id, $1, $2, 2, author_account, author_seq, author_hash, bytes, body
         from vault_commit
         where seq = 0";
    for commit in [&commit, &follower] {
        let (seq, hash) = (commit.row.head.seq.0 as i64, commit.row.head.hash.as_bytes().as_slice());
        scene.mine.execute(sql, &[&seq, &hash]).await.unwrap();
        let head = "update vault set head_seq = $1, head_hash = $2, used_bytes = used_bytes + 364";
        scene.mine.execute(head, &[&seq, &hash]).await.unwrap();
    }
    scene.mine.batch_execute("commit").await.unwrap();
    assert_eq!(sent.await.unwrap().unwrap(), CommitOutcome::Already(standing(&follower)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_predecessor_never_became_durable_learns_where_the_vault_is() {
    let scene = Scene::with_one_vault().await;
    let first = next(vault_id(0), genesis(), 1);
    let second = next(vault_id(0), first.row.head, 2);
    scene.hold_writes().await;
    let one = scene.send(0, &first);
    scene.until_waiting(1).await;
    let two = scene.send(1, &second);
    scene.until_waiting(2).await;
    scene.terminate("wait_event = 'advisory'").await;
    assert!(matches!(one.await.unwrap(), Err(StoreError::Failed(_))));
    let before = Standing { head: genesis(), bytes_left: QUOTA };
    assert_eq!(two.await.unwrap().unwrap(), CommitOutcome::HeadMoved(before));
    scene.let_writes_go().await;
    for commit in [&first, &second] {
        let outcome = scene.send(1, commit).await.unwrap().unwrap();
        assert_eq!(outcome, CommitOutcome::Committed(standing(commit)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_that_another_session_has_locked_holds_up_no_other_of_its_batch() {
    let vaults = neighbours(6);
    let scene = Scene::new(&vaults).await;
    let commits: Vec<_> = vaults[1..].iter().map(|vault_id| next(*vault_id, genesis(), 1)).collect();
    let other = session(&scene.database).await;
    other.batch_execute("begin").await.unwrap();
    lock(&other, vaults[3]).await;
    let mut waiting = scene.together(vaults[0], &commits).await;
    let held = waiting.remove(2);
    for (answer, commit) in waiting.into_iter().zip([0, 1, 3, 4].map(|index| &commits[index])) {
        assert_eq!(answer.await.unwrap(), CommitOutcome::Committed(standing(commit)));
    }
    let free = [1, 2, 4, 5].map(|index| vaults[index]);
    assert_eq!(scene.transactions(&free).await, 1, "they were one batch");
    // The held one is judged alone now, and waits for the lock.
    scene.until_waiting(1).await;
    assert_eq!(whole_chain(&scene.nodes[1], vaults[3]).await, [genesis()]);
    other.batch_execute("rollback").await.unwrap();
    assert_eq!(held.await.unwrap(), CommitOutcome::Committed(standing(&commits[2])));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_judges_each_of_its_commits_by_itself() {
    let vaults = neighbours(5);
    let scene = Scene::new(&vaults[..4]).await;
    let first = next(vaults[1], genesis(), 1);
    scene.send(1, &first).await.unwrap().unwrap();
    let mut wrong = next(vaults[3], genesis(), 1);
    wrong.live = 7;
    let commits =
        [next(vaults[1], genesis(), 9), next(vaults[2], genesis(), 1), wrong, next(vaults[4], genesis(), 1)];
    let mut outcomes = Vec::new();
    for answer in scene.together(vaults[0], &commits).await {
        outcomes.push(answer.await.unwrap());
    }
    let expected = [
        CommitOutcome::HeadMoved(standing(&first)),
        CommitOutcome::Committed(standing(&commits[1])),
        CommitOutcome::Counts,
        CommitOutcome::NoVault,
    ];
    assert_eq!(outcomes, expected);
}
