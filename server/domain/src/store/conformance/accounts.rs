//! Accounts and the operator's side.

use std::collections::BTreeSet;

use lockstep_proto::ids::{AccountId, Hash, Seq, ServerId};

use super::super::{Admission, AppendOutcome, CreateOutcome, NewAccount, NewLinks, Store, StoredSlot};
use super::made_up::{account, link, record, slot};

pub(super) async fn a_new_account_is_whole_and_made_once(store: &dyn Store) {
    let new = account(1);
    assert!(store.is_empty().await.unwrap());
    assert_eq!(store.record(new.account_id).await.unwrap(), None);
    assert_eq!(store.link_page(new.account_id, None).await.unwrap(), None);
    let made = store.create_account(new.clone(), Admission::Anyone).await.unwrap();
    assert_eq!(made, CreateOutcome::Created);
    assert!(!store.is_empty().await.unwrap());
    assert_eq!(store.record(new.account_id).await.unwrap(), new.record);
    let named = BTreeSet::from([new.slots[0].hash, Hash([99; 32])]);
    assert_eq!(store.slots(new.account_id, named.clone()).await.unwrap(), new.slots);
    assert!(store.slots(AccountId([2; 32]), named).await.unwrap().is_empty());
    let page = store.link_page(new.account_id, None).await.unwrap().unwrap();
    assert_eq!((page.links, page.head, page.more), (new.links.clone(), new.links[1].head, false));

    let again = store.create_account(new.clone(), Admission::FirstOnly).await.unwrap();
    assert_eq!(again, CreateOutcome::Already);
    let mut other = new;
    other.links[1].bytes.push(0);
    assert_eq!(store.create_account(other, Admission::Anyone).await.unwrap(), CreateOutcome::Exists);
}

pub(super) async fn admission_is_decided_with_the_account(store: &dyn Store) {
    let create = async |byte, admission| store.create_account(account(byte), admission).await.unwrap();
    assert_eq!(create(1, Admission::FirstOnly).await, CreateOutcome::Created);
    assert_eq!(create(2, Admission::FirstOnly).await, CreateOutcome::NotAdmitted);
    assert_eq!(store.record(account(2).account_id).await.unwrap(), None);

    let invite = Hash([8; 32]);
    store.add_invite(invite, 100).await.unwrap();
    assert!(store.has_invite(invite, 99).await.unwrap());
    assert!(!store.has_invite(invite, 100).await.unwrap());
    assert!(!store.has_invite(Hash([9; 32]), 0).await.unwrap());
    let wrong = Admission::Invited { invite: Hash([9; 32]), now_ms: 0 };
    assert_eq!(create(2, wrong).await, CreateOutcome::NotAdmitted);
    assert_eq!(create(2, Admission::Invited { invite, now_ms: 99 }).await, CreateOutcome::Created);
    assert_eq!(create(3, Admission::Invited { invite, now_ms: 99 }).await, CreateOutcome::NotAdmitted);
    store.add_invite(invite, 100).await.unwrap();
    assert_eq!(create(3, Admission::Invited { invite, now_ms: 100 }).await, CreateOutcome::NotAdmitted);
}

pub(super) async fn links_are_compared_and_set(store: &dyn Store) {
    let (new, next) = (account(1), link(1, 2, 10));
    let links = NewLinks {
        account_id: new.account_id,
        after: new.links[1].head,
        links: vec![next.clone()],
        slots: vec![slot(3)],
        record: Some(record(9)),
        // One that is not there goes without a word.
        gone: BTreeSet::from([slot(4).hash]),
        limit_bytes: u64::MAX,
    };
    assert_eq!(store.append_links(links.clone()).await.unwrap(), AppendOutcome::NoAccount);
    store.create_account(new.clone(), Admission::Anyone).await.unwrap();
    assert_eq!(store.append_links(links.clone()).await.unwrap(), AppendOutcome::Appended);
    assert_eq!(store.record(new.account_id).await.unwrap(), Some(record(9)));

    // Slots and record alone.
    let none = NewLinks { after: next.head, links: Vec::new(), record: Some(record(7)), ..links.clone() };
    assert_eq!(store.append_links(none.clone()).await.unwrap(), AppendOutcome::Appended);
    assert_eq!(store.record(new.account_id).await.unwrap(), Some(record(7)));
    let none = NewLinks { record: Some(record(9)), ..none };
    assert_eq!(store.append_links(none).await.unwrap(), AppendOutcome::Appended);

    let late = NewLinks { slots: vec![slot(4)], record: Some(record(8)), ..links };
    assert_eq!(store.append_links(late).await.unwrap(), AppendOutcome::HeadMoved(next.head));
    assert_eq!(store.record(new.account_id).await.unwrap(), Some(record(9)));
    let named = BTreeSet::from([slot(1).hash, slot(3).hash, slot(4).hash]);
    assert_eq!(store.slots(new.account_id, named).await.unwrap(), [slot(1), slot(3)]);
    let page = store.link_page(new.account_id, Some(Seq(1))).await.unwrap().unwrap();
    assert_eq!((page.links, page.head), (vec![next.clone()], next.head));

    // What is given up goes, for this account alone.
    let (two, shared) = (account(2), slot(1));
    let two = NewAccount { slots: vec![shared.clone(), slot(2)], ..two };
    store.create_account(two, Admission::Anyone).await.unwrap();
    let (slots, gone) = (vec![slot(4)], BTreeSet::from([slot(1).hash, slot(2).hash]));
    let last = NewLinks {
        account_id: new.account_id,
        after: next.head,
        links: vec![link(1, 3, 10)],
        slots,
        record: None,
        gone,
        limit_bytes: u64::MAX,
    };
    assert_eq!(store.append_links(last).await.unwrap(), AppendOutcome::Appended);
    let named = BTreeSet::from([1, 2, 3, 4].map(|byte| slot(byte).hash));
    assert_eq!(store.slots(new.account_id, named.clone()).await.unwrap(), [slot(3), slot(4)]);
    assert_eq!(store.slots(AccountId([2; 32]), named).await.unwrap(), [shared, slot(2)]);
}

