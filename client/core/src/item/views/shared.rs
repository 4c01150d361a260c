//! What items of every kind have.

use super::{CustomField, field, in_order};
use crate::item::document::Document;
use crate::item::value::Value;

impl Document {
    /// The title; empty where there is none.
    pub fn name(&self) -> &str {
        self.text(field::NAME).unwrap_or_default()
    }

    /// The notes.
    pub fn notes(&self) -> Option<&str> {
        self.text(field::NOTES)
    }

    /// Whether the item is a favourite.
    pub fn is_favourite(&self) -> bool {
        self.value(field::FAVOURITE).and_then(Value::as_bool).unwrap_or(false)
    }

    /// Since when the item is archived, milliseconds since 1970.
    pub fn archived_ms(&self) -> Option<u64> {
        self.value(field::ARCHIVED).and_then(Value::as_int).and_then(|ms| u64::try_from(ms).ok())
    }

    /// When the item was created, milliseconds since 1970.
    pub fn created_ms(&self) -> Option<u64> {
        self.value(field::CREATED).and_then(Value::as_int).and_then(|ms| u64::try_from(ms).ok())
    }

    /// The tags, in alphabetical order.
    pub fn tags(&self) -> impl Iterator<Item = &str> {
        self.list(field::TAGS).map(|(name, _)| name)
    }

    /// The custom fields with their ids, in their owner's order.
    pub fn custom_fields(&self) -> Vec<(&str, CustomField)> {
        in_order(self.list(field::CUSTOM), CustomField::read)
    }
}
