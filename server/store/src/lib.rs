//! The stores behind the Lockstep server's port: the only place with SQL.
//!
//! **Invariants:** a backend is chosen at run time by URL; every backend passes the conformance suite of
//! `lockstep-domain`; a database with a newer schema than this program's is refused, never changed.

mod error;
mod inspect;
mod url;

pub mod postgres;
pub mod sqlite;

use std::sync::Arc;

use lockstep_domain::store::{MemoryStore, Store};

pub use error::OpenError;
pub use inspect::{Found, Inspection};
pub use url::{PostgresUrl, StoreUrl, StoreUrlError};

/// Opens a store, making it if there is none.
///
/// # Errors
/// [`OpenError`] says what to do. Nothing is changed then.
pub fn open(url: &StoreUrl) -> Result<Arc<dyn Store>, OpenError> {
    match url {
        StoreUrl::Sqlite(path) => Ok(Arc::new(sqlite::SqliteStore::open(path)?)),
        StoreUrl::Postgres(url) => Ok(Arc::new(postgres::PostgresStore::open(url)?)),
        StoreUrl::Memory => Ok(Arc::new(MemoryStore::new())),
    }
}

/// Looks at a database. Changes nothing in it and keeps nobody from writing; a file is read as a whole, in one
/// snapshot. Needs a Tokio runtime.
///
/// # Errors
/// As [`open`].
pub async fn inspect(url: &StoreUrl) -> Result<Inspection, OpenError> {
    match url {
        StoreUrl::Sqlite(path) => sqlite::inspect(path),
        StoreUrl::Postgres(url) => postgres::inspect(url).await,
        StoreUrl::Memory => Ok(Inspection::Absent),
    }
}
