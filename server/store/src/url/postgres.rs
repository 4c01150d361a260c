//! Which database, and how it is reached.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use super::StoreUrlError;

/// `postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=disable|require&sslrootcert=FILE`.
///
/// Without `sslmode` there is no TLS. `require` verifies the server's certificate and name, against the system's roots
/// or those in `sslrootcert` (PEM); there is no mode that encrypts without verifying.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresUrl {
    config: Config,
    root: Option<PathBuf>,
}

impl PostgresUrl {
    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// The same database with this password; `None` if the URL has one itself.
    pub fn with_password(mut self, password: &str) -> Option<Self> {
        if self.config.get_password().is_some() {
            return None;
        }
        self.config.password(password);
        Some(self)
    }

    pub(crate) fn root(&self) -> Option<&PathBuf> {
        self.root.as_ref()
    }
}

impl FromStr for PostgresUrl {
    type Err = StoreUrlError;

    fn from_str(text: &str) -> Result<Self, StoreUrlError> {
        let (address, query) = text.split_once('?').unwrap_or((text, ""));
        let parameters = query.split('&').filter(|parameter| !parameter.is_empty());
        let (roots, known): (Vec<_>, Vec<_>) =
            parameters.partition(|parameter| parameter.starts_with("sslrootcert="));
        let mode = known.iter().any(|parameter| parameter.starts_with("sslmode="));
        let refused = |reason: String| StoreUrlError::Postgres { reason };
        let mut config = Config::from_str(&format!("{address}?{}", known.join("&"))).map_err(|error| {
            refused(std::error::Error::source(&error).map_or(error.to_string(), ToString::to_string))
        })?;
        match config.get_ssl_mode() {
            SslMode::Prefer if mode => {
                return Err(refused("sslmode is disable or require: prefer protects from nobody".to_owned()));
            }
            SslMode::Prefer => drop(config.ssl_mode(SslMode::Disable)),
            _ => {}
        }
        if config.get_dbname().is_none() || config.get_hosts().is_empty() {
            return Err(refused("it names no host or no database".to_owned()));
        }
        let root = roots.first().and_then(|root| root.strip_prefix("sslrootcert=")).map(PathBuf::from);
        Ok(Self { config, root })
    }
}

/// Names host and database; never the password.
impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("postgres://")?;
        for (index, host) in self.config.get_hosts().iter().enumerate() {
            let separator = if index == 0 { "" } else { "," };
            match host {
                Host::Tcp(name) => write!(f, "{separator}{name}")?,
                #[cfg(unix)]
                Host::Unix(path) => write!(f, "{separator}{}", path.display())?,
            }
            if let Some(port) = self.config.get_ports().get(index) {
                write!(f, ":{port}")?;
            }
        }
        write!(f, "/{}", self.config.get_dbname().unwrap_or_default())
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_never_printed() {
        let url: PostgresUrl = "postgres://ann:hunter2@db.example:5433/vaults".parse().unwrap();
        assert_eq!(url.to_string(), "postgres://db.example:5433/vaults");
        assert_eq!(format!("{url:?}"), url.to_string());
        let refused = "postgres://ann:hunter2@db.example:port/vaults".parse::<PostgresUrl>().unwrap_err();
        assert!(!format!("{refused} {refused:?}").contains("hunter2"));
    }

    #[test]
    fn a_password_comes_from_one_place() {
        let url: PostgresUrl = "postgres://ann@db.example/vaults".parse().unwrap();
        let whole = url.with_password("hunter2").unwrap();
        assert_eq!(whole, "postgres://ann:hunter2@db.example/vaults".parse().unwrap());
        assert!(whole.with_password("other").is_none());
    }

    #[test]
    fn tls_is_verified_or_off() {
        let plain: PostgresUrl = "postgres://db/vaults".parse().unwrap();
        assert_eq!(plain.config().get_ssl_mode(), SslMode::Disable);
        let url = "postgres://db/vaults?sslmode=require&sslrootcert=/etc/ca.pem&connect_timeout=3";
        let verified: PostgresUrl = url.parse().unwrap();
        assert_eq!(verified.config().get_ssl_mode(), SslMode::Require);
        assert_eq!(verified.root(), Some(&PathBuf::from("/etc/ca.pem")));
        assert!("postgres://db/vaults?sslmode=prefer".parse::<PostgresUrl>().is_err());
    }

    #[test]
    fn a_url_names_host_and_database() {
        for text in ["postgres://", "postgres://db", "postgres:///vaults", "postgres://db/vaults?colour=red"]
        {
            assert!(text.parse::<PostgresUrl>().is_err(), "{text}");
        }
    }
}
