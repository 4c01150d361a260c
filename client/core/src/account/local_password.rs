//! The password as this device knows it: checked offline, and replaced when the account's has changed.
//!
//! A password change on one device signs nobody out. The others unlock with the password they know; the account's log
//! says that the record behind it is another one, and once the new password has proved itself to the server (OPAQUE,
//! with the Secret Key), it opens this device, too.

use lockstep_crypto::keys::Lrk;
use lockstep_crypto::opaque::Parties;
use lockstep_crypto::password::Password;
use lockstep_crypto::slots::{LocalCheck, open_slot};
use lockstep_crypto::unlock::LocalUnlock;
use lockstep_proto::canon;
use lockstep_proto::ids::Hash;

use super::error::AccountError;
use super::local_slot::seal_local_slot;
use super::profile::{Profile, ProfileError};
use super::sign_in_error::SignInError;
use super::sign_in_run::{Entrant, check_log, enter};
use super::stretched::stretched_luk;
use super::unlocked::Unlocked;
use crate::api::Api;
use crate::ports::{Batch, LocalStore, Ports, Table};

/// The record that the local slot's password was proved against last. Frozen: part of the profile's format.
const PASSWORD_RECORD: &[u8] = b"password-record";

/// Opens the local slot with the password.
pub(super) async fn open_local_slot(
    ports: &Ports,
    profile: &Profile,
    password: &Password,
) -> Result<Lrk, ProfileError> {
    let local_secret = ports.keychain.load().await?.ok_or(ProfileError::NoLocalSecret)?;
    let local = LocalUnlock {
        local_secret: &local_secret,
        device_id: &profile.device_id,
        salt: &profile.salt,
        profile: profile.ksf_profile,
    };
    let luk = stretched_luk(ports, password, &local).await?;
    let ctx = Profile::local_context(profile.account_id, profile.device_id);
    open_slot(&luk, &ctx, &profile.local_slot, &LocalCheck).map_err(|_| ProfileError::WrongPassword)
}

/// Whether the password opens this device: asked before anything that a passer-by must not do. Needs no server.
///
/// # Errors
/// [`ProfileError::WrongPassword`], and those of reading the profile.
pub async fn reauthenticate(
    ports: &Ports,
    unlocked: &Unlocked,
    password: &Password,
) -> Result<(), ProfileError> {
    open_local_slot(ports, &unlocked.profile, password).await.map(|_| ())
}

/// Notes, with a batch, that the password of the local slot is the one of the account's current record.
pub(super) fn put_password_record(
    unlocked: &Unlocked,
    record: Hash,
    batch: &mut Batch,
) -> Result<(), ProfileError> {
    let sealed = unlocked.sealer().seal(Table::Profile, PASSWORD_RECORD, &canon::to_bytes(&record));
    let sealed = sealed.map_err(|_| ProfileError::Damaged("the password's record"))?;
    batch.put(Table::Profile, PASSWORD_RECORD, sealed);
    Ok(())
}

/// Whether the account's password or Secret Key was changed elsewhere since this device's password was proved: it is
/// time to ask for the account's password and to call [`adopt_password`]. Also where it was never proved.
///
/// # Errors
/// [`ProfileError`].
pub async fn password_is_outdated(store: &dyn LocalStore, unlocked: &Unlocked) -> Result<bool, ProfileError> {
    let Some(sealed) = store.read(Table::Profile, PASSWORD_RECORD).await? else { return Ok(true) };
    let damaged = || ProfileError::Damaged("the password's record");
    let record = unlocked.sealer().open(Table::Profile, PASSWORD_RECORD, &sealed).map_err(|_| damaged())?;
    let record: Hash = canon::from_bytes(&record).map_err(|_| damaged())?;
    Ok(unlocked.state().auth().is_some_and(|auth| auth.record_hash != record))
}

/// Proves the account's password to the server and makes it the one that opens this device: one local write.
///
/// # Errors
/// [`SignInError::Refused`] for another password than the account's; the one before still opens this device.
pub async fn adopt_password(
    ports: &Ports,
    api: &Api,
    unlocked: &mut Unlocked,
    password: &Password,
) -> Result<(), SignInError> {
    let entrant = Entrant {
        parties: Parties { account_id: unlocked.account_id(), server_id: unlocked.server_id() },
        secret_key: &unlocked.secret_key,
        password,
        floor: unlocked.state.auth().map_or(unlocked.profile.ksf_profile, |auth| auth.profile),
    };
    let entered = Box::pin(enter(ports, api, &entrant)).await?;
    check_log(unlocked.state(), &entered, &entrant)?;
    Ok(set_local_password(ports, unlocked, password).await?)
}

/// Seals LRK under the password, which must be the account's current one: one local write.
pub(crate) async fn set_local_password(
    ports: &Ports,
    unlocked: &mut Unlocked,
    password: &Password,
) -> Result<(), AccountError> {
    let (salt, slot) = Box::pin(seal_local_slot(ports, unlocked, password)).await?;
    let profile = Profile { salt, local_slot: slot, ..unlocked.profile.clone() };
    let mut batch = Batch::new();
    profile.put(profile.stage, &mut batch);
    if let Some(auth) = unlocked.state().auth() {
        put_password_record(unlocked, auth.record_hash, &mut batch)?;
    }
    ports.store.write(batch).await?;
    unlocked.profile = profile;
    Ok(())
}
