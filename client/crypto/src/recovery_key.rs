//! The Recovery Key (RK): 160 random bits on a sheet of its own. Whoever holds it can take the account back without
//! password and Secret Key, so it never stands in the Emergency Kit.
//!
//! Printed as `LR1-` and eight groups of five, in two parts of four groups: 16 data symbols (80 bits, big-endian) and
//! four check symbols each, part numbers 2 and 3.

use ed25519_dalek::SigningKey;
use lockstep_proto::log::RecoveryPublicKeys;
use lockstep_proto::sign::PublicKey;
use zeroize::Zeroizing;

use crate::kdf;
use crate::kem::KemSecret;
use crate::printed::{PrintedKeyError, Shape};
use crate::random::{Random, make_secret_bytes};
use crate::secret_bytes::SecretBytes;

const SHAPE: Shape = Shape { prefix: "LR1", other_prefix: "LS1", parts: &[2, 3], data_symbols: 16, bits: 80 };

/// Bytes of each printed part.
const PART: usize = 10;

/// The Recovery Key.
pub struct RecoveryKey(SecretBytes<{ Self::LENGTH }>);

impl RecoveryKey {
    /// Length in bytes.
    pub const LENGTH: usize = 2 * PART;

    /// A new random Recovery Key.
    pub fn make(random: &dyn Random) -> Self {
        Self(make_secret_bytes(random))
    }

    /// The key with these bytes.
    pub fn from_bytes(bytes: [u8; Self::LENGTH]) -> Self {
        Self(SecretBytes::copy_of(&bytes))
    }

    /// Reads a typed Recovery Key; as forgiving as [`crate::secret_key::SecretKey::parse`].
    ///
    /// # Errors
    /// [`PrintedKeyError`]; a typo is narrowed down to one of the two halves.
    pub fn parse(text: &str) -> Result<Self, PrintedKeyError> {
        let values = SHAPE.parse(text)?;
        Ok(Self(SecretBytes::filled(|bytes| {
            for (half, value) in bytes.chunks_mut(PART).zip(&values) {
                half.copy_from_slice(&value.to_be_bytes()[16 - PART..]);
            }
        })))
    }

    /// The key as it is printed: `LR1-XXXXX-…`.
    pub fn expose_text(&self) -> Zeroizing<String> {
        let half = |bytes: &[u8]| {
            Zeroizing::new(bytes.iter().fold(0_u128, |value, byte| (value << 8) | u128::from(*byte)))
        };
        SHAPE.print(&[half(&self.0[..PART]), half(&self.0[PART..])])
    }

    /// The bytes.
    pub fn expose_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }

    /// The Ed25519 key whose secret is `HKDF(RK, "recovery-sign")`: signs recovery challenges and the `recover` link.
    pub fn derive_signing_key(&self) -> SigningKey {
        SigningKey::from_bytes(&kdf::derive(&*self.0, "recovery-sign", &[]))
    }

    /// The X-Wing key whose 32-byte secret is `HKDF(RK, "recovery-kem")`: opens the recovery slot.
    pub fn derive_kem(&self) -> KemSecret {
        KemSecret::from_secret(kdf::derive(&*self.0, "recovery-kem", &[]))
    }

    /// The public halves, as the account's log carries them.
    pub fn derive_public_keys(&self) -> RecoveryPublicKeys {
        RecoveryPublicKeys {
            signing: PublicKey::from(&self.derive_signing_key()),
            kem: self.derive_kem().public(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    fn refused(text: &str) -> PrintedKeyError {
        RecoveryKey::parse(text).err().unwrap()
    }

    #[test]
    fn it_is_printed_in_eight_groups() {
        let text = RecoveryKey::from_bytes([1; 20]).expose_text();
        assert_eq!(text.len(), 3 + 8 * 6);
    }

    #[test]
    fn a_typo_is_narrowed_down_to_a_half() {
        let text = RecoveryKey::from_bytes([0; 20]).expose_text();
        let first = text.replacen('0', "7", 1);
        assert_eq!(refused(&first), PrintedKeyError::Typo { first_group: 1, last_group: 4 });
        let second = format!("{}7{}", &text[..30], &text[31..]);
        assert_eq!(refused(&second), PrintedKeyError::Typo { first_group: 5, last_group: 8 });
    }

    #[test]
    fn halves_in_the_wrong_order_are_refused() {
        let text = RecoveryKey::from_bytes([5; 20]).expose_text();
        let (first, second) = text[4..].split_at(24);
        refused(&format!("LR1-{second}-{}", first.trim_end_matches('-')));
    }

    #[test]
    fn a_secret_key_is_named_as_such() {
        let text = crate::secret_key::SecretKey::from_bytes([3; 16]).expose_text();
        assert_eq!(refused(&text), PrintedKeyError::OtherKind);
    }

    #[test]
    fn its_keys_are_its_own() {
        let one = RecoveryKey::from_bytes([1; 20]).derive_public_keys();
        assert_eq!(one, RecoveryKey::from_bytes([1; 20]).derive_public_keys());
        assert_ne!(one, RecoveryKey::from_bytes([2; 20]).derive_public_keys());
        assert!(one.signing.check().is_ok());
    }

    proptest! {
        #[test]
        fn what_was_printed_is_read(bytes: [u8; 20]) {
            let text = RecoveryKey::from_bytes(bytes).expose_text();
            for typed in [text.to_string(), text.to_lowercase().replace('-', ""), text[4..].to_string()] {
                prop_assert_eq!(*RecoveryKey::parse(&typed).unwrap().expose_bytes(), bytes);
            }
        }
    }
}
