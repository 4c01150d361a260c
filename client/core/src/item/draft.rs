//! Drafts: documents under construction, all of one stamp.

use std::collections::BTreeMap;

use super::document::{Document, KIND};
use super::entry::Entry;
use super::floors::Floors;
use super::limits::ItemError;
use super::register::{Bounds, Register};
use super::stamp::{Author, Stamp};
use super::trash::{TRASH, trash_value};
use super::value::Value;

/// A new document before it is one.
#[derive(Debug, Clone)]
pub struct Draft {
    stamp: Stamp,
    fields: BTreeMap<String, (Value, Vec<(Stamp, Value)>)>,
    trashed_ms: Option<u64>,
}

impl Draft {
    /// A draft of an item of this kind, whose every field gets `stamp`. Importers derive it from the source record, so
    /// that importing twice, or on two devices, gives the same bytes.
    pub fn new(kind: &str, stamp: Stamp) -> Self {
        let draft = Self { stamp, fields: BTreeMap::new(), trashed_ms: None };
        draft.set(KIND, kind)
    }

    /// A draft written now by `author`.
    ///
    /// # Errors
    /// [`ItemError::ClockOutOfRange`].
    pub fn by(kind: &str, author: Author) -> Result<Self, ItemError> {
        let stamp = Stamp::new(author.now_ms, 0, author.device).ok_or(ItemError::ClockOutOfRange)?;
        Ok(Self::new(kind, stamp))
    }

    /// Sets a field. Null sets nothing.
    pub fn set(mut self, field: impl Into<String>, value: impl Into<Value>) -> Self {
        self.put(field, value);
        self
    }

    /// Sets a field, by reference. Null sets nothing.
    pub fn put(&mut self, field: impl Into<String>, value: impl Into<Value>) {
        let value = value.into();
        if !value.is_null() {
            self.fields.entry(field.into()).or_default().0 = value;
        }
    }

    /// The stamp of every field.
    pub fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// The fields as they are to be, in the order of their keys.
    pub fn values(&self) -> impl Iterator<Item = (&str, &Value)> {
        let set = self.fields.iter().filter(|(_, (value, _))| !value.is_null());
        set.map(|(key, (value, _))| (key.as_str(), value))
    }

    /// Adds an earlier value of a field to its history: each value counts as written over the one before. Values not older than the draft's stamp are left out: they
    /// would win. A field with history alone shows nothing.
    pub fn remember(&mut self, field: impl Into<String>, stamp: Stamp, value: impl Into<Value>) {
        if stamp < self.stamp {
            self.fields.entry(field.into()).or_default().1.push((stamp, value.into()));
        }
    }

    /// Starts the item in the trash.
    pub fn trashed_at(&mut self, ms: u64) {
        self.trashed_ms = Some(ms);
    }

    /// The document.
    ///
    /// # Errors
    /// [`ItemError`] for values that no edit could write.
    pub fn build(self) -> Result<Document, ItemError> {
        let mut document = Document::default();
        for (field, (value, history)) in self.fields {
            let entries = chained(self.stamp, value, history);
            if let Some(register) = Register::from_entries(entries, Floors::default(), &Bounds::PROTOCOL) {
                document.fields.insert(field, register);
            }
        }
        if let Some(ms) = self.trashed_ms {
            let entry = Entry::new(self.stamp, trash_value(Some(ms), &document), Vec::new());
            document.fields.insert(TRASH.to_owned(), Register::new(entry));
        }
        document.fit(0)?;
        Ok(document)
    }
}

/// A value and those before it, each written over the one that it followed.
fn chained(stamp: Stamp, value: Value, mut history: Vec<(Stamp, Value)>) -> Vec<Entry> {
    history.sort_by_key(|(stamp, _)| *stamp);
    let mut before: Option<Stamp> = None;
    let oldest_first = history.into_iter().chain([(stamp, value)]);
    oldest_first
        .map(|(stamp, value)| Entry::new(stamp, value, before.replace(stamp).into_iter().collect()))
        .collect()
}
