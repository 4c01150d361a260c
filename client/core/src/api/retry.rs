//! Whether and when to try again: a pure decision, and a delay with full jitter.

use lockstep_crypto::random::{Random, make_bytes};
use lockstep_proto::api::ErrorCode;

use super::error::ApiError;
use crate::ports::TransportError;

/// The first ceiling of a delay, in milliseconds; it doubles with every attempt.
const FIRST_CEILING_MS: u64 = 25;
/// No ceiling is above this, in milliseconds.
const LAST_CEILING_MS: u64 = 30_000;
/// The longest wait that a server can ask for, in milliseconds.
const ASKED_LIMIT_MS: u64 = 15 * 60 * 1000;

/// Whether the same request may succeed later without anything else changing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advice {
    /// Trying again gives the same.
    GiveUp,
    /// Try again, after this many milliseconds at least if the server says so.
    TryAgain {
        /// What the server asks for, in milliseconds.
        asked_ms: Option<u64>,
    },
}

/// What to do after this failure. Conflicts are not retried: they need a pull first.
pub fn advice(error: &ApiError) -> Advice {
    match error {
        ApiError::Transport(TransportError::Unreachable(_) | TransportError::TimedOut) => {
            Advice::TryAgain { asked_ms: None }
        }
        ApiError::Transport(_) | ApiError::RequestTooLarge { .. } => Advice::GiveUp,
        ApiError::Refused { problem, .. } => match problem.code {
            ErrorCode::TooManyAttempts
            | ErrorCode::Unavailable
            | ErrorCode::Internal
            | ErrorCode::Unknown
                if problem.status >= 500 || problem.code == ErrorCode::TooManyAttempts =>
            {
                Advice::TryAgain { asked_ms: problem.retry_after_seconds.map(|seconds| ms(seconds.into())) }
            }
            _ => Advice::GiveUp,
        },
        ApiError::Garbage { status: 429 | 500 | 502 | 503 | 504, retry_after, .. } => {
            Advice::TryAgain { asked_ms: retry_after.map(ms) }
        }
        ApiError::Garbage { .. } => Advice::GiveUp,
    }
}

fn ms(seconds: u64) -> u64 {
    seconds.saturating_mul(1000).min(ASKED_LIMIT_MS)
}

/// Delays of one series of attempts: uniformly random up to a ceiling that doubles from 25 ms to 30 s ("full jitter"),
/// plus whatever the server asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Backoff {
    attempts: u32,
}

impl Backoff {
    /// A series without a failure yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many failures there were.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Counts a failure and draws how long to wait, in milliseconds.
    pub fn make_delay_ms(&mut self, asked_ms: Option<u64>, random: &dyn Random) -> u64 {
        let ceiling = FIRST_CEILING_MS.saturating_mul(1 << self.attempts.min(20)).min(LAST_CEILING_MS);
        self.attempts = self.attempts.saturating_add(1);
        let draw = u64::from_be_bytes(make_bytes(random));
        asked_ms.unwrap_or(0).saturating_add(draw % (ceiling + 1))
    }
}
