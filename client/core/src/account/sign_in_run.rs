//! One OPAQUE sign-in, and what is checked before anything of it is used.

use lockstep_crypto::keys::Auk;
use lockstep_crypto::opaque::{Login, Parties};
use lockstep_crypto::password::Password;
use lockstep_crypto::password_key::PasswordKey;
use lockstep_crypto::secret_key::SecretKey;
use lockstep_crypto::slots::SlotError;
use lockstep_crypto::unlock::derive_auk;
use lockstep_proto::api::signin::{SigninFinish, SigninStart};
use lockstep_proto::bytes::Bytes;
use lockstep_proto::log::AccountState;
use lockstep_proto::seeded;
use lockstep_proto::signin::KsfProfile;
use zeroize::Zeroizing;

use super::error::AccountError;
use super::session::EnrolmentToken;
use super::sign_in_error::SignInError;
use super::stretched::finish_login;
use crate::api::Api;
use crate::ports::Ports;

/// A sign-in that the server accepted.
pub(super) struct Entered {
    pub(super) token: EnrolmentToken,
    pub(super) auk: Auk,
    pub(super) password_key: PasswordKey,
    pub(super) profile: KsfProfile,
    pub(super) server_public_key: [u8; 32],
}

/// Who signs in, where, with what.
pub(super) struct Entrant<'a> {
    pub(super) parties: Parties,
    pub(super) secret_key: &'a SecretKey,
    pub(super) password: &'a Password,
    /// No lower profile is accepted (R-KDF).
    pub(super) floor: KsfProfile,
}

/// Runs OPAQUE. A profile below the floor ends it before KE3.
pub(super) async fn enter(ports: &Ports, api: &Api, entrant: &Entrant<'_>) -> Result<Entered, SignInError> {
    let Entrant { parties, secret_key, password, floor } = entrant;
    let account_id = parties.account_id;
    if api.info().await?.server_id != parties.server_id {
        return Err(SignInError::OtherServer);
    }
    let opaque_password = password.derive_opaque(secret_key, &account_id);
    let (login, ke1) = Login::start(&opaque_password, &*ports.random)?;
    let answer = api.start_signin(&SigninStart { account_id, ke1: Bytes(ke1) }).await?;
    let profile = answer.profile;
    if profile < *floor {
        return Err(SignInError::WeakerStretching { asked: profile, required: *floor });
    }
    let logged_in = finish_login(ports, login, &opaque_password, &answer.ke2, parties, profile).await?;
    let finish = SigninFinish { signin_id: answer.signin_id, ke3: Bytes(logged_in.ke3) };
    let session = api.finish_signin(&finish).await?;
    Ok(Entered {
        token: EnrolmentToken(Zeroizing::new(session.enrolment_token)),
        auk: derive_auk(secret_key, &logged_in.export_key, &account_id, profile),
        password_key: PasswordKey::derive(&logged_in.export_key, &account_id),
        profile,
        server_public_key: logged_in.server_public_key,
    })
}

/// Compares the sign-in with the verified log, before a key is opened or stored.
pub(super) fn check_log(
    state: &AccountState,
    entered: &Entered,
    entrant: &Entrant<'_>,
) -> Result<(), SignInError> {
    let account_id = entrant.parties.account_id;
    if state.server_id() != entrant.parties.server_id && !seeded!("server-id-unchecked") {
        return Err(SignInError::OtherServer);
    }
    let Some(auth) = state.auth() else { return Err(AccountError::Withheld { head: state.head() }.into()) };
    if entered.profile < auth.profile {
        return Err(SignInError::WeakerStretching { asked: entered.profile, required: auth.profile });
    }
    if entered.server_public_key != auth.opaque_server_key && !seeded!("opaque-server-key-unchecked") {
        return Err(SignInError::ServerKey);
    }
    // The record that was signed in with is the one that the log names: they have one password key.
    if entered.password_key.public() != auth.password_key && !seeded!("password-key-unchecked") {
        return Err(AccountError::Slot(SlotError::NotCommitted).into());
    }
    let commit = entrant.secret_key.derive_commit(&account_id, auth.secret_key_generation);
    if commit == auth.secret_key_commit || seeded!("sign-in-secret-key-unchecked") {
        Ok(())
    } else {
        Err(AccountError::Slot(SlotError::NotCommitted).into())
    }
}
