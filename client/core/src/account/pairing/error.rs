//! Why a pairing did not succeed.

use lockstep_crypto::pairing::PairingMessageError;
use lockstep_proto::api::ErrorCode;
use lockstep_proto::ids::DeviceId;

use crate::account::{AccountError, ProfileError, SignInError};
use crate::api::ApiError;

/// A pairing did not succeed. On the new device nothing is stored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PairingError {
    /// The account's log, a key, the profile or a call is at fault.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// The new device cannot sign in to the account.
    #[error(transparent)]
    SignIn(SignInError),
    /// A message of the other device cannot be used.
    #[error(transparent)]
    Message(#[from] PairingMessageError),
    /// The server has no such mailbox.
    #[error(
        "there is no pairing with this code, or its two minutes are over: start again on the other device"
    )]
    Ended,
    /// The other device did not answer.
    #[error("the other device did not answer in time; nothing was changed: start again")]
    NoAnswer,
    /// Another device has used the code.
    #[error(
        "another device has used this pairing code already; nothing was changed: start again, and if that device is \
         not yours, somebody has seen the code"
    )]
    Taken,
    /// The invitation names another server than the one that answers.
    #[error(
        "this is not the server that the other device uses; nothing was sent that depends on the password"
    )]
    OtherServer,
    /// The account changed between showing the words and confirming them.
    #[error(
        "your account was changed by another device meanwhile; the new device was not added: start again"
    )]
    AccountChanged,
    /// The link that the reply names does not add this device.
    #[error("your account's log does not add this device where the other device says; nothing was stored")]
    OtherLink,
    /// The password is not the account's.
    #[error("this is not the account's password; nothing is stored yet: type it again")]
    WrongPassword,
    /// The device is in the account's log, or its link waits, and it was not told.
    #[error(
        "device {device_id} is added to your account, now or with the next sync, but its keys did not reach it \
         ({source}): pair again; the one that was added has no keys, and nobody can use it"
    )]
    Unanswered {
        /// The device that was added.
        device_id: DeviceId,
        /// Why.
        source: Box<PairingError>,
    },
}

impl From<ApiError> for PairingError {
    fn from(error: ApiError) -> Self {
        match error.code() {
            Some(ErrorCode::NoPairing) => Self::Ended,
            Some(ErrorCode::PairingTaken) => Self::Taken,
            _ => Self::Account(error.into()),
        }
    }
}

impl From<ProfileError> for PairingError {
    fn from(error: ProfileError) -> Self {
        Self::Account(error.into())
    }
}

impl From<SignInError> for PairingError {
    fn from(error: SignInError) -> Self {
        match error {
            SignInError::Account(error) => Self::Account(error),
            SignInError::Refused => Self::WrongPassword,
            SignInError::OtherServer => Self::OtherServer,
            other => Self::SignIn(other),
        }
    }
}
