//! Proofs by signature, of keys that may not be there.

use std::time::Duration;

use lockstep_proto::sign::{PublicKey, Signature};
use tokio::time::{Instant, sleep_until};

/// Refusals leave at multiples of this after their request came. A log of some hundred links that is not in memory is
/// read and verified within the first.
const REFUSAL_STEP: Duration = Duration::from_millis(50);

/// Since when a proof is looked at that may be refused, and whether that had to wait for others' long logs.
pub(super) struct Looked {
    since: Instant,
    had_turn: bool,
}

impl Looked {
    pub(super) fn now() -> Self {
        Self { since: Instant::now(), had_turn: false }
    }

    pub(super) fn note_turn(&mut self, had_turn: bool) {
        self.had_turn |= had_turn;
    }

    pub(super) fn had_turn(&self) -> bool {
        self.had_turn
    }

    /// Waits until a refusal may leave, so that the time which it takes does not tell what was found of an account.
    pub(super) async fn until_refusal(self) {
        let steps = self.since.elapsed().as_nanos() / REFUSAL_STEP.as_nanos() + 1;
        sleep_until(self.since + REFUSAL_STEP * u32::try_from(steps).unwrap_or(u32::MAX)).await;
    }
}

/// The base point: a key like any other, which is never believed.
const NOBODYS: PublicKey = {
    let mut bytes = [0x66; 32];
    bytes[0] = 0x58;
    PublicKey(bytes)
};

/// Whether there is a key and this is its signature. Takes as long where there is none: a signature is verified anyway.
pub(super) fn signed_by(key: Option<PublicKey>, message: &[u8], signature: &Signature) -> bool {
    let verified = std::hint::black_box(key.unwrap_or(NOBODYS)).verify(message, signature);
    key.is_some() && verified.is_ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_refusal_leaves_at_a_step_however_long_it_took_to_find() {
        for (took, leaves) in [(0, 50), (1, 50), (49, 50), (50, 100), (130, 150)] {
            let (began, looked) = (Instant::now(), Looked::now());
            tokio::time::advance(Duration::from_millis(took)).await;
            looked.until_refusal().await;
            assert_eq!(began.elapsed(), Duration::from_millis(leaves), "{took}");
        }
    }

    #[test]
    fn the_key_of_nobody_takes_the_work_of_a_key_and_signs_for_nobody() {
        NOBODYS.check().unwrap();
        assert!(!signed_by(None, b"message", &Signature([0; 64])));
        assert!(!signed_by(Some(NOBODYS), b"message", &Signature([0; 64])));
    }
}
