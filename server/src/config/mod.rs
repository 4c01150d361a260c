//! Configuration: built-in values, then a TOML file, then `LOCKSTEP_…` variables, then flags. None is needed.

mod arguments;
mod keys;
mod layers;
mod limits;
mod print;
mod public_url;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
mod values;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use lockstep_domain::services::{Admissions, HistoryRule, HistoryRuleError};
use lockstep_store::{StoreUrl, StoreUrlError};

use crate::front::Front;
use crate::hosts::HostsError;
use crate::peer::TrustedProxiesError;
use crate::storage::Gauge;
use crate::telemetry::LogFormat;

pub use self::arguments::{Arguments, Command, ConfigCommand, QuotaArguments};
pub use self::public_url::{PublicUrl, PublicUrlError};

use self::layers::Layers;

/// The configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A key that there is not.
    #[error("there is no key \"{name}\" ({source_name}){}", suggest(near.as_deref()))]
    UnknownKey {
        /// What stands there.
        name: String,
        /// The file or the like.
        source_name: String,
        /// What may have been meant.
        near: Option<String>,
    },
    /// A variable that is so like one of the server's that it must be meant.
    #[error("{name} is no variable of this server. Did you mean {near}?")]
    UnknownVariable {
        /// What is set.
        name: String,
        /// What may have been meant.
        near: String,
    },
    /// A value without its form.
    #[error("{key} ({source_name}): {wrong}")]
    Value {
        /// The key.
        key: String,
        /// Where its value comes from.
        source_name: String,
        /// What is wrong.
        wrong: String,
    },
    /// The file is not TOML.
    #[error("{path} is not TOML, in line {line}: {wrong}")]
    Toml {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong.
        wrong: String,
    },
    /// A file that is named cannot be read.
    #[error("{path} cannot be read: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The database's URL.
    #[error(transparent)]
    Database(#[from] StoreUrlError),
    /// A password, and no database that takes one.
    #[error(
        "database_password_file is for PostgreSQL: give `database = \"postgres://USER@HOST/DATABASE\"`, too"
    )]
    PasswordForNothing,
    /// A password in the URL and one in a file.
    #[error(
        "the database's password stands in its URL and in database_password_file: take it out of the URL"
    )]
    TwoPasswords,
    /// A password file without a password.
    #[error("{0} should hold the database's password, in one line, and nothing else")]
    NoPassword(PathBuf),
    /// What devices would use.
    #[error(transparent)]
    PublicUrl(#[from] PublicUrlError),
    /// A limit that would shut everybody out.
    #[error("{key} is {value}, and has to be {least} at least")]
    Limit {
        /// The key.
        key: &'static str,
        /// Its value.
        value: u32,
        /// The least that works.
        least: u32,
    },
    /// A limit that the protocol does not allow.
    #[error("{key} is {value}, and can be {most} at most")]
    AboveLimit {
        /// The key.
        key: &'static str,
        /// Its value.
        value: u32,
        /// The most that works.
        most: u32,
    },
    /// Under which names it is asked.
    #[error(transparent)]
    Hosts(#[from] HostsError),
    /// Who is believed.
    #[error(transparent)]
    TrustedProxies(#[from] TrustedProxiesError),
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

fn suggest(near: Option<&str>) -> String {
    match near {
        Some(near) => format!(". Did you mean \"{near}\"?"),
        None => ". `lockstep-server --help` lists all".to_owned(),
    }
}

/// Everything the server needs to start, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Under which address devices reach it, if it is another one.
    pub public_url: Option<PublicUrl>,
    /// Where files live.
    pub data_dir: PathBuf,
    /// The database.
    pub database: StoreUrl,
    /// The secrets.
    pub secrets_file: PathBuf,
    /// Who may make an account. The first one needs the set-up token where others than this machine may reach the
    /// server.
    pub admissions: Admissions,
    /// How long replaced versions are kept.
    pub history: HistoryRule,
    /// How much of the storage it may use.
    pub(crate) storage: Gauge,
    /// Certificate chain and private key.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Whom it believes and lets in.
    pub front: Front,
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
        Layers::read(arguments)?.values()?.check()
    }

    /// Whether devices come through a proxy that is not named, so that all of them are one address.
    pub fn has_unnamed_proxy(&self) -> bool {
        let elsewhere = self.public_url.as_ref().is_some_and(|url| !url.is_loopback());
        elsewhere && self.tls.is_none() && self.front.proxies.is_empty()
    }

    /// Every key as a line of TOML, its source behind it, without secrets. Reads what [`Config::load`] reads, and fails
    /// alike.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn print(arguments: &Arguments) -> Result<String, ConfigError> {
        let layers = Layers::read(arguments)?;
        layers.values()?.check()?;
        Ok(print::print(&layers))
    }
}
