//! Items as their owner sees them: documents made of registers, and the merge that lets devices meet.
//!
//! A [`Document`] maps field keys to [`Register`]s; a register holds its winning value and a bounded history. The
//! kind of an item is the register under [`KIND`]; list elements are fields of their own (`uris/<id>`).
//!
//! **Invariants**
//! - [`merge`](merge::merge) is commutative, associative and idempotent, and equal documents have equal bytes.
//! - A [`Document`] always satisfies the bounds of its registers: the decoder refuses one that does not.
//! - An edit beats every value that it has seen, whatever the clocks say; no reader ever changes a stamp.
//! - Inner fields (`source/…`) are for importers: no conflict in them is shown, and a write to one replaces all.
//! - Keys, values and kinds that this version does not know are kept and written back unchanged.
//! - Values are never printed: `Debug` shows types and lengths. An entry's memory is overwritten when it is dropped.

mod codec;
mod document;
mod draft;
mod edit;
mod entry;
mod floors;
mod limits;
pub mod merge;
mod register;
pub mod reimport;
mod reorder;
mod rising;
mod saw;
pub mod source;
mod stamp;
mod trash;
mod value;
mod value_codec;
pub mod views;

#[cfg(test)]
mod bounds_tests;
#[cfg(test)]
mod codec_tests;
#[cfg(test)]
mod history_tests;
#[cfg(test)]
mod law_tests;
#[cfg(test)]
mod refused_vector_tests;
#[cfg(test)]
mod reimport_tests;
#[cfg(test)]
mod source_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vector_tests;

pub use codec::DecodeError;
pub use document::{Document, FieldConflict, KIND};
pub use draft::Draft;
pub use edit::Edit;
pub use entry::Entry;
pub use floors::Floors;
pub use limits::{
    ItemError, MAX_DOCUMENT_BYTES, MAX_FIELD_KEY_BYTES, MAX_HISTORY_BYTES, MAX_LIVE_BYTES, MAX_VALUE_DEPTH,
};
pub use register::{Bounds, Register};
pub use saw::Saw;
pub use source::is_inner;
pub use stamp::{Author, MAX_MS, Stamp, foreign_writer};
pub use trash::{TRASH, TrashState};
pub use value::Value;
