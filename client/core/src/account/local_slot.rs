//! The local slot: LRK under a key from the password and the keychain's secret.

use lockstep_crypto::hedge::Hedge;
use lockstep_crypto::keys::{LocalSecret, Lrk, Luk};
use lockstep_crypto::password::Password;
use lockstep_crypto::slots::seal_slot;
use lockstep_crypto::unlock::{DeviceSalt, LocalUnlock};
use lockstep_proto::ids::{AccountId, DeviceId};
use lockstep_proto::signin::KsfProfile;

use super::error::AccountError;
use super::profile::{Profile, ProfileError};
use super::stretched::stretched_luk;
use super::unlocked::Unlocked;
use crate::ports::Ports;

/// What a new device keeps to unlock itself.
pub(super) struct NewLocalSlot {
    pub(super) lrk: Lrk,
    pub(super) salt: DeviceSalt,
    pub(super) slot: Vec<u8>,
    /// What the password opens, to seal more under it.
    pub(super) luk: Luk,
}

/// Makes LRK and its slot, and stores a new local secret in the keychain. Until a profile is written that names the
/// slot, none of it means anything.
pub(super) async fn make_local_slot(
    ports: &Ports,
    password: &Password,
    (account_id, device_id): (AccountId, DeviceId),
    profile: KsfProfile,
    hedge: &Hedge<'_>,
) -> Result<NewLocalSlot, AccountError> {
    let local_secret = LocalSecret::make(&*ports.random);
    let salt = DeviceSalt::make(&*ports.random);
    let local = LocalUnlock { local_secret: &local_secret, device_id: &device_id, salt: &salt, profile };
    let luk = stretched_luk(ports, password, &local).await.map_err(ProfileError::from)?;
    let lrk = Lrk::make(&*ports.random);
    let slot = seal_slot(&luk, &Profile::local_context(account_id, device_id), &lrk, hedge)?;
    ports.keychain.store(&local_secret).await.map_err(ProfileError::from)?;
    Ok(NewLocalSlot { lrk, salt, slot, luk })
}

/// Seals the LRK of an unlocked device under a password, with a new salt and the keychain's secret as it is.
pub(super) async fn seal_local_slot(
    ports: &Ports,
    unlocked: &Unlocked,
    password: &Password,
) -> Result<(DeviceSalt, Vec<u8>, Luk), AccountError> {
    let local_secret = ports.keychain.load().await.map_err(ProfileError::from)?;
    let local_secret = local_secret.ok_or(ProfileError::NoLocalSecret)?;
    let salt = DeviceSalt::make(&*ports.random);
    let (account_id, device_id) = (unlocked.account_id(), unlocked.device_id());
    let profile = unlocked.profile.ksf_profile;
    let local = LocalUnlock { local_secret: &local_secret, device_id: &device_id, salt: &salt, profile };
    let luk = stretched_luk(ports, password, &local).await.map_err(ProfileError::from)?;
    let ctx = Profile::local_context(account_id, device_id);
    let slot = seal_slot(&luk, &ctx, unlocked.lrk(), &unlocked.hedge())?;
    Ok((salt, slot, luk))
}
