//! The embedded store: one SQLite file, WAL, synchronous=FULL.
//!
//! **Invariants:** one thread writes; it puts up to 64 waiting changes, each in a savepoint, into one transaction, and
//! answers every one of them after COMMIT. Readers never write and hold no transaction longer than a page.

mod accounts;
mod bars;
mod columns;
mod commit;
mod heal;
mod heal_finish;
mod history;
mod inspect;
mod operator;
mod pages;
mod prune;
mod quota;
mod readers;
mod schema;
mod sides;
mod vaults;
mod writer;

use std::path::{Path, PathBuf};
use std::time::Duration;

use lockstep_domain::store::StoreError;
use rusqlite::ffi::{SQLITE_IOERR_SHMSIZE, SQLITE_IOERR_WRITE};
use rusqlite::{Connection, ErrorCode, OpenFlags};

pub(crate) use self::inspect::inspect;

use self::readers::Readers;
use self::writer::Writer;
use crate::error::OpenError;

/// How long to wait for another process that writes.
const BUSY: Duration = Duration::from_secs(10);

/// A store in one SQLite file.
pub struct SqliteStore {
    writer: Writer,
    readers: Readers,
    path: PathBuf,
}

impl SqliteStore {
    /// Opens the file, makes it if there is none, and brings its schema up to date.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let failed = |source: Box<dyn std::error::Error + Send + Sync>| OpenError::Failed {
            path: path.display().to_string(),
            source,
        };
        restrict(path).map_err(|error| failed(error.into()))?;
        let mut connection = connect(path, OpenFlags::empty()).map_err(|error| failed(error.into()))?;
        schema::update(&mut connection, path)?;
        let readers = Readers::open(path).map_err(|error| failed(error.into()))?;
        let writer = Writer::start(connection).map_err(|error| failed(error.into()))?;
        Ok(Self { writer, readers, path: path.to_owned() })
    }
}

fn connect(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let flags = flags | OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// Makes the file, if there is none, and makes it its owner's alone before SQLite opens it: the files beside it take
/// their mode from it.
fn restrict(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let _file = options.open(path)?;
    #[cfg(unix)]
    _file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    Ok(())
}

fn failed(error: rusqlite::Error) -> StoreError {
    if is_full(&error) { StoreError::Full(Box::new(error)) } else { StoreError::Failed(Box::new(error)) }
}

/// Whether there was no room for what was written: the disk is full, or a quota or limit of the system's is reached, which SQLite
/// does not tell from other writes that fail.
fn is_full(error: &rusqlite::Error) -> bool {
    let Some(error) = error.sqlite_error() else { return false };
    error.code == ErrorCode::DiskFull
        || [SQLITE_IOERR_WRITE, SQLITE_IOERR_SHMSIZE].contains(&error.extended_code)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests;
