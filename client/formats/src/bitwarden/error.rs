//! Why nothing of a file could be imported.

use crate::{Looks, Place, ZipError};

/// The file holds nothing that could be read as an export. Nothing was imported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// Larger than any import may be.
    #[error("the file has more than the {limit} bytes an import may have; nothing was imported")]
    TooLarge {
        /// Bytes allowed.
        limit: usize,
    },
    /// Its records are more than one import may bring.
    #[error(
        "the items of the file would take more than the {limit} bytes one import may bring; nothing was imported: divide it into several files"
    )]
    TooMuch {
        /// Bytes allowed.
        limit: usize,
    },
    /// It does not begin as JSON with members does.
    #[error("{looks}; nothing was imported: at {at}, `{{` was expected")]
    NotJson {
        /// What it looks like.
        looks: Looks,
        /// Where the brace was expected.
        at: Place,
    },
    /// A zip archive without a readable export.
    #[error("{0}; nothing was imported")]
    Zip(#[from] ZipError),
    /// The file ends before its items begin.
    #[error(
        "the file ends early, at {at}, before its items; nothing was imported: export again, or copy the file again"
    )]
    EndsEarly {
        /// Where.
        at: Place,
    },
    /// The file is broken before its items begin.
    #[error("the file is damaged at {at}, and no list of items follows; nothing was imported: export again")]
    Broken {
        /// Where.
        at: Place,
    },
    /// An export that the account's key encrypts.
    #[error(
        "this is an encrypted export, which only Bitwarden can read; nothing was imported: export again as \
         unencrypted .json"
    )]
    Encrypted,
    /// An export with a password of its own.
    #[error(
        "this export is protected by a password of its own, which Lockstep does not read; nothing was imported: export \
         again as unencrypted .json, or import it into Bitwarden and export it from there"
    )]
    PasswordProtected,
    /// JSON of something else.
    #[error("this JSON has no list of items, so it is no Bitwarden export; nothing was imported")]
    NotAnExport,
    /// `items` is something else.
    #[error("`items` is no list, at {at}, so this JSON has no list of items; nothing was imported")]
    ItemsNoList {
        /// Where its value stands.
        at: Place,
    },
}
