//! Where the servers of stories keep what they keep: in memory, or in what `LOCKSTEP_TEST_STORE` says.

use std::path::PathBuf;
use std::sync::Arc;

use lockstep_domain::store::{MemoryStore, Store};
use lockstep_store::StoreUrl;
use lockstep_store::postgres::testing::TestDatabase;
use tempfile::TempDir;

/// The variable that chooses the store of every story that does not choose itself: `memory`, `sqlite` or `postgres`.
const VARIABLE: &str = "LOCKSTEP_TEST_STORE";

/// The kind of store that was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// The store without a database.
    Memory,
    /// The embedded store.
    Sqlite,
    /// PostgreSQL, in the cluster of the tests.
    Postgres,
}

impl Backend {
    /// What the variable says; `None` without it.
    ///
    /// # Panics
    /// When it says something else.
    pub fn chosen() -> Option<Self> {
        let name = std::env::var(VARIABLE).ok()?;
        Some(match name.as_str() {
            "memory" => Self::Memory,
            "sqlite" => Self::Sqlite,
            "postgres" => Self::Postgres,
            other => panic!("{VARIABLE} is memory, sqlite or postgres, not {other}"),
        })
    }
}

/// A place for one server's store. It outlives the server's restarts; temporary ones go with it.
pub(crate) enum Place {
    Memory(Arc<MemoryStore>),
    Folder(PathBuf),
    Temporary(TempDir),
    Database(TestDatabase),
}

impl Place {
    /// A new place of the chosen kind.
    pub(crate) fn new() -> anyhow::Result<Self> {
        Ok(match Backend::chosen() {
            None | Some(Backend::Memory) => Self::Memory(Arc::new(MemoryStore::new())),
            Some(Backend::Sqlite) => Self::Temporary(tempfile::tempdir()?),
            Some(Backend::Postgres) => Self::Database(TestDatabase::make()),
        })
    }

    /// The store that is here.
    pub(crate) fn open(&self) -> anyhow::Result<Arc<dyn Store>> {
        let url = match self {
            Self::Memory(store) => return Ok(store.clone()),
            Self::Folder(folder) => StoreUrl::Sqlite(folder.join("lockstep.db")),
            Self::Temporary(folder) => StoreUrl::Sqlite(folder.path().join("lockstep.db")),
            Self::Database(database) => database.url().parse()?,
        };
        Ok(lockstep_store::open(&url)?)
    }
}
