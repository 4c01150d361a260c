//! Labelled hashes: `H(label, x) = SHA-256("LS1/" ‖ label ‖ 0x00 ‖ x)`.

use sha2::{Digest as _, Sha256};

use crate::ids::Hash;

/// The prefix of every hash, HKDF info and HMAC message of protocol version 1.
pub const DOMAIN: &str = "LS1/";

/// `H(label, x)`, where `x` is the concatenation of `parts`. A label belongs to exactly one structure.
pub fn hash(label: &str, parts: &[&[u8]]) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(DOMAIN.as_bytes());
    hasher.update(label.as_bytes());
    hasher.update([0]);
    for part in parts {
        hasher.update(part);
    }
    Hash(hasher.finalize().into())
}

/// `"LS1/" ‖ label ‖ 0x00 ‖ parts`: how every HKDF info and HMAC message starts.
pub fn labelled(label: &str, parts: &[&[u8]]) -> Vec<u8> {
    // Exactly as long as it gets: a secret among the parts leaves no copy behind in a reallocation.
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut out = Vec::with_capacity(DOMAIN.len() + label.len() + 1 + length);
    out.extend_from_slice(DOMAIN.as_bytes());
    out.extend_from_slice(label.as_bytes());
    out.push(0);
    for part in parts {
        out.extend_from_slice(part);
    }
    out
}
