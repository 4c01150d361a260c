//! The symmetric secrets of an account, one type per role.
//!
//! **Invariants:** a secret is wiped when dropped; it has no `Debug`, `Display`, `Clone` or serialisation; its bytes
//! come out only through a function called `expose_…`. A key of one role cannot stand in for another.

use lockstep_proto::ids::{Epoch, Generation, Hash, ItemId, VaultId};

use crate::kdf;
use crate::random::{Random, make_secret_bytes};
use crate::secret_bytes::SecretBytes;

mod derived_ids;

pub use derived_ids::{ItemIdKey, SourceRecord};

/// Length in bytes of every symmetric key.
pub const KEY_LENGTH: usize = 32;

/// 32 bytes that seal and open envelopes. The roles below are what callers hold; this is what they share.
pub struct SymmetricKey(SecretBytes<KEY_LENGTH>);

impl SymmetricKey {
    /// The key with these bytes.
    pub fn from_bytes(bytes: [u8; KEY_LENGTH]) -> Self {
        Self(SecretBytes::copy_of(&bytes))
    }

    pub(crate) fn from_secret(bytes: SecretBytes<KEY_LENGTH>) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub fn expose_bytes(&self) -> &[u8; KEY_LENGTH] {
        &self.0
    }
}

/// The key opened from a slot has another length than a key of its role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not a key of the kind expected")]
pub struct KeyLengthError;

macro_rules! secret_key {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        pub struct $name(SymmetricKey);

        impl $name {
            /// The key with these bytes, as read from where it was sealed.
            pub fn from_bytes(bytes: [u8; KEY_LENGTH]) -> Self {
                Self(SymmetricKey::from_bytes(bytes))
            }

            /// The key with these bytes, which stay where they are.
            pub fn from_secret(bytes: SecretBytes<KEY_LENGTH>) -> Self {
                Self(SymmetricKey::from_secret(bytes))
            }

            /// The key with these bytes, as read from where it was sealed.
            ///
            /// # Errors
            /// [`KeyLengthError`] unless there are exactly [`KEY_LENGTH`].
            pub fn from_slice(bytes: &[u8]) -> Result<Self, KeyLengthError> {
                SecretBytes::from_slice(bytes).map(Self::from_secret).ok_or(KeyLengthError)
            }

            /// The same key once more, for somebody else to hold.
            pub fn duplicate(&self) -> Self {
                Self::from_secret(SecretBytes::copy_of(self.expose_bytes()))
            }

            /// The bytes, for sealing them under another key and nothing else.
            pub fn expose_bytes(&self) -> &[u8; KEY_LENGTH] {
                self.0.expose_bytes()
            }

            /// The key as one that seals and opens envelopes.
            pub fn symmetric(&self) -> &SymmetricKey {
                &self.0
            }
        }
    };
}

macro_rules! made_key {
    ($name:ident) => {
        impl $name {
            /// A new random key.
            pub fn make(random: &dyn Random) -> Self {
                Self::from_secret(make_secret_bytes(random))
            }
        }
    };
}

secret_key!(
    /// ARK: the account root key of one generation.
    Ark
);
made_key!(Ark);

secret_key!(
    /// VK: a vault's key of one epoch.
    VaultKey
);
made_key!(VaultKey);

secret_key!(
    /// LRK: the root of everything sealed at rest on one device.
    Lrk
);
made_key!(Lrk);

secret_key!(
    /// AUK: opens the password slot; derived from OPAQUE's export key and the Secret Key.
    Auk
);

secret_key!(
    /// LUK: opens LRK offline; derived from the password and the device's local secret.
    Luk
);

secret_key!(
    /// 32 random bytes in the operating system's keychain, without which a stolen disk is useless.
    LocalSecret
);
made_key!(LocalSecret);

secret_key!(
    /// The device's secret that hedges every salt; derived from its signing key, so nothing more has to be stored.
    DeviceRngSecret
);

secret_key!(
    /// Seals the versions of one item in one epoch.
    ItemKey
);

impl Lrk {
    /// `HKDF(LRK, "local-record")`: seals every record that a device keeps.
    pub fn derive_record_key(&self) -> SymmetricKey {
        SymmetricKey::from_secret(kdf::derive(self.expose_bytes(), "local-record", &[]))
    }
}

