//! Two histories of a vault, after the server was restored from a backup.

use lockstep_crypto::password::Password;

use super::{Client, Silent, SyncReport};
use crate::account::{ProfileError, TwoLogs, reauthenticate};
use crate::sync::{SyncError, TwoHistories};

/// The histories were not accepted. Nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AcceptError {
    /// The password is wrong, or the profile cannot be read.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The server, or what it has.
    #[error(transparent)]
    Sync(#[from] SyncError),
}

impl Client {
    /// The vaults of which the server shows another history than this device has. Needs the server, and syncs.
    ///
    /// # Errors
    /// [`SyncError`] of another kind.
    pub async fn two_histories(&mut self) -> Result<Vec<TwoHistories>, SyncError> {
        self.settle::<SyncError>().await?;
        Box::pin(self.engine(&Silent).two_histories()).await
    }

    /// What the server's log of the account and this device's differ in, if they are two: then the histories of vaults cannot be
    /// compared. Needs the server.
    ///
    /// # Errors
    /// [`SyncError`] of another kind.
    pub async fn two_logs(&mut self) -> Result<Option<TwoLogs>, SyncError> {
        self.settle::<SyncError>().await?;
        Box::pin(self.engine(&Silent).two_logs()).await
    }

    /// Goes on from the server's histories: their owner says, and proves to be the owner with the account's password, that
    /// the server was restored from a backup and went on from there. What this device's histories have made of items is
    /// brought in as edits of two devices are, on this device now and on every other one by itself. To be asked of a person,
    /// never decided by a program: on a server that was not restored this takes what only its hostility explains for an
    /// accident. `shown` is what the person was asked about; the server's histories may have gone on since, and not be others.
    ///
    /// # Errors
    /// [`AcceptError`]; stopped anywhere, the next sync finishes what the server may have taken.
    pub async fn accept_histories(
        &mut self,
        log: Option<&TwoLogs>,
        shown: &[TwoHistories],
        password: &Password,
    ) -> Result<SyncReport, AcceptError> {
        reauthenticate(&self.ports, &self.unlocked, password).await?;
        self.settle::<SyncError>().await?;
        let mut report = Box::pin(self.engine(&Silent).reanchor(log, shown, password)).await?;
        report.add(Box::pin(self.sync()).await?);
        Ok(report)
    }
}
