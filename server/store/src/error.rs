//! Why a store cannot be opened.

/// A store cannot be opened. Nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The database was written by a newer program.
    #[error(
        "the database has schema {found}, this program knows {known}: update the server, or restore a backup made before the update"
    )]
    NewerSchema {
        /// What the database has.
        found: u32,
        /// What this program knows.
        known: u32,
    },
    /// The file is a database of another program.
    #[error("{0} is not a Lockstep database")]
    Foreign(String),
    /// The file cannot be opened or written.
    #[error("the database {path} cannot be opened")]
    Failed {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
