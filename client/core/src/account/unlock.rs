//! Offline unlock: the password, or a root key that another process kept, opens the profile.

use lockstep_crypto::keys::{KEY_LENGTH, Lrk};
use lockstep_crypto::password::Password;
use lockstep_crypto::secret_bytes::SecretBytes;

use super::device_secrets::DeviceSecrets;
use super::local_password::open_local_slot;
use super::log_store;
use super::profile::{Profile, ProfileError, Stage, profile};
use super::unlocked::Unlocked;
use crate::ports::Ports;

/// Unlocks the profile with the password. Needs no server.
///
/// # Errors
/// [`ProfileError::WrongPassword`]; [`ProfileError::Unfinished`] for a sign-up or sign-in that has to be finished
/// first; other [`ProfileError`]s where the profile cannot be read.
pub async fn unlock(ports: &Ports, password: &Password) -> Result<Unlocked, ProfileError> {
    let profile = finished(ports).await?;
    unlock_at_any_stage(ports, profile, password).await
}

/// Unlocks the profile with the root key that [`Unlocked::expose_lrk`] gave.
///
/// # Errors
/// [`ProfileError::WrongKey`], otherwise as [`unlock`].
pub async fn unlock_with_lrk(ports: &Ports, lrk: SecretBytes<KEY_LENGTH>) -> Result<Unlocked, ProfileError> {
    let profile = finished(ports).await?;
    open(ports, profile, Lrk::from_secret(lrk)).await
}

/// Unlocks also what is not finished yet.
pub(super) async fn unlock_at_any_stage(
    ports: &Ports,
    profile: Profile,
    password: &Password,
) -> Result<Unlocked, ProfileError> {
    let lrk = open_local_slot(ports, &profile, password).await?;
    open(ports, profile, lrk).await
}

async fn finished(ports: &Ports) -> Result<Profile, ProfileError> {
    let profile = profile(&*ports.store).await?.ok_or(ProfileError::Missing)?;
    if profile.stage == Stage::Ready { Ok(profile) } else { Err(ProfileError::Unfinished(profile.stage)) }
}

async fn open(ports: &Ports, profile: Profile, lrk: Lrk) -> Result<Unlocked, ProfileError> {
    let secrets = DeviceSecrets::read(&*ports.store, &lrk).await?;
    if secrets.keys.device_id() != profile.device_id {
        return Err(ProfileError::Damaged("its keys are another device's"));
    }
    let state = log_store::load(&*ports.store, &profile, &lrk).await?;
    Ok(Unlocked::new(profile, secrets, state, lrk, ports.random.clone()))
}
