//! The Secret Key (SK): 128 random bits that a person keeps on paper, without which a password is worth nothing.
//!
//! Printed as `LS1-` and six groups of five: 26 data symbols (two zero bits, then the 128 bits, big-endian) and four
//! check symbols, part number 1. See [`crate::printed::PrintedKeyError`] for what a typo gives. Frozen:
//! `secret_key.json`.

use lockstep_proto::ids::{AccountId, Generation, Hash};
use zeroize::Zeroizing;

use crate::kdf;
use crate::keys::KeyLengthError;
use crate::printed::{PrintedKeyError, Shape};
use crate::random::{Random, make_secret_bytes};
use crate::secret_bytes::SecretBytes;

const SHAPE: Shape = Shape { prefix: "LS1", other_prefix: "LR1", parts: &[1], data_symbols: 26, bits: 128 };

/// The Secret Key.
pub struct SecretKey(SecretBytes<{ Self::LENGTH }>);

impl SecretKey {
    /// Length in bytes.
    pub const LENGTH: usize = 16;

    /// A new random Secret Key.
    pub fn make(random: &dyn Random) -> Self {
        Self(make_secret_bytes(random))
    }

    /// The key with these bytes, as read from where it was sealed.
    pub fn from_bytes(bytes: [u8; Self::LENGTH]) -> Self {
        Self(SecretBytes::copy_of(&bytes))
    }

    /// The key with these bytes, as read from where it was sealed.
    ///
    /// # Errors
    /// [`KeyLengthError`] unless there are exactly 16.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, KeyLengthError> {
        SecretBytes::from_slice(bytes).map(Self).ok_or(KeyLengthError)
    }

    /// Reads a typed Secret Key; forgiving about case, dashes, spaces, O for 0, I and L for 1, and a missing `LS1`.
    ///
    /// # Errors
    /// [`PrintedKeyError`]; any single typo and any swap of two neighbours is detected.
    pub fn parse(text: &str) -> Result<Self, PrintedKeyError> {
        let values = SHAPE.parse(text)?;
        Ok(Self(SecretBytes::filled(|bytes| {
            for value in &values {
                *bytes = value.to_be_bytes();
            }
        })))
    }

    /// The key as it is printed: `LS1-XXXXX-…`.
    pub fn expose_text(&self) -> Zeroizing<String> {
        SHAPE.print(&[Zeroizing::new(u128::from_be_bytes(*self.0))])
    }

    /// The same key once more, for somebody else to hold.
    pub fn duplicate(&self) -> Self {
        Self(SecretBytes::copy_of(&self.0))
    }

    /// The bytes.
    pub fn expose_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }

    /// `sk_commit = HKDF(SK, "sk-commit", account_id ‖ sk_gen)`, 32 bytes; `sk_gen` is a `u32`.
    pub fn derive_commit(&self, account_id: &AccountId, generation: Generation) -> Hash {
        Hash(*kdf::derive(&*self.0, "sk-commit", &[account_id.as_bytes(), &generation.0.to_be_bytes()]))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;
    use crate::recovery_key::RecoveryKey;

    const ALPHABET: &str = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

    fn sample() -> SecretKey {
        SecretKey::from_bytes(*b"sixteen bytes..!")
    }

    fn refused(text: &str) -> PrintedKeyError {
        SecretKey::parse(text).err().unwrap()
    }

    #[test]
    fn it_is_printed_in_six_groups() {
        let text = sample().expose_text();
        assert_eq!(text.len(), 3 + 6 * 6);
        assert!(text.starts_with("LS1-"));
    }

    #[test]
    fn every_single_typo_is_detected() {
        let text = sample().expose_text();
        for position in (4..text.len()).filter(|position| text.as_bytes()[*position] != b'-') {
            for wrong in ALPHABET.chars().filter(|wrong| !text[position..].starts_with(*wrong)) {
                let typo = format!("{}{wrong}{}", &text[..position], &text[position + 1..]);
                assert!(matches!(refused(&typo), PrintedKeyError::Typo { first_group: 1, last_group: 6 }));
            }
        }
    }

    #[test]
    fn every_swap_of_two_characters_is_detected() {
        let symbols = sample().expose_text()[4..].replace('-', "").into_bytes();
        for first in 0..symbols.len() {
            for second in first + 1..symbols.len() {
                let mut swapped = symbols.clone();
                swapped.swap(first, second);
                if swapped != symbols {
                    refused(std::str::from_utf8(&swapped).unwrap());
                }
            }
        }
    }

    #[test]
    fn a_missing_or_doubled_character_is_detected() {
        let text = sample().expose_text();
        for position in (3..text.len()).filter(|position| text.as_bytes()[*position] != b'-') {
            refused(&format!("{}{}", &text[..position], &text[position + 1..]));
            refused(&format!("{}{}", &text[..=position], &text[position..]));
        }
    }

    #[test]
    fn a_wrong_prefix_and_a_character_outside_the_alphabet_are_named() {
        let text = sample().expose_text();
        assert_eq!(refused(&text.replacen("LS1", "LS2", 1)), PrintedKeyError::Prefix("LS1"));
        assert_eq!(refused("LS1-ABU"), PrintedKeyError::Character { position: 6 });
        assert_eq!(refused(""), PrintedKeyError::Length { found: 0, expected: 30 });
    }

    #[test]
    fn a_recovery_key_is_named_as_such() {
        let text = RecoveryKey::from_bytes([3; 20]).expose_text();
        assert_eq!(refused(&text), PrintedKeyError::OtherKind);
    }

    proptest! {
        #[test]
        fn what_was_printed_is_read(bytes: [u8; 16]) {
            let text = SecretKey::from_bytes(bytes).expose_text();
            for typed in [
                text.to_string(),
                text.to_lowercase(),
                text.replace('-', ""),
                text.replace('-', " \u{2013} "),
                text[4..].replace('0', "o").replace('1', "l"),
                text.replace('1', "I").replace('0', "O"),
            ] {
                prop_assert_eq!(*SecretKey::parse(&typed).unwrap().expose_bytes(), bytes);
            }
        }

        #[test]
        fn any_text_is_read_or_refused(text: String) {
            let _ = SecretKey::parse(&text);
        }
    }
}
