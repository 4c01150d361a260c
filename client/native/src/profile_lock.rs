//! One process owns a profile.

use std::fs::{File, TryLockError};
use std::path::Path;

use crate::files::open_private;

/// A profile cannot be owned.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// Another process owns it.
    #[error("another Lockstep process has this profile open; close it, or use another profile")]
    Busy,
    /// The lock file cannot be used.
    #[error("the profile's lock file cannot be used; nothing was changed")]
    Io(#[from] std::io::Error),
}

/// Owns a profile until dropped, or until the process ends however it ends.
#[derive(Debug)]
pub struct ProfileLock(#[allow(dead_code, reason = "holding it is its use")] File);

impl ProfileLock {
    /// Owns the profile whose lock file this is.
    ///
    /// # Errors
    /// [`LockError`].
    pub fn acquire(path: &Path) -> Result<Self, LockError> {
        let file = open_private(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(LockError::Busy),
            Err(TryLockError::Error(error)) => Err(error.into()),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_has_one_owner_at_a_time() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let first = ProfileLock::acquire(&path).unwrap();
        assert!(matches!(ProfileLock::acquire(&path), Err(LockError::Busy)));
        drop(first);
        ProfileLock::acquire(&path).unwrap();
    }
}
