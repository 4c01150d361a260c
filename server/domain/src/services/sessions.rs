//! Sessions: a device proves its key. That session, and those that others open, are checked at every request.

use std::sync::Arc;

use lockstep_proto::api::STEP_SECONDS;
use lockstep_proto::api::session::{Challenge, ChallengeRequest, SessionRequest};
use lockstep_proto::ids::{AccountId, DeviceId, ServerId};
use lockstep_proto::sign::signed_bytes;
use lockstep_proto::signin::{ChallengePurpose, SessionChallenge};

use super::Ports;
use super::accounts::Accounts;
use super::open_sessions::OpenSessions;
use super::proof::{Looked, signed_by};
use crate::caller::{Caller, Session};
use crate::limits::{AddressKey, Successes};
use crate::ports::make_bytes;
use crate::signin::Waiting;
use crate::store::StoreError;

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// The nonce is unknown, used or expired, the device is not the account's, or the signature is wrong.
    #[error("the device was not recognised")]
    Failed,
    /// The session is unknown or has ended.
    #[error("the session has ended")]
    Ended,
    /// The device was removed from the account.
    #[error("the device was removed from the account")]
    Revoked,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How many challenges are remembered at once.
const CAPACITY: usize = 65_536;

/// The service.
pub struct Sessions {
    ports: Ports,
    accounts: Arc<Accounts>,
    server_id: ServerId,
    challenges: Waiting<[u8; 32], (ChallengeRequest, AddressKey)>,
    open: Arc<OpenSessions>,
    successes: Arc<Successes>,
}

impl Sessions {
    pub(super) fn new(
        ports: Ports,
        accounts: Arc<Accounts>,
        open: Arc<OpenSessions>,
        server_id: ServerId,
        successes: Arc<Successes>,
    ) -> Self {
        let challenges = Waiting::new(CAPACITY, u64::from(STEP_SECONDS) * 1_000);
        Self { ports, accounts, server_id, challenges, open, successes }
    }

    /// Gives a nonce; whether account and device exist is not looked at.
    pub fn challenge(&self, request: &ChallengeRequest, address: AddressKey) -> Challenge {
        let nonce: [u8; 32] = make_bytes(&*self.ports.random);
        self.challenges.insert(nonce, (*request, address), address, self.ports.clock.now_ms());
        Challenge { nonce: nonce.to_vec().into() }
    }

    /// Checks a device's signature over its nonce. The nonce is used up, however it ends.
    ///
    /// # Errors
    /// [`SessionError::Failed`], [`SessionError::Revoked`] (only after a right signature), [`SessionError::Store`].
    pub async fn prove(&self, request: &SessionRequest) -> Result<Caller, SessionError> {
        let nonce: [u8; 32] = request.nonce.0.as_slice().try_into().map_err(|_| SessionError::Failed)?;
        let asked = self.challenges.take(&nonce, self.ports.clock.now_ms());
        let (asked, address) = asked.ok_or(SessionError::Failed)?;
        let (account_id, device_id) = (request.account_id, request.device_id);
        if asked != (ChallengeRequest { account_id, device_id }) {
            return Err(SessionError::Failed);
        }
        let mut looked = Looked::now();
        // From the store, whatever is in memory: what is there of an account would be seen in the time that it takes.
        let state = self.accounts.look_up(account_id, &mut looked).await?;
        let device = state.as_ref().and_then(|state| state.device(&device_id));
        let purpose = ChallengePurpose::Session;
        let challenge = SessionChallenge { server_id: self.server_id, account_id, device_id, purpose, nonce };
        let key = device.map(|device| device.keys().signing);
        if !signed_by(key, &signed_bytes(&challenge), &request.signature) {
            self.accounts.refuse(looked).await;
            return Err(SessionError::Failed);
        }
        if !device.is_some_and(|device| device.is_active()) {
            return Err(SessionError::Revoked);
        }
        self.successes.remember(account_id, address);
        Ok(Caller { account_id, session: Session::Device(device_id) })
    }

    /// The caller of a token that names this device, if the device is active now.
    ///
    /// # Errors
    /// [`SessionError::Ended`], [`SessionError::Revoked`], [`SessionError::Store`].
    pub async fn device(&self, account_id: AccountId, device_id: DeviceId) -> Result<Caller, SessionError> {
        let state = self.accounts.find(account_id).await?.ok_or(SessionError::Ended)?;
        let device = state.device(&device_id).ok_or(SessionError::Ended)?;
        if !device.is_active() {
            return Err(SessionError::Revoked);
        }
        Ok(Caller { account_id, session: Session::Device(device_id) })
    }

    /// The caller of a token that no device has: of an enrolment or a recovery session.
    ///
    /// # Errors
    /// [`SessionError::Ended`], also when the password or the Recovery Key is another one by now; [`SessionError::Store`].
    pub async fn opened(&self, token: &str) -> Result<Caller, SessionError> {
        let (token, opened) = self.open.find(token).ok_or(SessionError::Ended)?;
        let state = self.accounts.find(opened.account_id()).await?.ok_or(SessionError::Ended)?;
        opened.caller(token, &state).ok_or(SessionError::Ended)
    }
}
