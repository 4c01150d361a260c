//! Passwords and passphrases made from randomness.

use zeroize::Zeroizing;

use crate::ports::Random;

const LOWER: &[u8] = b"abcdefghijklmnopqrstuvwxyz";
const UPPER: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const DIGITS: &[u8] = b"0123456789";
const SYMBOLS: &[u8] = b"!#$%&*+-.:;<=>?@^_~";
const LOOKALIKES: &[u8] = b"0O1Il";
const CONSONANTS: &[u8; 16] = b"bdfghjklmnprstvz";
const VOWELS: &[u8; 4] = b"aiou";

/// The longest password, in characters.
const MAX_LENGTH: usize = 1_024;

/// Which characters a password is made of; at least one of each chosen class is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Classes {
    /// Letters of both cases.
    Letters,
    /// Letters and digits.
    LettersDigits,
    /// Letters, digits and symbols.
    All,
    /// Digits: a PIN.
    Digits,
}

/// What a password shall look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordRecipe {
    /// Characters.
    pub length: usize,
    /// Of which classes.
    pub classes: Classes,
    /// Characters that look like others (`0 O 1 I l`): kept or left out.
    pub lookalikes: Lookalikes,
}

/// What to do about characters that look like others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookalikes {
    /// Use them.
    Keep,
    /// Leave them out.
    LeaveOut,
}

impl Default for PasswordRecipe {
    fn default() -> Self {
        Self { length: 20, classes: Classes::All, lookalikes: Lookalikes::Keep }
    }
}

/// What cannot be generated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GeneratorError {
    /// Too short for one character of each class, or too long.
    #[error("a password of {length} characters cannot be made: choose {min} to {MAX_LENGTH}")]
    Length {
        /// What was asked for.
        length: usize,
        /// The least possible.
        min: usize,
    },
    /// No word, or too many.
    #[error("a passphrase of {words} words cannot be made: choose 1 to 64")]
    Words {
        /// What was asked for.
        words: usize,
    },
}

/// Makes a password; all that the recipe allows are equally likely.
///
/// # Errors
/// [`GeneratorError::Length`].
pub fn make_password(
    recipe: &PasswordRecipe,
    random: &dyn Random,
) -> Result<Zeroizing<String>, GeneratorError> {
    let classes: &[&[u8]] = match recipe.classes {
        Classes::Letters => &[LOWER, UPPER],
        Classes::LettersDigits => &[LOWER, UPPER, DIGITS],
        Classes::All => &[LOWER, UPPER, DIGITS, SYMBOLS],
        Classes::Digits => &[DIGITS],
    };
    let length = recipe.length;
    if length < classes.len() || length > MAX_LENGTH {
        return Err(GeneratorError::Length { length, min: classes.len() });
    }
    let is_used = |letter: &u8| recipe.lookalikes == Lookalikes::Keep || !LOOKALIKES.contains(letter);
    let alphabet: Vec<u8> = classes.concat().into_iter().filter(is_used).collect();
    loop {
        let password: Zeroizing<String> = Zeroizing::new(
            (0..length).map(|_| char::from(alphabet[below(alphabet.len(), random)])).collect(),
        );
        if classes.iter().all(|class| password.bytes().any(|letter| class.contains(&letter))) {
            return Ok(password);
        }
    }
}

/// Makes a passphrase of pronounceable words of five letters, 16 bits each (proquints, D. Wilkerson 2009), joined by
/// dashes: 5 words are 80 bits.
///
/// # Errors
/// [`GeneratorError::Words`].
pub fn make_passphrase(words: usize, random: &dyn Random) -> Result<Zeroizing<String>, GeneratorError> {
    if !(1..=64).contains(&words) {
        return Err(GeneratorError::Words { words });
    }
    let mut phrase = Zeroizing::new(String::with_capacity(words * 6));
    for word in 0..words {
        if word > 0 {
            phrase.push('-');
        }
        for place in 0..5 {
            let letter =
                if place % 2 == 0 { CONSONANTS[below(16, random)] } else { VOWELS[below(4, random)] };
            phrase.push(char::from(letter));
        }
    }
    Ok(phrase)
}

/// A number below `bound` (at most 256), each equally likely: bytes in the last, incomplete run are thrown away.
fn below(bound: usize, random: &dyn Random) -> usize {
    let usable = 256 - 256 % bound;
    loop {
        let mut byte = [0];
        random.fill(&mut byte);
        let number = usize::from(byte[0]);
        if number < usable {
            return number % bound;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// A counter's multiples: even enough for statistics, and the same in every run.
    struct Sequence(AtomicU64);

    impl Random for Sequence {
        fn fill(&self, out: &mut [u8]) {
            for byte in out {
                let number = self.0.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                *byte = (number ^ number >> 29).to_be_bytes()[0];
            }
        }
    }

    fn sequence() -> Sequence {
        Sequence(AtomicU64::new(1))
    }

    #[test]
    fn a_password_holds_every_class_and_nothing_else() {
        let random = sequence();
        for length in [4, 5, 20, 128] {
            let recipe = PasswordRecipe { length, ..PasswordRecipe::default() };
            let password = make_password(&recipe, &random).unwrap();
            assert_eq!(password.len(), length);
            for class in [LOWER, UPPER, DIGITS, SYMBOLS] {
                assert!(password.bytes().any(|letter| class.contains(&letter)));
            }
        }
        let recipe = PasswordRecipe { length: 200, classes: Classes::All, lookalikes: Lookalikes::LeaveOut };
        assert!(make_password(&recipe, &random).unwrap().bytes().all(|letter| !LOOKALIKES.contains(&letter)));
    }

    #[test]
    fn every_character_is_about_equally_likely() {
        let random = sequence();
        let recipe = PasswordRecipe { length: 1_000, classes: Classes::Digits, lookalikes: Lookalikes::Keep };
        let mut counts = [0_u32; 10];
        for _ in 0..20 {
            for digit in make_password(&recipe, &random).unwrap().bytes() {
                counts[usize::from(digit - b'0')] += 1;
            }
        }
        assert!(counts.iter().all(|count| (1_700..2_300).contains(count)), "{counts:?}");
    }

    #[test]
    fn a_passphrase_is_words_that_can_be_said() {
        let phrase = make_passphrase(5, &sequence()).unwrap();
        assert_eq!(phrase.split('-').map(str::len).collect::<Vec<_>>(), [5; 5]);
    }

    #[test]
    fn impossible_recipes_are_refused() {
        let recipe = PasswordRecipe { length: 3, ..PasswordRecipe::default() };
        assert_eq!(
            make_password(&recipe, &sequence()).err(),
            Some(GeneratorError::Length { length: 3, min: 4 })
        );
        assert_eq!(make_passphrase(0, &sequence()).err(), Some(GeneratorError::Words { words: 0 }));
    }
}
