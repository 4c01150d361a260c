//! Names of vaults and devices: items like others, under ids that everybody can derive.

use lockstep_proto::ids::VaultId;
use lockstep_proto::log::AccountState;

use crate::item::{Author, Document, Draft, ItemError};

/// The kind of a document that holds a name.
const NAME_KIND: &str = "name";
/// The field that holds it.
const NAME: &str = "name";

/// The vault that keeps the names of devices: the one that the account's log names first.
pub(crate) fn first_vault(state: &AccountState) -> Option<VaultId> {
    let vaults = state.vaults().iter();
    vaults.min_by_key(|(_, vault)| vault.added).map(|(vault_id, _)| *vault_id)
}

/// A document with this name: `before` renamed, or a new one.
pub(crate) fn named(before: Option<Document>, name: &str, author: Author) -> Result<Document, ItemError> {
    match before {
        Some(mut document) => {
            // Nobody is asked to choose between names.
            document.edit(author).resolve(NAME, name).apply()?;
            Ok(document)
        }
        None => Draft::by(NAME_KIND, author)?.set(NAME, name).build(),
    }
}

/// Whether the document holds a name rather than something of its owner's.
pub(crate) fn is_name(document: &Document) -> bool {
    document.kind() == NAME_KIND
}

/// The name; empty where the document holds none.
pub(crate) fn name_of(document: &Document) -> String {
    document.text(NAME).unwrap_or_default().to_owned()
}