pub(super) async fn slots_stay_until_they_are_given_up(store: &dyn Store) {
    let new = account(1);
    store.create_account(new.clone(), Admission::Anyone).await.unwrap();
    let all = BTreeSet::from([1, 5, 6, 7].map(|byte| slot(byte).hash));
    let append = async |seq: u64, slots: Vec<StoredSlot>, gone: &[u8]| {
        let after = store.link_page(new.account_id, None).await.unwrap().unwrap().head;
        let gone = gone.iter().map(|byte| slot(*byte).hash).collect();
        let links = vec![link(1, seq, 10)];
        let (account_id, limit_bytes) = (new.account_id, u64::MAX);
        let links = NewLinks { account_id, after, links, slots, record: None, gone, limit_bytes };
        assert_eq!(store.append_links(links).await.unwrap(), AppendOutcome::Appended);
        store.slots(new.account_id, all.clone()).await.unwrap()
    };
    assert_eq!(append(2, vec![slot(5)], &[]).await, [slot(1), slot(5)]);
    assert_eq!(append(3, vec![slot(7)], &[]).await, [slot(1), slot(5), slot(7)]);
    assert_eq!(append(4, vec![slot(6), slot(5)], &[]).await, [1, 5, 6, 7].map(slot));
    assert_eq!(append(5, Vec::new(), &[1, 5, 6]).await, [slot(7)]);
    // It may come back.
    assert_eq!(append(6, vec![slot(5)], &[7]).await, [slot(5)]);
}

pub(super) async fn an_account_comes_back_without_a_record(store: &dyn Store) {
    let new = NewAccount { record: None, ..account(1) };
    let made = store.create_account(new.clone(), Admission::Anyone).await.unwrap();
    assert_eq!(made, CreateOutcome::Created);
    assert_eq!(store.record(new.account_id).await.unwrap(), None);
    assert!(store.link_page(new.account_id, None).await.unwrap().is_some());
    let (account_id, after) = (new.account_id, new.links[1].head);
    let (links, slots, record) = (Vec::new(), Vec::new(), Some(record(3)));
    let gone = BTreeSet::new();
    let links = NewLinks { account_id, after, links, slots, record, gone, limit_bytes: u64::MAX };
    assert_eq!(store.append_links(links.clone()).await.unwrap(), AppendOutcome::Appended);
    assert_eq!(store.record(account_id).await.unwrap(), links.record);
}

pub(super) async fn log_pages_hold_everything_once(store: &dyn Store) {
    let mut new = account(1);
    new.links = (0..9).map(|seq| link(1, seq, 300_000)).collect();
    store.create_account(new.clone(), Admission::Anyone).await.unwrap();
    let (mut seen, mut after, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = store.link_page(new.account_id, after).await.unwrap().unwrap();
        pages += 1;
        seen.extend(page.links);
        after = seen.last().map(|link| link.head.seq);
        if !page.more {
            break;
        }
    }
    assert_eq!((seen, pages), (new.links, 3));
    let end = store.link_page(new.account_id, after).await.unwrap().unwrap();
    assert!(end.links.is_empty() && !end.more);
}

pub(super) async fn a_store_belongs_to_one_server(store: &dyn Store) {
    assert_eq!(store.server().await.unwrap(), None);
    assert_eq!(store.bind_server(ServerId([1; 16])).await.unwrap(), ServerId([1; 16]));
    assert_eq!(store.bind_server(ServerId([2; 16])).await.unwrap(), ServerId([1; 16]));
    assert_eq!(store.server().await.unwrap(), Some(ServerId([1; 16])));
    store.check().await.unwrap();
}
