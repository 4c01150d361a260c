//! The outbox: what its user did on this device and the server does not have.
//!
//! One entry per item, whatever the number of edits. An item is sealed only when a commit is built; until then its
//! entry follows what is pulled (sync merges it).

use std::collections::BTreeMap;

use lockstep_proto::canon::{Canon, CanonError, Decoder, Encoder};
use lockstep_proto::digest::Leaf;
use lockstep_proto::ids::{Hash, ItemId, Version};

use crate::item::{Document, MAX_DOCUMENT_BYTES, Saw};

/// All entries of one vault.
pub(crate) type Outbox = BTreeMap<ItemId, OutboxEntry>;

/// What is to become of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Edit {
    /// It holds this document.
    Write(Document),
    /// Only a tombstone is left of it, which says what its device had seen.
    Purge(Saw),
}

impl Edit {
    /// The document, if the item keeps one.
    pub(crate) fn document(&self) -> Option<&Document> {
        match self {
            Self::Write(document) => Some(document),
            Self::Purge(_) => None,
        }
    }

    /// What is sealed of it.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Write(document) => document.to_bytes(),
            Self::Purge(saw) => saw.to_bytes(),
        }
    }

    /// Whether the item is purged.
    pub(crate) fn is_purge(&self) -> bool {
        matches!(self, Self::Purge(_))
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
        out.bool(self.edit.is_purge());
        out.bytes(&self.edit.to_bytes());
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        let base = Leaf { version: Canon::decode(input)?, blob_hash: Canon::decode(input)? };
        let base = (base.version.0 != 0).then_some(base);
        let base_document = decode_document(input)?;
        let is_purge = input.bool()?;
        let bytes = input.bytes(MAX_DOCUMENT_BYTES)?;
        let edit = match is_purge {
            true => Edit::Purge(Saw::from_bytes(bytes)?),
            false => Edit::Write(read_document(bytes)?),
        };
        Ok(Self { base, base_document, edit })
    }
}

fn encode_document(document: Option<&Document>, out: &mut Encoder) {
    out.bool(document.is_some());
    out.bytes(&document.map(Document::to_bytes).unwrap_or_default());
}

fn read_document(bytes: &[u8]) -> Result<Document, CanonError> {
    Document::from_bytes(bytes).map_err(|_| CanonError::Invalid("document"))
}

fn decode_document(input: &mut Decoder<'_>) -> Result<Option<Document>, CanonError> {
    let present = input.bool()?;
    let bytes = input.bytes(MAX_DOCUMENT_BYTES)?;
    match present {
        true => read_document(bytes).map(Some),
        false if bytes.is_empty() => Ok(None),
        false => Err(CanonError::Invalid("document")),
    }
}
