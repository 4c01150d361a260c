//! Bitwarden's unencrypted JSON export.
//!
//! Folders and collections become tags, password history the history of the password, any deletion date the trash. A
//! file is read record by record ([`read`]), so that one that is damaged costs only itself. Whatever the export says
//! that the document's fields do not (unknown members, odd types, dates written differently) is kept beside them in the
//! field `source/bitwarden/rest`, each with a guard over what the fields said at import, and is written back for as long as
//! the guarded part has not been edited.
//!
//! What a document says and Bitwarden's JSON cannot is in custom fields, for people, and in the member `lockstep` of each
//! record, for the way home: imported where it came from, an export changes nothing.
//!
//! Documented normalisations of import followed by export: password history is written newest first; folders that no
//! item is in are left out (the report names them); numbers with a fraction are those of IEEE 754.
//!
//! **Invariants:** an item's export is a pure function of its document, and importing it again gives the same export.
//! Every stamp of an import is made of the record's own dates and of all that it says, never of the clock: importing twice,
//! or on two devices, gives the same bytes, and any edit beats them.

mod carry;
#[cfg(test)]
mod case_tests;
mod check;
mod collections;
mod dates;
mod derive;
mod elements;
mod error;
mod export;
mod folders;
#[cfg(test)]
mod home_tests;
#[cfg(test)]
mod hostile_tests;
mod import;
mod keys;
mod known;
mod legacy;
#[cfg(test)]
mod mutation_tests;
mod own;
#[cfg(test)]
mod property_tests;
mod read;
mod record;
mod remark;
mod report;
mod rest;
#[cfg(test)]
mod schema_tests;
#[cfg(test)]
mod source_tests;
#[cfg(test)]
mod tests;

pub use check::{Difference, bitwarden_losses, check_bitwarden_json};
pub use dates::DatedPart;
pub use error::ImportError;
pub use export::export_bitwarden_json;
pub use import::{ImportContext, MAX_IMPORT_BYTES, import_bitwarden_json};
pub use remark::FileRemark;
pub use report::{ImportReport, ImportedFolder, ImportedRecord, ItemProblem, Problem, SOURCE_KIND};
