//! Configuration: built-in values, then a TOML file, then `LOCKSTEP_…` variables, then arguments. None is needed.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use figment::Figment;
use figment::providers::{Env, Format as _, Serialized, Toml};
use lockstep_domain::services::{HistoryRule, HistoryRuleError, Restored, SignupRule};
use lockstep_store::{StoreUrl, StoreUrlError};
use serde::{Deserialize, Serialize};

use crate::telemetry::LogFormat;

/// The configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A value is missing its form.
    #[error(transparent)]
    Value(#[from] Box<figment::Error>),
    /// The database's URL.
    #[error(transparent)]
    Database(#[from] StoreUrlError),
    /// What is kept of items' history.
    #[error(transparent)]
    History(#[from] HistoryRuleError),
    /// Only one of the two TLS files.
    #[error("tls_cert and tls_key belong together: give both or neither")]
    HalfTls,
    /// Passwords' proofs and vault sizes would cross the network in the clear.
    #[error(
        "{0} is not a loopback address and there is no TLS. Give --tls-cert and --tls-key, or, behind a proxy that speaks TLS, --allow-plain-http"
    )]
    PlainHttp(SocketAddr),
}

/// The command line.
#[derive(Debug, Parser)]
#[command(
    name = "lockstep-server",
    version,
    about = "Keeps end-to-end encrypted vaults in step. It cannot read them."
)]
pub struct Arguments {
    /// What to do; without it, the server runs.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// A TOML file with the same names as the options below.
    #[arg(long, env = "LOCKSTEP_CONFIG", global = true)]
    config: Option<PathBuf>,
    #[command(flatten)]
    options: Options,
}

/// What else than running.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Makes an invitation for one new account, valid for 7 days, and prints it.
    Invite,
}

#[derive(Debug, Args, Serialize)]
struct Options {
    /// Where to listen; port 0 lets the system choose [default: 127.0.0.1:7390].
    #[arg(long, global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    listen: Option<String>,
    /// Where the server keeps its files [default: ./lockstep-data].
    #[arg(long, global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    data_dir: Option<PathBuf>,
    /// `sqlite:PATH` or `postgres://USER:PASSWORD@HOST/DB?sslmode=require` [default: sqlite:DATA_DIR/lockstep.db].
    #[arg(long, global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    database: Option<String>,
    /// The server's secrets [default: DATA_DIR/secrets.toml].
    #[arg(long, global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    secrets_file: Option<PathBuf>,
    /// Who may sign up after the first account: `open`, `invite` or `closed` [default: invite].
    #[arg(long, global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    signup: Option<String>,
    /// The database was restored from a backup: take back from devices the accounts that it lacks, whoever may sign up, and
    /// removals of devices that have written since.
    /// Leave it out again when all are back.
    #[arg(long, global = true)]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    restored: bool,
    /// How many days a replaced version of an item is kept, 1 at least [default: 365].
    #[arg(long, global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    history_days: Option<u32>,
    /// How many replaced versions of an item are kept, 1 at least; none goes within 24 hours [default: 50].
    #[arg(long, global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    history_versions: Option<u32>,
    /// How many days the versions of a purged item are kept, 30 at least [default: 30].
    #[arg(long, global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    purged_days: Option<u32>,
    /// The TLS certificate chain, PEM.
    #[arg(long, global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_cert: Option<PathBuf>,
    /// The TLS private key, PEM.
    #[arg(long, global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_key: Option<PathBuf>,
    /// Listen without TLS on other than loopback addresses: only behind a proxy that speaks TLS.
    #[arg(long, global = true)]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    allow_plain_http: bool,
    /// Write the server's URL to this file once it listens.
    #[arg(long, global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    address_file: Option<PathBuf>,
    /// How log lines look: `text` or `json` [default: text].
    #[arg(long, global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<String>,
}

const NAMES: &[&str] = &[
    "listen",
    "data_dir",
    "database",
    "secrets_file",
    "signup",
    "restored",
    "history_days",
    "history_versions",
    "purged_days",
    "tls_cert",
    "tls_key",
    "allow_plain_http",
    "address_file",
    "log",
];

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Signup {
    Open,
    Invite,
    Closed,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Values {
    listen: SocketAddr,
    data_dir: PathBuf,
    database: Option<String>,
    secrets_file: Option<PathBuf>,
    signup: Signup,
    restored: bool,
    history_days: u32,
    history_versions: u32,
    purged_days: u32,
    tls_cert: Option<PathBuf>,
    tls_key: Option<PathBuf>,
    allow_plain_http: bool,
    address_file: Option<PathBuf>,
    log: LogFormat,
}

/// Everything the server needs to start, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where files live.
    pub data_dir: PathBuf,
    /// The database.
    pub database: StoreUrl,
    /// The secrets.
    pub secrets_file: PathBuf,
    /// Who may sign up after the first account.
    pub signup: SignupRule,
    /// Whether accounts come back that the database lacks.
    pub restored: Restored,
    /// How long replaced versions are kept.
    pub history: HistoryRule,
    /// Certificate chain and private key.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Where to write the URL.
    pub address_file: Option<PathBuf>,
    /// How log lines look.
    pub log: LogFormat,
}

