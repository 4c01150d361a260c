//! Opening: the content of an age file that is sealed to a passphrase, whole or not at all.
//!
//! A file may come from anybody. Its header is bounded before it is parsed (the parser begins anew at each line, so a
//! long one would take time in the square of its length), so is the cost of trying a passphrase, and so is the content.

use std::io::{self, BufRead, BufReader, Cursor, Read as _};
use std::iter;

use age::armor::ArmoredReader;
use age::scrypt::Identity;
use age::secrecy::SecretString;
use age::{DecryptError, Decryptor};
use zeroize::Zeroizing;

use super::error::OpenError;
use super::seal::WorkFactor;
use super::{MAX_ARCHIVE_BYTES, Passphrase};

const BINARY: &[u8] = b"age-encryption.org/";
const ARMORED: &[u8] = b"-----BEGIN AGE ENCRYPTED FILE-----";
const PASSPHRASE_LINE: &[u8] = b"-> scrypt ";
const LAST_LINE: &[u8] = b"\n---";
/// The header of a file for a passphrase has about 150 bytes.
const HEADER_LIMIT: u64 = 4_096;

/// Whether the file can be opened at all, as far as that shows without the passphrase: before it is asked for.
///
/// # Errors
/// [`OpenError`].
pub fn check_sealed(sealed: &[u8]) -> Result<(), OpenError> {
    decryptor(sealed).map(|_| ())
}

/// The content of a file, binary or armored; it is wiped when it is dropped. All of it was verified, or none is
/// returned.
///
/// # Errors
/// [`OpenError`].
pub fn open(sealed: &[u8], passphrase: &Passphrase) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let mut opened = Err(OpenError::WrongPassphrase);
    for secret in passphrase.to_opening() {
        opened = open_with(sealed, secret);
        if opened != Err(OpenError::WrongPassphrase) {
            break;
        }
    }
    opened
}

fn open_with(sealed: &[u8], secret: SecretString) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let decryptor = decryptor(sealed)?;
    let mut identity = Identity::new(secret);
    identity.set_max_work_factor(WorkFactor::MOST.log_n());
    let content = decryptor.decrypt(iter::once(&identity as _)).map_err(|error| refused(&error))?;
    // A content is shorter than its file, so this buffer does not move and leaves no copy behind.
    let mut opened = Zeroizing::new(Vec::with_capacity(sealed.len().min(MAX_ARCHIVE_BYTES + 1)));
    content.take(MAX_ARCHIVE_BYTES as u64 + 1).read_to_end(&mut opened).map_err(|error| broken(&error))?;
    if opened.len() > MAX_ARCHIVE_BYTES { Err(OpenError::TooLarge) } else { Ok(opened) }
}

/// A file whose header is that of a file for a passphrase.
fn decryptor(sealed: &[u8]) -> Result<Decryptor<impl BufRead>, OpenError> {
    if sealed.is_empty() {
        return Err(OpenError::Empty);
    }
    let text = sealed.trim_ascii_start();
    if !sealed.starts_with(BINARY) && !text.starts_with(ARMORED) {
        let is_cut = BINARY.starts_with(sealed) || (!text.is_empty() && ARMORED.starts_with(text));
        return Err(if is_cut { OpenError::Cut } else { OpenError::NotAge });
    }
    let mut start = Vec::new();
    let mut reader = ArmoredReader::new(sealed);
    let read = reader.by_ref().take(HEADER_LIMIT).read_to_end(&mut start);
    check_header(&start, read.as_ref().err())?;
    let whole = Cursor::new(start).chain(BufReader::new(reader));
    let decryptor = Decryptor::new_buffered(whole).map_err(|error| refused(&error))?;
    if decryptor.is_scrypt() { Ok(decryptor) } else { Err(OpenError::ForKeys) }
}

/// Looks for the end of the header in the first bytes.
fn check_header(start: &[u8], failed: Option<&io::Error>) -> Result<(), OpenError> {
    let has = |part: &[u8]| start.windows(part.len()).any(|bytes| bytes == part);
    if has(LAST_LINE) {
        return Ok(());
    }
    match failed {
        Some(error) => Err(broken(error)),
        None if (start.len() as u64) < HEADER_LIMIT => Err(OpenError::Cut),
        None if has(PASSPHRASE_LINE) => Err(OpenError::Damaged),
        None => Err(OpenError::ForKeys),
    }
}

fn refused(error: &DecryptError) -> OpenError {
    match error {
        DecryptError::ExcessiveWork { required, .. } if *required > WorkFactor::MOST.log_n() => {
            OpenError::TooCostly { log_n: *required }
        }
        DecryptError::DecryptionFailed | DecryptError::KeyDecryptionFailed => OpenError::WrongPassphrase,
        DecryptError::NoMatchingKeys => OpenError::ForKeys,
        DecryptError::UnknownFormat => OpenError::UpdateNeeded,
        DecryptError::Io(error) => broken(error),
        // The header or its MAC is not as it was written, or names a work factor of nothing.
        DecryptError::InvalidHeader | DecryptError::InvalidMac | DecryptError::ExcessiveWork { .. } => {
            OpenError::Damaged
        }
    }
}

fn broken(error: &io::Error) -> OpenError {
    if error.kind() == io::ErrorKind::UnexpectedEof { OpenError::Cut } else { OpenError::Damaged }
}
