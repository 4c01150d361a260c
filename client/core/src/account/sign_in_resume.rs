//! Goes on with a sign-in that was interrupted after its keys were made.

use lockstep_crypto::opaque::Parties;
use lockstep_crypto::password::Password;

use super::enrolment::{enrol, read_device_link};
use super::profile::{ProfileError, Stage, profile};
use super::sign_in_error::SignInError;
use super::sign_in_run::{Entrant, check_log, enter};
use super::unlock::unlock_at_any_stage;
use super::unlocked::Unlocked;
use crate::api::Api;
use crate::ports::Ports;

/// Finishes an interrupted sign-in: signs in again with the Secret Key that the profile holds, and sends the same link.
/// The account's devices were confirmed before; if they changed since, [`SignInError::AccountChanged`] says so.
///
/// # Errors
/// [`SignInError`]; [`ProfileError::Complete`] within it when no sign-in waits. The profile stays as it was.
pub async fn resume_sign_in(ports: &Ports, password: &Password) -> Result<Unlocked, SignInError> {
    let profile = profile(&*ports.store).await?.ok_or(ProfileError::Missing)?;
    match profile.stage {
        Stage::SigningIn => {}
        stage @ (Stage::SigningUp | Stage::Recovering) => return Err(ProfileError::Unfinished(stage).into()),
        Stage::Ready => return Err(ProfileError::Complete.into()),
    }
    let unlocked = Box::pin(unlock_at_any_stage(ports, profile, password)).await?;
    let link = read_device_link(&*ports.store, &unlocked).await?;
    let api = Api::new(ports.transport.clone());
    let entrant = Entrant {
        parties: Parties { account_id: unlocked.account_id(), server_id: unlocked.server_id() },
        secret_key: &unlocked.secret_key,
        password,
        floor: unlocked.profile.ksf_profile,
    };
    let entered = Box::pin(enter(ports, &api, &entrant)).await?;
    check_log(unlocked.state(), &entered, &entrant)?;
    enrol(ports, &api, (&entered.token, &entered.password_key), unlocked, link).await
}
