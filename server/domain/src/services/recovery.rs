//! Recovery: the Recovery Key proves itself by a signature and gets a session.

use std::sync::Arc;

use lockstep_proto::api::STEP_SECONDS;
use lockstep_proto::api::recovery::{RecoveryProof, RecoverySession, RecoveryStart};
use lockstep_proto::api::session::Challenge;
use lockstep_proto::ids::ServerId;
use lockstep_proto::sign::signed_bytes;
use lockstep_proto::signin::RecoveryChallenge;

use super::Ports;
use super::accounts::Accounts;
use super::open_sessions::OpenSessions;
use super::proof::{Looked, signed_by};
use crate::limits::{AddressKey, Begun, Successes, TooManyAttempts, Tries};
use crate::ports::make_bytes;
use crate::signin::Waiting;
use crate::store::StoreError;

/// Why a recovery does not go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecoveryError {
    /// Too many failed: see [`crate::limits`].
    #[error(transparent)]
    TooMany(#[from] TooManyAttempts),
    /// There is no such account, or the signature is wrong.
    #[error("the recovery did not succeed")]
    Failed,
    /// The nonce is unknown, used or expired.
    #[error("there is no such recovery")]
    Unknown,
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
    /// Apart from those with a password.
    tries: Tries,
    challenges: Waiting<[u8; 32], (Begun, AddressKey)>,
}

impl Recovery {
    pub(super) fn new(
        ports: Ports,
        accounts: Arc<Accounts>,
        sessions: Arc<OpenSessions>,
        server_id: ServerId,
        successes: Arc<Successes>,
    ) -> Self {
        let tries = Tries::of_keys(successes, &ports.clock);
        let challenges = Waiting::new(CAPACITY, u64::from(STEP_SECONDS) * 1_000);
        Self { ports, accounts, sessions, server_id, tries, challenges }
    }

    /// Gives a nonce; whether the account exists is not looked at.
    ///
    /// # Errors
    /// [`RecoveryError::TooMany`].
    pub fn challenge(
        &self,
        request: &RecoveryStart,
        address: AddressKey,
    ) -> Result<Challenge, RecoveryError> {
        let now_ms = self.ports.clock.now_ms();
        let begun = self.tries.begin(request.account_id, address)?;
        let nonce: [u8; 32] = make_bytes(&*self.ports.random);
        self.challenges.insert(nonce, (begun, address), address, now_ms);
        Ok(Challenge { nonce: nonce.to_vec().into() })
    }

    /// Checks the signature over a nonce and opens a session. The nonce is used up, however it ends.
    ///
    /// # Errors
    /// [`RecoveryError`], but not [`RecoveryError::TooMany`].
    pub async fn prove(&self, request: &RecoveryProof) -> Result<RecoverySession, RecoveryError> {
        let nonce: [u8; 32] = request.nonce.0.as_slice().try_into().map_err(|_| RecoveryError::Unknown)?;
        let asked = self.challenges.take(&nonce, self.ports.clock.now_ms());
        let (begun, address) = asked
            .filter(|(begun, _)| begun.account_id == request.account_id)
            .ok_or(RecoveryError::Unknown)?;
        let (server_id, account_id) = (self.server_id, request.account_id);
        let mut looked = Looked::now();
        let state = self.accounts.look_up(account_id, &mut looked).await?;
        let challenge = RecoveryChallenge { server_id, account_id, nonce };
        let key = state.map(|state| state.recovery().signing);
        if !signed_by(key, &signed_bytes(&challenge), &request.signature) {
            self.accounts.refuse(looked).await;
            return Err(RecoveryError::Failed);
        }
        let key = key.ok_or(RecoveryError::Failed)?;
        self.tries.succeed(&begun);
        let (recovery_token, expires_ms) = self.sessions.open_recovery(account_id, key, address);
        Ok(RecoverySession { recovery_token, expires_ms })
    }
}
