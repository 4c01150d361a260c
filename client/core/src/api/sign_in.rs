//! Calls that need no session: what the server is, sign-up, sign-in, and how a device gets a session.

use lockstep_proto::api::info::Info;
use lockstep_proto::api::recovery::{RecoveryProof, RecoverySession, RecoveryStart};
use lockstep_proto::api::session::{Challenge, ChallengeRequest, Session, SessionRequest};
use lockstep_proto::api::signin::{EnrolmentSession, SigninAnswer, SigninFinish, SigninStart};
use lockstep_proto::api::signup::{RegistrationAnswer, SignupDone, SignupFinish, SignupStart};

use super::client::{Api, Call};
use super::error::ApiError;

impl Api {
    /// What the server is and takes.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn info(&self) -> Result<Info, ApiError> {
        self.open_call(Call::get("/v1/info")).await
    }

    /// The first half of a sign-up. Makes nothing on the server.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn start_signup(&self, body: &SignupStart) -> Result<RegistrationAnswer, ApiError> {
        self.open_call(Call::post("/v1/signup/start", body)?).await
    }

    /// The second half: makes the account. Idempotent for the same bytes.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn finish_signup(&self, body: &SignupFinish) -> Result<SignupDone, ApiError> {
        self.open_call(Call::post("/v1/signup/finish", body)?).await
    }

    /// The first half of a sign-in.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn start_signin(&self, body: &SigninStart) -> Result<SigninAnswer, ApiError> {
        self.open_call(Call::post("/v1/signin/start", body)?).await
    }

    /// The second half: gives an enrolment session. Never idempotent.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn finish_signin(&self, body: &SigninFinish) -> Result<EnrolmentSession, ApiError> {
        self.open_call(Call::post("/v1/signin/finish", body)?).await
    }

    /// A nonce for a device to sign.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn challenge(&self, body: &ChallengeRequest) -> Result<Challenge, ApiError> {
        self.open_call(Call::post("/v1/session/challenge", body)?).await
    }

    /// A session of a device, for a signed nonce.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn open_session(&self, body: &SessionRequest) -> Result<Session, ApiError> {
        self.open_call(Call::post("/v1/session", body)?).await
    }

    /// A nonce for the Recovery Key to sign.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn start_recovery(&self, body: &RecoveryStart) -> Result<Challenge, ApiError> {
        self.open_call(Call::post("/v1/recovery/challenge", body)?).await
    }

    /// A session of the Recovery Key, for a signed nonce.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn finish_recovery(&self, body: &RecoveryProof) -> Result<RecoverySession, ApiError> {
        self.open_call(Call::post("/v1/recovery", body)?).await
    }
}
