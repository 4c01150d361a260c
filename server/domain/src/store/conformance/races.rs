//! Many that want the same, and one that gets it.

use std::collections::BTreeSet;
use std::sync::Arc;

use lockstep_proto::ids::{AccountId, Hash, Seq, ServerId, VaultId};

use super::super::{
    AccountLimits, Admission, Allot, AllotOutcome, AppendOutcome, CommitOutcome, CreateOutcome,
    CreateVaultOutcome, NewCommit, NewLinks, NewVault, StagePlace, Store, StoredLink,
};
use super::made_up::{OWNER, account, link, new_commit, new_vault, record, row, slot};

const TASKS: u8 = 64;

/// Runs a task per number at once and gives what they answered.
async fn all<T, F>(store: &Arc<dyn Store>, task: impl Fn(Arc<dyn Store>, u8) -> F) -> Vec<T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let tasks: Vec<_> = (1..=TASKS).map(|number| tokio::spawn(task(store.clone(), number))).collect();
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.unwrap());
    }
    answers
}

fn count<T: PartialEq>(answers: &[T], wanted: &T) -> usize {
    answers.iter().filter(|answer| *answer == wanted).count()
}

pub(super) async fn one_account_made_many_times_is_made_once(store: Arc<dyn Store>) {
    let same = |store: Arc<dyn Store>, _| async move {
        store.create_account(account(1), Admission::FirstOnly).await.unwrap()
    };
    let answers = all(&store, same).await;
    assert_eq!(count(&answers, &CreateOutcome::Created), 1);
    assert_eq!(count(&answers, &CreateOutcome::Already), usize::from(TASKS) - 1);

    let other = |store: Arc<dyn Store>, number| async move {
        let mut new = account(2);
        new.links[1].bytes.push(number);
        (number, store.create_account(new, Admission::Anyone).await.unwrap())
    };
    let answers = all(&store, other).await;
    let made: Vec<_> = answers.iter().filter(|(_, outcome)| *outcome == CreateOutcome::Created).collect();
    assert_eq!(made.len(), 1);
    assert!(answers.iter().all(|(_, outcome)| *outcome == CreateOutcome::Exists || made[0].1 == *outcome));
    let page = store.link_page(account(2).account_id, None).await.unwrap().unwrap();
    assert_eq!(page.links[1].bytes.last(), Some(&made[0].0));
}

pub(super) async fn an_invitation_admits_one_of_many(store: Arc<dyn Store>) {
    store.create_account(account(100), Admission::FirstOnly).await.unwrap();
    let invite = Hash([9; 32]);
    store.add_invite(invite, 50).await.unwrap();
    let late = Admission::Invited { invite, now_ms: 50 };
    assert_eq!(store.create_account(account(101), late).await.unwrap(), CreateOutcome::NotAdmitted);
    assert!(store.has_invite(invite, 49).await.unwrap(), "a refusal spends nothing");
    let admission = Admission::Invited { invite, now_ms: 49 };
    let known = store.create_account(account(100), admission).await.unwrap();
    assert_eq!(known, CreateOutcome::Already);
    assert!(store.has_invite(invite, 49).await.unwrap(), "an account that is there spends nothing");
    let join = move |store: Arc<dyn Store>, number| async move {
        store.create_account(account(number), admission).await.unwrap()
    };
    let answers = all(&store, join).await;
    assert_eq!(count(&answers, &CreateOutcome::Created), 1);
    assert_eq!(count(&answers, &CreateOutcome::NotAdmitted), usize::from(TASKS) - 1);
    assert!(!store.has_invite(invite, 0).await.unwrap());
}

