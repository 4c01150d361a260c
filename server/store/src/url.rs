//! Which store: its URL.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Where a server keeps everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreUrl {
    /// `sqlite:PATH`: embedded, one file.
    Sqlite(PathBuf),
    /// `memory:`: nothing survives the process. For trials and tests.
    Memory,
}

/// The text is not the URL of a store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreUrlError {
    /// PostgreSQL.
    #[error("PostgreSQL is not in this version yet: use sqlite:PATH")]
    Postgres,
    /// Anything else.
    #[error("this is not a database URL: use sqlite:PATH")]
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
                Err(StoreUrlError::Postgres)
            }
            _ => Err(StoreUrlError::Unknown),
        }
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Memory => f.write_str("memory: (nothing is kept)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_a_backend() {
        assert_eq!("sqlite:a/b.db".parse(), Ok(StoreUrl::Sqlite("a/b.db".into())));
        assert_eq!("sqlite:///a/b.db".parse(), Ok(StoreUrl::Sqlite("/a/b.db".into())));
        assert_eq!("memory:".parse(), Ok(StoreUrl::Memory));
        assert_eq!("postgres://x".parse::<StoreUrl>(), Err(StoreUrlError::Postgres));
        for text in ["", "sqlite:", "mysql://x", "/a/b.db"] {
            assert_eq!(text.parse::<StoreUrl>(), Err(StoreUrlError::Unknown));
        }
    }
}
