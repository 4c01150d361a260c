//! Signed structures: Ed25519 over `u8 len ‖ label ‖ suite ‖ fields`.
//!
//! Verification is strict (cofactorless, `R` compared as bytes, `S < L`), and a public key must decode, re-encode to
//! the same bytes, be torsion-free and not the identity before it enters a log. Source: RFC 8032; Chalkias, Garillot,
//! Nikolaenko, "Taming the many EdDSAs" (2020).

use curve25519_dalek::edwards::CompressedEdwardsY;
use curve25519_dalek::traits::IsIdentity as _;
use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

use crate::bytes::Bytes;
use crate::canon::{self, Canon, CanonError, Decoder, Encoder};
use crate::hash::hash;
use crate::ids::Hash;

/// A signature does not verify, or a key may not be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// The signature is not one by this key over these bytes.
    #[error("the signature does not verify")]
    Mismatch,
    /// The key is not a canonical, torsion-free, non-identity point.
    #[error("the public key is not acceptable")]
    Key,
}

/// An Ed25519 public key as its 32 bytes. Check it with [`PublicKey::check`] before it enters a log.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey(pub [u8; 32]);

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PublicKey({})", crate::bytes::to_base64url(&self.0))
    }
}

impl Canon for PublicKey {
    fn encode(&self, out: &mut Encoder) {
        out.fixed(&self.0);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        input.fixed().map(Self)
    }
}

impl From<&SigningKey> for PublicKey {
    fn from(key: &SigningKey) -> Self {
        Self(key.verifying_key().to_bytes())
    }
}

impl PublicKey {
    /// The key, if it is canonical, torsion-free and not the identity.
    ///
    /// # Errors
    /// [`SignatureError::Key`].
    pub fn check(&self) -> Result<VerifyingKey, SignatureError> {
        let point = CompressedEdwardsY(self.0).decompress().ok_or(SignatureError::Key)?;
        if crate::seeded!("weak-key-accepted") {
            return VerifyingKey::from_bytes(&self.0).map_err(|_| SignatureError::Key);
        }
        if point.is_identity() || !point.is_torsion_free() || point.compress().0 != self.0 {
            return Err(SignatureError::Key);
        }
        VerifyingKey::from_bytes(&self.0).map_err(|_| SignatureError::Key)
    }

    /// Verifies a signature strictly.
    ///
    /// # Errors
    /// [`SignatureError`].
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), SignatureError> {
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        if crate::seeded!("signature-not-strict") {
            use ed25519_dalek::Verifier as _;
            let key = VerifyingKey::from_bytes(&self.0).map_err(|_| SignatureError::Key)?;
            return key.verify(message, &signature).map_err(|_| SignatureError::Mismatch);
        }
        self.check()?.verify_strict(message, &signature).map_err(|_| SignatureError::Mismatch)
    }
}

/// An Ed25519 signature.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature(pub [u8; 64]);

impl std::fmt::Debug for Signature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signature(..)")
    }
}

impl Serialize for Signature {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        crate::bytes::serialize(&self.0, serializer)
    }
}

impl<'de> Deserialize<'de> for Signature {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::bytes::deserialize_array(deserializer).map(Self)
    }
}

/// The fields of a signed structure. `encode`/`decode` handle the fields alone; label and suite are added here.
pub trait Structure: Canon {
    /// The label; it belongs to this structure alone.
    const LABEL: &'static str;
    /// The label under which the signed bytes are hashed: [`Self::LABEL`] and `-hash`.
    const HASH_LABEL: &'static str;
    /// Upper bound of the signed bytes' length.
    const LIMIT: usize;

    /// Whether a second signature, over the same bytes, follows the first: it depends on the fields alone.
    fn is_countersigned(&self) -> bool {
        false
    }
}

