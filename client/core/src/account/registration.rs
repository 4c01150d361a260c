//! OPAQUE registration of a password for an account that exists, within a session of it.

use lockstep_crypto::opaque::{Parties, Registered, Registration};
use lockstep_crypto::password::Password;
use lockstep_crypto::password_key::PasswordKey;
use lockstep_crypto::secret_key::SecretKey;
use lockstep_crypto::slots::seal_slot;
use lockstep_proto::api::account::RegistrationStart;
use lockstep_proto::bytes::Bytes;
use lockstep_proto::ids::{AccountId, DeviceId, Generation};
use lockstep_proto::log::AccountState;
use lockstep_proto::signin::KsfProfile;

use super::error::AccountError;
use super::slots::Place;
use super::stretched::finish_registration;
use crate::api::{Api, TokenSource};
use crate::ports::Ports;
use lockstep_crypto::hedge::Hedge;
use lockstep_crypto::keys::Ark;

/// The profile of a new record: never below the one that the log names (R-KDF).
pub(super) fn next_profile(state: &AccountState) -> KsfProfile {
    state.auth().map_or(KsfProfile::CURRENT, |auth| auth.profile.max(KsfProfile::CURRENT))
}

/// Registers `password` with `secret_key`. Nothing is kept by the server until a link names the record.
///
/// # Errors
/// [`AccountError::ServerKey`] where the server's OPAQUE key is not the one that the log names.
pub(super) async fn register(
    ports: &Ports,
    api: &Api,
    tokens: &dyn TokenSource,
    state: &AccountState,
    secret_key: &SecretKey,
    password: &Password,
) -> Result<Registered, AccountError> {
    let parties = Parties { account_id: state.account_id(), server_id: state.server_id() };
    let opaque_password = password.derive_opaque(secret_key, &parties.account_id);
    let (registration, request) = Registration::start(&opaque_password, &*ports.random)?;
    let answer = api.start_registration(tokens, &RegistrationStart { request: Bytes(request) }).await?;
    let profile = next_profile(state);
    let registered =
        finish_registration(ports, registration, &opaque_password, &answer.response, &parties, profile)
            .await?;
    let named = state.auth().map(|auth| auth.opaque_server_key);
    let answered = registered.server_public_key[..] == answer.server_public_key[..];
    if answered && named == Some(registered.server_public_key) {
        Ok(registered)
    } else {
        Err(AccountError::ServerKey)
    }
}

/// The key that countersigns once a link has named this record.
pub(super) fn password_key(registered: &Registered, account_id: &AccountId) -> PasswordKey {
    PasswordKey::derive(&registered.export_key, account_id)
}

/// A new OPAQUE record on its way to the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRecord {
    /// The registration upload.
    pub(super) upload: Vec<u8>,
    /// The same, sealed under ARK, for this device to keep: a server that lost it gets it back.
    pub(super) kept: Vec<u8>,
}

impl NewRecord {
    /// Seals the copy under `ark` of this generation, for the link after `place.before`.
    pub(super) fn new(
        upload: Vec<u8>,
        (ark, generation): (&Ark, Generation),
        place: Place,
        device_id: DeviceId,
        hedge: &Hedge<'_>,
    ) -> Result<Self, AccountError> {
        let kept = seal_slot(ark, &place.opaque_record(device_id, generation), &upload, hedge)?;
        Ok(Self { upload, kept })
    }
}
