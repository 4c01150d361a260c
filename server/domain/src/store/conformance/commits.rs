//! Vaults and commits, one at a time.

use lockstep_proto::blob::ItemState;
use lockstep_proto::ids::{AccountId, Hash, VaultId};
use lockstep_proto::log::LogHead;

use super::super::{CommitOutcome, CreateVaultOutcome, ItemPlace, NewVault, Standing, Store, VaultReader};
use super::made_up::{NONE, OWNER, READER, VAULT, item, item_id, make_vault, new_commit, new_vault};

pub(super) async fn a_vault_is_made_once(store: &dyn Store) {
    assert_eq!(store.checkpoint(VAULT).await.unwrap(), None);
    let head = make_vault(store, 100).await;
    assert_eq!(store.checkpoint(VAULT).await.unwrap(), Some(b"at 0".to_vec()));
    let standing = Standing { head, bytes_left: 100 };
    let again = store.create_vault(new_vault(100)).await.unwrap();
    assert_eq!(again, CreateVaultOutcome::Already(standing));
    let named = |byte| NewVault { vault_id: VaultId([byte; 32]), ..new_vault(100) };
    assert!(matches!(store.create_vault(named(3)).await.unwrap(), CreateVaultOutcome::Created(_)));
}

pub(super) async fn every_refusal_is_exact_and_writes_nothing(store: &dyn Store) {
    let genesis = make_vault(store, 165).await;
    let first = item(item_id(1), NONE, b"first");
    let before = new_commit(genesis, b"a", vec![first.clone()], (1, 0));
    let CommitOutcome::Committed(standing) = store.commit(before).await.unwrap() else { panic!() };
    assert_eq!(standing.bytes_left, 95);
    let head = standing.head;
    let second = || item(item_id(2), NONE, b"second");
    let mut forgotten = first.new;
    forgotten.blob_hash = Hash([9; 32]);
    let mut skipped = first.new;
    skipped.version = skipped.version.next();
    let mut elsewhere = new_commit(head, b"b", vec![second()], (2, 0));
    elsewhere.vault_id = VaultId([9; 32]);
    let sibling = LogHead { hash: Hash([3; 32]), ..head };
    for (commit, outcome) in [
        (elsewhere, CommitOutcome::NoVault),
        (new_commit(genesis, b"b", vec![second()], (2, 0)), CommitOutcome::HeadMoved(standing)),
        (new_commit(sibling, b"b", vec![second()], (2, 0)), CommitOutcome::HeadMoved(standing)),
        (
            new_commit(head, b"b", vec![second(), item(item_id(1), NONE, b"x")], (2, 0)),
            CommitOutcome::Item(item_id(1)),
        ),
        (
            new_commit(head, b"b", vec![item(item_id(1), forgotten, b"x")], (1, 0)),
            CommitOutcome::Item(item_id(1)),
        ),
        (
            new_commit(head, b"b", vec![item(item_id(1), skipped, b"x")], (1, 0)),
            CommitOutcome::Item(item_id(1)),
        ),
        (
            new_commit(head, b"b", vec![item(item_id(3), first.new, b"x")], (2, 0)),
            CommitOutcome::Item(item_id(3)),
        ),
        (new_commit(head, b"b", vec![second()], (1, 1)), CommitOutcome::Counts),
        (
            new_commit(head, b"b", vec![item(item_id(2), NONE, &[0; 31])], (2, 0)),
            CommitOutcome::Quota(standing),
        ),
    ] {
        assert_eq!(store.commit(commit).await.unwrap(), outcome);
        let page = store.commit_page(READER, None, 10).await.unwrap().unwrap();
        assert_eq!((page.rows.len(), page.standing), (2, standing));
        let items = store.item_page(READER, ItemPlace::default()).await.unwrap().unwrap();
        assert_eq!(items.rows.len(), 1);
        assert_eq!(store.checkpoint(VAULT).await.unwrap(), Some(b"at 1".to_vec()));
    }
    let mut purge = item(item_id(1), first.new, b"t");
    purge.state = ItemState::Tombstone;
    let good = new_commit(head, b"b", vec![second(), purge], (1, 1));
    assert!(matches!(store.commit(good).await.unwrap(), CommitOutcome::Committed(_)));
}

pub(super) async fn the_same_commit_twice_is_already_there(store: &dyn Store) {
    let genesis = make_vault(store, 100_000).await;
    let first = new_commit(genesis, b"a", vec![item(item_id(1), NONE, b"1")], (1, 0));
    let CommitOutcome::Committed(standing) = store.commit(first.clone()).await.unwrap() else { panic!() };
    assert_eq!(store.commit(first.clone()).await.unwrap(), CommitOutcome::Already(standing));
    let next = new_commit(standing.head, b"b", vec![item(item_id(2), NONE, b"2")], (2, 0));
    let CommitOutcome::Committed(later) = store.commit(next).await.unwrap() else { panic!() };
    assert_eq!(store.commit(first.clone()).await.unwrap(), CommitOutcome::Already(later));
    assert_eq!(store.find_commit(READER, first.row.head).await.unwrap(), Some((true, later)));
    let other = LogHead { hash: Hash([9; 32]), ..first.row.head };
    assert_eq!(store.find_commit(READER, other).await.unwrap(), Some((false, later)));
}

pub(super) async fn the_quota_counts_history(store: &dyn Store) {
    let mut head = make_vault(store, 230).await;
    let mut leaf = NONE;
    for round in 0..2_u8 {
        let change = item(item_id(1), leaf, &[round; 40]);
        leaf = change.new;
        let commit = new_commit(head, b"x", vec![change], (1, 0));
        let CommitOutcome::Committed(standing) = store.commit(commit).await.unwrap() else { panic!() };
        head = standing.head;
        assert_eq!(standing.bytes_left, 125 - 105 * u64::from(round));
    }
    let full = new_commit(head, b"x", vec![item(item_id(1), leaf, &[9; 40])], (1, 0));
    let left = Standing { head, bytes_left: 20 };
    assert_eq!(store.commit(full).await.unwrap(), CommitOutcome::Quota(left));
}

pub(super) async fn members_alone_read(store: &dyn Store) {
    let genesis = make_vault(store, 100_000).await;
    let guest = AccountId([7; 32]);
    let reader = VaultReader { vault_id: VAULT, account_id: guest };
    let sees = async |reader| {
        let commits = store.commit_page(reader, None, 10).await.unwrap().is_some();
        let items = store.item_page(reader, ItemPlace::default()).await.unwrap().is_some();
        let blobs = store.blobs(reader, Vec::new()).await.unwrap().is_some();
        let found = store.find_commit(reader, genesis).await.unwrap().is_some();
        assert!(commits == items && items == blobs && blobs == found);
        commits
    };
    assert!(sees(READER).await && !sees(reader).await);
    let mut control = new_commit(genesis, b"in", Vec::new(), (0, 0));
    control.members = Some(vec![OWNER, guest]);
    let CommitOutcome::Committed(standing) = store.commit(control).await.unwrap() else { panic!() };
    assert!(sees(READER).await && sees(reader).await);
    let mut control = new_commit(standing.head, b"out", Vec::new(), (0, 0));
    control.members = Some(vec![OWNER]);
    store.commit(control).await.unwrap();
    assert!(sees(READER).await && !sees(reader).await);
}
