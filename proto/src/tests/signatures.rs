//! Signatures that a lax verifier would take ("Taming the many EdDSAs", 2020).

use curve25519_dalek::scalar::Scalar;
use ed25519_dalek::SigningKey;
use sha2::{Digest as _, Sha512};

use crate::sign::{PublicKey, Signature, SignatureError};

/// The identity: as a key it verifies this signature over anything, as `R` whoever holds a key can sign with it.
const IDENTITY: [u8; 32] = {
    let mut bytes = [0; 32];
    bytes[0] = 1;
    bytes
};

fn signature(r: &[u8; 32], s: &[u8; 32]) -> Signature {
    Signature([&r[..], s].concat().try_into().unwrap())
}

/// `s` that satisfies `s·B = R + k·A` for `R = r·B`, or for the identity where `r` is zero.
fn forge(key: &SigningKey, r: &[u8; 32], message: &[u8]) -> [u8; 32] {
    let public = PublicKey::from(key);
    let hash = Sha512::new().chain_update(r).chain_update(public.0).chain_update(message).finalize();
    (Scalar::from_bytes_mod_order_wide(&hash.into()) * key.to_scalar()).to_bytes()
}

#[test]
fn a_key_of_small_order_verifies_nothing() {
    let refused = PublicKey(IDENTITY).verify(b"anything", &signature(&IDENTITY, &[0; 32]));
    assert_eq!(refused, Err(SignatureError::Key));
}

#[test]
fn a_signature_with_a_point_of_small_order_is_refused() {
    let key = SigningKey::from_bytes(&[7; 32]);
    let forged = signature(&IDENTITY, &forge(&key, &IDENTITY, b"message"));
    assert_eq!(PublicKey::from(&key).verify(b"message", &forged), Err(SignatureError::Mismatch));
}

#[test]
fn a_scalar_that_is_not_reduced_is_refused() {
    use ed25519_dalek::Signer as _;
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let key = SigningKey::from_bytes(&[7; 32]);
    let honest = key.sign(b"message").to_bytes();
    let mut other = honest;
    let mut carry = 0;
    for (byte, order) in other[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        (*byte, carry) = ((sum & 0xff) as u8, sum >> 8);
    }
    let public = PublicKey::from(&key);
    assert_eq!(public.verify(b"message", &Signature(honest)), Ok(()));
    assert_eq!(public.verify(b"message", &Signature(other)), Err(SignatureError::Mismatch));
}
