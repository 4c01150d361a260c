//! OPAQUE sign-in: a new device of an existing account proves password and Secret Key.

use std::sync::Arc;

use lockstep_proto::api::STEP_SECONDS;
use lockstep_proto::api::signin::{EnrolmentSession, SigninAnswer, SigninFinish, SigninStart};
use lockstep_proto::ids::{AccountId, Hash};
use lockstep_proto::signin::record_hash;

use super::Ports;
use super::open_sessions::OpenSessions;
use crate::limits::{AddressKey, Begun, Successes, TooManyAttempts, Tries};
use crate::ports::make_bytes;
use crate::signin::{OpaqueError, OpaqueLogin, OpaqueServer, Waiting};
use crate::store::StoreError;

/// Why a sign-in does not go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SigninError {
    /// Too many failed: see [`crate::limits`].
    #[error(transparent)]
    TooMany(#[from] TooManyAttempts),
    /// A message cannot be read.
    #[error("the OPAQUE message cannot be read")]
    Format,
    /// Password, Secret Key or account are wrong.
    #[error("the sign-in did not succeed")]
    Failed {
        /// The account that was tried, which may not be there.
        account_id: AccountId,
    },
    /// There is no such sign-in, or it was used or has expired.
    #[error("there is no such sign-in")]
    Unknown,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How many sign-ins wait for their last message at once.
const CAPACITY: usize = 16_384;

/// The service.
pub struct SignIn {
    ports: Ports,
    opaque: Arc<OpaqueServer>,
    sessions: Arc<OpenSessions>,
    tries: Tries,
    waiting: Waiting<[u8; 16], Started>,
}

/// A sign-in whose last message is waited for.
struct Started {
    login: OpaqueLogin,
    /// The record that it began with.
    record: Hash,
    begun: Begun,
    address: AddressKey,
}

impl SignIn {
    pub(super) fn new(
        ports: Ports,
        opaque: Arc<OpaqueServer>,
        sessions: Arc<OpenSessions>,
        successes: Arc<Successes>,
    ) -> Self {
        let tries = Tries::of_passwords(successes, &ports.clock);
        let waiting = Waiting::new(CAPACITY, u64::from(STEP_SECONDS) * 1_000);
        Self { ports, opaque, sessions, tries, waiting }
    }

    /// Answers the first message and remembers the sign-in for 60 seconds.
    ///
    /// # Errors
    /// [`SigninError`]; an account that does not exist is none.
    pub async fn start(
        &self,
        request: &SigninStart,
        address: AddressKey,
    ) -> Result<SigninAnswer, SigninError> {
        let now_ms = self.ports.clock.now_ms();
        let begun = self.tries.begin(request.account_id, address)?;
        let record = self.ports.store.record(request.account_id).await?;
        let started = self
            .opaque
            .start(&*self.ports.random, request.account_id, record.as_ref(), &request.ke1)
            .map_err(|_| SigninError::Format)?;
        let signin_id: [u8; 16] = make_bytes(&*self.ports.random);
        let upload = record.as_ref().map_or(&[0; 192][..], |record| &record.upload);
        let waits = Started { login: started.login, record: record_hash(upload), begun, address };
        self.waiting.insert(signin_id, waits, address, now_ms);
        Ok(SigninAnswer {
            signin_id: signin_id.to_vec().into(),
            profile: started.profile,
            ke2: started.ke2.into(),
        })
    }

    /// Checks the last message and opens an enrolment session. A sign-in is used up, however it ends.
    ///
    /// # Errors
    /// [`SigninError`].
    pub fn finish(&self, request: &SigninFinish) -> Result<EnrolmentSession, SigninError> {
        let signin_id = request.signin_id.0.as_slice().try_into().map_err(|_| SigninError::Unknown)?;
        let now_ms = self.ports.clock.now_ms();
        let started = self.waiting.take(&signin_id, now_ms).ok_or(SigninError::Unknown)?;
        let Started { login, record, begun, address } = started;
        let account_id = login.account_id();
        self.opaque.finish(login, &request.ke3).map_err(|error| match error {
            OpaqueError::Format => SigninError::Format,
            OpaqueError::Proof => SigninError::Failed { account_id },
        })?;
        self.tries.succeed(&begun);
        let (enrolment_token, expires_ms) = self.sessions.open_enrolment(account_id, record, address);
        Ok(EnrolmentSession { enrolment_token, expires_ms })
    }
}
