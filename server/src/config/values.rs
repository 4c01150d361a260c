//! The values of all keys, and the rules between them.

use std::fs::File;
use std::io::Read as _;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;

use lockstep_domain::limits::RequestRates;
use lockstep_domain::services::{Admissions, FirstAccount, HistoryRule, Restored, SignupRule};
use lockstep_store::StoreUrl;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::limits::{Limits, account_limits, mib};
use super::{Config, ConfigError, PublicUrl};
use crate::front::Front;
use crate::hosts::Hosts;
use crate::peer::TrustedProxies;
use crate::storage::Gauge;
use crate::telemetry::LogFormat;

/// Upper bound of the password's length in bytes.
const PASSWORD_LIMIT: u64 = 4_096;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Signup {
    Open,
    Invite,
    Closed,
}

/// Every key, read but not yet checked.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Values {
    listen: SocketAddr,
    public_url: Option<String>,
    data_dir: PathBuf,
    database: Option<String>,
    database_password_file: Option<PathBuf>,
    secrets_file: Option<PathBuf>,
    signup: Signup,
    restored: bool,
    history_days: u32,
    history_versions: u32,
    purged_days: u32,
    tls_cert: Option<PathBuf>,
    tls_key: Option<PathBuf>,
    allow_plain_http: bool,
    hosts: Option<String>,
    trusted_proxies: Option<String>,
    address_requests: u32,
    account_requests: u32,
    account_storage: u32,
    account_vaults: u32,
    address_accounts: u32,
    daily_accounts: u32,
    storage_limit: Option<u32>,
    connections: u32,
    connections_per_address: u32,
    head_seconds: u32,
    body_memory: u32,
    sessionless_body_memory: u32,
    body_wait_seconds: u32,
    body_rate: u32,
    address_file: Option<PathBuf>,
    log: LogFormat,
}

impl Values {
    /// The configuration, if the values go together.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub(super) fn check(self) -> Result<Config, ConfigError> {
        let tls = match (self.tls_cert, self.tls_key) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            _ => return Err(ConfigError::HalfTls),
        };
        if tls.is_none() && !self.listen.ip().is_loopback() && !self.allow_plain_http {
            return Err(ConfigError::PlainHttp(self.listen));
        }
        let public_url = self.public_url.as_deref().map(str::parse::<PublicUrl>).transpose()?;
        let database = match self.database {
            Some(url) => url.parse()?,
            None => StoreUrl::Sqlite(self.data_dir.join("lockstep.db")),
        };
        let database = match self.database_password_file {
            Some(file) => with_password(database, file)?,
            None => database,
        };
        let secrets_file = self.secrets_file.unwrap_or_else(|| self.data_dir.join("secrets.toml"));
        let rule = match self.signup {
            Signup::Open => SignupRule::Open,
            Signup::Invite => SignupRule::Invite,
            Signup::Closed => SignupRule::Closed,
        };
        let reached_from_elsewhere =
            !self.listen.ip().is_loopback() || public_url.as_ref().is_some_and(|url| !url.is_loopback());
        let first = if reached_from_elsewhere { FirstAccount::SetupToken } else { FirstAccount::Anyone };
        let restored = if self.restored { Restored::Yes } else { Restored::No };
        let history = HistoryRule::new(self.history_days, self.history_versions, self.purged_days)?;
        let proxies = self.trusted_proxies.as_deref().map(str::parse::<TrustedProxies>).transpose()?;
        let rates = RequestRates {
            per_address: NonZeroU32::new(self.address_requests),
            per_account: NonZeroU32::new(self.account_requests),
            sign_ups_per_address: NonZeroU32::new(self.address_accounts),
            sign_ups: NonZeroU32::new(self.daily_accounts),
        };
        let limits = Limits {
            connections: self.connections,
            connections_per_address: self.connections_per_address,
            head_seconds: self.head_seconds,
            body_memory: self.body_memory,
            sessionless_body_memory: self.sessionless_body_memory,
            body_wait_seconds: self.body_wait_seconds,
            body_rate: self.body_rate,
        };
        let (connections, bodies, pace) = limits.check()?;
        let account = account_limits(self.account_storage, self.account_vaults)?;
        let hosts = self.hosts.as_deref().map(str::parse::<Hosts>).transpose()?.unwrap_or_default();
        let hosts = public_url.iter().fold(hosts, |hosts, url| hosts.with(url.host()));
        Ok(Config {
            listen: self.listen,
            public_url,
            data_dir: self.data_dir,
            secrets_file,
            admissions: Admissions { first, rule, restored },
            history,
            tls,
            storage: Gauge::new(self.storage_limit.map(mib), &database),
            database,
            front: Front {
                proxies: proxies.unwrap_or_default(),
                hosts,
                rates,
                account,
                connections,
                bodies,
                pace,
            },
            address_file: self.address_file,
            log: self.log,
        })
    }
}

fn with_password(database: StoreUrl, file: PathBuf) -> Result<StoreUrl, ConfigError> {
    let StoreUrl::Postgres(url) = database else { return Err(ConfigError::PasswordForNothing) };
    let mut text = Zeroizing::new(String::new());
    let read = File::open(&file).and_then(|open| open.take(PASSWORD_LIMIT + 2).read_to_string(&mut text));
    if let Err(source) = read {
        return Err(ConfigError::File { path: file, source });
    }
    // Editors and `echo` end a file with a line's end, which is not part of the password.
    let password = text.trim_end_matches(['\r', '\n']);
    if password.is_empty() || text.len() as u64 > PASSWORD_LIMIT + 1 || password.contains(['\r', '\n']) {
        return Err(ConfigError::NoPassword(file));
    }
    let url = url.with_password(password).ok_or(ConfigError::TwoPasswords)?;
    Ok(StoreUrl::Postgres(Box::new(url)))
}
