//! Public-key sealing: HPKE (RFC 9180), KEM X-Wing (0x647a), KDF HKDF-SHA512 (0x0003), AEAD ChaCha20-Poly1305 (0x0003);
//! Base mode, or PSK mode where there is a pre-shared key. The only module that names hpke.
//!
//! Output: `suite ‖ enc (1120 B) ‖ ciphertext (plaintext + 16 B)`; `info` is the caller's context, the AEAD's own
//! associated data is empty. Base mode does not say who sealed: a signed link names the hash of the exact bytes.

use std::convert::Infallible;

use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha512;
use hpke::kem::XWing;
use hpke::rand_core::{TryCryptoRng, TryRng};
use hpke::{Deserializable as _, Kem as _, OpModeR, OpModeS, PskBundle, Serializable as _};
use lockstep_proto::SUITE;
use lockstep_proto::log::KemKey;
use zeroize::Zeroizing;

use crate::envelope::{OpenError, SealError};
use crate::keys::{KeyLengthError, SymmetricKey};
use crate::random::{Random, make_secret_bytes};
use crate::secret_bytes::SecretBytes;
use crate::stack::wipe_stack;

const ENCAPSULATED_LENGTH: usize = 1120;
const TAG_LENGTH: usize = 16;

/// A key that both sides share beforehand, and its name.
pub(crate) struct Psk<'a> {
    pub(crate) key: &'a SymmetricKey,
    pub(crate) id: &'a [u8],
}

impl Psk<'_> {
    fn bundle(&self) -> Option<PskBundle<'_>> {
        PskBundle::new(self.key.expose_bytes(), self.id).ok()
    }
}

/// The secret half of an X-Wing key pair, as its 32-byte seed: a device's DEK, the account's UEK, or the Recovery
/// Key's.
pub struct KemSecret(SecretBytes<{ Self::LENGTH }>);

impl KemSecret {
    /// Length in bytes.
    pub const LENGTH: usize = 32;

    /// A new random key.
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
    /// [`KeyLengthError`] unless there are exactly 32.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, KeyLengthError> {
        SecretBytes::from_slice(bytes).map(Self).ok_or(KeyLengthError)
    }

    pub(crate) fn from_secret(bytes: SecretBytes<{ Self::LENGTH }>) -> Self {
        Self(bytes)
    }

    /// The bytes, for sealing them and nothing else.
    pub fn expose_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }

    /// The public half.
    pub fn public(&self) -> KemKey {
        let public = self.private_key().map(|key| XWing::sk_to_pk(&key).to_bytes());
        match public.as_deref().map(KemKey::from_bytes) {
            Some(Ok(key)) => key,
            _ => unreachable!("every 32-byte seed has a public key of fixed length"),
        }
    }

    /// Opens what [`seal_to`] sealed to this key's public half with the same `info`.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(&self, info: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        self.open_with(None, info, sealed)
    }

    /// Opens what [`seal_to_with`] sealed with the same pre-shared key and `info`.
    pub(crate) fn open_with(
        &self,
        psk: Option<&Psk<'_>>,
        info: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let (suite, rest) = sealed.split_first().ok_or(OpenError::Length)?;
        if *suite != SUITE {
            return Err(OpenError::UpdateNeeded { suite: *suite });
        }
        let (encapsulated, ciphertext) =
            rest.split_at_checked(ENCAPSULATED_LENGTH).ok_or(OpenError::Length)?;
        if ciphertext.len() < TAG_LENGTH {
            return Err(OpenError::Length);
        }
        let encapsulated =
            <XWing as hpke::Kem>::EncappedKey::from_bytes(encapsulated).map_err(|_| OpenError::Length)?;
        let private = self.private_key().ok_or(OpenError::Aead)?;
        let mode = match psk {
            None => OpModeR::Base,
            Some(psk) => OpModeR::Psk(psk.bundle().ok_or(OpenError::Aead)?),
        };
        let opened = hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha512, XWing>(
            &mode,
            &private,
            &encapsulated,
            info,
            ciphertext,
            &[],
        );
        wipe_stack();
        opened.map(Zeroizing::new).map_err(|_| OpenError::Aead)
    }

    fn private_key(&self) -> Option<<XWing as hpke::Kem>::PrivateKey> {
        <XWing as hpke::Kem>::PrivateKey::from_bytes(&*self.0).ok()
    }
}

