//! Writing an archive's content: deterministic CBOR, into a buffer that never moves.

use std::convert::Infallible;

use minicbor::Encoder;
use minicbor::encode::Error;
use zeroize::Zeroizing;

use super::error::ArchiveError;
use super::{Archive, ArchivedVault, MAX_ARCHIVE_BYTES};

/// The first element: what this is.
pub(super) const LABEL: &str = "lockstep-archive";
/// The second element. Frozen in `proto/vectors/archive.json`.
pub(super) const VERSION: u64 = 1;
/// More than the heads and ids of a header, a vault or an item take.
const FRAME_BYTES: usize = 64;

impl Archive<'_> {
    /// The content's one encoding, wiped when it is dropped.
    ///
    /// # Errors
    /// [`ArchiveError::TooLarge`]; no item is ever left out instead.
    pub fn to_bytes(&self) -> Result<Zeroizing<Vec<u8>>, ArchiveError> {
        let vaults = self.vaults.values();
        let most: usize = FRAME_BYTES + vaults.map(most_bytes).sum::<usize>();
        if most > MAX_ARCHIVE_BYTES {
            return Err(ArchiveError::TooLarge { found: most });
        }
        // As large as it gets: a buffer that grows leaves copies behind that nobody wipes.
        let mut out = Zeroizing::new(Vec::with_capacity(most));
        match self.write(&mut Encoder::new(&mut *out)) {
            Ok(()) => Ok(out),
            Err(_) => Err(ArchiveError::Malformed { what: "it cannot be encoded", at: out.len() }),
        }
    }

    fn write(&self, out: &mut Encoder<&mut Vec<u8>>) -> Result<(), Error<Infallible>> {
        out.array(4)?.str(LABEL)?.u64(VERSION)?.u64(self.made_ms)?.u64(self.vaults.len() as u64)?;
        for (vault_id, vault) in &self.vaults {
            out.array(3)?.bytes(vault_id.as_bytes())?.str(vault.name)?.u64(vault.items.len() as u64)?;
            for (item_id, document) in &vault.items {
                out.array(2)?.bytes(item_id.as_bytes())?.bytes(document)?;
            }
        }
        Ok(())
    }
}

fn most_bytes(vault: &ArchivedVault<'_>) -> usize {
    let items = vault.items.values().map(|document| FRAME_BYTES + document.len());
    FRAME_BYTES + vault.name.len() + items.sum::<usize>()
}
