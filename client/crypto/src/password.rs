//! The password: normalised, hashed, and gone. Nothing downstream of this module sees its characters.

use lockstep_proto::ids::AccountId;
use sha2::{Digest as _, Sha512};
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_public_assigned;
use zeroize::{Zeroize as _, Zeroizing};

use crate::kdf;
use crate::secret_bytes::SecretBytes;
use crate::secret_key::SecretKey;

/// Why a password cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PasswordError {
    /// A character that this version's Unicode tables do not know: another version could normalise it differently,
    /// and the password would stop working.
    #[error("character {position} of the password is not known to this version of Lockstep: choose another")]
    Unassigned {
        /// The character's position, from 1.
        position: usize,
    },
}

/// A password as everything downstream uses it: SHA-512 of the UTF-8 of its NFKD form. Nothing is trimmed.
pub struct Password(SecretBytes<64>);

impl Password {
    /// Normalises and hashes. Wiping `text` is the caller's part.
    ///
    /// # Errors
    /// [`PasswordError::Unassigned`] for a code point that is not assigned in Unicode. Private-use code points are
    /// allowed: normalisation leaves them alone for ever.
    pub fn new(text: &str) -> Result<Self, PasswordError> {
        if let Some(index) = text.chars().position(|character| !is_stable(character)) {
            return Err(PasswordError::Unassigned { position: index + 1 });
        }
        let mut hasher = Sha512::new();
        let mut utf8 = [0; 4];
        for character in text.nfkd() {
            hasher.update(character.encode_utf8(&mut utf8));
        }
        utf8.zeroize();
        Ok(Self(SecretBytes::filled(|hash| hash.copy_from_slice(&Zeroizing::new(hasher.finalize())[..]))))
    }

    /// `HMAC-SHA512(SK, "opaque-pw" ‖ account_id ‖ SHA-512(password))`: the "password" that OPAQUE sees (R-2SKD).
    pub fn derive_opaque(&self, secret_key: &SecretKey, account_id: &AccountId) -> OpaquePassword {
        OpaquePassword(kdf::mac(
            secret_key.expose_bytes(),
            "opaque-pw",
            &[account_id.as_bytes(), self.hash()],
        ))
    }

    pub(crate) fn hash(&self) -> &[u8] {
        &*self.0
    }
}

/// What OPAQUE takes for a password: worthless to guess at without the Secret Key.
pub struct OpaquePassword(SecretBytes<64>);

impl OpaquePassword {
    /// The bytes.
    pub fn expose_bytes(&self) -> &[u8; 64] {
        &self.0
    }
}

fn is_stable(character: char) -> bool {
    is_public_assigned(character) || is_private_use(character)
}

fn is_private_use(character: char) -> bool {
    matches!(character, '\u{E000}'..='\u{F8FF}' | '\u{F0000}'..='\u{FFFFD}' | '\u{100000}'..='\u{10FFFD}')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    fn hash(text: &str) -> Vec<u8> {
        Password::new(text).unwrap().hash().to_vec()
    }

    #[test]
    fn spellings_of_one_text_are_one_password() {
        assert_eq!(hash("caf\u{e9}"), hash("cafe\u{301}"));
        assert_eq!(hash("\u{fb01}sh"), hash("fish"));
        assert_eq!(hash("\u{1100}\u{1161}"), hash("\u{ac00}"));
    }

    #[test]
    fn nothing_is_trimmed_and_case_counts() {
        assert_ne!(hash("secret"), hash(" secret"));
        assert_ne!(hash("secret"), hash("secret\n"));
        assert_ne!(hash("secret"), hash("Secret"));
    }

    #[test]
    fn unassigned_code_points_are_refused_by_position() {
        for wrong in ['\u{378}', '\u{fdd0}', '\u{ffff}', '\u{e0fff}'] {
            let error = Password::new(&format!("ab{wrong}")).err().unwrap();
            assert_eq!(error, PasswordError::Unassigned { position: 3 });
        }
        assert!(Password::new("\u{e000}\u{1f512}").is_ok());
    }

    #[test]
    fn the_opaque_password_depends_on_secret_key_account_and_password() {
        let derive = |password: &str, key: u8, account: u8| {
            let secret_key = SecretKey::from_bytes([key; 16]);
            let account_id = AccountId([account; 32]);
            *Password::new(password).unwrap().derive_opaque(&secret_key, &account_id).expose_bytes()
        };
        let base = derive("secret", 1, 1);
        assert_eq!(base, derive("secret", 1, 1));
        assert!(
            [derive("other", 1, 1), derive("secret", 2, 1), derive("secret", 1, 2)]
                .iter()
                .all(|o| *o != base)
        );
    }

    proptest! {
        #[test]
        fn normalising_twice_changes_nothing(text: String) {
            let once: String = text.nfkd().collect();
            match (Password::new(&text), Password::new(&once)) {
                (Ok(one), Ok(two)) => prop_assert_eq!(one.hash(), two.hash()),
                (one, two) => prop_assert_eq!(one.is_err(), two.is_err()),
            }
        }
    }
}
