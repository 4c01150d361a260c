//! Two histories of a vault, after the server was restored from a backup.

use lockstep_crypto::password::Password;
use lockstep_proto::ids::{DeviceId, VaultId};
use lockstep_proto::log::LogHead;

use super::{Client, Silent, SyncReport};
use crate::account::{ProfileError, reauthenticate};
use crate::sync::SyncError;

/// Two histories of one vault: this device's and the server's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TwoHistories {
    /// The vault.
    pub vault_id: VaultId,
    /// What this device has and the server does not.
    pub own: BranchInfo,
    /// What the server has and this device does not.
    pub served: BranchInfo,
}

/// One of them, after what both have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BranchInfo {
    /// How many commits it has.
    pub commits: usize,
    /// The last one; that both have where it has none.
    pub head: LogHead,
    /// The last one's time by its author's clock, in milliseconds since 1970, and its author.
    pub last: Option<(u64, DeviceId)>,
}

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
        shown: &[TwoHistories],
        password: &Password,
    ) -> Result<SyncReport, AcceptError> {
        reauthenticate(&self.ports, &self.unlocked, password).await?;
        self.settle::<SyncError>().await?;
        let mut report = Box::pin(self.engine(&Silent).reanchor(shown, password)).await?;
        report.add(Box::pin(self.sync()).await?);
        Ok(report)
    }
}
