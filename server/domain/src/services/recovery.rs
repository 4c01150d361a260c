//! Recovery: the Recovery Key proves itself by a signature and gets a session.

use std::sync::Arc;

use lockstep_proto::api::STEP_SECONDS;
use lockstep_proto::api::recovery::{RecoveryProof, RecoverySession, RecoveryStart};
use lockstep_proto::api::session::Challenge;
use lockstep_proto::ids::{AccountId, ServerId};
use lockstep_proto::sign::signed_bytes;
use lockstep_proto::signin::RecoveryChallenge;

use super::Ports;
use super::accounts::Accounts;
use super::open_sessions::OpenSessions;
use crate::ports::make_bytes;
use crate::signin::{Attempts, TooManyAttempts, Waiting};
use crate::store::StoreError;

/// Why a recovery does not go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecoveryError {
    /// Too many were begun for this account.
    #[error(transparent)]
    TooMany(#[from] TooManyAttempts),
    /// The nonce is unknown, used or expired, there is no such account, or the signature is wrong.
    #[error("the recovery did not succeed")]
    Failed,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How many challenges are remembered at once.
const CAPACITY: usize = 16_384;

/// The service.
pub struct Recovery {
    ports: Ports,
    accounts: Arc<Accounts>,
    sessions: Arc<OpenSessions>,
    server_id: ServerId,
    attempts: Attempts,
    challenges: Waiting<[u8; 32], AccountId>,
}

impl Recovery {
    pub(super) fn new(
        ports: Ports,
        accounts: Arc<Accounts>,
        sessions: Arc<OpenSessions>,
        server_id: ServerId,
    ) -> Self {
        let challenges = Waiting::new(CAPACITY, u64::from(STEP_SECONDS) * 1_000);
        Self { ports, accounts, sessions, server_id, attempts: Attempts::default(), challenges }
    }

    /// Gives a nonce; whether the account exists is not looked at.
    ///
    /// # Errors
    /// [`RecoveryError::TooMany`].
    pub fn challenge(&self, request: &RecoveryStart) -> Result<Challenge, RecoveryError> {
        let now_ms = self.ports.clock.now_ms();
        self.attempts.begin(request.account_id, now_ms)?;
        let nonce: [u8; 32] = make_bytes(&*self.ports.random);
        self.challenges.insert(nonce, request.account_id, now_ms);
        Ok(Challenge { nonce: nonce.to_vec().into() })
    }

    /// Checks the signature over a nonce and opens a session. The nonce is used up, however it ends.
    ///
    /// # Errors
    /// [`RecoveryError::Failed`], [`RecoveryError::Store`].
    pub async fn prove(&self, request: &RecoveryProof) -> Result<RecoverySession, RecoveryError> {
        let nonce: [u8; 32] = request.nonce.0.as_slice().try_into().map_err(|_| RecoveryError::Failed)?;
        let asked = self.challenges.take(&nonce, self.ports.clock.now_ms());
        if asked != Some(request.account_id) {
            return Err(RecoveryError::Failed);
        }
        let state = self.accounts.load(request.account_id).await?.ok_or(RecoveryError::Failed)?;
        let (server_id, account_id) = (self.server_id, request.account_id);
        let challenge = RecoveryChallenge { server_id, account_id, nonce };
        let key = state.recovery().signing;
        key.verify(&signed_bytes(&challenge), &request.signature).map_err(|_| RecoveryError::Failed)?;
        self.attempts.succeed(&account_id);
        let (recovery_token, expires_ms) = self.sessions.open_recovery(account_id, key);
        Ok(RecoverySession { recovery_token, expires_ms })
    }
}
