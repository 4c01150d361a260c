//! Two devices that pair, in one task.

use std::sync::Arc;

use anyhow::Context as _;
use lockstep_client::account::{self, Joining, PairingError, Unlocked, start_join};
use lockstep_client::client::{Invited, Offered};
use lockstep_client::ports::MemoryLocalStore;
use lockstep_crypto::kit::ServerUrl;
use lockstep_crypto::pairing::{DeviceName, PairingCode, PairingLink};
use lockstep_crypto::password::Password;

use crate::device::{PASSWORD, Parts, TestDevice};
use crate::kill::KillSwitch;
use crate::net::FaultyNet;
use crate::server::TestServer;

/// A device without a profile.
pub struct NewDevice {
    parts: Parts,
    url: String,
}

impl NewDevice {
    /// One that knows the way to this server.
    ///
    /// # Errors
    /// When there is no network.
    pub fn at(server: &TestServer) -> anyhow::Result<Self> {
        let url = server.url();
        Ok(Self { parts: Parts::new(&url, MemoryLocalStore::new(), Arc::default())?, url })
    }

    /// The way to the server.
    pub fn net(&self) -> &FaultyNet {
        &self.parts.net
    }

    /// When it dies.
    pub fn switch(&self) -> Arc<KillSwitch> {
        self.parts.switch.clone()
    }

    /// What is on it.
    pub fn records(&self) -> MemoryLocalStore {
        self.parts.store.snapshot()
    }

    /// Answers the invitation with this code, up to the words.
    ///
    /// # Errors
    /// [`PairingError`].
    pub async fn join(&self, code: &PairingCode) -> Result<Joining<'_>, PairingError> {
        let code = PairingCode::from_bytes(*code.expose_bytes());
        let server_url = ServerUrl::new(&self.url);
        let link = PairingLink { code, server_url: server_url.unwrap_or_else(|error| panic!("{error}")) };
        Box::pin(start_join(&self.parts.ports, &link, &DeviceName::new("new device"))).await
    }

    /// Both sides, up to the words.
    ///
    /// # Errors
    /// The first that either side says; the other one is not waited for.
    pub async fn meet<'a, 'b>(
        &'b self,
        invited: Invited<'a>,
    ) -> Result<(Offered<'a>, Joining<'b>), PairingError> {
        let code = PairingCode::from_bytes(*invited.code().expose_bytes());
        tokio::try_join!(Box::pin(invited.offer()), self.join(&code))
    }

    /// Unlocks the profile that a pairing has made.
    ///
    /// # Errors
    /// What keeps it locked.
    pub async fn unlock(&self) -> anyhow::Result<Unlocked> {
        Ok(Box::pin(account::unlock(&self.parts.ports, &Password::new(PASSWORD)?)).await?)
    }

    /// This device with the profile that a pairing has made.
    ///
    /// # Errors
    /// When the profile cannot be opened.
    pub async fn with(self, unlocked: Unlocked) -> anyhow::Result<TestDevice> {
        TestDevice::with(self.parts, unlocked, self.url).await
    }

    /// This device after `old` has let it in: the words are compared and both people confirm.
    ///
    /// # Errors
    /// What either side says.
    pub async fn paired_with(self, old: &mut TestDevice) -> anyhow::Result<TestDevice> {
        let password = Password::new(PASSWORD)?;
        let unlocked = {
            let invited = Box::pin(old.client.pair(&password)).await.context("inviting")?;
            let (offered, joining) = self.meet(invited).await?;
            anyhow::ensure!(offered.words() == joining.words(), "other words");
            offered.confirm().await?;
            joining.confirm().await?.finish(&password).await?
        };
        self.with(unlocked).await
    }
}
