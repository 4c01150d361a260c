//! The schema's versions.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use crate::error::OpenError;

/// Every step, in order; the version of a database is how many of them it has.
const MIGRATIONS: &[&str] = &[
    include_str!("../../migrations/sqlite/0001_start.sql"),
    include_str!("../../migrations/sqlite/0002_versions.sql"),
    include_str!("../../migrations/sqlite/0003_bars.sql"),
    include_str!("../../migrations/sqlite/0004_heal.sql"),
    include_str!("../../migrations/sqlite/0005_sides.sql"),
];

/// The newest version.
pub(super) const KNOWN: u32 = MIGRATIONS.len() as u32;

/// "LSTP": marks the file as this program's.
const APPLICATION_ID: i32 = 0x4c53_5450;

/// Runs the migrations that are missing, all in one transaction.
pub(super) fn update(connection: &mut Connection, path: &Path) -> Result<(), OpenError> {
    let failed = |source: rusqlite::Error| OpenError::Failed {
        path: path.display().to_string(),
        source: Box::new(source),
    };
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    let found = found(&tx, path)?.unwrap_or_default();
    for migration in &MIGRATIONS[found as usize..] {
        tx.execute_batch(migration).map_err(failed)?;
    }
    tx.pragma_update(None, "application_id", APPLICATION_ID).map_err(failed)?;
    tx.pragma_update(None, "user_version", KNOWN).map_err(failed)?;
    tx.commit().map_err(failed)
}

/// The version that the database has; `None` for an empty one.
pub(super) fn found(connection: &Connection, path: &Path) -> Result<Option<u32>, OpenError> {
    let (found, owner, tables) = read(connection)
        .map_err(|source| OpenError::Failed { path: path.display().to_string(), source: Box::new(source) })?;
    if owner != APPLICATION_ID {
        return if tables > 0 || found > 0 {
            Err(OpenError::Foreign(path.display().to_string()))
        } else {
            Ok(None)
        };
    }
    if found > KNOWN { Err(OpenError::NewerSchema { found, known: KNOWN }) } else { Ok(Some(found)) }
}

/// Version, owner and number of tables.
fn read(connection: &Connection) -> rusqlite::Result<(u32, i32, u32)> {
    Ok((
        connection.pragma_query_value(None, "user_version", |row| row.get(0))?,
        connection.pragma_query_value(None, "application_id", |row| row.get(0))?,
        connection.query_row("select count(*) from sqlite_master", [], |row| row.get(0))?,
    ))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::SqliteStore;
    use super::*;

    #[test]
    fn a_newer_schema_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lockstep.db");
        drop(SqliteStore::open(&path).unwrap());
        let connection = Connection::open(&path).unwrap();
        connection.pragma_update(None, "user_version", 99).unwrap();
        let refused = SqliteStore::open(&path).err().unwrap();
        assert!(matches!(refused, OpenError::NewerSchema { found: 99, known: KNOWN }));
        let version: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
        assert_eq!(version, 99);
    }

    #[test]
    fn another_programs_database_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("other.db");
        Connection::open(&path).unwrap().execute_batch("create table other (x)").unwrap();
        assert!(matches!(SqliteStore::open(&path).err().unwrap(), OpenError::Foreign(_)));
    }
}
