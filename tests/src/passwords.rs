//! What a device's owner does with the password and the keys.

use std::sync::Arc;

use lockstep_client::account::{self, AccountError, KeyChange, ProfileError};
use lockstep_client::api::Api;
use lockstep_client::client::{LifeCycleError, SyncReport};
use lockstep_client::sync::Passwords;
use lockstep_crypto::opaque::{Login, Parties, Stretching};
use lockstep_crypto::password::Password;
use lockstep_crypto::password_key::PasswordKey;
use lockstep_crypto::stretch::CheapStretch;
use lockstep_native::OsRandom;
use lockstep_proto::api::signin::SigninStart;
use lockstep_proto::bytes::Bytes;

use crate::device::{PASSWORD, TestDevice};

impl TestDevice {
    /// What its owner types as the password that the account has: the one that opens this device.
    pub async fn current<'a>(&self, new: &'a str) -> &'a str {
        match self.unlocks_with(PASSWORD).await {
            true => PASSWORD,
            false => new,
        }
    }

    /// Its owner has the recovery sheet on paper.
    ///
    /// # Errors
    /// When the device is gone.
    pub async fn forget_sheet(&self) -> anyhow::Result<()> {
        Ok(account::forget_recovery_key(&self.ports).await?)
    }

    /// The key that countersigns, as whoever types the password has it: from a key exchange with the server.
    ///
    /// # Errors
    /// What the exchange says.
    pub async fn password_key(&self, password: &str) -> anyhow::Result<PasswordKey> {
        let kit = self.client.unlocked().emergency_kit()?;
        let (account_id, server_id) = (kit.account_id, kit.server_id);
        let password = Password::new(password)?.derive_opaque(&kit.secret_key, &account_id);
        let (login, ke1) = Login::start(&password, &OsRandom)?;
        let start = SigninStart { account_id, ke1: Bytes(ke1) };
        let answer = Api::new(self.net.clone()).start_signin(&start).await?;
        let stretching = Stretching { stretch: Arc::new(CheapStretch), profile: answer.profile };
        let parties = Parties { account_id, server_id };
        let done = login.finish(&password, &answer.ke2, &parties, &stretching, &OsRandom)?;
        Ok(PasswordKey::derive(&done.export_key, &account_id))
    }

    /// Changes every key of the account; `password` is the account's from then on.
    ///
    /// # Errors
    /// [`LifeCycleError`].
    pub async fn change_keys(
        &mut self,
        change: &KeyChange,
        password: &str,
    ) -> Result<SyncReport, LifeCycleError> {
        self.clock.advance(1_000);
        let refused = |error| LifeCycleError::from(AccountError::from(ProfileError::from(error)));
        let current = Password::new(self.current(password).await).map_err(refused)?;
        let new = Password::new(password).map_err(refused)?;
        let passwords = Passwords { current: &current, new: &new };
        Box::pin(self.client.change_keys(change, passwords)).await
    }

    /// Gives the account a new password.
    ///
    /// # Errors
    /// What the change says.
    pub async fn change_password(&mut self, password: &str) -> anyhow::Result<()> {
        let (current, new) = (Password::new(self.current(password).await)?, Password::new(password)?);
        let passwords = Passwords { current: &current, new: &new };
        Ok(Box::pin(self.client.change_password(passwords)).await?)
    }

    /// Makes the account's password the one that opens this device.
    ///
    /// # Errors
    /// What the proof says.
    pub async fn adopt_password(&mut self, password: &str) -> anyhow::Result<()> {
        Ok(Box::pin(self.client.adopt_password(&Password::new(password)?)).await?)
    }

    /// Whether this password opens the profile.
    pub async fn unlocks_with(&self, password: &str) -> bool {
        match Password::new(password) {
            Ok(password) => Box::pin(account::unlock(&self.ports, &password)).await.is_ok(),
            Err(_) => false,
        }
    }
}
