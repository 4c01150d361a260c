//! Zip archives with an export in them.
//!
//! **Invariants:** one file is unpacked, to [`MAX_UNPACKED_BYTES`] at most, whatever the archive says about its size;
//! of the others only the names are read, and at most [`MAX_ENTRIES`] of them.

use std::io::Read as _;

use flate2::bufread::DeflateDecoder;
use rawzip::{CompressionMethod, ZipArchive, ZipArchiveEntryWayfinder, ZipSliceArchive};

/// The unpacked export, at most.
pub(crate) const MAX_UNPACKED_BYTES: usize = crate::bitwarden::MAX_IMPORT_BYTES;
/// Files of an archive, at most.
pub(crate) const MAX_ENTRIES: usize = 20_000;
const EXPORT_NAME: &str = "data.json";

/// What an archive holds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unpacked {
    /// The export.
    pub(crate) export: Vec<u8>,
    /// Paths of all other files, in the archive's order.
    pub(crate) others: Vec<String>,
}

/// Why an archive cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ZipError {
    /// Not as a zip archive has to be.
    #[error("the zip archive is damaged or cut off: download or export it again")]
    Damaged,
    /// Too many files.
    #[error("the zip archive has more than {MAX_ENTRIES} files: import its data.json by itself")]
    TooMany,
    /// No export in it.
    #[error("the zip archive has no data.json, so it is no export with attachments")]
    NoExport,
    /// The export is encrypted.
    #[error("the zip archive is encrypted: unpack it with its password and import the data.json in it")]
    Encrypted,
    /// Packed by something else than Deflate.
    #[error("the data.json in the zip archive is packed in an unusual way: unpack it and import the file")]
    Method,
    /// The export is too large.
    #[error(
        "the data.json in the zip archive has more than {MAX_UNPACKED_BYTES} bytes, too many for an import"
    )]
    TooLarge,
}

/// Whether the bytes begin as a zip archive does.
pub(crate) fn is_zip(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06")
}

/// Unpacks the export of an archive.
///
/// # Errors
/// [`ZipError`].
pub(crate) fn unpack(bytes: &[u8]) -> Result<Unpacked, ZipError> {
    let archive = ZipArchive::from_slice(bytes).map_err(|_| ZipError::Damaged)?;
    let (mut files, mut entries) = (Vec::new(), archive.entries());
    while let Some(entry) = entries.next_entry().map_err(|_| ZipError::Damaged)? {
        if files.len() == MAX_ENTRIES {
            return Err(ZipError::TooMany);
        }
        if entry.is_dir() {
            continue;
        }
        let packed = Packed {
            method: entry.compression_method(),
            is_encrypted: entry.flags().is_encrypted(),
            size: entry.uncompressed_size_hint(),
            place: entry.wayfinder(),
        };
        files.push((String::from_utf8_lossy(entry.file_path().as_bytes()).into_owned(), packed));
    }
    let is_export = |path: &str| path.rsplit(['/', '\\']).next() == Some(EXPORT_NAME);
    let exports = files.iter().enumerate().filter(|(_, (path, _))| is_export(path));
    // The one that lies highest, should an attachment have the same name.
    let export =
        exports.min_by_key(|(_, (path, _))| path.matches(['/', '\\']).count()).map(|(place, _)| place);
    let (_, packed) = files.remove(export.ok_or(ZipError::NoExport)?);
    let export = packed.unpack(&archive)?;
    Ok(Unpacked { export, others: files.into_iter().map(|(path, _)| path).collect() })
}

struct Packed {
    method: CompressionMethod,
    is_encrypted: bool,
    size: u64,
    place: ZipArchiveEntryWayfinder,
}

impl Packed {
    /// The file's bytes, checked against the archive's checksum. More than the archive says is never unpacked.
    fn unpack(&self, archive: &ZipSliceArchive<&[u8]>) -> Result<Vec<u8>, ZipError> {
        if self.is_encrypted {
            return Err(ZipError::Encrypted);
        }
        let limit = u64::try_from(MAX_UNPACKED_BYTES).unwrap_or(u64::MAX);
        if self.size > limit {
            return Err(ZipError::TooLarge);
        }
        let bound = self.size + 1;
        let entry = archive.get_entry(self.place).map_err(|_| ZipError::Damaged)?;
        let mut unpacked = Vec::new();
        let read = match self.method {
            CompressionMethod::STORE => {
                entry.verifying_reader(entry.data()).take(bound).read_to_end(&mut unpacked)
            }
            CompressionMethod::DEFLATE => {
                let inflated = DeflateDecoder::new(entry.data());
                entry.verifying_reader(inflated).take(bound).read_to_end(&mut unpacked)
            }
            _ => return Err(ZipError::Method),
        };
        let is_whole = read.is_ok() && u64::try_from(unpacked.len()).is_ok_and(|length| length == self.size);
        if is_whole { Ok(unpacked) } else { Err(ZipError::Damaged) }
    }
}

#[cfg(test)]
pub(crate) mod tests;
