//! Results as people and programs read them. The JSON shapes are stable: members are added, never renamed.
//!
//! **Invariants:** pure; a secret value is in a result only when the command was asked to reveal it.

pub(crate) mod archive;
pub mod choice;
pub mod conflict;
pub(crate) mod dates;
pub mod export;
pub mod history;
pub mod import;
pub mod item;
pub mod list;
pub mod sync;
pub mod value;
