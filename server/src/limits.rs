//! What the server's limits have refused: counted, and logged at most once a minute for each kind and address.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use lockstep_domain::limits;
use lockstep_proto::api::ErrorCode;
use lockstep_proto::ids::AccountId;

use crate::peer::AddressKey;

/// How long after a line the same kind and address have none, in milliseconds.
const QUIET_MS: u64 = 60_000;
/// How many lines of all kinds there are within that time. What a crowd of addresses causes beyond is only counted.
const LINES: usize = 512;

/// Writes the kinds and, from the same lines, all of them in order.
macro_rules! limits {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)+) => {
        /// A limit of the server, which somebody has reached.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub(crate) enum Limit {
            $($(#[$doc])* $name,)+
        }

        impl Limit {
            /// Every kind, in the order of the counters.
            pub(crate) const ALL: &[Self] = &[$(Self::$name),+];

            /// Its name in log lines and metrics.
            pub(crate) fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }
        }
    };
}

limits! {
    /// A name in `Host` that is not the server's.
    ForeignHost = "foreign-host",
    /// A request that a page in a browser caused.
    ForeignOrigin = "foreign-origin",
    /// All bodies, or all without a session, at once.
    BodyMemory = "body-memory",
    /// The bodies of one account, or of one address without a session, at once.
    BodyShare = "body-share",
    /// Large bodies without a session at once.
    LargeBodies = "large-bodies",
    /// A body that came too slowly, or did not come.
    SlowBody = "slow-body",
    /// Connections of one address.
    ConnectionsOfAddress = "connections-of-address",
    /// All connections.
    Connections = "connections",
    /// A head that did not come, a connection that nobody uses.
    SlowHead = "slow-head",
    /// A head, or what follows a request without waiting for the answer, that is too long.
    LongHead = "long-head",
    /// An answer that nobody takes.
    SlowReader = "slow-reader",
    /// Requests without a session, of one address.
    AddressRequests = "address-requests",
    /// Requests without a session that are under way, of one address.
    RequestsUnderWay = "requests-under-way",
    /// Requests in sessions, of one account.
    AccountRequests = "account-requests",
    /// Tries of one address to get in, at any account.
    AddressTries = "address-tries",
    /// Tries of one address to get in to one account.
    PairTries = "account-and-address-tries",
    /// Tries to get in to one account, of addresses that never did.
    StrangersTries = "strangers-tries",
    /// What one address gives back to a restored server.
    GivingBack = "giving-back",
    /// Accounts that come back to a restored server.
    Newcomers = "newcomers",
    /// Pairing mailboxes that are open.
    Pairings = "pairings",
    /// Chains of one account that are read as a whole.
    Chains = "chains",
    /// Accounts that one address makes in a day.
    AddressSignUps = "address-sign-ups",
    /// Accounts that are made in a day.
    SignUps = "sign-ups",
    /// What one account holds.
    AccountBytes = "account-bytes",
    /// Vaults of one account.
    AccountVaults = "account-vaults",
    /// Room that an account asks for and does not get.
    AccountRoom = "account-room",
    /// What the server, or its disk, holds.
    Storage = "storage",
}

impl From<limits::Limit> for Limit {
    fn from(limit: limits::Limit) -> Self {
        match limit {
            limits::Limit::AddressRequests => Self::AddressRequests,
            limits::Limit::AccountRequests => Self::AccountRequests,
            limits::Limit::AddressTries => Self::AddressTries,
            limits::Limit::PairTries => Self::PairTries,
            limits::Limit::StrangersTries => Self::StrangersTries,
            limits::Limit::GivingBack => Self::GivingBack,
            limits::Limit::Newcomers => Self::Newcomers,
            limits::Limit::Pairings => Self::Pairings,
            limits::Limit::Chains => Self::Chains,
            limits::Limit::AddressSignUps => Self::AddressSignUps,
            limits::Limit::SignUps => Self::SignUps,
            limits::Limit::AccountRoom => Self::AccountRoom,
        }
    }
}

