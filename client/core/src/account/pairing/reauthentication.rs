//! Asking the password again before something that cannot be taken back.

use lockstep_crypto::keys::Lrk;
use lockstep_crypto::password::Password;
use lockstep_crypto::slots::{LocalCheck, open_slot};
use lockstep_crypto::unlock::LocalUnlock;

use crate::account::profile::{Profile, ProfileError};
use crate::account::stretched::stretched_luk;
use crate::account::unlocked::Unlocked;
use crate::ports::Ports;

/// Whether this is the password that opens the profile. Needs no server.
///
/// # Errors
/// [`ProfileError::WrongPassword`], or what keeps the password from being tried.
pub(crate) async fn reauthenticate(
    ports: &Ports,
    unlocked: &Unlocked,
    password: &Password,
) -> Result<(), ProfileError> {
    let profile = &unlocked.profile;
    let local_secret = ports.keychain.load().await?.ok_or(ProfileError::NoLocalSecret)?;
    let local = LocalUnlock {
        local_secret: &local_secret,
        device_id: &profile.device_id,
        salt: &profile.salt,
        profile: profile.ksf_profile,
    };
    let luk = stretched_luk(ports, password, &local).await?;
    let ctx = Profile::local_context(profile.account_id, profile.device_id);
    let opened: Result<Lrk, _> = open_slot(&luk, &ctx, &profile.local_slot, &LocalCheck);
    opened.map(drop).map_err(|_| ProfileError::WrongPassword)
}
