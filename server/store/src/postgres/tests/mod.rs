//! What only PostgreSQL can get wrong: races between nodes, plans, round trips, a database that goes away.
//!
//! **Invariant:** every test has a database of its own in the cluster that `LOCKSTEP_TEST_POSTGRES` names.

mod bars;
mod catalogue;
mod deadlocks;
mod every_method;
mod flushes;
mod full;
mod gone;
mod made_up;
mod many;
mod migrations;
mod plans;
mod races;
mod round_trips;
mod scene;
mod wire;

use std::cell::RefCell;
use std::sync::Arc;

use super::PostgresStore;
use super::testing::TestDatabase;

fn open(database: &TestDatabase) -> PostgresStore {
    open_at(&database.url())
}

fn open_at(url: &str) -> PostgresStore {
    PostgresStore::open(&url.parse().unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn passes_the_conformance_suite() {
    let databases = RefCell::new(Vec::new());
    lockstep_domain::store::conformance::run(|| {
        let database = TestDatabase::make();
        let store = Arc::new(open(&database));
        databases.borrow_mut().push(database);
        store
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_the_same_after_reopening() {
    let database = TestDatabase::make();
    lockstep_domain::store::conformance::survive_reopening(|| Arc::new(open(&database))).await;
}
