//! Importers and exporters of Lockstep documents: bytes of other programs' exports in, documents out, and back.
//!
//! **Invariants:** pure: no file, socket, clock or randomness, but for what sealing an [`archive`] takes. Nothing in an
//! export aborts an import but an export that cannot be read at all: every item is either imported or named in the report
//! with a reason. What Lockstep has no field for is kept in the document and written back; what a format has no place for
//! is named ([`Loss`]). The same export gives the same documents, byte for byte, and the same identities on every device.
//! Input is bounded before it is parsed.

pub mod archive;
pub mod bitwarden;
mod identity;
mod json;
mod looks;
mod loss;
mod time;
mod typed;
mod zip;

pub use json::place::Place;
pub use looks::Looks;
pub use loss::Loss;
pub use zip::ZipError;
