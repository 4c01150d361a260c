//! A device's session: a signed challenge for a token of ten minutes.

use std::sync::{Arc, Mutex, PoisonError};

use lockstep_crypto::device::DeviceKeys;
use lockstep_proto::api::session::{ChallengeRequest, SessionRequest};
use lockstep_proto::ids::{AccountId, DeviceId, ServerId};
use lockstep_proto::sign::Signed;
use lockstep_proto::signin::{ChallengePurpose, SessionChallenge};
use zeroize::Zeroizing;

use super::unlocked::Unlocked;
use crate::api::{Api, ApiError, Garbage, TokenSource};

/// Gives tokens to calls. The token lives in memory alone; it is used until the server calls it ended, since no clock
/// here knows the server's.
pub struct Session {
    api: Api,
    server_id: ServerId,
    account_id: AccountId,
    device_id: DeviceId,
    keys: Arc<DeviceKeys>,
    token: Mutex<Option<Zeroizing<String>>>,
}

impl Session {
    /// A session of this device, not yet opened.
    pub fn new(api: &Api, unlocked: &Unlocked) -> Self {
        Self {
            api: api.clone(),
            server_id: unlocked.server_id(),
            account_id: unlocked.account_id(),
            device_id: unlocked.device_id(),
            keys: Arc::clone(&unlocked.keys),
            token: Mutex::new(None),
        }
    }

    /// A token: the one at hand, or a new one for a signed challenge.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn token(&self) -> Result<String, ApiError> {
        let known = self.lock().as_ref().map(|token| token.to_string());
        match known {
            Some(token) => Ok(token),
            None => self.open().await,
        }
    }

    async fn open(&self) -> Result<String, ApiError> {
        let (account_id, device_id) = (self.account_id, self.device_id);
        let challenge = self.api.challenge(&ChallengeRequest { account_id, device_id }).await?;
        let garbage = ApiError::Garbage { status: 200, what: Garbage::Body, retry_after: None };
        let Ok(nonce) = <[u8; 32]>::try_from(&challenge.nonce[..]) else { return Err(garbage) };
        let purpose = ChallengePurpose::Session;
        let signed = SessionChallenge { server_id: self.server_id, account_id, device_id, purpose, nonce };
        let signature = *Signed::sign(signed, self.keys.signing()).signature();
        let request = SessionRequest { account_id, device_id, nonce: challenge.nonce, signature };
        let token = self.api.open_session(&request).await?.token;
        *self.lock() = Some(Zeroizing::new(token.clone()));
        Ok(token)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Zeroizing<String>>> {
        self.token.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg_attr(not(target_arch = "wasm32"), async_trait::async_trait)]
#[cfg_attr(target_arch = "wasm32", async_trait::async_trait(?Send))]
impl TokenSource for Session {
    async fn token(&self) -> Result<String, ApiError> {
        Self::token(self).await
    }

    fn forget(&self, token: &str) {
        let mut known = self.lock();
        if known.as_ref().is_some_and(|known| known.as_str() == token) {
            *known = None;
        }
    }
}

/// The enrolment session that a sign-in gave. It cannot be renewed without the password.
pub(super) struct EnrolmentToken(pub(super) Zeroizing<String>);

#[cfg_attr(not(target_arch = "wasm32"), async_trait::async_trait)]
#[cfg_attr(target_arch = "wasm32", async_trait::async_trait(?Send))]
impl TokenSource for EnrolmentToken {
    async fn token(&self) -> Result<String, ApiError> {
        Ok(self.0.to_string())
    }

    fn forget(&self, _: &str) {}
}
