//! A session: a challenge signed by the device, or by the Recovery Key, for a token of some minutes.

use std::sync::{Arc, Mutex, PoisonError};

use lockstep_crypto::device::DeviceKeys;
use lockstep_crypto::recovery_key::RecoveryKey;
use lockstep_proto::api::recovery::{RecoveryProof, RecoveryStart};
use lockstep_proto::api::session::{Challenge, ChallengeRequest, SessionRequest};
use lockstep_proto::ids::{AccountId, DeviceId, ServerId};
use lockstep_proto::sign::Signed;
use lockstep_proto::signin::{ChallengePurpose, RecoveryChallenge, SessionChallenge};
use zeroize::Zeroizing;

use super::unlocked::Unlocked;
use crate::api::{Api, ApiError, Garbage, TokenSource};

/// Bytes of a token, at most: a server takes no header much longer.
const TOKEN_LIMIT: usize = 2_048;

/// Gives tokens to calls. The token lives in memory alone; it is used until the server calls it ended, since no clock
/// here knows the server's.
pub struct Session {
    api: Api,
    server_id: ServerId,
    account_id: AccountId,
    device_id: DeviceId,
    signer: Signs,
    token: Mutex<Option<Zeroizing<String>>>,
}

/// Who signs the challenge.
enum Signs {
    Device(Arc<DeviceKeys>),
    Recovery(RecoveryKey),
}

impl Session {
    /// A session of the Recovery Key, for an account that this device is about to join.
    pub(crate) fn of_recovery(api: &Api, unlocked: &Unlocked, key: &RecoveryKey) -> Self {
        let signer = Signs::Recovery(RecoveryKey::from_bytes(*key.expose_bytes()));
        Self { signer, ..Self::new(api, unlocked) }
    }

    /// A session of this device, not yet opened.
    pub fn new(api: &Api, unlocked: &Unlocked) -> Self {
        Self {
            api: api.clone(),
            server_id: unlocked.server_id(),
            account_id: unlocked.account_id(),
            device_id: unlocked.device_id(),
            signer: Signs::Device(Arc::clone(&unlocked.keys)),
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

    /// The next call opens a new session: a hostile server may have given a token that is not this account's.
    pub(crate) fn close(&self) {
        *self.lock() = None;
    }

    async fn open(&self) -> Result<String, ApiError> {
        let token = match &self.signer {
            Signs::Device(keys) => self.prove_device(keys).await?,
            Signs::Recovery(key) => prove_recovery(&self.api, self.server_id, self.account_id, key).await?,
        };
        if !can_be_sent(&token) {
            return Err(ApiError::Garbage { status: 200, what: Garbage::Body, retry_after: None });
        }
        *self.lock() = Some(Zeroizing::new(token.clone()));
        Ok(token)
    }

    async fn prove_device(&self, keys: &DeviceKeys) -> Result<String, ApiError> {
        let (account_id, device_id) = (self.account_id, self.device_id);
        let challenge = self.api.challenge(&ChallengeRequest { account_id, device_id }).await?;
        let (server_id, nonce) = (self.server_id, nonce_of(&challenge)?);
        let purpose = ChallengePurpose::Session;
        let signed = SessionChallenge { server_id, account_id, device_id, purpose, nonce };
        let signature = *Signed::sign(signed, keys.signing()).signature();
        let request = SessionRequest { account_id, device_id, nonce: challenge.nonce, signature };
        Ok(self.api.open_session(&request).await?.token)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Zeroizing<String>>> {
        self.token.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a request could carry the token. No answer would ever call another one ended, so it would stay for good.
fn can_be_sent(token: &str) -> bool {
    (1..=TOKEN_LIMIT).contains(&token.len()) && token.bytes().all(|byte| byte.is_ascii_graphic())
}

fn nonce_of(challenge: &Challenge) -> Result<[u8; 32], ApiError> {
    let garbage = ApiError::Garbage { status: 200, what: Garbage::Body, retry_after: None };
    challenge.nonce[..].try_into().map_err(|_| garbage)
}

/// A token for the Recovery Key's signature over a challenge: five minutes.
async fn prove_recovery(
    api: &Api,
    server_id: ServerId,
    account_id: AccountId,
    key: &RecoveryKey,
) -> Result<String, ApiError> {
    let challenge = api.start_recovery(&RecoveryStart { account_id }).await?;
    let signed = RecoveryChallenge { server_id, account_id, nonce: nonce_of(&challenge)? };
    let signature = *Signed::sign(signed, &key.derive_signing_key()).signature();
    let proof = RecoveryProof { account_id, nonce: challenge.nonce, signature };
    Ok(api.finish_recovery(&proof).await?.recovery_token)
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

/// The first session of a Recovery Key, before this device has anything. It is not renewed.
pub(super) struct RecoveryToken(Zeroizing<String>);

impl RecoveryToken {
    pub(super) async fn open(
        api: &Api,
        server_id: ServerId,
        account_id: AccountId,
        key: &RecoveryKey,
    ) -> Result<Self, ApiError> {
        prove_recovery(api, server_id, account_id, key).await.map(|token| Self(Zeroizing::new(token)))
    }
}

#[cfg_attr(not(target_arch = "wasm32"), async_trait::async_trait)]
#[cfg_attr(target_arch = "wasm32", async_trait::async_trait(?Send))]
impl TokenSource for RecoveryToken {
    async fn token(&self) -> Result<String, ApiError> {
        Ok(self.0.to_string())
    }

    fn forget(&self, _: &str) {}
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