impl Ark {
    /// `ark_commit = HKDF(ARK_n, "ark-commit", seed ‖ n)`, 32 bytes; `seed` is the account genesis's, `n` a `u32`.
    pub fn derive_commit(&self, seed: &[u8; 32], generation: Generation) -> Hash {
        Hash(*kdf::derive(self.expose_bytes(), "ark-commit", &[seed, &generation.0.to_be_bytes()]))
    }

    /// `ESK_n`: the Ed25519 key whose secret is `HKDF(ARK_n, "enrol-sign", seed ‖ n)`. It signs exactly one kind of
    /// link: `device_add` by Emergency Kit.
    pub fn derive_enrolment_key(&self, seed: &[u8; 32], generation: Generation) -> ed25519_dalek::SigningKey {
        let secret = kdf::derive(self.expose_bytes(), "enrol-sign", &[seed, &generation.0.to_be_bytes()]);
        ed25519_dalek::SigningKey::from_bytes(&secret)
    }
}

impl VaultKey {
    /// `vk_commit = HKDF(VK, "vk-commit", seed ‖ e)`, 32 bytes; `seed` is the vault genesis's, `e` a `u32`.
    pub fn derive_commit(&self, seed: &[u8; 32], epoch: Epoch) -> Hash {
        Hash(*kdf::derive(self.expose_bytes(), "vk-commit", &[seed, &epoch.0.to_be_bytes()]))
    }

    /// `HKDF(VK_{v,e}, "item" ‖ vault_id ‖ e ‖ item_id)`: a key per item, so that no two items share one.
    pub fn derive_item_key(&self, vault_id: &VaultId, epoch: Epoch, item_id: &ItemId) -> ItemKey {
        let parts: [&[u8]; 3] = [vault_id.as_bytes(), &epoch.0.to_be_bytes(), item_id.as_bytes()];
        ItemKey(SymmetricKey::from_secret(kdf::derive(self.expose_bytes(), "item", &parts)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::CountingRandom;

    #[test]
    fn commitments_depend_on_key_seed_and_generation() {
        let ark = Ark::from_bytes([1; 32]);
        let base = ark.derive_commit(&[2; 32], Generation(1));
        assert_eq!(base, ark.derive_commit(&[2; 32], Generation(1)));
        assert_ne!(base, ark.derive_commit(&[2; 32], Generation(2)));
        assert_ne!(base, ark.derive_commit(&[3; 32], Generation(1)));
        assert_ne!(base, Ark::from_bytes([4; 32]).derive_commit(&[2; 32], Generation(1)));
        assert_ne!(base, VaultKey::from_bytes([1; 32]).derive_commit(&[2; 32], Epoch(1)));
    }

    #[test]
    fn every_generation_enrols_with_its_own_key() {
        let ark = Ark::from_bytes([1; 32]);
        let first = ark.derive_enrolment_key(&[2; 32], Generation(1)).verifying_key();
        let second = ark.derive_enrolment_key(&[2; 32], Generation(2)).verifying_key();
        assert_ne!(first, second);
    }

    #[test]
    fn every_item_has_a_key_of_its_own() {
        let vault_key = VaultKey::from_bytes([1; 32]);
        let key = |vault: u8, epoch: u32, item: u8| {
            let item_id = ItemId::from_random([item; 16]);
            *vault_key.derive_item_key(&VaultId([vault; 32]), Epoch(epoch), &item_id).expose_bytes()
        };
        let base = key(1, 1, 1);
        assert_eq!(base, key(1, 1, 1));
        assert!([key(2, 1, 1), key(1, 2, 1), key(1, 1, 2)].iter().all(|other| *other != base));
    }

    #[test]
    fn made_keys_differ() {
        let random = CountingRandom::default();
        assert_ne!(Ark::make(&random).expose_bytes(), Ark::make(&random).expose_bytes());
    }

    #[test]
    fn a_key_of_another_length_is_refused() {
        assert!(Ark::from_slice(&[0; 31]).is_err());
        assert!(Ark::from_slice(&[0; 33]).is_err());
        assert!(Ark::from_slice(&[]).is_err());
    }
}
