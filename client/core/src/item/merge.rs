//! Merge: how two versions of one item become one.

use std::collections::BTreeMap;

use super::document::Document;
use super::register::{Bounds, Register};
use super::value::Value;
use super::value_codec::write_value;

/// The document that holds what both hold: commutative, associative, idempotent, and with the same bytes on every
/// device. A value that loses stays in its field's history within the bounds.
pub fn merge(a: &Document, b: &Document) -> Document {
    merge_within(a, b, &Bounds::PROTOCOL)
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
