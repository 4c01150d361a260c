//! How large a document may be, and what an edit that goes beyond is told.

use super::document::Document;
use super::entry::Entry;
use super::register::Register;
use super::stamp::Stamp;
use super::trash::TRASH;
use super::value_codec::encoded_len;

/// Live values of one document after an edit, in bytes of their encoding with their keys.
pub const MAX_LIVE_BYTES: usize = 256 * 1024;
/// History of one document after an edit, counted as in [`Bounds`](super::Bounds): values that were seen and written
/// over. Values that wait for a choice are outside of it; where they leave less room in the document, history has that.
pub const MAX_HISTORY_BYTES: usize = 256 * 1024;
/// An encoded document, at most. A document that a merge makes larger cannot be written as one item.
pub const MAX_DOCUMENT_BYTES: usize = 1024 * 1024 - 4096;
/// A field key, in bytes.
pub const MAX_FIELD_KEY_BYTES: usize = 512;
/// Levels of nesting in a value.
pub const MAX_VALUE_DEPTH: usize = 16;

/// Why an edit was refused. The document is as it was before.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ItemError {
    /// The live values would be too large.
    #[error(
        "this item would hold {found} bytes, more than the {MAX_LIVE_BYTES} an item can have; nothing was changed: shorten it or split it into two items"
    )]
    TooLarge {
        /// Bytes after the edit.
        found: usize,
    },
    /// A field key is empty or too long.
    #[error("a field name has {found} bytes, allowed are 1 to {MAX_FIELD_KEY_BYTES}; nothing was changed")]
    FieldKey {
        /// Bytes of the key.
        found: usize,
    },
    /// A value is nested too deeply.
    #[error(
        "the value of field {field} is nested {found} levels deep, more than {MAX_VALUE_DEPTH}; nothing was changed"
    )]
    TooDeep {
        /// The field's key.
        field: String,
        /// Levels.
        found: usize,
    },
    /// The author's clock is at 2^48 milliseconds or later.
    #[error("this device's clock is beyond the year 10889; nothing was changed: set the clock and try again")]
    ClockOutOfRange,
    /// No stamp is left above those in the document.
    #[error(
        "another device has written this item with the last possible time stamp, so nothing can be newer; the item is kept: copy it into a new one"
    )]
    StampsUsedUp,
}

impl Document {
    /// Bytes of live values with their keys, the trash register aside: what [`MAX_LIVE_BYTES`] bounds.
    pub fn live_bytes(&self) -> usize {
        let fields = self.fields.iter().filter(|(key, _)| *key != TRASH);
        fields.map(|(key, register)| key.len() + encoded_len(register.winner().value())).sum()
    }

    /// Bytes of history: what [`MAX_HISTORY_BYTES`] bounds.
    pub fn history_bytes(&self) -> usize {
        self.fields.values().flat_map(|register| register.history()).map(Entry::size).sum()
    }

    /// Checks what an edit may leave, and gives up the document's oldest history until it fits. A document that a merge
    /// made larger than an edit could may stay so, but not grow.
    pub(super) fn fit(&mut self, live_before: usize) -> Result<(), ItemError> {
        for (key, register) in &self.fields {
            if key.is_empty() || key.len() > MAX_FIELD_KEY_BYTES {
                return Err(ItemError::FieldKey { found: key.len() });
            }
            let found = register.winner().value().depth();
            if found > MAX_VALUE_DEPTH {
                return Err(ItemError::TooDeep { field: key.clone(), found });
            }
        }
        let found = self.live_bytes();
        if found > MAX_LIVE_BYTES.max(live_before) {
            return Err(ItemError::TooLarge { found });
        }
        self.bound_history(MAX_HISTORY_BYTES);
        // Counted bytes are more than encoded ones, so one round may not be enough; each gives up what is too much at least.
        loop {
            let (excess, history) =
                (self.to_bytes().len().saturating_sub(MAX_DOCUMENT_BYTES), self.history_bytes());
            if excess == 0 || history == 0 {
                return Ok(());
            }
            self.bound_history(history.saturating_sub(excess));
        }
    }

    /// Gives up the oldest history of all fields together, and what shares the stamp of the last one, until it fits.
    /// Takes time in proportion to the history, but for its sorting.
    fn bound_history(&mut self, limit: usize) {
        let histories = self.fields.values().flat_map(Register::history);
        let mut history: Vec<(Stamp, usize)> = histories.map(|entry| (entry.stamp(), entry.size())).collect();
        let mut bytes: usize = history.iter().map(|(_, size)| size).sum();
        history.sort_unstable_by_key(|(stamp, _)| *stamp);
        let mut cut = None;
        for (stamp, size) in history {
            if bytes <= limit && Some(stamp) != cut {
                break;
            }
            bytes = bytes.saturating_sub(size);
            cut = Some(stamp);
        }
        if let Some(cut) = cut {
            self.fields.values_mut().for_each(|register| register.forget(cut));
        }
    }
}
