//! How fast a body has to arrive: a pure rule about moments.

use std::time::Duration;

use tokio::time::Instant;

use super::Holder;

/// How long after its first byte a body may be as slow as it likes.
const GRACE: Duration = Duration::from_secs(5);

/// How long a body without a session may take in all.
const SESSIONLESS: Duration = Duration::from_secs(120);
/// Bytes a second that a large one has to bring at least: with which the largest comes within that time.
const LARGE_RATE: u32 = 8 << 10;

/// The rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// How long until the first byte.
    pub first: Duration,
    /// Bytes a second, from 5 seconds after the first byte on, in the mean.
    pub rate: u32,
    /// How long in all, however fast.
    pub whole: Duration,
}

impl Pace {
    /// The rule for bodies of this holder: those without a session are small, and the few large ones have to make room.
    pub(crate) fn of(self, holder: Holder) -> Self {
        match holder {
            Holder::Account(_) => self,
            Holder::Address(_) => Self { whole: self.whole.min(SESSIONLESS), ..self },
        }
    }

    /// The rule for one of the few large bodies without a session: it has a place that others wait for, so it has to come at once
    /// and fast enough to come whole.
    pub(crate) fn large(self) -> Self {
        Self { first: self.first.min(GRACE), rate: self.rate.max(LARGE_RATE), ..self }
    }

    /// Until when something more has to arrive of a body that began to be waited for at `begun`, whose first byte came at
    /// `first`, and of which `bytes` are here.
    pub(crate) fn deadline(&self, begun: Instant, first: Option<Instant>, bytes: usize) -> Instant {
        let Some(first) = first else { return begun + self.first };
        let millis = (bytes as u64).saturating_mul(1_000) / u64::from(self.rate.max(1));
        (first + GRACE + Duration::from_millis(millis)).min(begun + self.whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_has_to_begin_and_then_to_go_on() {
        let pace = Pace { first: Duration::from_secs(15), rate: 1_024, whole: Duration::from_secs(600) };
        let begun = Instant::now();
        let after = |first: Option<u64>, bytes| {
            let first = first.map(|seconds| begun + Duration::from_secs(seconds));
            (pace.deadline(begun, first, bytes) - begun).as_millis()
        };
        assert_eq!(after(None, 0), 15_000);
        assert_eq!(after(Some(14), 1), 19_000);
        assert_eq!(after(Some(0), 1_024), 6_000);
        assert_eq!(after(Some(3), 64 << 10), 72_000);
        assert_eq!(after(Some(0), 4 << 20), 600_000);
        assert_eq!(after(Some(0), usize::MAX), 600_000);
        let large = pace.large();
        assert_eq!(large.deadline(begun, None, 0) - begun, GRACE);
        assert_eq!(large.deadline(begun, Some(begun), 64 << 10) - begun, GRACE + Duration::from_secs(8));
        assert_eq!(Pace { rate: 1 << 20, ..pace }.large().rate, 1 << 20);
        let endless = Pace { rate: 0, ..pace };
        assert_eq!(endless.deadline(begun, Some(begun), 1), begun + Duration::from_millis(6_000));
    }
}
