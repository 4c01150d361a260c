//! Merge: how two versions of one item become one.

use std::collections::BTreeMap;

use super::document::Document;
use super::limits::MAX_DOCUMENT_BYTES;
use super::register::{Bounds, Register};
use super::value::Value;
use super::value_codec::write_value;

/// The document that holds what both hold: commutative, associative, idempotent, and with the same bytes on every
/// device. A value that loses stays in its field's history within the bounds.
pub fn merge(a: &Document, b: &Document) -> Document {
    merge_within(a, b, &Bounds::PROTOCOL)
}

/// What two versions of an item become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Merged {
    /// One document.
    One(Document),
    /// Together they are larger than an item can be: the one with the newest write stays, the other becomes an item of
    /// its own.
    Apart {
        /// Stays where it was.
        stays: Document,
        /// Becomes an item of its own, under an id that only who holds the vault's key can derive from it.
        leaves: Document,
    },
}

/// Merges two versions of an item into documents that each fit into a blob. The side whose highest stamp is lower
/// leaves (at a tie, the one whose bytes are lower).
pub fn merge_fitting(a: &Document, b: &Document) -> Merged {
    let merged = merge(a, b);
    if merged.to_bytes().len() <= MAX_DOCUMENT_BYTES {
        return Merged::One(merged);
    }
    let rank = |document: &Document| (document.highest_stamp(), document.to_bytes());
    let (stays, leaves) = if rank(a) >= rank(b) { (a, b) } else { (b, a) };
    Merged::Apart { stays: stays.clone(), leaves: leaves.clone() }
}

/// Merges a version that comes from outside the devices of the account, from an archive for example, with what is here: where it claims to have seen and given up a value that waits or is shown here, the claim is not taken, and both
/// values stay.
pub fn merge_from_outside(here: &Document, incoming: &Document) -> Document {
    merge(here, &without_claims_on(here, incoming))
}

/// The version without those claims.
pub(super) fn without_claims_on(here: &Document, incoming: &Document) -> Document {
    let mut taken = incoming.clone();
    for (key, register) in &mut taken.fields {
        let Some(own) = here.fields.get(key) else { continue };
        *register = own.without_claims_on_this(register, &Bounds::PROTOCOL);
    }
    taken
}

pub(super) fn merge_within(a: &Document, b: &Document, bounds: &Bounds) -> Document {
    let fields = union(&a.fields, &b.fields, |x: &Register, y: &Register| x.merge(y, bounds));
    let unknown =
        union(&a.unknown, &b.unknown, |x, y| if encoding(x) >= encoding(y) { x.clone() } else { y.clone() });
    Document { fields, unknown }
}

fn union<T: Clone>(
    a: &BTreeMap<String, T>,
    b: &BTreeMap<String, T>,
    join: impl Fn(&T, &T) -> T,
) -> BTreeMap<String, T> {
    let mut all = a.clone();
    for (key, other) in b {
        let joined = all.get(key).map_or_else(|| other.clone(), |own| join(own, other));
        all.insert(key.clone(), joined);
    }
    all
}

fn encoding(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_value(value, &mut bytes);
    bytes
}
