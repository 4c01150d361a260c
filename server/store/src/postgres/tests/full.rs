//! A database whose disk is full says so with a code of its own.

use std::sync::Arc;

use lockstep_domain::store::{CommitOutcome, OperatorStore as _, StoreError, VaultStore as _};

use super::super::testing::TestDatabase;
use super::made_up::{genesis, make_vaults, next, reader, vault_id};
use super::open;
use super::scene::session;

#[tokio::test(flavor = "multi_thread")]
async fn a_write_without_room_is_refused_as_a_whole_and_taken_when_there_is_some() {
    let database = TestDatabase::make();
    let store = Arc::new(open(&database));
    make_vaults(&store, &[vault_id(0)]).await;
    let session = session(&database).await;
    let full = "create function full_disk() returns trigger language plpgsql as
            $$ begin raise exception using errcode = '53100', message = 'could not extend file'; end $$;
        create trigger full_disk before insert on item_version for each row execute function full_disk();
        create trigger full_disk before update on meta for each row execute function full_disk()";
    store.probe().await.unwrap();
    session.batch_execute(full).await.unwrap();
    let commit = next(vault_id(0), genesis(), 1);
    let refused = store.commit(commit.clone()).await.unwrap_err();
    assert!(matches!(refused, StoreError::Full(_)), "{refused:?}");
    assert!(matches!(store.probe().await, Err(StoreError::Full(_))));
    let page = store.commit_page(reader(vault_id(0)), None, 10).await.unwrap().unwrap();
    assert_eq!((page.rows.len(), page.standing.head), (1, genesis()));
    session.batch_execute("drop function full_disk() cascade").await.unwrap();
    assert!(matches!(store.commit(commit).await.unwrap(), CommitOutcome::Committed(_)));
}
