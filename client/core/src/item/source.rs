//! What a document remembers of the programs that it was imported from.
//!
//! The field `source/<program>` holds a [`Memory`]: which record the item is, and a short hash of each value as the
//! program last gave it. Fields below, `source/<program>/…`, belong to that program's importer. All of them are inner
//! fields: never shown, never in conflict, and whoever writes one writes over whatever is there.

use lockstep_proto::hash::hash;

use super::document::Document;
use super::trash::{TRASH, TrashState};
use super::value::Value;
use super::value_codec::write_value;

/// What all inner fields begin with.
const INNER: &str = "source/";
/// The member of a list element that says its place.
pub(super) const ORDER: &str = "order";

/// Whether a field is kept for importers alone: not for people, not for comparing.
pub fn is_inner(field: &str) -> bool {
    field.starts_with(INNER)
}

/// The inner field that holds what is remembered of a program.
pub fn memory_field(program: &str) -> String {
    format!("{INNER}{program}")
}

/// A short hash of a field's value: tells values of one field apart, whose source has no interest in a collision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldHash(pub [u8; 8]);

impl FieldHash {
    /// The hash of what a field holds. The place of a list element is no part of it.
    pub fn of(field: &str, value: &Value) -> Self {
        let mut bytes = Vec::new();
        match value {
            Value::Map(members) if field.contains('/') && members.contains_key(ORDER) => {
                let mut members = members.clone();
                members.remove(ORDER);
                let mut placeless = Value::Map(members);
                write_value(&placeless, &mut bytes);
                placeless.wipe();
            }
            other => write_value(other, &mut bytes),
        }
        let digest = hash("field-hash", &[&bytes]);
        zeroize::Zeroize::zeroize(&mut bytes);
        let mut short = [0; 8];
        short.copy_from_slice(&digest.0[..8]);
        Self(short)
    }
}

/// Every live field with the hash of its value, list elements in their order. A field that is not named is empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Seen(pub Vec<(String, FieldHash)>);

impl Seen {
    /// What a document says, memories aside; the trash counts as in it or not.
    pub fn of(document: &Document) -> Self {
        let live = document.registers().filter_map(|(key, register)| {
            let value = register.winner().value();
            let is_said = key != TRASH && !value.is_null() && !is_memory(key);
            is_said.then_some((place_of(key, value), key, value))
        });
        let mut live: Vec<_> = live.collect();
        live.sort_by_key(|(place, key, _)| (*place, *key));
        let mut seen: Vec<_> =
            live.into_iter().map(|(_, key, value)| (key.to_owned(), FieldHash::of(key, value))).collect();
        if matches!(document.trash_state(), TrashState::Trashed { .. }) {
            seen.push((TRASH.to_owned(), FieldHash::of(TRASH, &Value::Bool(true))));
        }
        Self(seen)
    }

    fn to_value(&self) -> Value {
        let pairs = self.0.iter();
        Value::Array(
            pairs.flat_map(|(key, hash)| [key.as_str().into(), Value::Bytes(hash.0.to_vec())]).collect(),
        )
    }

    fn read(value: &Value) -> Option<Self> {
        let pairs = value.as_array()?.chunks_exact(2);
        let read = |pair: &[Value]| {
            let [key, hash] = pair else { return None };
            Some((key.as_text()?.to_owned(), FieldHash(hash.as_bytes()?.try_into().ok()?)))
        };
        pairs.map(read).collect::<Option<_>>().map(Self)
    }
}

/// Names the first file that a record came in: records of one batch came from the same place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Batch([u8; 8]);

impl Batch {
    /// The batch of a file that holds records of these identities: the same on every device.
    pub fn of<'i>(program: &str, identities: impl IntoIterator<Item = &'i str>) -> Self {
        let identities: std::collections::BTreeSet<&str> = identities.into_iter().collect();
        let each: Vec<[u8; 32]> =
            identities.iter().map(|identity| hash("import-identity", &[identity.as_bytes()]).0).collect();
        let digest = hash("import-batch", &[program.as_bytes(), &[0], each.concat().as_slice()]);
        let mut short = [0; 8];
        short.copy_from_slice(&digest.0[..8]);
        Self(short)
    }
}

/// What a document remembers of one program.
#[derive(Clone, PartialEq, Eq)]
pub struct Memory {
    /// Which record of the program the item is.
    pub identity: String,
    /// The batch that it came in.
    pub batch: Batch,
    /// When the program last revised it, milliseconds since 1970; 0 where the program does not say.
    pub revised_ms: u64,
    /// What the program said last.
    pub seen: Seen,
}

impl Memory {
    /// What a document remembers of a program; `None` where it never came from there.
    pub fn of(document: &Document, program: &str) -> Option<Self> {
        Self::read(document.value(&memory_field(program))?)
    }

    /// Every program that the document came from, with what it remembers.
    pub fn all(document: &Document) -> impl Iterator<Item = (&str, Self)> {
        document.list(INNER.trim_end_matches('/')).filter_map(|(key, value)| Some((key, Self::read(value)?)))
    }

    pub(super) fn to_value(&self) -> Value {
        Value::map([
            ("id", self.identity.as_str().into()),
            ("batch", Value::Bytes(self.batch.0.to_vec())),
            ("revised", Value::Int(i64::try_from(self.revised_ms).unwrap_or(i64::MAX))),
            ("seen", self.seen.to_value()),
        ])
    }

    fn read(value: &Value) -> Option<Self> {
        Some(Self {
            identity: value.member("id")?.as_text()?.to_owned(),
            batch: Batch(value.member("batch")?.as_bytes()?.try_into().ok()?),
            revised_ms: u64::try_from(value.member("revised")?.as_int()?).ok()?,
            seen: Seen::read(value.member("seen")?)?,
        })
    }
}

/// Whether a field is a memory itself, and no field of an importer's.
fn is_memory(field: &str) -> bool {
    field.strip_prefix(INNER).is_some_and(|program| !program.contains('/'))
}

/// The list that an element belongs to, and its place there.
fn place_of<'k>(key: &'k str, value: &Value) -> (&'k str, i64) {
    match key.split_once('/') {
        Some((list, _)) => (list, order_of(value).unwrap_or(i64::MAX)),
        None => (key, 0),
    }
}

pub(super) fn order_of(value: &Value) -> Option<i64> {
    value.member(ORDER)?.as_int()
}