/// The bytes that are signed: `u8 len ‖ label ‖ suite ‖ fields`.
pub fn signed_bytes<T: Structure>(value: &T) -> Vec<u8> {
    let mut out = Encoder::new();
    out.label(T::LABEL);
    out.u8(crate::SUITE);
    value.encode(&mut out);
    out.into_bytes()
}

/// A structure with its signature, or both of them, and the exact bytes that were signed. That a signature verifies is *not*
/// implied: only [`Signed::verify`] and [`Signed::verify_countersignature`] say so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed<T> {
    value: T,
    bytes: Vec<u8>,
    signature: Signature,
    countersignature: Option<Signature>,
}

impl<T: Structure> Signed<T> {
    /// Bytes on the wire beyond the signed ones, at most: their length and two signatures.
    pub const WIRE_EXTRA: usize = 4 + 2 * 64;

    /// Signs `value`.
    pub fn sign(value: T, key: &SigningKey) -> Self {
        let bytes = signed_bytes(&value);
        let signature = Signature(key.sign(&bytes).to_bytes());
        Self { value, bytes, signature, countersignature: None }
    }

    /// Signs the same bytes with a second key, where the structure has a place for it.
    #[must_use]
    pub fn countersigned(self, key: &SigningKey) -> Self {
        let countersignature = Signature(key.sign(&self.bytes).to_bytes());
        let countersignature = self.value.is_countersigned().then_some(countersignature);
        Self { countersignature, ..self }
    }

    /// Reads `u32 len ‖ bytes ‖ 64-byte signature`, all of it, and the second signature where the fields demand one.
    ///
    /// # Errors
    /// [`CanonError`]; in particular [`CanonError::UpdateNeeded`] for an unknown suite or kind.
    pub fn from_wire(wire: &[u8]) -> Result<Self, CanonError> {
        canon::from_bytes(wire)
    }

    /// `u32 len ‖ bytes ‖ 64-byte signature`, and the second one if there is one.
    pub fn to_wire(&self) -> Vec<u8> {
        canon::to_bytes(self)
    }

    /// The same, as the byte string that bodies carry.
    pub fn to_body(&self) -> Bytes {
        Bytes(self.to_wire())
    }

    /// The fields.
    pub fn value(&self) -> &T {
        &self.value
    }

    /// `H(label ‖ "-hash", signed bytes)`; signatures are not part of it.
    pub fn hash(&self) -> Hash {
        hash(T::HASH_LABEL, &[&self.bytes])
    }

    /// The signature.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Verifies the signature strictly.
    ///
    /// # Errors
    /// [`SignatureError`].
    pub fn verify(&self, key: &PublicKey) -> Result<(), SignatureError> {
        if crate::seeded!("signature-unchecked") {
            return Ok(());
        }
        key.verify(&self.bytes, &self.signature)
    }

    /// Verifies the second signature strictly.
    ///
    /// # Errors
    /// [`SignatureError`]; [`SignatureError::Mismatch`] where there is none.
    pub fn verify_countersignature(&self, key: &PublicKey) -> Result<(), SignatureError> {
        key.verify(&self.bytes, self.countersignature.as_ref().ok_or(SignatureError::Mismatch)?)
    }
}

impl<T: Structure> Canon for Signed<T> {
    fn encode(&self, out: &mut Encoder) {
        out.bytes(&self.bytes);
        out.fixed(&self.signature.0);
        if let Some(countersignature) = &self.countersignature {
            out.fixed(&countersignature.0);
        }
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        let bytes = input.bytes(T::LIMIT)?;
        let mut fields = Decoder::new(bytes);
        fields.label(T::LABEL)?;
        fields.suite()?;
        let value = T::decode(&mut fields)?;
        fields.finish()?;
        let signature = Signature(input.fixed()?);
        let countersignature = match value.is_countersigned() {
            true => Some(Signature(input.fixed()?)),
            false => None,
        };
        if signed_bytes(&value) != bytes {
            return Err(CanonError::NotCanonical);
        }
        Ok(Self { value, bytes: bytes.to_vec(), signature, countersignature })
    }
}
