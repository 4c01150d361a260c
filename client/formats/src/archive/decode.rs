//! Reading an archive's content. Whatever [`Archive::to_bytes`] would not write is refused, with the place where it
//! stands.

use std::collections::BTreeMap;

use lockstep_proto::canon;
use lockstep_proto::ids::{ItemId, VaultId};
use lockstep_proto::log::VAULTS_LIMIT;
use minicbor::Decoder;
use minicbor::decode::Error;

use super::encode::{LABEL, VERSION};
use super::error::ArchiveError;
use super::{Archive, ArchivedVault, MAX_ARCHIVE_BYTES};

impl<'a> Archive<'a> {
    /// Reads a content that was opened. Memory beside the input is in proportion to the number of items that are there,
    /// whatever numbers the input claims.
    ///
    /// # Errors
    /// [`ArchiveError`].
    pub fn from_bytes(bytes: &'a [u8]) -> Result<Self, ArchiveError> {
        if bytes.len() > MAX_ARCHIVE_BYTES {
            return Err(ArchiveError::TooLarge { found: bytes.len() });
        }
        let mut input = Input { bytes, decoder: Decoder::new(bytes) };
        let (made_ms, count) = input.header()?;
        if count > VAULTS_LIMIT as u64 {
            let what = "it announces more vaults than an account can have";
            return Err(ArchiveError::Malformed { what, at: input.at() });
        }
        let mut vaults = BTreeMap::new();
        for _ in 0..count {
            let at = input.at();
            let (vault_id, vault) = input.vault()?;
            append(&mut vaults, vault_id, vault, at)?;
        }
        if input.at() < bytes.len() {
            return Err(ArchiveError::Malformed { what: "more follows after its end", at: input.at() });
        }
        Ok(Self { made_ms, vaults })
    }
}

/// What cannot be read at the very beginning is no archive; one that ends there may be.
fn no_archive(error: ArchiveError) -> ArchiveError {
    match error {
        ArchiveError::EndsEarly { .. } => error,
        _ => ArchiveError::NotAnArchive,
    }
}

/// Ids ascend, so that there is one order and nothing twice.
fn append<K: Ord, V>(map: &mut BTreeMap<K, V>, key: K, value: V, at: usize) -> Result<(), ArchiveError> {
    if map.last_key_value().is_some_and(|(last, _)| *last >= key) {
        return Err(ArchiveError::Malformed { what: "an id stands twice or out of order", at });
    }
    map.insert(key, value);
    Ok(())
}

struct Input<'a> {
    bytes: &'a [u8],
    decoder: Decoder<'a>,
}

impl<'a> Input<'a> {
    fn at(&self) -> usize {
        self.decoder.position()
    }

    /// When it was made, and how many vaults follow. Whatever begins otherwise is no archive, or a later one.
    fn header(&mut self) -> Result<(u64, u64), ArchiveError> {
        let members = self.members().map_err(no_archive)?;
        if members < 2 || self.text().map_err(no_archive)? != LABEL {
            return Err(ArchiveError::NotAnArchive);
        }
        match self.unsigned()? {
            0 => return Err(ArchiveError::NotAnArchive),
            VERSION => {}
            _ => return Err(ArchiveError::UpdateNeeded),
        }
        self.expect(members, 4)?;
        Ok((self.unsigned()?, self.unsigned()?))
    }

    fn vault(&mut self) -> Result<(VaultId, ArchivedVault<'a>), ArchiveError> {
        let members = self.members()?;
        self.expect(members, 3)?;
        let vault_id = self.id()?;
        let name = self.text()?;
        let count = self.unsigned()?;
        let mut items = BTreeMap::new();
        for _ in 0..count {
            let at = self.at();
            let (item_id, document) = self.item()?;
            append(&mut items, item_id, document, at)?;
        }
        Ok((vault_id, ArchivedVault { name, items }))
    }

    fn item(&mut self) -> Result<(ItemId, &'a [u8]), ArchiveError> {
        let members = self.members()?;
        self.expect(members, 2)?;
        Ok((self.id()?, self.bytes()?))
    }

    /// Members that version 1 does not have come from a later one; a lack of members is damage.
    fn expect(&self, members: u64, expected: u64) -> Result<(), ArchiveError> {
        match members.cmp(&expected) {
            std::cmp::Ordering::Greater => Err(ArchiveError::UpdateNeeded),
            std::cmp::Ordering::Equal => Ok(()),
            std::cmp::Ordering::Less => {
                Err(ArchiveError::Malformed { what: "members are missing", at: self.at() })
            }
        }
    }

    fn members(&mut self) -> Result<u64, ArchiveError> {
        let what = "an array of known length is missing";
        let members = self.head(what, Decoder::array, |members| *members)?;
        members.ok_or(ArchiveError::Malformed { what, at: self.at() })
    }

    fn unsigned(&mut self) -> Result<u64, ArchiveError> {
        self.head("a number is missing", Decoder::u64, |number| Some(*number))
    }

    fn text(&mut self) -> Result<&'a str, ArchiveError> {
        self.head("a text is missing", Decoder::str, |text| Some(text.len() as u64))
    }

    fn bytes(&mut self) -> Result<&'a [u8], ArchiveError> {
        self.head("a document is missing", Decoder::bytes, |bytes| Some(bytes.len() as u64))
    }

    /// The ids of this crate are as wide as canon says.
    fn id<T: canon::Canon>(&mut self) -> Result<T, ArchiveError> {
        let at = self.at();
        canon::from_bytes(self.bytes()?).map_err(|_| ArchiveError::Malformed { what: "an id is none", at })
    }

    /// Reads one head, with the bytes that it announces, if any; `argument` is the number in it.
    fn head<T>(
        &mut self,
        what: &'static str,
        read: impl FnOnce(&mut Decoder<'a>) -> Result<T, Error>,
        argument: impl FnOnce(&T) -> Option<u64>,
    ) -> Result<T, ArchiveError> {
        let at = self.at();
        let value = read(&mut self.decoder).map_err(|error| {
            if error.is_end_of_input() {
                ArchiveError::EndsEarly { at }
            } else {
                ArchiveError::Malformed { what, at }
            }
        })?;
        // Determinism: a number stands in the fewest bytes that can hold it.
        let first = self.bytes.get(at).map_or(0, |first| first & 0x1f);
        let fewest = match argument(&value) {
            Some(0..=23) => first <= 23,
            Some(24..=0xff) => first == 24,
            Some(0x100..=0xffff) => first == 25,
            Some(0x1_0000..=0xffff_ffff) => first == 26,
            Some(_) => first == 27,
            None => true,
        };
        if fewest {
            Ok(value)
        } else {
            Err(ArchiveError::Malformed { what: "a number is not in its shortest form", at })
        }
    }
}
