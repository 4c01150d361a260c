//! The public keys that links carry.

use std::fmt;

use curve25519_dalek::montgomery::MontgomeryPoint;
use curve25519_dalek::traits::IsIdentity as _;

use crate::canon::{self, Canon, CanonError, Decoder, Encoder};
use crate::hash::hash;
use crate::ids::DeviceId;
use crate::sign::PublicKey;

/// An X-Wing (X25519 + ML-KEM-768) public key: 1,216 bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct KemKey(Box<[u8; Self::LENGTH]>);

impl KemKey {
    /// Length in bytes: 1,184 of ML-KEM-768 and 32 of X25519.
    pub const LENGTH: usize = 1_216;
    /// Bytes of ML-KEM-768's 768 packed 12-bit coefficients.
    const COEFFICIENTS: usize = 1_152;
    /// Where the X25519 half begins.
    const POINT: usize = 1_184;
    /// ML-KEM's q.
    const MODULUS: u16 = 3_329;

    /// The key with these bytes, if ML-KEM's encapsulation would take it (FIPS 203, §7.2, modulus check), and its X25519 half
    /// is no point of small order, with which every shared secret is zero (RFC 7748, §6.1): a key that somebody's
    /// implementation cannot seal to must not stand in a log, since a rekey seals to every active device's.
    ///
    /// # Errors
    /// [`CanonError::Invalid`] for any other length, a coefficient that is not below 3,329, or a point of small order.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CanonError> {
        let array: [u8; Self::LENGTH] = bytes.try_into().map_err(|_| CanonError::Invalid("KEM key"))?;
        let coefficients = array[..Self::COEFFICIENTS].chunks_exact(3).flat_map(|chunk| {
            let [low, middle, high] = [chunk[0], chunk[1], chunk[2]].map(u16::from);
            [low | (middle & 0x0f) << 8, middle >> 4 | high << 4]
        });
        if coefficients.into_iter().any(|coefficient| coefficient >= Self::MODULUS) {
            return Err(CanonError::Invalid("KEM key"));
        }
        let mut point = [0; 32];
        point.copy_from_slice(&array[Self::POINT..]);
        if is_of_small_order(MontgomeryPoint(point)) && !crate::seeded!("small-order-unchecked") {
            return Err(CanonError::Invalid("KEM key"));
        }
        Ok(Self(Box::new(array)))
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }
}

/// Whether eight times the point is nothing: on the curve and on its twist, whichever way it is written.
fn is_of_small_order(point: MontgomeryPoint) -> bool {
    point.mul_bits_be([true, false, false, false].into_iter()).is_identity()
}

impl fmt::Debug for KemKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KemKey({}…)", crate::bytes::to_base64url(&self.0[..8]))
    }
}

impl Canon for KemKey {
    fn encode(&self, out: &mut Encoder) {
        out.fixed(self.as_bytes());
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        Self::from_bytes(input.take(Self::LENGTH)?)
    }
}

/// The public halves of a device's keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DevicePublicKeys {
    /// Verifies what the device signs (DSK).
    pub signing: PublicKey,
    /// What the account root key is wrapped to (DEK).
    pub kem: KemKey,
}

impl DevicePublicKeys {
    /// The first 16 bytes of `H("device-id", signing ‖ kem)`.
    pub fn device_id(&self) -> DeviceId {
        let full = hash("device-id", &[&canon::to_bytes(self)]);
        let mut id = DeviceId::ZERO;
        id.0.copy_from_slice(&full.0[..DeviceId::LENGTH]);
        id
    }
}

impl Canon for DevicePublicKeys {
    fn encode(&self, out: &mut Encoder) {
        self.signing.encode(out);
        self.kem.encode(out);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        Ok(Self { signing: Canon::decode(input)?, kem: Canon::decode(input)? })
    }
}

/// The public halves of the Recovery Key's keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveryPublicKeys {
    /// Verifies a `recover` link.
    pub signing: PublicKey,
    /// What the account root key is wrapped to.
    pub kem: KemKey,
}

impl Canon for RecoveryPublicKeys {
    fn encode(&self, out: &mut Encoder) {
        self.signing.encode(out);
        self.kem.encode(out);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        Ok(Self { signing: Canon::decode(input)?, kem: Canon::decode(input)? })
    }
}
