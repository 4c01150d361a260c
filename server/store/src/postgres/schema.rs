//! The schema's versions.

use deadpool_postgres::{ClientWrapper, GenericClient};

use crate::error::OpenError;

/// Every step, in order; the version of a database is how many of them it has.
const MIGRATIONS: &[&str] = &[
    include_str!("../../migrations/postgres/0001_start.sql"),
    include_str!("../../migrations/postgres/0002_bars.sql"),
    include_str!("../../migrations/postgres/0003_heal.sql"),
    include_str!("../../migrations/postgres/0004_sides.sql"),
];

/// The newest version.
pub(super) const KNOWN: u32 = MIGRATIONS.len() as u32;

/// "LSTP": one of several nodes that start together migrates, the others wait.
const LOCK: i64 = 0x4c53_5450;

/// The version stands in a table of its own, whose name marks the schema as this program's.
const VERSIONS: &str = "create table lockstep_schema (version int4 not null)";

/// Runs the migrations that are missing, all in one transaction. Changes nothing in a database of another program, or
/// of a newer one.
pub(super) async fn update(client: &mut ClientWrapper, name: &str) -> Result<(), OpenError> {
    let failed =
        |source: tokio_postgres::Error| OpenError::Failed { path: name.to_owned(), source: Box::new(source) };
    let tx = client.transaction().await.map_err(failed)?;
    tx.execute("select pg_advisory_xact_lock($1)", &[&LOCK]).await.map_err(failed)?;
    let found = match found(&tx, name).await? {
        Some(found) => found,
        None => {
            tx.batch_execute(VERSIONS).await.map_err(failed)?;
            tx.execute("insert into lockstep_schema (version) values (0)", &[]).await.map_err(failed)?;
            0
        }
    };
    if found == KNOWN {
        return Ok(());
    }
    for migration in &MIGRATIONS[found as usize..] {
        tx.batch_execute(migration).await.map_err(failed)?;
    }
    let newest = KNOWN.cast_signed();
    tx.execute("update lockstep_schema set version = $1", &[&newest]).await.map_err(failed)?;
    tx.commit().await.map_err(failed)
}

/// The version that the database has; `None` for an empty one.
pub(super) async fn found(client: &impl GenericClient, name: &str) -> Result<Option<u32>, OpenError> {
    let failed =
        |source: tokio_postgres::Error| OpenError::Failed { path: name.to_owned(), source: Box::new(source) };
    let sql = "select to_regclass('lockstep_schema') is not null,
             exists (select 1 from pg_class c where c.relnamespace = current_schema()::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f'))";
    let row = client.query_one(sql, &[]).await.map_err(failed)?;
    let (ours, tables): (bool, bool) = (row.try_get(0).map_err(failed)?, row.try_get(1).map_err(failed)?);
    if !ours {
        return if tables { Err(OpenError::Foreign(name.to_owned())) } else { Ok(None) };
    }
    let row = client.query_one("select version from lockstep_schema", &[]).await.map_err(failed)?;
    let found = u32::try_from(row.try_get::<_, i32>(0).map_err(failed)?).unwrap_or(u32::MAX);
    if found > KNOWN { Err(OpenError::NewerSchema { found, known: KNOWN }) } else { Ok(Some(found)) }
}
