//! What an archive holds.

use std::collections::BTreeMap;
use std::fmt;

use lockstep_proto::ids::{ItemId, VaultId};

/// Vaults and their items, borrowed from where their bytes are kept, so that a large archive is in memory once.
///
/// The maps make "ascending, each once" true by construction. `Debug` shows no content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive<'a> {
    /// When it was made, milliseconds since 1970, as the maker's clock said.
    pub made_ms: u64,
    /// The vaults.
    pub vaults: BTreeMap<VaultId, ArchivedVault<'a>>,
}

/// One vault of an archive.
#[derive(Clone, PartialEq, Eq)]
pub struct ArchivedVault<'a> {
    /// Its name; empty where the maker knew none.
    pub name: &'a str,
    /// Each item's document, as [`Document::to_bytes`](lockstep_client::item::Document::to_bytes) wrote it. Reading an
    /// archive does not look inside: one document that a program cannot read costs no other.
    pub items: BTreeMap<ItemId, &'a [u8]>,
}

impl fmt::Debug for ArchivedVault<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArchivedVault").field("items", &self.items.len()).finish_non_exhaustive()
    }
}

impl Archive<'_> {
    /// Items of all vaults.
    pub fn count_items(&self) -> usize {
        self.vaults.values().map(|vault| vault.items.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_vault_is_printed() {
        let items = [(ItemId::from_random([7; 16]), &b"a password"[..])].into();
        let vaults = [(VaultId([1; 32]), ArchivedVault { name: "my clinic", items })].into();
        let shown = format!("{:?}", Archive { made_ms: 5, vaults });
        assert!(!shown.contains("clinic") && !shown.contains("97"), "{shown}");
    }
}
