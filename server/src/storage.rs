//! How much of the storage is used, measured now and then, and what stops when it is used up.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use lockstep_domain::limits::StorageLevel;
use lockstep_domain::store::{Store, StoreError};
use lockstep_store::StoreUrl;
use tokio::time::{MissedTickBehavior, interval};

use crate::app::App;

/// From one look to the next.
const PERIOD: Duration = Duration::from_secs(60);
/// What of a disk an embedded database takes, of 100: the rest is for its log, for removals, and for whatever else is
/// there.
const DISK_SHARE: u64 = 95;

/// Against what the size of the database is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Gauge {
    /// What the operator gives it, in bytes.
    limit: Option<u64>,
    /// The file of an embedded database.
    file: Option<PathBuf>,
}

impl Gauge {
    pub(crate) fn new(limit: Option<u64>, database: &StoreUrl) -> Self {
        let file = match database {
            StoreUrl::Sqlite(path) => Some(path.clone()),
            StoreUrl::Postgres(_) | StoreUrl::Memory => None,
        };
        Self { limit, file }
    }

    /// What still goes on, and how many bytes are used of how many.
    async fn measure(&self, store: &dyn Store) -> Result<(StorageLevel, u64, u64), StoreError> {
        let used = store.size().await?;
        let available = self.file.as_deref().and_then(|file| available(file, used));
        let limit = limit(self.limit, used, available);
        Ok((StorageLevel::of(used, limit), used, limit))
    }
}

/// What the operator gives, or the disk, whichever is less.
fn limit(given: Option<u64>, used: u64, available: Option<u64>) -> u64 {
    let disk = available.map(|available| {
        let all = u128::from(used) + u128::from(available);
        u64::try_from(all * u128::from(DISK_SHARE) / 100).unwrap_or(u64::MAX)
    });
    given.unwrap_or(u64::MAX).min(disk.unwrap_or(u64::MAX))
}

/// How many bytes a database has left that uses so many: what its disk has for this process, and what its file has
/// taken and does not use. `None` where the system does not say.
fn available(file: &Path, used: u64) -> Option<u64> {
    let disk = rustix::fs::statvfs(file).ok()?;
    let free = std::fs::metadata(file).ok()?.len().saturating_sub(used);
    Some(disk.f_bavail.saturating_mul(disk.f_frsize).saturating_add(free))
}

/// Looks once a minute, as long as it is polled.
pub(crate) async fn look_after(gauge: Gauge, store: Arc<dyn Store>, app: Arc<App>) {
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        look(&gauge, &*store, &app).await;
    }
}

/// Looks once.
pub(crate) async fn look(gauge: &Gauge, store: &dyn Store, app: &App) {
    let (level, used, limit) = match gauge.measure(store).await {
        Ok(measured) => measured,
        Err(error) => {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(
                error,
                "how much storage is used cannot be measured; what was measured last stays"
            );
            return;
        }
    };
    if app.set_storage_level(level) == level {
        return;
    }
    let (used_bytes, limit_bytes) = (used, limit);
    match level {
        StorageLevel::Open => {
            tracing::info!(used_bytes, limit_bytes, "there is storage again: everything is taken")
        }
        StorageLevel::NoAccounts => tracing::warn!(
            used_bytes,
            limit_bytes,
            "90 of 100 of the storage are used: no new accounts are taken. Make room, or raise storage_limit"
        ),
        StorageLevel::NoData => tracing::error!(
            used_bytes,
            limit_bytes,
            "the storage is used up: neither accounts nor new data are taken; reading, purging and removing devices go on. \
             Make room, or raise storage_limit"
        ),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_what_is_given_or_a_share_of_the_disk() {
        for (given, used, available, expected) in [
            (None, 100, None, u64::MAX),
            (Some(500), 100, None, 500),
            (None, 100, Some(900), 950),
            (Some(500), 100, Some(900), 500),
            (Some(5_000), 100, Some(900), 950),
            (None, 100, Some(0), 95),
            (None, u64::MAX, Some(u64::MAX), u64::MAX),
        ] {
            assert_eq!(limit(given, used, available), expected, "{given:?} {available:?}");
        }
        // A full disk stops new data, whatever is on it.
        assert_eq!(StorageLevel::of(100, limit(None, 100, Some(0))), StorageLevel::NoData);
        assert_eq!(StorageLevel::of(0, limit(None, 0, Some(1 << 30))), StorageLevel::Open);
    }

    #[test]
    fn an_embedded_database_has_its_disk_and_what_its_file_does_not_use() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("lockstep.db");
        assert_eq!(available(&file, 0), None, "there is none");
        // Of more bytes than anything else takes from the disk meanwhile.
        std::fs::File::create(&file).unwrap().set_len(1 << 40).unwrap();
        let (all, none) = (available(&file, 0).unwrap(), available(&file, 1 << 40).unwrap());
        assert!(none > 0 && all - none > 1 << 39, "{all} {none}");
        assert_eq!(Gauge::new(Some(5), &StoreUrl::Sqlite(file.clone())).file, Some(file));
        assert_eq!(Gauge::new(Some(5), &StoreUrl::Memory), Gauge { limit: Some(5), file: None });
    }
}
