//! Looking at a file without changing it.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::operator::{is_empty, server};
use super::{BUSY, schema};
use crate::error::OpenError;
use crate::inspect::{Found, Inspection};

/// Reads what the file is, and whether SQLite finds it whole.
pub(crate) fn inspect(path: &Path) -> Result<Inspection, OpenError> {
    // A file without bytes is what a start leaves that was killed at once.
    if std::fs::metadata(path).map_or(true, |file| file.len() == 0) && !path.is_dir() {
        return Ok(Inspection::Absent);
    }
    let broken = |source: Box<dyn std::error::Error + Send + Sync>| OpenError::Failed {
        path: path.display().to_string(),
        source,
    };
    let failed = |source: rusqlite::Error| broken(Box::new(source));
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(uri(path).map_err(|error| broken(error.into()))?, flags)
        .map_err(failed)?;
    connection.busy_timeout(BUSY).map_err(failed)?;
    let Some(schema) = schema::found(&connection, path)? else { return Ok(Inspection::Absent) };
    read(&connection, schema).map(Inspection::Found).map_err(failed)
}

/// Without a write-ahead log nobody has the file open, and SQLite is told so: it would else make one, and leave it.
fn uri(path: &Path) -> std::io::Result<String> {
    // The log lies beside the file itself, wherever a link to it is.
    let path = std::fs::canonicalize(path)?;
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let mode = if Path::new(&log).exists() { "" } else { "?immutable=1" };
    let path = path.display().to_string().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    Ok(format!("file:{path}{mode}"))
}

fn read(connection: &Connection, schema: u32) -> rusqlite::Result<Found> {
    let check: String = connection.query_row("pragma quick_check(1)", [], |row| row.get(0))?;
    let fault = format!("the file is damaged ({check}): stop the server and put a backup back");
    Ok(Found {
        schema,
        known: schema::KNOWN,
        server_id: server(connection)?,
        has_accounts: !is_empty(connection)?,
        clock_ms: None,
        faults: if check == "ok" { Vec::new() } else { vec![fault] },
    })
}
