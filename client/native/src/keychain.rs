//! The local secret in a file that only its owner may read.
//!
//! Adapters for the operating systems' keychains come later; with a file, whoever steals the disk faces Argon2id and
//! the password alone.

use std::io::{self, ErrorKind};
use std::path::PathBuf;

use lockstep_client::ports::{Keychain, KeychainError};
use lockstep_crypto::keys::{KEY_LENGTH, LocalSecret};
use zeroize::Zeroizing;

use crate::files::replace_private;

/// A file of 32 bytes, 0600.
pub struct FileKeychain {
    path: PathBuf,
}

impl FileKeychain {
    /// The keychain in this file, which need not exist yet.
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }
}

#[async_trait::async_trait]
impl Keychain for FileKeychain {
    async fn load(&self) -> Result<Option<LocalSecret>, KeychainError> {
        let bytes = match std::fs::read(&self.path) {
            Ok(bytes) => Zeroizing::new(bytes),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("its file cannot be read", error)),
        };
        refuse_shared(&self.path)?;
        let secret = LocalSecret::from_slice(&bytes).map_err(|_| KeychainError {
            reason: format!("its file does not hold {KEY_LENGTH} bytes"),
            source: None,
        })?;
        Ok(Some(secret))
    }

    async fn store(&self, secret: &LocalSecret) -> Result<(), KeychainError> {
        replace_private(&self.path, secret.expose_bytes())
            .map_err(|error| failed("its file cannot be written", error))
    }
}

fn failed(reason: &str, error: io::Error) -> KeychainError {
    KeychainError { reason: reason.to_owned(), source: Some(error.into()) }
}

/// A secret that others could have read is no secret.
#[cfg(unix)]
fn refuse_shared(path: &std::path::Path) -> Result<(), KeychainError> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(path)
        .map_err(|error| failed("its file cannot be read", error))?
        .permissions()
        .mode();
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(KeychainError { reason: "its file is readable by others: make it 0600".to_owned(), source: None })
}

#[cfg(not(unix))]
fn refuse_shared(_: &std::path::Path) -> Result<(), KeychainError> {
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn keychain() -> (tempfile::TempDir, FileKeychain) {
        let directory = tempfile::tempdir().unwrap();
        let keychain = FileKeychain::new(directory.path().join("local-secret"));
        (directory, keychain)
    }

    #[tokio::test]
    async fn what_was_stored_is_loaded_and_the_newest_counts() {
        let (_directory, keychain) = keychain();
        assert!(keychain.load().await.unwrap().is_none());
        for byte in [1, 2] {
            keychain.store(&LocalSecret::from_bytes([byte; 32])).await.unwrap();
            assert_eq!(keychain.load().await.unwrap().unwrap().expose_bytes(), &[byte; 32]);
        }
    }

    #[tokio::test]
    async fn a_file_of_another_length_is_refused() {
        let (_directory, keychain) = keychain();
        replace_private(&keychain.path, b"short").unwrap();
        assert!(keychain.load().await.is_err());
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_file_that_others_may_read_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let (_directory, keychain) = keychain();
        keychain.store(&LocalSecret::from_bytes([1; 32])).await.unwrap();
        std::fs::set_permissions(&keychain.path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let refused = keychain.load().await.err().unwrap();
        assert!(refused.to_string().contains("0600"));
    }
}
