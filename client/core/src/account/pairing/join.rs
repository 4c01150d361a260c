//! The new device: offers its keys, shows the words, and is let in.

use lockstep_crypto::device::DeviceKeys;
use lockstep_crypto::pairing::{
    DeviceName, Exchange, Invitation, Offer, OpenedReply, PairingLink, PairingSecrets, PairingWords, Reveal,
    Sent, open_reply,
};
use lockstep_crypto::password::Password;
use lockstep_proto::api::pairing::PairingStep;
use lockstep_proto::ids::{AccountId, DeviceId};

use super::PairingError;
use super::install::{Entry, install_profile};
use super::mailbox::Mailbox;
use crate::account::profile::refuse_existing;
use crate::account::{AccountError, Unlocked};
use crate::api::Api;
use crate::ports::Ports;

/// A pairing that waits for the person to say that both devices show the same words. Dropping it leaves nothing behind.
pub struct Joining<'a> {
    ports: &'a Ports,
    api: Api,
    server_url: String,
    keys: DeviceKeys,
    secrets: PairingSecrets,
    exchange: Exchange,
    mailbox: Mailbox,
}

/// Answers an invitation, up to the point where the words are compared. The transport port leads to the link's server.
///
/// # Errors
/// [`PairingError`]; nothing was stored.
pub async fn start_join<'a>(
    ports: &'a Ports,
    link: &PairingLink,
    name: &DeviceName,
) -> Result<Joining<'a>, PairingError> {
    refuse_existing(&*ports.store).await?;
    let api = Api::new(ports.transport.clone());
    let secrets = link.code.derive_secrets();
    let mailbox = Mailbox::new(ports, &api, &secrets);
    let invitation = mailbox.look_for(PairingStep::Invitation).await?.ok_or(PairingError::Ended)?;
    let invitation: Sent<Invitation> = Sent::read(&secrets, &invitation)?;
    if api.info().await?.server_id != invitation.message().server_id {
        return Err(PairingError::OtherServer);
    }
    let keys = DeviceKeys::make(&*ports.random);
    let offer = Offer::make(&secrets, &keys, name, &*ports.random).map_err(AccountError::from)?;
    let offer = Sent::make(&secrets, offer);
    mailbox.offer(offer.as_bytes()).await?;
    let reveal: Sent<Reveal> = Sent::read(&secrets, &mailbox.wait_for(PairingStep::Reveal).await?)?;
    let exchange = Exchange::new(invitation, offer, reveal)?;
    let server_url = link.server_url.as_str().to_owned();
    Ok(Joining { ports, api, server_url, keys, secrets, exchange, mailbox })
}

impl<'a> Joining<'a> {
    /// The words to compare.
    pub fn words(&self) -> PairingWords {
        self.exchange.words()
    }

    /// The account that this device is about to join.
    pub fn account_id(&self) -> AccountId {
        self.exchange.invitation().account_id
    }

    /// The person says that the words are the same: waits for the other device's reply and opens it.
    ///
    /// # Errors
    /// [`PairingError`]; nothing was stored.
    pub async fn confirm(self) -> Result<Admitted<'a>, PairingError> {
        let reply = self.mailbox.wait_for(PairingStep::Reply).await?;
        let OpenedReply { added, grant } =
            open_reply(&self.secrets, &self.exchange, self.keys.kem(), &reply)?;
        let Invitation { server_id, account_id, head, .. } = *self.exchange.invitation();
        let Self { ports, api, server_url, keys, .. } = self;
        let entry = Entry { server_url, server_id, account_id, before: head, added, keys, grant };
        Ok(Admitted { ports, api, entry })
    }
}

/// A device that was let in and has no profile yet. Dropping it leaves nothing here, and in the account's log a device
/// that nobody has.
pub struct Admitted<'a> {
    ports: &'a Ports,
    api: Api,
    entry: Entry,
}

impl Admitted<'_> {
    /// This device.
    pub fn device_id(&self) -> DeviceId {
        self.entry.keys.device_id()
    }

    /// Signs in with the account's password, verifies the account's whole log, and makes the profile in one write. The
    /// password opens the profile from then on.
    ///
    /// # Errors
    /// [`PairingError::WrongPassword`]: call it again with another one. [`PairingError`] otherwise; nothing was stored.
    pub async fn finish(&self, password: &Password) -> Result<Unlocked, PairingError> {
        Box::pin(install_profile(self.ports, &self.api, &self.entry, password)).await
    }
}
