//! Why a sign-in did not succeed.

use lockstep_crypto::opaque::OpaqueError;
use lockstep_proto::api::ErrorCode;
use lockstep_proto::signin::KsfProfile;

use super::error::AccountError;
use super::profile::ProfileError;
use crate::api::ApiError;

/// A sign-in did not succeed. Before [`super::PendingSignIn::confirm`] nothing is stored on this device.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignInError {
    /// The account's log, a slot, the profile or a call is at fault.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// The password, the Secret Key or the account is wrong; neither side can tell which.
    #[error(
        "the sign-in was refused: check the password, and that the Emergency Kit is the newest one of this account"
    )]
    Refused,
    /// The server's sign-in answer cannot be read.
    #[error("the server's sign-in answer was not understood; nothing was sent that depends on the password")]
    Answer,
    /// The key could not be stretched, for lack of memory.
    #[error("there is not enough memory to sign in: close other programs and try again")]
    Stretch,
    /// The Kit names another server.
    #[error(
        "this is not the server that the Emergency Kit names; nothing was sent that depends on the password"
    )]
    OtherServer,
    /// The server asks for weaker key stretching than the Kit, or than the account's log, allows (R-KDF).
    #[error(
        "the server asks for weaker protection of the password ({}) than this account has ({}); the sign-in was stopped",
        u16::from(*.asked),
        u16::from(*.required)
    )]
    WeakerStretching {
        /// The profile the server named.
        asked: KsfProfile,
        /// The lowest one allowed.
        required: KsfProfile,
    },
    /// The server's OPAQUE key is not the one that the account's log names.
    #[error("the server's sign-in key is not the one that your account names; nothing was stored")]
    ServerKey,
    /// The account's devices or keys changed between showing them and confirming.
    #[error(
        "the account changed while signing in: abandon this sign-in and start again to see its devices as they are now"
    )]
    AccountChanged,
}

impl From<ApiError> for SignInError {
    fn from(error: ApiError) -> Self {
        match error.code() {
            Some(ErrorCode::SigninFailed) => Self::Refused,
            _ => Self::Account(error.into()),
        }
    }
}

impl From<ProfileError> for SignInError {
    fn from(error: ProfileError) -> Self {
        Self::Account(error.into())
    }
}

impl From<OpaqueError> for SignInError {
    fn from(error: OpaqueError) -> Self {
        match error {
            OpaqueError::WrongPassword => Self::Refused,
            OpaqueError::Stretch => Self::Stretch,
            _ => Self::Answer,
        }
    }
}
