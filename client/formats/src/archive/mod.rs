//! Lockstep's own archive: everything of any number of vaults in one file, sealed to a passphrase.
//!
//! ```text
//! file    = age (age-encryption.org/v1) to one scrypt recipient, of:
//! archive = header, { vault, { item } }            a CBOR sequence (RFC 8742), deterministic (RFC 8949, 4.2)
//! header  = ["lockstep-archive", 1, milliseconds since 1970, number of vaults]
//! vault   = [vault id (32 bytes), name, number of items]          vaults ascending by id, each once
//! item    = [item id (16 bytes), document (bytes)]                items ascending by id, each once
//! ```
//!
//! A document is in its own one encoding, so registers, history, conflicts, trash, kinds and members of later versions
//! are all in it, and an archive that is read gives the documents byte for byte. `ARCHIVE.md` says how to open one
//! without Lockstep.
//!
//! **Invariants:** equal content has equal bytes before it is sealed, and bytes that [`Archive::to_bytes`] would not
//! write are refused whole. The content is pure. Sealing and opening are the one place of this crate that uses
//! randomness and time, both inside the crate `age`, which takes no generator from outside: salt, file key and nonce
//! come from the system's, and its clock measures what scrypt costs.

mod content;
mod decode;
mod encode;
mod error;
#[cfg(test)]
mod hostile_tests;
mod open;
mod passphrase;
#[cfg(test)]
mod property_tests;
mod seal;
#[cfg(test)]
mod sealing_tests;
#[cfg(test)]
mod vector_tests;

pub use content::{Archive, ArchivedVault};
pub use error::{ArchiveError, OpenError, SealError};
pub use open::{check_sealed, open};
pub use passphrase::Passphrase;
pub use seal::{WorkFactor, seal};

/// What an archive may hold before it is sealed, in bytes.
pub const MAX_ARCHIVE_BYTES: usize = 1 << 30;

/// The largest file that is read: an archive of [`MAX_ARCHIVE_BYTES`], sealed and armored.
pub const MAX_SEALED_BYTES: usize = MAX_ARCHIVE_BYTES / 20 * 29;
