//! Why an archive cannot be written or read.

use super::MAX_ARCHIVE_BYTES;
use super::seal::WorkFactor;

/// What was opened is no archive that this version reads. Nothing of it was taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// Larger than an archive may be.
    #[error(
        "the archive would have {found} bytes, more than the {MAX_ARCHIVE_BYTES} that one can hold: write several, one for each vault"
    )]
    TooLarge {
        /// Bytes.
        found: usize,
    },
    /// The passphrase was right, but something else was sealed.
    #[error("the file opens with this passphrase, but what is in it is no Lockstep archive")]
    NotAnArchive,
    /// A later version wrote it.
    #[error("a newer version of Lockstep wrote this archive: update, then read it again")]
    UpdateNeeded,
    /// It stops before what it announces.
    #[error("the archive ends early, at byte {at} of its content: take another copy of it")]
    EndsEarly {
        /// Where.
        at: usize,
    },
    /// It is not as archives are written.
    #[error("the archive is damaged inside: {what}, at byte {at} of its content; take another copy of it")]
    Malformed {
        /// What is wrong.
        what: &'static str,
        /// Where.
        at: usize,
    },
}

/// Why an archive cannot be sealed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// Larger than an archive may be.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// age refused.
    #[error("the archive could not be sealed")]
    Age(#[source] age::EncryptError),
    /// age failed while it wrote.
    #[error("the archive could not be sealed")]
    Write(#[from] std::io::Error),
}

/// Why a file cannot be opened. Nothing of it was read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// It has no bytes.
    #[error("the file is empty")]
    Empty,
    /// Another kind of file.
    #[error("this is no Lockstep archive: it does not begin as a file of the age format does")]
    NotAge,
    /// A later version of age.
    #[error("the file is of a version of the age format that this version of Lockstep does not know: update")]
    UpdateNeeded,
    /// Sealed to public keys.
    #[error(
        "the file is sealed to keys, not to a passphrase: open it with the program `age` and your key, and seal it again with `age -p`"
    )]
    ForKeys,
    /// Guessing the passphrase was made dearer than this version goes along with.
    #[error(
        "opening the file would take 2^{log_n} steps of scrypt, and more than 2^{most} may use up this machine's memory: if you trust it, open it with the program `age` and seal it again with `age -p`",
        most = WorkFactor::MOST.log_n()
    )]
    TooCostly {
        /// The work factor that the file names.
        log_n: u8,
    },
    /// The passphrase opens nothing.
    #[error("the passphrase is wrong, or the first lines of the file were changed")]
    WrongPassphrase,
    /// Not the bytes that were written.
    #[error("the file was changed, or its end is missing: take another copy of it")]
    Damaged,
    /// Certainly cut.
    #[error("the file ends early: take another copy of it")]
    Cut,
    /// Larger than any archive.
    #[error("the file holds more than the {MAX_ARCHIVE_BYTES} bytes that an archive can have")]
    TooLarge,
}