impl Config {
    /// Puts all sources together.
    ///
    /// # Errors
    /// [`ConfigError`] names the value and its source.
    pub fn load(arguments: &Arguments) -> Result<Self, ConfigError> {
        let mut figment = Figment::from(Serialized::default("listen", "127.0.0.1:7390"))
            .merge(Serialized::default("data_dir", "lockstep-data"))
            .merge(Serialized::default("signup", "invite"))
            .merge(Serialized::default("restored", false))
            .merge(Serialized::default("history_days", HistoryRule::HISTORY_DAYS))
            .merge(Serialized::default("history_versions", HistoryRule::HISTORY_VERSIONS))
            .merge(Serialized::default("purged_days", HistoryRule::PURGED_DAYS))
            .merge(Serialized::default("allow_plain_http", false))
            .merge(Serialized::default("log", "text"));
        if let Some(file) = &arguments.config {
            figment = figment.merge(Toml::file_exact(file));
        }
        let values: Values = figment
            .merge(Env::prefixed("LOCKSTEP_").only(NAMES))
            .merge(Serialized::defaults(&arguments.options))
            .extract()
            .map_err(Box::new)?;
        values.check()
    }
}

impl Values {
    fn check(self) -> Result<Config, ConfigError> {
        let tls = match (self.tls_cert, self.tls_key) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            _ => return Err(ConfigError::HalfTls),
        };
        if tls.is_none() && !self.listen.ip().is_loopback() && !self.allow_plain_http {
            return Err(ConfigError::PlainHttp(self.listen));
        }
        let database = match self.database {
            Some(url) => url.parse()?,
            None => StoreUrl::Sqlite(self.data_dir.join("lockstep.db")),
        };
        let secrets_file = self.secrets_file.unwrap_or_else(|| self.data_dir.join("secrets.toml"));
        let signup = match self.signup {
            Signup::Open => SignupRule::Open,
            Signup::Invite => SignupRule::Invite,
            Signup::Closed => SignupRule::Closed,
        };
        let history = HistoryRule::new(self.history_days, self.history_versions, self.purged_days)?;
        Ok(Config {
            listen: self.listen,
            data_dir: self.data_dir,
            database,
            secrets_file,
            signup,
            restored: if self.restored { Restored::Yes } else { Restored::No },
            history,
            tls,
            address_file: self.address_file,
            log: self.log,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn load(arguments: &[&str]) -> Result<Config, ConfigError> {
        let arguments = ["lockstep-server"].iter().chain(arguments);
        Config::load(&Arguments::try_parse_from(arguments).unwrap())
    }

    #[test]
    fn nothing_needs_to_be_configured() {
        let config = load(&[]).unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:7390");
        assert_eq!(config.database, StoreUrl::Sqlite("lockstep-data/lockstep.db".into()));
        assert_eq!(config.signup, SignupRule::Invite);
        assert_eq!(Ok(config.history), HistoryRule::new(365, 50, 30));
    }

    #[test]
    fn plain_http_stays_on_loopback_unless_told_otherwise() {
        assert!(matches!(load(&["--listen", "0.0.0.0:80"]), Err(ConfigError::PlainHttp(_))));
        load(&["--listen", "0.0.0.0:80", "--allow-plain-http"]).unwrap();
        load(&["--listen", "0.0.0.0:80", "--tls-cert", "a", "--tls-key", "b"]).unwrap();
        assert!(matches!(load(&["--tls-cert", "a"]), Err(ConfigError::HalfTls)));
    }

    #[test]
    fn history_is_kept_as_told_but_never_too_short() {
        let told = ["--history-days", "1", "--history-versions", "2", "--purged-days", "31"];
        assert_eq!(Ok(load(&told).unwrap().history), HistoryRule::new(1, 2, 31));
        for (option, value, said) in [
            ("--history-days", "0", "1 day at least"),
            ("--history-versions", "0", "at least 1"),
            ("--purged-days", "29", "30 days at least"),
            ("--purged-days", "0", "30 days at least"),
        ] {
            let error = load(&[option, value]).unwrap_err();
            assert!(matches!(error, ConfigError::History(_)) && error.to_string().contains(said), "{error}");
        }
    }

    #[test]
    fn a_file_is_read_and_arguments_win_and_unknown_names_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        std::fs::write(&file, "signup = \"open\"\nlisten = \"127.0.0.1:1\"\n").unwrap();
        let path = file.to_str().unwrap();
        let config = load(&["--config", path, "--listen", "127.0.0.1:2"]).unwrap();
        assert_eq!(config.signup, SignupRule::Open);
        assert_eq!(config.listen.port(), 2);
        std::fs::write(&file, "sign_up = \"open\"\n").unwrap();
        assert!(matches!(load(&["--config", path]), Err(ConfigError::Value(_))));
    }
}
