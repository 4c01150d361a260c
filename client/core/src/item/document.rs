//! Documents: what an item holds.

use std::collections::{BTreeMap, BTreeSet};

use lockstep_proto::ids::DeviceId;

use super::edit::Edit;
use super::entry::Entry;
use super::limits::ItemError;
use super::register::Register;
use super::source::is_inner;
use super::stamp::{Author, MAX_MS, Stamp};
use super::trash::TRASH;
use super::value::Value;

/// The field that holds the item's kind.
pub const KIND: &str = "kind";

/// The plaintext of one item: a register for each field. Lists are fields of their own, `uris/<id>`.
///
/// Equal documents have equal bytes ([`Document::to_bytes`]). Nothing in here is printed by `Debug` but field keys.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Document {
    pub(super) fields: BTreeMap<String, Register>,
    /// Top-level members that a later version of the protocol may add; written back unchanged.
    pub(super) unknown: BTreeMap<String, Value>,
}

/// A field with values that nobody has compared yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldConflict<'a> {
    /// The field's key.
    pub field: &'a str,
    /// What the field shows.
    pub winner: &'a Entry,
    /// What lost without having been seen, newest first; never empty.
    pub losers: Vec<&'a Entry>,
}

impl Document {
    /// The kind (`login`, `note`, …); empty where a document has none. Kinds that this version does not know are kept.
    pub fn kind(&self) -> &str {
        self.text(KIND).unwrap_or_default()
    }

    /// The winning value of a field; `None` where it is absent or null.
    pub fn value(&self, field: &str) -> Option<&Value> {
        self.fields.get(field).map(|register| register.winner().value()).filter(|value| !value.is_null())
    }

    /// The winning value of a field, if it is text.
    pub fn text(&self, field: &str) -> Option<&str> {
        self.value(field).and_then(Value::as_text)
    }

    /// The register of a field.
    pub fn register(&self, field: &str) -> Option<&Register> {
        self.fields.get(field)
    }

    /// All fields with their registers, cleared ones included, in the order of their keys.
    pub fn registers(&self) -> impl Iterator<Item = (&str, &Register)> {
        self.fields.iter().map(|(key, register)| (key.as_str(), register))
    }

    /// The elements of a list, `(id, value)` in the order of their ids, removed ones left out.
    pub fn list<'a>(&'a self, list: &'a str) -> impl Iterator<Item = (&'a str, &'a Value)> {
        let prefix = format!("{list}/");
        let from = self.fields.range(prefix.clone()..);
        from.map_while(move |(key, register)| Some((key.strip_prefix(&prefix)?, register.winner().value())))
            .filter(|(_, value)| !value.is_null())
    }

    /// All conflicts, in the order of field keys. Trash has its own rule and never conflicts; nor do inner fields, which
    /// nobody could compare.
    pub fn conflicts(&self) -> Vec<FieldConflict<'_>> {
        let fields = self.fields.iter().filter(|(key, _)| *key != TRASH && !is_inner(key));
        fields
            .filter_map(|(key, register)| {
                let losers = register.conflicts();
                let winner = register.winner();
                (!losers.is_empty()).then_some(FieldConflict { field: key, winner, losers })
            })
            .collect()
    }

    /// Whether a value waits for a choice that did not wait in `before`.
    pub fn has_conflicts_beyond(&self, before: Option<&Document>) -> bool {
        let waiting = |document: &'_ Document| {
            let conflicts = document.conflicts().into_iter();
            let losers = conflicts.flat_map(|conflict| {
                conflict
                    .losers
                    .into_iter()
                    .map(move |loser| (conflict.field.to_owned(), loser.value().clone()))
            });
            losers.collect::<BTreeSet<_>>()
        };
        let known = before.map(waiting).unwrap_or_default();
        !waiting(self).is_subset(&known)
    }

    /// The same document with another register, as only a forger writes one.
    #[cfg(test)]
    pub(crate) fn with_register(mut self, field: &str, register: Register) -> Self {
        self.fields.insert(field.to_owned(), register);
        self
    }

    /// The highest stamp in the document; `None` while it is empty.
    pub fn highest_stamp(&self) -> Option<Stamp> {
        self.fields.values().map(Register::highest).max()
    }

    /// The highest stamp by one device, given-up entries included; `None` where it never wrote.
    pub(crate) fn highest_stamp_of(&self, device: DeviceId) -> Option<Stamp> {
        let stamps = self.fields.values().flat_map(|register| {
            let entries = register.entries().iter();
            let named = entries.flat_map(|entry| entry.replaces().iter().copied().chain([entry.stamp()]));
            named.chain(register.floors().stamps())
        });
        stamps.filter(|stamp| stamp.device() == device).max()
    }

    /// When the document was last written, milliseconds since 1970, as the writers' clocks said.
    pub fn updated_ms(&self) -> u64 {
        self.highest_stamp().map_or(0, |stamp| stamp.ms())
    }

    /// How far the newest write lies ahead of this clock, in milliseconds, where it is more than 24 hours: a device's clock
    /// is wrong, and the user is told. Nothing is adjusted.
    pub fn ahead_ms(&self, now_ms: u64) -> Option<u64> {
        const DAY_MS: u64 = 86_400_000;
        self.updated_ms().checked_sub(now_ms).filter(|ahead| *ahead > DAY_MS)
    }

    /// The stamp that a write by `author` gets: above everything in the document, whatever the clocks say.
    ///
    /// # Errors
    /// [`ItemError::ClockOutOfRange`]; [`ItemError::StampsUsedUp`] when another device has used the last stamp there is.
    pub fn next_stamp(&self, author: Author) -> Result<Stamp, ItemError> {
        if author.now_ms >= MAX_MS {
            return Err(ItemError::ClockOutOfRange);
        }
        Stamp::after(self.highest_stamp(), author).ok_or(ItemError::StampsUsedUp)
    }

    /// Starts an edit. Nothing changes before [`Edit::apply`].
    pub fn edit(&mut self, author: Author) -> Edit<'_> {
        Edit::new(self, author)
    }
}
