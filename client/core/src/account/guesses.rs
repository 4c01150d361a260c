//! How often the password of a device may be guessed at: a budget of the device, whichever command or process asks.
//!
//! It slows whoever sits down at the keyboard. Who copies the profile's files guesses elsewhere, at the price of the key
//! stretching alone; nothing that lies on the device can count that.

use lockstep_proto::canon::{self, Canon, CanonError, Decoder, Encoder};

use super::profile::{GUESSES, ProfileError};
use crate::ports::{Batch, Ports, Table};

/// Wrong passwords in a row without a wait.
const FREE: u32 = 10;
/// The first wait, in milliseconds; it doubles with each wrong password.
const FIRST_WAIT_MS: u64 = 1_000;
/// No wait is longer, in milliseconds: its owner is kept out for no more than this.
const LONGEST_WAIT_MS: u64 = 15 * 60 * 1_000;

/// Wrong passwords in a row. Not sealed: it is asked before anything can be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Guesses {
    wrong: u32,
    last_ms: u64,
}

impl Guesses {
    /// How long the next one has to wait. A clock that was set back keeps nobody out.
    fn left_ms(self, now_ms: u64) -> u64 {
        let Some(beyond) = self.wrong.checked_sub(FREE) else { return 0 };
        let wait = FIRST_WAIT_MS.saturating_mul(1 << beyond.min(20)).min(LONGEST_WAIT_MS);
        let waited = now_ms.checked_sub(self.last_ms).unwrap_or(wait);
        wait.saturating_sub(waited)
    }
}

impl Canon for Guesses {
    fn encode(&self, out: &mut Encoder) {
        out.u32(self.wrong);
        out.u64(self.last_ms);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        Ok(Self { wrong: input.u32()?, last_ms: input.u64()? })
    }
}

/// Whether a password may be tried now.
///
/// # Errors
/// [`ProfileError::TooManyGuesses`].
pub(super) async fn allow_guess(ports: &Ports) -> Result<(), ProfileError> {
    match read(ports).await?.left_ms(ports.clock.now_ms()) {
        0 => Ok(()),
        left => Err(ProfileError::TooManyGuesses { seconds: left.div_ceil(1_000) }),
    }
}

/// Counts a wrong password, durably; a right one ends the count.
///
/// # Errors
/// [`ProfileError::Store`].
pub(super) async fn count_guess(ports: &Ports, is_right: bool) -> Result<(), ProfileError> {
    let known = read(ports).await?;
    let mut batch = Batch::new();
    if !is_right {
        let counted = Guesses { wrong: known.wrong.saturating_add(1), last_ms: ports.clock.now_ms() };
        batch.put(Table::Profile, GUESSES, canon::to_bytes(&counted));
    } else if known != Guesses::default() {
        batch.delete(Table::Profile, GUESSES);
    }
    if batch.is_empty() { Ok(()) } else { Ok(ports.store.write(batch).await?) }
}

/// A record that cannot be read keeps nobody out.
async fn read(ports: &Ports) -> Result<Guesses, ProfileError> {
    let kept = ports.store.read(Table::Profile, GUESSES).await?;
    Ok(kept.and_then(|kept| canon::from_bytes(&kept).ok()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_from_the_eleventh_on_up_to_a_quarter_of_an_hour() {
        let left = |wrong, now_ms| Guesses { wrong, last_ms: 1_000_000 }.left_ms(now_ms);
        let waits = [0, 9, 10, 11, 12, 19, 20, 40, u32::MAX].map(|wrong| left(wrong, 1_000_000));
        assert_eq!(waits, [0, 0, 1_000, 2_000, 4_000, 512_000, 900_000, 900_000, 900_000]);
        assert_eq!([left(11, 1_001_999), left(11, 1_002_000), left(11, 5_000_000)], [1, 0, 0]);
        assert_eq!(left(40, 999_999), 0, "a clock that was set back");
    }
}
