//! Edits: changes to several fields that become one write.

use std::collections::BTreeMap;

use super::document::Document;
use super::entry::Entry;
use super::limits::ItemError;
use super::register::{Bounds, Register};
use super::stamp::Author;
use super::trash::{TRASH, trash_value};
use super::value::Value;

/// What an edit does to a field's open conflicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Conflicts {
    Keep,
    Resolve,
}

/// A set of changes with one stamp. Dropped without [`Edit::apply`], nothing happens.
#[derive(Debug)]
#[must_use = "an edit changes nothing before it is applied"]
pub struct Edit<'d> {
    document: &'d mut Document,
    author: Author,
    changes: BTreeMap<String, (Value, Conflicts)>,
    besides: BTreeMap<String, (Value, Author)>,
    trash: Option<Option<u64>>,
}

impl<'d> Edit<'d> {
    pub(super) fn new(document: &'d mut Document, author: Author) -> Self {
        Self { document, author, changes: BTreeMap::new(), besides: BTreeMap::new(), trash: None }
    }

    /// Sets a field. A value that the field shows already writes nothing; open conflicts stay open.
    pub fn set(mut self, field: impl Into<String>, value: impl Into<Value>) -> Self {
        self.changes.insert(field.into(), (value.into(), Conflicts::Keep));
        self
    }

    /// Clears a field or removes a list element; what it held stays in its history.
    pub fn clear(self, field: impl Into<String>) -> Self {
        self.set(field, Value::Null)
    }

    /// Sets a field and ends its conflicts.
    pub fn resolve(mut self, field: impl Into<String>, value: impl Into<Value>) -> Self {
        self.changes.insert(field.into(), (value.into(), Conflicts::Resolve));
        self
    }

    /// Puts the item into the trash at the author's time. An edit made elsewhere meanwhile brings it back.
    pub fn trash(mut self) -> Self {
        self.trash = Some(Some(self.author.now_ms));
        self
    }

    /// Puts the item into the trash as of `ms`, milliseconds since 1970.
    pub fn trash_since(mut self, ms: u64) -> Self {
        self.trash = Some(Some(ms));
        self
    }

    /// Keeps another program's value beside what the field holds (a field that never was is left alone), as written there
    /// by `foreign`, the [`foreign_writer`](super::foreign_writer) of its record at that program's time, who has not seen
    /// the edits made here: it replaces what other programs said before, and conflicts with all else.
    pub fn beside(mut self, field: impl Into<String>, value: impl Into<Value>, foreign: Author) -> Self {
        self.besides.insert(field.into(), (value.into(), foreign));
        self
    }

    /// Takes the item out of the trash.
    pub fn restore(mut self) -> Self {
        self.trash = Some(None);
        self
    }

    /// Makes the changes, all with one stamp, and returns whether the document differs now. The document's oldest
    /// history is given up where it would exceed its limit.
    ///
    /// # Errors
    /// [`ItemError`]; the document is then unchanged.
    pub fn apply(self) -> Result<bool, ItemError> {
        let stamp = self.document.next_stamp(self.author)?;
        let mut edited = self.document.clone();
        for (field, (value, conflicts)) in self.changes {
            match (edited.fields.get_mut(&field), conflicts) {
                (None, _) if value.is_null() => {}
                (None, _) => {
                    edited.fields.insert(field, Register::new(Entry::new(stamp, value, Vec::new())));
                }
                (Some(register), Conflicts::Resolve) if !register.conflicts().is_empty() => {
                    register.resolve(stamp, value, &Bounds::PROTOCOL);
                }
                (Some(register), _) if *register.winner().value() == value => {}
                (Some(register), _) => register.write(stamp, value, &Bounds::PROTOCOL),
            }
        }
        for (field, (value, foreign)) in self.besides {
            if let Some(register) = edited.fields.get_mut(&field) {
                register.beside(foreign, value, &Bounds::PROTOCOL).ok_or(ItemError::StampsUsedUp)?;
            }
        }
        if let Some(time) = self.trash {
            let value = trash_value(time, &edited);
            match edited.fields.get_mut(TRASH) {
                // Nobody chooses between trashings: the last one stands for all.
                Some(register) => register.resolve(stamp, value, &Bounds::PROTOCOL),
                None => {
                    edited
                        .fields
                        .insert(TRASH.to_owned(), Register::new(Entry::new(stamp, value, Vec::new())));
                }
            }
        }
        edited.fit(self.document.live_bytes())?;
        let changed = edited != *self.document;
        *self.document = edited;
        Ok(changed)
    }
}
