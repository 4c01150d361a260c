//! The key that only the account's password gives: it countersigns what changes who gets in.
//!
//! **Invariants:** it comes from OPAQUE's export key, so that nobody has it without password, Secret Key and a run of OPAQUE
//! with the server; a device keeps it under LUK alone, which the password opens, and never in an unlocked profile's memory.

use ed25519_dalek::SigningKey;
use lockstep_proto::ids::AccountId;
use lockstep_proto::sign::PublicKey;

use crate::kdf;
use crate::keys::KeyLengthError;
use crate::opaque::ExportKey;
use crate::secret_bytes::SecretBytes;

/// Ed25519, as its secret half.
pub struct PasswordKey(SecretBytes<{ Self::LENGTH }>);

impl PasswordKey {
    /// Length in bytes.
    pub const LENGTH: usize = 32;

    /// `HKDF(export_key, "password-sign", account_id)`: another one for each OPAQUE record.
    pub fn derive(export_key: &ExportKey, account_id: &AccountId) -> Self {
        Self(kdf::derive(export_key.expose_bytes(), "password-sign", &[account_id.as_bytes()]))
    }

    /// The key with these bytes, as read from where it was sealed.
    ///
    /// # Errors
    /// [`KeyLengthError`] unless there are exactly [`PasswordKey::LENGTH`].
    pub fn from_slice(bytes: &[u8]) -> Result<Self, KeyLengthError> {
        SecretBytes::from_slice(bytes).map(Self).ok_or(KeyLengthError)
    }

    /// The bytes, for sealing them under LUK and nothing else.
    pub fn expose_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }

    /// The key, to sign with.
    pub fn signing(&self) -> SigningKey {
        SigningKey::from_bytes(&self.0)
    }

    /// The public half, as the account's log names it.
    pub fn public(&self) -> PublicKey {
        PublicKey::from(&self.signing())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn it_is_one_of_the_record_and_of_the_account() {
        let key = |export, account| {
            PasswordKey::derive(&ExportKey::from_bytes([export; 64]), &AccountId([account; 32]))
        };
        let base = key(1, 1).public();
        assert_eq!(base, key(1, 1).public());
        assert!(base != key(2, 1).public() && base != key(1, 2).public());
        let again = PasswordKey::from_slice(key(1, 1).expose_bytes()).unwrap();
        assert_eq!(again.public(), base);
        assert!(PasswordKey::from_slice(&[1; 31]).is_err());
    }
}
