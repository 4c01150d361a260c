//! How much the server may keep in all: when that is nearly used up new accounts stop, and new data when it is.
//!
//! Somebody measures now and then; here is what was found last. What is removed, who is removed and what is read never stops.

use std::sync::atomic::{AtomicU8, Ordering};

/// What still goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StorageLevel {
    /// Everything.
    Open,
    /// Everything but new accounts.
    NoAccounts,
    /// Neither new accounts nor new data.
    NoData,
}

impl StorageLevel {
    /// What goes on where so many bytes of so many are used: new accounts below 90 of 100, new data below 100.
    pub fn of(used: u64, limit: u64) -> Self {
        if used >= limit {
            Self::NoData
        } else if u128::from(used) * 10 >= u128::from(limit) * 9 {
            Self::NoAccounts
        } else {
            Self::Open
        }
    }
}

/// The server has no storage left for this; nothing was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the server's storage is used up")]
pub struct StorageUsedUp;

/// The level as it was measured last; [`StorageLevel::Open`] before.
#[derive(Debug, Default)]
pub struct Storage(AtomicU8);

impl Storage {
    /// Notes a new level and gives the one before.
    pub fn set(&self, level: StorageLevel) -> StorageLevel {
        from(self.0.swap(level as u8, Ordering::Relaxed))
    }

    /// The level.
    pub fn level(&self) -> StorageLevel {
        from(self.0.load(Ordering::Relaxed))
    }

    /// What there is to be had of so many bytes: nothing where no new data is taken.
    pub(crate) fn left(&self, bytes: u64) -> u64 {
        if self.check_data().is_ok() { bytes } else { 0 }
    }

    /// Whether an account may be made.
    ///
    /// # Errors
    /// [`StorageUsedUp`].
    pub(crate) fn check_account(&self) -> Result<(), StorageUsedUp> {
        if self.level() < StorageLevel::NoAccounts { Ok(()) } else { Err(StorageUsedUp) }
    }

    /// Whether new data may be stored.
    ///
    /// # Errors
    /// [`StorageUsedUp`].
    pub(crate) fn check_data(&self) -> Result<(), StorageUsedUp> {
        if self.level() < StorageLevel::NoData { Ok(()) } else { Err(StorageUsedUp) }
    }
}

fn from(level: u8) -> StorageLevel {
    [StorageLevel::Open, StorageLevel::NoAccounts]
        .into_iter()
        .find(|known| *known as u8 == level)
        .unwrap_or(StorageLevel::NoData)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_accounts_stop_first_then_new_data() {
        for (used, limit, level) in [
            (0, 1_000, StorageLevel::Open),
            (899, 1_000, StorageLevel::Open),
            (900, 1_000, StorageLevel::NoAccounts),
            (999, 1_000, StorageLevel::NoAccounts),
            (1_000, 1_000, StorageLevel::NoData),
            (u64::MAX, 1_000, StorageLevel::NoData),
            (0, 0, StorageLevel::NoData),
            (u64::MAX - 1, u64::MAX, StorageLevel::NoAccounts),
        ] {
            let storage = Storage::default();
            assert_eq!(StorageLevel::of(used, limit), level, "{used} {limit}");
            assert_eq!(storage.set(level), StorageLevel::Open);
            assert_eq!(storage.level(), level);
            assert_eq!(storage.check_account().is_ok(), level == StorageLevel::Open);
            assert_eq!(storage.check_data().is_ok(), level != StorageLevel::NoData);
        }
    }
}
