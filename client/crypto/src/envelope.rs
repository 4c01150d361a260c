//! The envelope: authenticated encryption that commits to its key and its context.
//!
//! ```text
//! okm  = HKDF-SHA512(salt, ikm = K, "LS1/env" ‖ 0x00 ‖ suite ‖ SHA-256(ctx), 64)     ek = okm[..32], com = okm[32..]
//! body = XChaCha20-Poly1305(ek, nonce = salt[..24], aad = ctx, Padmé(u32 len ‖ plaintext))
//! out  = suite ‖ salt ‖ com ‖ body
//! ```
//!
//! **Invariants:** the encryption key is used once; an envelope opens under one key and one context only; its length
//! is one of Padmé's sizes. Frozen: `envelope.json`.

use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{AeadInOut as _, XChaCha20Poly1305};
use lockstep_proto::{SUITE, seeded};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::hedge::{Hedge, SALT_LENGTH};
use crate::kdf;
use crate::keys::SymmetricKey;
use crate::padme;
use crate::secret_bytes::SecretBytes;
use crate::stack::wipe_stack;

const NONCE_LENGTH: usize = 24;
const TAG_LENGTH: usize = 16;
const COMMITMENT_LENGTH: usize = 32;

/// What an envelope adds to its padded plaintext, in bytes.
pub const OVERHEAD: usize = 1 + SALT_LENGTH + COMMITMENT_LENGTH + TAG_LENGTH;

/// Something is too large, or not of a kind, to be sealed. Nothing was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The plaintext, or the blob made of it, is above its limit.
    #[error("{length} bytes are more than can be sealed at once ({limit})")]
    TooLarge {
        /// The length in bytes.
        length: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The context names other kinds of keys than the ones given, or a tombstone where a document is sealed.
    #[error("the context does not fit what is being sealed")]
    Context,
    /// The public key that something is to be sealed to is not a valid X-Wing key.
    #[error("the public key to seal to is not valid")]
    PublicKey,
}

/// Why an envelope does not open. The variants serve tests and local diagnosis: nothing that a server can see may
/// depend on which one it is (R-ORACLE), so all but [`OpenError::UpdateNeeded`] read the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// It has a length that no envelope has.
    #[error("this sealed record does not open")]
    Length,
    /// A newer program sealed it (R-SUITE).
    #[error("this record was sealed with suite {suite}, unknown to this version of Lockstep: update needed")]
    UpdateNeeded {
        /// The unknown suite.
        suite: u8,
    },
    /// Another key or another context sealed it.
    #[error("this sealed record does not open")]
    Commitment,
    /// It was changed after it was sealed.
    #[error("this sealed record does not open")]
    Aead,
    /// The padding is not zero or not minimal.
    #[error("this sealed record does not open")]
    Padding,
}

/// The length in bytes of the envelope of a plaintext of `length` bytes.
pub fn sealed_length(length: usize) -> usize {
    padme::padded_length(length).saturating_add(OVERHEAD)
}

/// Seals `plaintext` under `key` for exactly this context.
///
/// # Errors
/// [`SealError::TooLarge`] above [`padme::PLAINTEXT_LIMIT`].
pub fn seal(
    key: &SymmetricKey,
    ctx: &[u8],
    plaintext: &[u8],
    hedge: &Hedge<'_>,
) -> Result<Vec<u8>, SealError> {
    let too_large = SealError::TooLarge { length: plaintext.len(), limit: padme::PLAINTEXT_LIMIT };
    let mut body = padme::pad(plaintext, TAG_LENGTH).ok_or(too_large)?;
    let salt = hedge.make_salt(ctx, plaintext);
    let keys = MessageKeys::derive(key, &salt, ctx);
    let encrypted = keys.encrypt(&salt, ctx, &mut body);
    wipe_stack();
    encrypted.map_err(|()| too_large)?;

    let mut out = Vec::with_capacity(OVERHEAD + body.len());
    out.push(SUITE);
    out.extend_from_slice(&salt);
    out.extend_from_slice(keys.commitment());
    out.extend_from_slice(&body);
    Ok(out)
}

/// Opens what [`seal`] wrote, under the same key and context.
///
/// # Errors
/// [`OpenError`]. Nothing of the plaintext is ever returned with an error.
pub fn open(key: &SymmetricKey, ctx: &[u8], envelope: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let (suite, rest) = envelope.split_first().ok_or(OpenError::Length)?;
    if *suite != SUITE {
        return Err(OpenError::UpdateNeeded { suite: *suite });
    }
    let (salt, rest) = rest.split_first_chunk::<SALT_LENGTH>().ok_or(OpenError::Length)?;
    let (commitment, body) = rest.split_first_chunk::<COMMITMENT_LENGTH>().ok_or(OpenError::Length)?;
    let padded_length = body.len().checked_sub(TAG_LENGTH).ok_or(OpenError::Length)?;
    if padme::bucket(padded_length) != padded_length && !seeded!("envelope-length-unchecked") {
        return Err(OpenError::Length);
    }
    let keys = MessageKeys::derive(key, salt, ctx);
    if !bool::from(keys.commitment().ct_eq(commitment)) && !seeded!("key-commitment-unchecked") {
        return Err(OpenError::Commitment);
    }
    let padded = keys.decrypt(salt, ctx, body);
    wipe_stack();
    let padded = padded.map_err(|()| OpenError::Aead)?;
    padme::unpad(&padded).ok_or(OpenError::Padding)
}

/// The two halves of one envelope's key material.
struct MessageKeys(SecretBytes<64>);

impl MessageKeys {
    fn derive(key: &SymmetricKey, salt: &[u8; SALT_LENGTH], ctx: &[u8]) -> Self {
        Self(kdf::derive_salted(Some(salt), key.expose_bytes(), "env", &[&[SUITE], &Sha256::digest(ctx)]))
    }

    fn encryption(&self) -> &[u8] {
        &self.0[..32]
    }

    fn commitment(&self) -> &[u8] {
        &self.0[32..]
    }

    fn encrypt(&self, salt: &[u8; SALT_LENGTH], ctx: &[u8], body: &mut Zeroizing<Vec<u8>>) -> Result<(), ()> {
        encrypt(self.encryption(), &salt[..NONCE_LENGTH], ctx, body)
    }

    fn decrypt(&self, salt: &[u8; SALT_LENGTH], ctx: &[u8], body: &[u8]) -> Result<Zeroizing<Vec<u8>>, ()> {
        decrypt(self.encryption(), &salt[..NONCE_LENGTH], ctx, body)
    }
}

/// XChaCha20-Poly1305 in place, the tag appended.
fn encrypt(key: &[u8], nonce: &[u8], aad: &[u8], body: &mut Vec<u8>) -> Result<(), ()> {
    let cipher = XChaCha20Poly1305::new_from_slice(key).map_err(|_| ())?;
    let nonce = nonce.try_into().map_err(|_| ())?;
    cipher.encrypt_in_place(nonce, aad, body).map_err(|_| ())
}

fn decrypt(key: &[u8], nonce: &[u8], aad: &[u8], body: &[u8]) -> Result<Zeroizing<Vec<u8>>, ()> {
    let cipher = XChaCha20Poly1305::new_from_slice(key).map_err(|_| ())?;
    let nonce = nonce.try_into().map_err(|_| ())?;
    cipher.decrypt(nonce, Payload { msg: body, aad }).map(Zeroizing::new).map_err(|_| ())
}

#[cfg(test)]
mod tests;
