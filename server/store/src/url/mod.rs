//! Which store: its URL.

mod postgres;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

pub use postgres::PostgresUrl;

/// Where a server keeps everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreUrl {
    /// `sqlite:PATH`: embedded, one file.
    Sqlite(PathBuf),
    /// `postgres://…`: a database that several servers may share.
    Postgres(Box<PostgresUrl>),
    /// `memory:`: nothing survives the process. For trials and tests.
    Memory,
}

/// The text is not the URL of a store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreUrlError {
    /// It begins like PostgreSQL's.
    #[error(
        "this is not a PostgreSQL URL ({reason}): use postgres://USER:PASSWORD@HOST:PORT/DATABASE, and ?sslmode=require for TLS"
    )]
    Postgres {
        /// What is wrong.
        reason: String,
    },
    /// Anything else.
    #[error("this is not a database URL: use sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE")]
    Unknown,
}

impl FromStr for StoreUrl {
    type Err = StoreUrlError;

    fn from_str(text: &str) -> Result<Self, StoreUrlError> {
        if let Some(path) = text.strip_prefix("sqlite:").filter(|path| !path.is_empty()) {
            return Ok(Self::Sqlite(path.strip_prefix("//").unwrap_or(path).into()));
        }
        match text {
            "memory:" => Ok(Self::Memory),
            _ if text.starts_with("postgres://") || text.starts_with("postgresql://") => {
                text.parse().map(Box::new).map(Self::Postgres)
            }
            _ => Err(StoreUrlError::Unknown),
        }
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(url) => url.fmt(f),
            Self::Memory => f.write_str("memory: (nothing is kept)"),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_a_backend() {
        assert_eq!("sqlite:a/b.db".parse(), Ok(StoreUrl::Sqlite("a/b.db".into())));
        assert_eq!("sqlite:///a/b.db".parse(), Ok(StoreUrl::Sqlite("/a/b.db".into())));
        assert_eq!("memory:".parse(), Ok(StoreUrl::Memory));
        let shared: StoreUrl = "postgresql://ann:secret@db/vaults".parse().unwrap();
        assert_eq!(shared.to_string(), "postgres://db:5432/vaults");
        assert!(matches!("postgres://x".parse::<StoreUrl>(), Err(StoreUrlError::Postgres { .. })));
        for text in ["", "sqlite:", "mysql://x", "/a/b.db"] {
            assert_eq!(text.parse::<StoreUrl>(), Err(StoreUrlError::Unknown));
        }
    }
}
