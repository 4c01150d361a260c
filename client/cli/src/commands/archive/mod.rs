//! `export` and `import` of Lockstep's own archive: everything, in one file, sealed to a passphrase.

mod gather;
mod passphrase;
mod place;
mod read;
mod restore;
mod write;

pub(super) use read::read;
pub(super) use write::write;

use crate::failure::Failure;

/// What both commands are told.
#[derive(Debug)]
pub(super) struct Options {
    /// The vault, by name or id: the only one to archive, or where vaults go that have no place.
    pub(super) vault: Option<String>,
    /// Where the passphrase comes from, instead of the terminal.
    pub(super) passphrase_fd: Option<u32>,
}

/// Refuses a passphrase where none is used: its owner believes that the file is sealed.
///
/// # Errors
/// A [`Failure`]; nothing was done.
pub(super) fn refuse_passphrase(descriptor: Option<u32>) -> Result<(), Failure> {
    if descriptor.is_none() {
        return Ok(());
    }
    Err(Failure::usage(
        "--passphrase-fd belongs to --format lockstep: other formats are not sealed; nothing was done",
    ))
}
