//! Sealing: an archive becomes an age file that one passphrase opens.

use std::io::Write as _;
use std::iter;

use age::Encryptor;
use age::scrypt::Recipient;

use super::error::{ArchiveError, SealError};
use super::{MAX_ARCHIVE_BYTES, Passphrase};

/// What a guess of the passphrase costs: scrypt with N = 2^`log_n`, r = 8, p = 1, in 2^(`log_n` + 10) bytes of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkFactor(u8);

impl WorkFactor {
    /// What archives are sealed with, as the program `age` does: 256 MiB and about a second.
    pub const STANDARD: Self = Self(18);
    /// The most that is gone along with when a file is opened: 1 GiB and some seconds.
    pub const MOST: Self = Self(20);

    /// A work factor up to [`WorkFactor::MOST`]; `None` for others. Less than [`WorkFactor::STANDARD`] is for tests.
    pub const fn new(log_n: u8) -> Option<Self> {
        if 0 < log_n && log_n <= Self::MOST.0 { Some(Self(log_n)) } else { None }
    }

    /// The logarithm of N.
    pub const fn log_n(self) -> u8 {
        self.0
    }
}

/// Seals the bytes of an archive. Salt, file key and nonce are new each time, from the system's generator.
///
/// # Errors
/// [`SealError`].
pub fn seal(content: &[u8], passphrase: &Passphrase, work: WorkFactor) -> Result<Vec<u8>, SealError> {
    if content.len() > MAX_ARCHIVE_BYTES {
        return Err(ArchiveError::TooLarge { found: content.len() }.into());
    }
    let mut recipient = Recipient::new(passphrase.to_sealing());
    recipient.set_work_factor(work.0);
    let encryptor = Encryptor::with_recipients(iter::once(&recipient as _)).map_err(SealError::Age)?;
    // The header, and 16 bytes for each of age's chunks of 64 KiB.
    let mut sealed = Vec::with_capacity(content.len() + content.len() / 4_096 + 1_024);
    let mut writer = encryptor.wrap_output(&mut sealed)?;
    writer.write_all(content)?;
    writer.finish()?;
    Ok(sealed)
}