impl Limit {
    /// The limit of storage that a failure tells of.
    pub(crate) fn of_storage(code: ErrorCode) -> Option<Self> {
        match code {
            ErrorCode::QuotaExceeded => Some(Self::AccountBytes),
            ErrorCode::TooManyVaults => Some(Self::AccountVaults),
            ErrorCode::InsufficientStorage => Some(Self::Storage),
            _ => None,
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The counters of a process, and what has been logged of late.
#[derive(Debug, Default)]
pub(crate) struct LimitLog {
    counters: [AtomicU64; Limit::ALL.len()],
    told: Mutex<Told<Limit>>,
}

/// When each kind and address had its last line, in two generations of a minute, so that what is old goes at once.
#[derive(Debug)]
pub(crate) struct Told<K> {
    since_ms: u64,
    young: HashMap<(K, AddressKey), Last>,
    old: HashMap<(K, AddressKey), Last>,
}

/// The last line, and how often the same happened since without one.
#[derive(Debug, Clone, Copy)]
struct Last {
    at_ms: u64,
    unlogged: u64,
}

impl LimitLog {
    /// Counts that an address has reached a limit, and logs it if a line is due: at info, with `limit`, `client.address`,
    /// `account.id` for a limit of an account, and the number of times since the last line.
    pub(crate) fn note(&self, limit: Limit, address: AddressKey, account_id: Option<AccountId>, now_ms: u64) {
        self.counters[limit as usize].fetch_add(1, Ordering::Relaxed);
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let line = told.line((limit, address), now_ms);
        drop(told);
        if let Some(unlogged) = line {
            let account_id = account_id.map(tracing::field::display);
            tracing::info!(%limit, client.address = %address, account.id = account_id, unlogged, "a limit was reached");
        }
    }

    /// How often each limit was reached since the start.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (Limit, u64)> {
        let count = |limit: &Limit| (*limit, self.counters[*limit as usize].load(Ordering::Relaxed));
        Limit::ALL.iter().map(count)
    }
}

impl<K> Default for Told<K> {
    fn default() -> Self {
        Self { since_ms: 0, young: HashMap::new(), old: HashMap::new() }
    }
}

impl<K: Copy + Eq + Hash> Told<K> {
    /// Whether a line is due, and then how often there was none.
    pub(crate) fn line(&mut self, key: (K, AddressKey), now_ms: u64) -> Option<u64> {
        let age_ms = now_ms.saturating_sub(self.since_ms);
        if age_ms >= QUIET_MS {
            self.old = std::mem::take(&mut self.young);
            self.since_ms = now_ms;
        }
        if age_ms >= 2 * QUIET_MS {
            self.old = HashMap::new();
        }
        let last = self.young.get(&key).copied().or_else(|| self.old.remove(&key));
        let (next, line) = match last {
            Some(Last { at_ms, unlogged }) if now_ms.saturating_sub(at_ms) < QUIET_MS => {
                (Last { at_ms, unlogged: unlogged.saturating_add(1) }, None)
            }
            _ if self.young.len() >= LINES && !self.young.contains_key(&key) => return None,
            other => (Last { at_ms: now_ms, unlogged: 0 }, Some(other.map_or(0, |last| last.unlogged))),
        };
        self.young.insert(key, next);
        line
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const START_MS: u64 = 1_800_000_000_000;

    fn key(last: u8) -> (Limit, AddressKey) {
        (Limit::ForeignHost, AddressKey::V4(Ipv4Addr::new(192, 0, 2, last)))
    }

    #[test]
    fn a_line_comes_at_most_once_a_minute_and_says_how_often_there_was_none() {
        let mut told = Told::default();
        for (second, line) in [
            (0, Some(0)),
            (1, None),
            (59, None),
            (60, Some(2)),
            (61, None),
            (119, None),
            (121, Some(2)),
            (400, Some(0)),
        ] {
            assert_eq!(told.line(key(1), START_MS + second * 1_000), line, "{second}");
        }
        let other = (Limit::ForeignOrigin, key(1).1);
        assert_eq!(told.line(other, START_MS + 400_000), Some(0));
        assert_eq!(told.line(key(2), START_MS + 400_000), Some(0));
    }

    #[test]
    fn no_two_lines_of_a_kind_and_address_are_closer_than_a_minute_whenever_things_happen() {
        for step_ms in [1_000, 7_001, 29_999, 30_000, 59_999, 60_000, 61_000] {
            let (mut told, mut last) = (Told::default(), None);
            for now_ms in (0..100).map(|step| START_MS + step * step_ms) {
                if told.line(key(1), now_ms).is_some() {
                    assert!(last.is_none_or(|last| now_ms - last >= QUIET_MS), "{step_ms}");
                    last = Some(now_ms);
                }
            }
            assert!(last.is_some());
        }
    }

    #[test]
    fn a_crowd_of_addresses_fills_neither_log_nor_memory() {
        let mut told = Told::default();
        let crowd = |address: u32| (Limit::ForeignHost, AddressKey::V4(Ipv4Addr::from_bits(address)));
        let lines = (0..100_000).filter(|address| told.line(crowd(*address), START_MS).is_some()).count();
        assert_eq!(lines, LINES);
        let lines = (0..100_000).filter(|address| told.line(crowd(*address), START_MS + 1).is_some()).count();
        assert_eq!(lines, 0);
        assert!(told.young.len() + told.old.len() <= 2 * LINES);
        assert_eq!(told.line(key(1), START_MS + QUIET_MS), Some(0));
    }

    #[test]
    fn everything_is_counted() {
        let log = LimitLog::default();
        for _ in 0..3 {
            log.note(key(1).0, key(1).1, None, START_MS);
        }
        let counts: Vec<_> = log.counts().filter(|(_, count)| *count > 0).collect();
        assert_eq!(counts, [(Limit::ForeignHost, 3)]);
    }
}