pub(super) async fn one_of_many_links_on_one_head_is_appended(store: Arc<dyn Store>) {
    let new = account(200);
    store.create_account(new.clone(), Admission::Anyone).await.unwrap();
    let (id, after) = (new.account_id, new.links[1].head);
    let append = move |store: Arc<dyn Store>, number| async move {
        let next = StoredLink { bytes: vec![number; 50], ..link(number, 2, 0) };
        let links = NewLinks {
            account_id: id,
            after,
            links: vec![next.clone(), link(number, 3, 10)],
            slots: vec![slot(number)],
            record: Some(record(number)),
            gone: BTreeSet::new(),
            limit_bytes: u64::MAX,
        };
        (number, store.append_links(links).await.unwrap())
    };
    let answers = all(&store, append).await;
    let page = store.link_page(id, Some(Seq(1))).await.unwrap().unwrap();
    let winner = page.links[0].bytes[0];
    assert_eq!((page.links.len(), page.links[1].head), (2, link(winner, 3, 0).head));
    for (number, outcome) in answers {
        let expected =
            if number == winner { AppendOutcome::Appended } else { AppendOutcome::HeadMoved(page.head) };
        assert_eq!(outcome, expected);
    }
    // Slots and record are the winner's, and nobody else's.
    assert_eq!(store.record(id).await.unwrap(), Some(record(winner)));
    let named = (1..=TASKS).map(|number| slot(number).hash).collect();
    assert_eq!(store.slots(id, named).await.unwrap(), [slot(winner)]);
}

pub(super) async fn one_vault_made_many_times_is_made_once(store: Arc<dyn Store>) {
    let make = |store: Arc<dyn Store>, _| async move { store.create_vault(new_vault(10)).await.unwrap() };
    let answers = all(&store, make).await;
    let made = |outcome: &&CreateVaultOutcome| matches!(outcome, CreateVaultOutcome::Created(_));
    assert_eq!(answers.iter().filter(made).count(), 1);
}

pub(super) async fn an_account_never_gets_more_vaults_than_it_may(store: Arc<dyn Store>) {
    let make =
        |store: Arc<dyn Store>, number| async move { store.allot(allot(OWNER, number, 10)).await.unwrap() };
    let answers = all(&store, make).await;
    assert_eq!(count(&answers, &AllotOutcome::TooManyVaults), usize::from(TASKS) - 5);
    let other = store.allot(allot(AccountId([77; 32]), 250, 10)).await.unwrap();
    assert!(matches!(other, AllotOutcome::Allotted(_)), "another account's vaults do not count");
}

/// However many vaults are written at once: what an account may hold is given once, and to the last commit.
pub(super) async fn vaults_together_never_hold_more_than_the_quota(store: Arc<dyn Store>) {
    store.create_account(account(OWNER.0[0]), Admission::Anyone).await.unwrap();
    let limits = AccountLimits { bytes: 20_000, vaults: 5 };
    let room = move |vault, more| Allot { limits, more, ..allot(OWNER, vault, 0) };
    for vault in 1..=5 {
        store.allot(room(vault, 39)).await.unwrap();
        let vault_id = VaultId([vault; 32]);
        store.create_vault(NewVault { vault_id, ..new_vault(0) }).await.unwrap();
    }
    let fill = move |store: Arc<dyn Store>, vault: u8| async move {
        let vault_id = VaultId([vault; 32]);
        if vault > 5 {
            return;
        }
        let mut head = row(0, b"genesis").head;
        loop {
            let commit = NewCommit { vault_id, ..new_commit(head, b"x", Vec::new(), (0, 0)) };
            let bytes = commit.bytes();
            match store.commit(commit).await.unwrap() {
                CommitOutcome::Committed(standing) => head = standing.head,
                CommitOutcome::Quota(_) => match store.allot(room(vault, bytes)).await.unwrap() {
                    AllotOutcome::Allotted(_) => {}
                    AllotOutcome::Full(_) => return,
                    other => panic!("{other:?}"),
                },
                other => panic!("{other:?}"),
            }
        }
    };
    all(&store, fill).await;
    let usage = store.usage(OWNER).await.unwrap().unwrap();
    let held = usage.log_bytes + usage.vault_bytes;
    assert_eq!(usage.vaults, 5);
    assert!(held <= limits.bytes && held + 65 > limits.bytes, "{usage:?}");
}

const LIMITS: AccountLimits = AccountLimits { bytes: 100, vaults: 5 };

fn allot(account_id: AccountId, vault: u8, more: u64) -> Allot {
    Allot { place: StagePlace { vault_id: VaultId([vault; 32]), account_id }, more, limits: LIMITS }
}

pub(super) async fn of_many_servers_one_owns_the_store(store: Arc<dyn Store>) {
    let bind = |store: Arc<dyn Store>, number| async move {
        store.bind_server(ServerId([number; 16])).await.unwrap()
    };
    let answers = all(&store, bind).await;
    assert_eq!(count(&answers, &answers[0]), usize::from(TASKS));
    assert_eq!(store.server().await.unwrap(), Some(answers[0]));
}
