//! Letting a new device in.

use lockstep_crypto::kit::{KitError, ServerUrl};
use lockstep_crypto::pairing::{PairingCode, PairingLink, PairingWords};
use lockstep_crypto::password::Password;
use lockstep_crypto::password_key::PasswordKey;
use lockstep_proto::ids::{AccountId, DeviceId};
use lockstep_proto::log::VaultHead;

use super::{Client, Silent, SyncReport};
use crate::account::{
    Approval, Approver, OfferTaken, PairingError, ProfileError, countersigning_key, reauthenticate,
};
use crate::sync::SyncError;

/// A pairing could not begin. Nothing was changed but by the sync.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PairError {
    /// The sync before it did not succeed: what this device vouches for must be fresh.
    #[error(transparent)]
    Sync(#[from] SyncError),
    /// The pairing itself.
    #[error(transparent)]
    Pairing(#[from] PairingError),
}

impl From<ProfileError> for PairError {
    fn from(error: ProfileError) -> Self {
        Self::Pairing(error.into())
    }
}

impl Client {
    /// Invites a new device: asks for the password again, syncs, verifies every vault whole, and opens a mailbox of two
    /// minutes. Dropping what it gives ends the pairing.
    ///
    /// # Errors
    /// [`PairError`].
    pub async fn pair(&mut self, password: &Password) -> Result<Invited<'_>, PairError> {
        reauthenticate(&self.ports, &self.unlocked, password).await?;
        self.sync().await?;
        let key = Box::pin(countersigning_key(&self.ports, &self.api, &mut self.unlocked, password)).await;
        let key = key.map_err(SyncError::from)?;
        let heads = Box::pin(self.engine(&Silent).heads(&mut SyncReport::default())).await?;
        let approval = Approval::open(&self.approver()).await?;
        Ok(Invited { client: self, approval, heads, key })
    }

    fn approver(&mut self) -> Approver<'_> {
        Approver { ports: &self.ports, api: &self.api, session: &self.session, unlocked: &mut self.unlocked }
    }
}

/// An invitation that is shown: as a link, as a QR code of it, or as a code to type.
pub struct Invited<'a> {
    client: &'a mut Client,
    approval: Approval,
    heads: Vec<VaultHead>,
    key: PasswordKey,
}

impl<'a> Invited<'a> {
    /// The code to type, together with the server's address.
    pub fn code(&self) -> &PairingCode {
        self.approval.code()
    }

    /// The link, which holds both.
    ///
    /// # Errors
    /// [`KitError::ServerUrl`] where the profile's server address cannot stand in a link.
    pub fn link(&self) -> Result<PairingLink, KitError> {
        let server_url = ServerUrl::new(self.client.unlocked.server_url())?;
        Ok(PairingLink { code: PairingCode::from_bytes(*self.code().expose_bytes()), server_url })
    }

    /// The account that the new device will join.
    pub fn account_id(&self) -> AccountId {
        self.client.account_id()
    }

    /// Waits for the new device's offer and takes it; no other is ever looked at.
    ///
    /// # Errors
    /// [`PairingError`]; nothing was signed or given away.
    pub async fn offer(self) -> Result<Offered<'a>, PairingError> {
        let Self { client, approval, heads, key } = self;
        let taken = approval.take_offer(&client.session).await?;
        Ok(Offered { client, taken, heads, key })
    }
}

/// A new device that waits for the person to compare the words. Dropping it ends the pairing.
pub struct Offered<'a> {
    client: &'a mut Client,
    taken: OfferTaken,
    heads: Vec<VaultHead>,
    key: PasswordKey,
}

impl Offered<'_> {
    /// The words, which the new device must show too.
    pub fn words(&self) -> PairingWords {
        self.taken.words()
    }

    /// What the new device calls itself.
    pub fn name(&self) -> &str {
        self.taken.name().as_str()
    }

    /// The person says that the words are the same: the device becomes one of the account's and gets its keys.
    ///
    /// # Errors
    /// [`PairingError`]. [`PairingError::Unanswered`] says that the device is in the account's log without keys.
    pub async fn confirm(self) -> Result<DeviceId, PairingError> {
        let Self { client, taken, heads, key } = self;
        Box::pin(taken.confirm(client.approver(), heads, &key)).await
    }
}
