//! What can be wrong with the records on this device.

use lockstep_proto::canon::CanonError;

use super::local::LocalRecordError;
use crate::ports::{LocalStoreError, Table};

/// A record of this device's store is not as it was written. Nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The local store failed.
    #[error(transparent)]
    Store(#[from] LocalStoreError),
    /// A record does not open or cannot be read.
    #[error(
        "a record of this device is damaged ({table:?}, {what}); the vault on the server is not affected: sign in anew on this device, or restore its files"
    )]
    Damaged {
        /// Where it is.
        table: Table,
        /// What is wrong.
        what: &'static str,
    },
    /// A record is above what can be sealed at once.
    #[error("a record of this device would be too large ({table:?}); nothing was changed")]
    TooLarge {
        /// Where it was to go.
        table: Table,
        /// What the sealer said.
        #[source]
        source: LocalRecordError,
    },
    /// A newer version of Lockstep wrote it.
    #[error(
        "a record of this device was written by a newer version of Lockstep ({table:?}): update needed; nothing was changed"
    )]
    UpdateNeeded {
        /// Where it is.
        table: Table,
    },
}

impl RecordError {
    /// For `map_err` on opening a sealed record.
    pub(crate) fn opening(table: Table) -> impl Fn(LocalRecordError) -> Self {
        move |_| Self::Damaged { table, what: "it does not open" }
    }

    /// For `map_err` on reading an opened record.
    pub(crate) fn reading(table: Table) -> impl Fn(CanonError) -> Self {
        move |error| match error {
            CanonError::UpdateNeeded { .. } => Self::UpdateNeeded { table },
            _ => Self::Damaged { table, what: "it cannot be read" },
        }
    }
}
