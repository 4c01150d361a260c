//! The limits for whoever comes, as keys of the configuration.

use std::time::Duration;

use lockstep_domain::store::AccountLimits;
use lockstep_proto::log::VAULTS_LIMIT;

use super::ConfigError;
use crate::budget::{BodyMemory, Pace};
use crate::front::ConnectionRules;

const MIB: u32 = 1 << 20;

/// The keys.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) connections: u32,
    pub(super) connections_per_address: u32,
    pub(super) head_seconds: u32,
    pub(super) body_memory: u32,
    pub(super) sessionless_body_memory: u32,
    pub(super) body_wait_seconds: u32,
    pub(super) body_rate: u32,
}

impl Limits {
    /// The rules, if none of them shuts everybody out.
    ///
    /// # Errors
    /// [`ConfigError::Limit`].
    pub(super) fn check(self) -> Result<(ConnectionRules, BodyMemory, Pace), ConfigError> {
        let least_memory = (BodyMemory::LEAST.all.div_ceil(MIB as usize)) as u32;
        let least_sessionless = (BodyMemory::LEAST.sessionless.div_ceil(MIB as usize)) as u32;
        let sessionless =
            at_least("sessionless_body_memory", self.sessionless_body_memory, least_sessionless)?;
        let rest = least_memory - least_sessionless;
        let memory = at_least("body_memory", self.body_memory, sessionless.saturating_add(rest))?;
        let connections = ConnectionRules {
            all: at_least("connections", self.connections, ConnectionRules::LEAST as u32)? as usize,
            of_address: at_least("connections_per_address", self.connections_per_address, 1)? as usize,
            head: seconds("head_seconds", self.head_seconds)?,
        };
        let bodies = BodyMemory { all: bytes(memory), sessionless: bytes(sessionless) };
        let pace = Pace {
            first: seconds("body_wait_seconds", self.body_wait_seconds)?,
            rate: at_least("body_rate", self.body_rate, 1)?,
            ..Pace::default()
        };
        Ok((connections, bodies, pace))
    }
}

/// What one account may hold.
///
/// # Errors
/// [`ConfigError::Limit`], [`ConfigError::AboveLimit`].
pub(super) fn account_limits(storage: u32, vaults: u32) -> Result<AccountLimits, ConfigError> {
    let (bytes, vaults) = (at_least("account_storage", storage, 1)?, at_least("account_vaults", vaults, 1)?);
    if vaults as usize > VAULTS_LIMIT {
        return Err(ConfigError::AboveLimit {
            key: "account_vaults",
            value: vaults,
            most: VAULTS_LIMIT as u32,
        });
    }
    Ok(AccountLimits { bytes: mib(bytes), vaults: vaults.into() })
}

/// So many MiB in bytes.
pub(super) fn mib(count: u32) -> u64 {
    u64::from(count) * u64::from(MIB)
}

fn bytes(mib: u32) -> usize {
    mib as usize * MIB as usize
}

fn seconds(key: &'static str, value: u32) -> Result<Duration, ConfigError> {
    at_least(key, value, 1).map(|value| Duration::from_secs(value.into()))
}

fn at_least(key: &'static str, value: u32, least: u32) -> Result<u32, ConfigError> {
    if value < least { Err(ConfigError::Limit { key, value, least }) } else { Ok(value) }
}
