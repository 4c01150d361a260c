//! Importers and exporters of Lockstep documents: bytes of other programs' exports in, documents out, and back.
//!
//! **Invariants:** pure: no file, socket, clock or randomness. Nothing in an export aborts an import but an export that
//! cannot be read at all: every item is either imported or named in the report with a reason. What Lockstep has no field
//! for is kept in the document and written back. The same export gives the same documents, byte for byte, on every
//! device. Input is bounded before it is parsed.

pub mod bitwarden;
mod json;
mod looks;
mod time;
mod zip;

pub use json::place::Place;
pub use looks::Looks;
pub use zip::ZipError;
