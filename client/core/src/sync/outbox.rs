//! The outbox: what its user did on this device and the server does not have.
//!
//! One entry per item, whatever the number of edits. An item is sealed only when a commit is built; until then its
//! entry follows what is pulled ([`super::merge`]).

use std::collections::BTreeMap;

use lockstep_proto::canon::{Canon, CanonError, Decoder, Encoder};
use lockstep_proto::digest::Leaf;
use lockstep_proto::ids::{Hash, ItemId, Version};

use crate::item::{Document, MAX_DOCUMENT_BYTES};

/// All entries of one vault.
pub(crate) type Outbox = BTreeMap<ItemId, OutboxEntry>;

/// What is to become of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Edit {
    /// It holds this document.
    Write(Document),
    /// Only a tombstone is left of it.
    Purge,
}

impl Edit {
    /// The document, if the item keeps one.
    pub(crate) fn document(&self) -> Option<&Document> {
        match self {
            Self::Write(document) => Some(document),
            Self::Purge => None,
        }
    }
}

/// An edit and what it was made on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OutboxEntry {
    /// The version that the edit replaces; `None` for an item that no commit names yet.
    pub(crate) base: Option<Leaf>,
    /// What that version holds; `None` where there is none, or where it cannot be opened.
    pub(crate) base_document: Option<Document>,
    /// The edit. A later one takes its place.
    pub(crate) edit: Edit,
}

impl OutboxEntry {
    /// Whether sending it would change nothing: an edit and its undoing.
    pub(crate) fn is_idle(&self) -> bool {
        self.base.is_some()
            && self.edit.document().is_some()
            && self.edit.document() == self.base_document.as_ref()
    }
}

impl Canon for OutboxEntry {
    fn encode(&self, out: &mut Encoder) {
        let base = self.base.unwrap_or(Leaf { version: Version(0), blob_hash: Hash::ZERO });
        base.version.encode(out);
        base.blob_hash.encode(out);
        encode_document(self.base_document.as_ref(), out);
        encode_document(self.edit.document(), out);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        let base = Leaf { version: Canon::decode(input)?, blob_hash: Canon::decode(input)? };
        let base = (base.version.0 != 0).then_some(base);
        let base_document = decode_document(input)?;
        let edit = decode_document(input)?.map_or(Edit::Purge, Edit::Write);
        Ok(Self { base, base_document, edit })
    }
}

fn encode_document(document: Option<&Document>, out: &mut Encoder) {
    out.bool(document.is_some());
    out.bytes(&document.map(Document::to_bytes).unwrap_or_default());
}

fn decode_document(input: &mut Decoder<'_>) -> Result<Option<Document>, CanonError> {
    let present = input.bool()?;
    let bytes = input.bytes(MAX_DOCUMENT_BYTES)?;
    match present {
        true => Document::from_bytes(bytes).map(Some).map_err(|_| CanonError::Invalid("document")),
        false if bytes.is_empty() => Ok(None),
        false => Err(CanonError::Invalid("document")),
    }
}
