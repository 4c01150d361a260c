//! Versions of items that a valid commit names and that cannot be opened (R-ORACLE).

use lockstep_proto::blob::BLOB_LIMIT;
use lockstep_proto::canon::{Canon, CanonError, Decoder, Encoder};
use lockstep_proto::digest::Leaf;
use lockstep_proto::ids::DeviceId;

/// Why a version that a valid commit names cannot be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuarantineReason {
    /// A newer program wrote it: update.
    UpdateNeeded,
    /// Its header does not agree with the commit that names it.
    Header,
    /// It does not open with the vault's key.
    Sealed,
    /// It opens but holds no document.
    Document,
    /// A device that had been removed wrote it on a server that had forgotten that: it is to be written over.
    Removed,
}

/// Why, and by whose doing, an item's current version cannot be opened, with its bytes; without them if they are more
/// than any blob has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) leaf: Leaf,
    pub(crate) author: DeviceId,
    pub(crate) reason: QuarantineReason,
    pub(crate) blob: Vec<u8>,
}

impl Mark {
    /// A mark on this version.
    pub(crate) fn new(leaf: Leaf, author: DeviceId, reason: QuarantineReason, blob: Vec<u8>) -> Self {
        let blob = if blob.len() > BLOB_LIMIT { Vec::new() } else { blob };
        Self { leaf, author, reason, blob }
    }
}

impl Canon for Mark {
    fn encode(&self, out: &mut Encoder) {
        self.leaf.version.encode(out);
        self.leaf.blob_hash.encode(out);
        self.author.encode(out);
        out.u8(match self.reason {
            QuarantineReason::UpdateNeeded => 1,
            QuarantineReason::Header => 2,
            QuarantineReason::Sealed => 3,
            QuarantineReason::Document => 4,
            QuarantineReason::Removed => 5,
        });
        out.bytes(&self.blob);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        let leaf = Leaf { version: Canon::decode(input)?, blob_hash: Canon::decode(input)? };
        let author = Canon::decode(input)?;
        let reason = match input.u8()? {
            1 => QuarantineReason::UpdateNeeded,
            2 => QuarantineReason::Header,
            3 => QuarantineReason::Sealed,
            4 => QuarantineReason::Document,
            5 => QuarantineReason::Removed,
            _ => return Err(CanonError::Invalid("quarantine reason")),
        };
        Ok(Self { leaf, author, reason, blob: input.bytes(BLOB_LIMIT)?.to_vec() })
    }
}
