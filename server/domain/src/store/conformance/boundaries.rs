//! Where pages end, to the byte.

use lockstep_proto::api::PAGE_LIMIT;
use lockstep_proto::api::items::ItemVersion;
use lockstep_proto::ids::{AccountId, Seq, VaultId, Version};

use super::super::{Admission, CommitOutcome, CreateVaultOutcome, ItemPlace, NewVault, Store, VaultReader};
use super::made_up::{NONE, OWNER, account, item, item_id, link, new_commit, new_vault};

/// Small enough for any entry, and no smaller than the smallest made-up commit.
const SMALL: usize = 100;

/// Sizes of entries in order, and how many of them each page holds.
const CASES: [(&[usize], &[usize]); 7] = [
    (&[PAGE_LIMIT - SMALL, SMALL], &[2]),
    (&[PAGE_LIMIT - SMALL, SMALL + 1], &[1, 1]),
    (&[PAGE_LIMIT - SMALL, SMALL, SMALL], &[2, 1]),
    (&[PAGE_LIMIT, PAGE_LIMIT], &[1, 1]),
    (&[PAGE_LIMIT + 1], &[1]),
    (&[PAGE_LIMIT + 1, SMALL], &[1, 1]),
    (&[SMALL, PAGE_LIMIT + 1, SMALL], &[1, 1, 1]),
];

fn reader(case: usize) -> VaultReader {
    VaultReader { vault_id: VaultId([case as u8 + 10; 32]), account_id: OWNER }
}

/// A vault with one commit per entry: a body that fills it to its size, and no items; or one item each.
async fn filled(store: &dyn Store, case: usize, sizes: &[usize], items: bool) -> VaultReader {
    let reader = reader(case);
    let vault = NewVault { vault_id: reader.vault_id, ..new_vault(1 << 30) };
    let CreateVaultOutcome::Created(mut standing) = store.create_vault(vault).await.unwrap() else {
        panic!()
    };
    for (index, size) in sizes.iter().enumerate() {
        // A made-up commit is 64 bytes and its salt.
        let mut commit = if items {
            let change = item(item_id(index as u16), NONE, &vec![index as u8; *size]);
            new_commit(standing.head, b"", vec![change], (index as u64 + 1, 0))
        } else {
            new_commit(standing.head, &vec![0; size - 64], Vec::new(), (0, 0))
        };
        commit.vault_id = reader.vault_id;
        let CommitOutcome::Committed(after) = store.commit(commit).await.unwrap() else { panic!() };
        standing = after;
    }
    reader
}

pub(super) async fn links_fill_a_page_to_the_byte(store: &dyn Store) {
    for (case, (sizes, expected)) in CASES.iter().enumerate() {
        let mut new = account(case as u8 + 1);
        let links = sizes.iter().enumerate();
        new.links = links.map(|(seq, size)| link(case as u8 + 1, seq as u64, *size)).collect();
        store.create_account(new.clone(), Admission::Anyone).await.unwrap();
        let (mut pages, mut after) = (Vec::new(), None);
        loop {
            let page = store.link_page(AccountId([case as u8 + 1; 32]), after).await.unwrap().unwrap();
            pages.push(page.links.len());
            after = page.links.last().map(|link| link.head.seq);
            assert_eq!(page.head, new.links.last().unwrap().head);
            if !page.more {
                break;
            }
        }
        assert_eq!(&pages, expected, "case {case}");
    }
}

pub(super) async fn commits_fill_a_page_to_the_byte(store: &dyn Store) {
    for (case, (sizes, expected)) in CASES.iter().enumerate() {
        let reader = filled(store, case, sizes, false).await;
        let (mut pages, mut after) = (Vec::new(), Seq(0));
        loop {
            let page = store.commit_page(reader, Some(after), 1_000).await.unwrap().unwrap();
            pages.push(page.rows.len());
            after = page.rows.last().unwrap().head.seq;
            if !page.more {
                break;
            }
        }
        assert_eq!(&pages, expected, "case {case}");
        let beyond = store.commit_page(reader, Some(Seq(u64::MAX)), 1_000).await.unwrap().unwrap();
        assert!(beyond.rows.is_empty() && !beyond.more);
    }
}

pub(super) async fn items_fill_a_page_to_the_byte(store: &dyn Store) {
    for (case, (sizes, expected)) in CASES.iter().enumerate() {
        let reader = filled(store, case, sizes, true).await;
        let (mut pages, mut place) = (Vec::new(), ItemPlace::default());
        loop {
            let page = store.item_page(reader, place).await.unwrap().unwrap();
            pages.push(page.rows.len());
            let last = page.rows.last().unwrap();
            place = ItemPlace { seq: Some(last.seq), item_id: Some(last.item_id), upto: None };
            if !page.more {
                break;
            }
        }
        assert_eq!(&pages, expected, "case {case}");
    }
}

pub(super) async fn blobs_fill_a_page_to_the_byte(store: &dyn Store) {
    for (case, (sizes, expected)) in CASES.iter().enumerate() {
        let reader = filled(store, case, sizes, true).await;
        let wanted = |index| ItemVersion { item_id: item_id(index), version: Version(1) };
        let mut want: Vec<_> = (0..sizes.len() as u16).map(wanted).collect();
        let mut pages = Vec::new();
        loop {
            let page = store.blobs(reader, want.clone()).await.unwrap().unwrap();
            pages.push(page.blobs.len());
            assert!(page.missing.is_empty());
            want.drain(..page.blobs.len());
            assert_eq!(page.more, !want.is_empty());
            if want.is_empty() {
                break;
            }
        }
        assert_eq!(&pages, expected, "case {case}");
    }
}
