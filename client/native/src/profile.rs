//! A profile's directory, with all ports on top of it.

use std::io;
use std::path::Path;
use std::sync::Arc;

use lockstep_client::account::{ProfileError, profile};
use lockstep_client::ports::{LocalStore, LocalStoreError, Ports, Transport};

use crate::clock::SystemClock;
use crate::files::make_private_directory;
use crate::http::{HttpError, HttpOptions, HttpTransport};
use crate::keychain::FileKeychain;
use crate::private::{NotPrivate, check_private};
use crate::profile_lock::{LockError, ProfileLock};
use crate::random::OsRandom;
use crate::sqlite::SqliteLocalStore;
use crate::stretch::BlockingStretcher;

/// A profile cannot be opened. It is unchanged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The directory cannot be used.
    #[error("the profile's directory cannot be used")]
    Directory(#[source] io::Error),
    /// Others could have written there.
    #[error(transparent)]
    NotPrivate(#[from] NotPrivate),
    /// Another process owns the profile.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The local store cannot be opened.
    #[error(transparent)]
    Store(#[from] LocalStoreError),
    /// The profile's first record cannot be read.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The transport cannot be made.
    #[error(transparent)]
    Http(#[from] HttpError),
}

/// A directory owned by this process, and its local store.
pub struct NativeProfile {
    store: Arc<dyn LocalStore>,
    keychain: Arc<FileKeychain>,
    lock: ProfileLock,
}

/// Owns the profile in this directory, making the directory (0700) where it is missing. Nothing is unlocked.
///
/// # Errors
/// [`OpenError`].
pub fn open_profile(directory: &Path) -> Result<NativeProfile, OpenError> {
    make_private_directory(directory).map_err(OpenError::Directory)?;
    check_private(directory)?;
    let lock = ProfileLock::acquire(&directory.join("lock"))?;
    let store = Arc::new(SqliteLocalStore::open(&directory.join("profile.db"))?);
    let keychain = Arc::new(FileKeychain::new(directory.join("local-secret")));
    Ok(NativeProfile { store, keychain, lock })
}

impl NativeProfile {
    /// The local store.
    pub fn store(&self) -> &dyn LocalStore {
        &*self.store
    }

    /// All ports, with a transport to `server_url`; dropping them does not release the profile.
    ///
    /// # Errors
    /// [`OpenError::Http`].
    pub fn ports(&self, server_url: &str, options: &HttpOptions) -> Result<Ports, OpenError> {
        Ok(self.ports_with(Arc::new(HttpTransport::new(server_url, options)?)))
    }

    /// All ports, with a transport to the server that the profile names; `None` where there is no account yet.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn own_ports(&self, options: &HttpOptions) -> Result<Option<Ports>, OpenError> {
        match profile(self.store()).await? {
            Some(profile) => self.ports(&profile.server_url, options).map(Some),
            None => Ok(None),
        }
    }

    /// All ports, with another transport.
    pub fn ports_with(&self, transport: Arc<dyn Transport>) -> Ports {
        Ports {
            clock: Arc::new(SystemClock),
            random: Arc::new(OsRandom),
            stretcher: Arc::new(BlockingStretcher),
            store: Arc::clone(&self.store),
            keychain: self.keychain.clone(),
            transport,
        }
    }

    /// The lock that owns the profile, for a process that outlives this value.
    pub fn into_lock(self) -> ProfileLock {
        self.lock
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_new_profile_is_private_owned_and_empty() {
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("some/profile");
        let owned = open_profile(&directory).unwrap();
        assert!(matches!(open_profile(&directory), Err(OpenError::Lock(LockError::Busy))));
        assert!(owned.own_ports(&HttpOptions::default()).await.unwrap().is_none());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(&directory).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o700);
        }
        drop(owned);
        assert!(open_profile(&directory).is_ok());
    }

    #[test]
    fn a_profile_that_is_a_file_is_refused() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("profile");
        std::fs::write(&path, b"").unwrap();
        assert!(matches!(open_profile(&path), Err(OpenError::Directory(_))));
    }
}
