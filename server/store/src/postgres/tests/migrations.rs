//! How a database becomes this program's, and which ones are left alone.

use crate::error::OpenError;

use super::super::PostgresStore;
use super::super::testing::TestDatabase;
use super::open;
use super::scene::session;

/// Everything that the catalogue says about the database's tables, and the schema's version.
async fn everything(database: &TestDatabase) -> Vec<String> {
    let sql = "select c.relname || ' ' || coalesce(string_agg(a.attname || ':' || a.atttypid::regtype::text, ','), '')
         from pg_class c
         left join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
         where c.relnamespace = 'public'::regnamespace
         group by c.oid, c.relname
         order by c.relname";
    session(database).await.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

fn refused(database: &TestDatabase) -> OpenError {
    PostgresStore::open(&database.url().parse().unwrap()).err().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_nodes_that_start_at_once_one_migrates_and_all_open() {
    let database = TestDatabase::make();
    let url = database.url();
    std::thread::scope(|scope| {
        let nodes: Vec<_> =
            (0..6).map(|_| scope.spawn(|| PostgresStore::open(&url.parse().unwrap()))).collect();
        for node in nodes {
            node.join().unwrap().unwrap();
        }
    });
    let rows = session(&database).await.query("select version from lockstep_schema", &[]).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.get(0)).collect::<Vec<i32>>(), [4]);
    let made = everything(&database).await;
    drop(open(&database));
    assert_eq!(everything(&database).await, made);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_another_program_is_refused_and_left_alone() {
    for sql in [
        "create table vault (id int4)",
        "create view mine as select 1",
        "create materialized view m as select 1",
    ] {
        let database = TestDatabase::make();
        session(&database).await.batch_execute(sql).await.unwrap();
        let before = everything(&database).await;
        assert!(matches!(refused(&database), OpenError::Foreign(_)), "{sql}");
        assert_eq!(everything(&database).await, before);
    }
    let database = TestDatabase::make();
    session(&database).await.batch_execute("create table lockstep_schema (version text)").await.unwrap();
    assert!(matches!(refused(&database), OpenError::Failed { .. }));
    assert_eq!(everything(&database).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_schema_is_refused_and_left_alone() {
    let database = TestDatabase::make();
    drop(open(&database));
    let session = session(&database).await;
    let sql = "update lockstep_schema set version = 99; drop table invite";
    session.batch_execute(sql).await.unwrap();
    let before = everything(&database).await;
    assert!(matches!(refused(&database), OpenError::NewerSchema { found: 99, known: 4 }));
    assert_eq!(everything(&database).await, before);
    let version: i32 = session.query_one("select version from lockstep_schema", &[]).await.unwrap().get(0);
    assert_eq!(version, 99);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_not_there_is_an_error_without_the_password() {
    let database = TestDatabase::make();
    let url = format!("{}_not", database.url());
    let Err(OpenError::Failed { path, source }) = PostgresStore::open(&url.parse().unwrap()) else {
        panic!()
    };
    let password = url.split_once("lockstep:").unwrap().1.split_once('@').unwrap().0;
    assert!(path.ends_with("_not") && !format!("{path} {source} {source:?}").contains(password));
}
