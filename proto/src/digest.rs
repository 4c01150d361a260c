//! The vault digest: a multiset hash in ristretto255 (R-DIGEST).
//!
//! `digest = compress(Σ leaves)`, so a change costs two leaves whatever the vault's size, and the order of items does
//! not matter. It makes a vault tamper-evident only together with a verifier's own map of leaves: arithmetic alone
//! would let a signer subtract a leaf that was never there.
//!
//! Source: Clarke, Devadas, van Dijk, Gassend, Suh, "Incremental Multiset Hash Functions" (2003), over the prime-order
//! group of RFC 9496.

use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::traits::Identity as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha512};

use crate::canon::{Canon, CanonError, Decoder, Encoder};
use crate::hash::labelled;
use crate::ids::{Hash, ItemId, VaultId, Version};

/// The current version of one item: what the digest is a hash over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Leaf {
    /// The item's version; never 0.
    pub version: Version,
    /// The hash of the item's current blob.
    pub blob_hash: Hash,
}

/// A digest in its compressed, canonical form. The empty vault's is 32 zero bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest(pub Hash);

impl Canon for Digest {
    fn encode(&self, out: &mut Encoder) {
        self.0.encode(out);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        Hash::decode(input).map(Self)
    }
}

/// A sum of leaves, ready for arithmetic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeafSum(RistrettoPoint);

impl LeafSum {
    /// The sum of no leaves.
    pub fn empty() -> Self {
        Self(RistrettoPoint::identity())
    }

    /// The sum that a digest stands for.
    ///
    /// # Errors
    /// [`CanonError::Invalid`] when the bytes are not a canonical ristretto255 encoding.
    pub fn from_digest(digest: &Digest) -> Result<Self, CanonError> {
        CompressedRistretto(digest.0.0).decompress().map(Self).ok_or(CanonError::Invalid("digest"))
    }

    /// The digest of this sum.
    pub fn to_digest(self) -> Digest {
        Digest(Hash(self.0.compress().to_bytes()))
    }

    /// Adds an item's leaf.
    pub fn add(&mut self, vault_id: &VaultId, item_id: &ItemId, leaf: &Leaf) {
        self.0 += leaf_point(vault_id, item_id, leaf);
    }

    /// Takes an item's leaf away.
    pub fn remove(&mut self, vault_id: &VaultId, item_id: &ItemId, leaf: &Leaf) {
        self.0 -= leaf_point(vault_id, item_id, leaf);
    }
}

/// The digest of a whole map of leaves.
pub fn digest_of<'a>(vault_id: &VaultId, leaves: impl IntoIterator<Item = (&'a ItemId, &'a Leaf)>) -> Digest {
    let mut sum = LeafSum::empty();
    for (item_id, leaf) in leaves {
        sum.add(vault_id, item_id, leaf);
    }
    sum.to_digest()
}

fn leaf_point(vault_id: &VaultId, item_id: &ItemId, leaf: &Leaf) -> RistrettoPoint {
    let message = labelled(
        "leaf",
        &[vault_id.as_bytes(), item_id.as_bytes(), &leaf.version.0.to_be_bytes(), leaf.blob_hash.as_bytes()],
    );
    let wide: [u8; 64] = Sha512::digest(message).into();
    RistrettoPoint::from_uniform_bytes(&wide)
}