/// Seals `plaintext` to a public key. The caller vouches that the key stands in the user's own verified log (P6).
///
/// # Errors
/// [`SealError::PublicKey`] when the bytes are not an X-Wing public key.
pub fn seal_to(
    key: &KemKey,
    info: &[u8],
    plaintext: &[u8],
    random: &dyn Random,
) -> Result<Vec<u8>, SealError> {
    seal_to_with(key, None, info, plaintext, random)
}

/// Seals `plaintext` to a public key and, if there is one, under a pre-shared key.
pub(crate) fn seal_to_with(
    key: &KemKey,
    psk: Option<&Psk<'_>>,
    info: &[u8],
    plaintext: &[u8],
    random: &dyn Random,
) -> Result<Vec<u8>, SealError> {
    let mode = match psk {
        None => OpModeS::Base,
        Some(psk) => OpModeS::Psk(psk.bundle().ok_or(SealError::PublicKey)?),
    };
    let public =
        <XWing as hpke::Kem>::PublicKey::from_bytes(key.as_bytes()).map_err(|_| SealError::PublicKey)?;
    let sealed = hpke::single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha512, XWing>(
        &mode,
        &public,
        info,
        plaintext,
        &[],
        &mut HpkeRandom(random),
    );
    wipe_stack();
    let (encapsulated, ciphertext) = sealed.map_err(|_| SealError::PublicKey)?;
    Ok([&[SUITE], &encapsulated.to_bytes()[..], &ciphertext].concat())
}

/// Lends a [`Random`] to hpke.
struct HpkeRandom<'a>(&'a dyn Random);

impl TryRng for HpkeRandom<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill(out);
        Ok(())
    }
}

impl TryCryptoRng for HpkeRandom<'_> {}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::testing::CountingRandom;

    fn sealed() -> (KemSecret, Vec<u8>) {
        let random = CountingRandom::default();
        let secret = KemSecret::make(&random);
        let sealed = seal_to(&secret.public(), b"info", b"a root key", &random).unwrap();
        (secret, sealed)
    }

    #[test]
    fn what_was_sealed_opens() {
        let (secret, sealed) = sealed();
        assert_eq!(secret.open(b"info", &sealed).unwrap()[..], b"a root key"[..]);
        assert_eq!(sealed.len(), 1 + ENCAPSULATED_LENGTH + 10 + TAG_LENGTH);
    }

    #[test]
    fn every_flipped_byte_other_info_and_other_key_fail() {
        let (secret, sealed) = sealed();
        for position in (0..40).chain((40..sealed.len()).step_by(61)).chain(sealed.len() - 30..sealed.len()) {
            let mut changed = sealed.clone();
            changed[position] ^= 1;
            assert!(secret.open(b"info", &changed).is_err(), "byte {position}");
        }
        assert_eq!(secret.open(b"other", &sealed).unwrap_err(), OpenError::Aead);
        assert_eq!(KemSecret::from_bytes([9; 32]).open(b"info", &sealed).unwrap_err(), OpenError::Aead);
    }

    #[test]
    fn shorter_input_and_other_suites_are_refused() {
        let (secret, mut sealed) = sealed();
        assert_eq!(
            secret.open(b"info", &sealed[..1 + ENCAPSULATED_LENGTH + 15]).unwrap_err(),
            OpenError::Length
        );
        assert_eq!(secret.open(b"info", &[]).unwrap_err(), OpenError::Length);
        sealed[0] = 9;
        assert_eq!(secret.open(b"info", &sealed).unwrap_err(), OpenError::UpdateNeeded { suite: 9 });
    }

    #[test]
    fn bytes_that_are_no_public_key_are_refused() {
        assert!(KemKey::from_bytes(&[0xff; KemKey::LENGTH]).is_err());
        let real = KemSecret::make(&CountingRandom::default()).public();
        assert_eq!(KemKey::from_bytes(real.as_bytes()), Ok(real));
    }
}
