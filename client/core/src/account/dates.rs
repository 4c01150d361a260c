//! When things were done to an account, as the links of its log say.
//!
//! Each link carries the time of the clock of whoever signed it. Nobody can verify it, the server least of all: it
//! helps a person to recognise what they did, and decides nothing. An app shows it as the word of a device.

use lockstep_proto::ids::Seq;
use lockstep_proto::log::{AccountState, Device};

/// Times in milliseconds since 1970, below 2^48.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountDates {
    /// When the account was made.
    pub made_ms: u64,
    /// When the password was changed, or registered anew by a change of keys.
    pub password_ms: u64,
    /// When the present Recovery Key became the account's.
    pub recovery_key_ms: u64,
}

impl AccountDates {
    /// What this log says.
    pub fn of(state: &AccountState) -> Self {
        Self {
            made_ms: at(state, Seq(0)),
            password_ms: at(state, state.password_since().unwrap_or_default()),
            recovery_key_ms: at(state, state.recovery_since()),
        }
    }
}

/// When a device was added, by the clock of the device that let it in, or its own.
pub(crate) fn added_ms(state: &AccountState, device: &Device) -> u64 {
    at(state, device.added())
}

/// When a device was removed, if it was: by the clock of the device that did it first.
pub(crate) fn removed_ms(state: &AccountState, device: &Device) -> Option<u64> {
    device.revocation().map(|revocation| at(state, revocation.first))
}

/// Every link that a state names is one of its log.
fn at(state: &AccountState, seq: Seq) -> u64 {
    state.time_ms_at(seq).unwrap_or_default()
}
