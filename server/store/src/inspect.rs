//! Looking at a database without changing it, for an operator who asks what is wrong.

use lockstep_proto::ids::ServerId;

use crate::error::OpenError;
use crate::url::StoreUrl;
use crate::{postgres, sqlite};

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inspection {
    /// There is no database of this program yet: the first start makes it.
    Absent,
    /// One is there.
    Found(Found),
}

/// A database of this program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its schema's version.
    pub schema: u32,
    /// The schema's version that this program works with; the next start brings an older database up to it.
    pub known: u32,
    /// The server it belongs to.
    pub server_id: Option<ServerId>,
    /// Whether it has accounts.
    pub has_accounts: bool,
    /// What its own clock said, in milliseconds since 1970; `None` where it has none.
    pub clock_ms: Option<u64>,
    /// What about it endangers what it keeps, as sentences.
    pub faults: Vec<String>,
}

/// Looks at a database. Changes nothing in it and keeps nobody from writing; a file is read as a whole, in one snapshot. Needs a
/// Tokio runtime.
///
/// # Errors
/// As [`crate::open`].
pub async fn inspect(url: &StoreUrl) -> Result<Inspection, OpenError> {
    match url {
        StoreUrl::Sqlite(path) => sqlite::inspect(path),
        StoreUrl::Postgres(url) => postgres::inspect(url).await,
        StoreUrl::Memory => Ok(Inspection::Absent),
    }
}
