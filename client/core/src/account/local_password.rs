//! The password as this device knows it: checked offline, replaced when the account's has changed, and what it gives: the key
//! that countersigns.
//!
//! A password change on one device signs nobody out. The others unlock with the password they know; the account's log
//! says that another one countersigns, and once the new password has proved itself to the server (OPAQUE, with the Secret
//! Key), it opens this device, too.
//!
//! **Invariants:** the key that countersigns lies on this device under LUK, so that an unlocked profile does not have it; it
//! is in memory from the moment the password is typed until the link is signed.

use lockstep_crypto::keys::{Lrk, Luk};
use lockstep_crypto::opaque::Parties;
use lockstep_crypto::password::Password;
use lockstep_crypto::password_key::PasswordKey;
use lockstep_crypto::slots::{LocalCheck, PasswordKeyCheck, open_slot, seal_slot};
use lockstep_crypto::unlock::LocalUnlock;
use lockstep_proto::api::SLOT_LIMIT;
use lockstep_proto::canon::{self, Canon, CanonError, Decoder, Encoder};
use lockstep_proto::sign::PublicKey;

use super::error::AccountError;
use super::guesses::{allow_guess, count_guess};
use super::local_slot::seal_local_slot;
use super::profile::{Profile, ProfileError, profile};
use super::sign_in_error::SignInError;
use super::sign_in_run::{Entrant, check_log, enter};
use super::stretched::stretched_luk;
use super::unlocked::Unlocked;
use crate::api::Api;
use crate::ports::{Batch, LocalStore, Ports, Table};

/// The key that the local slot's password gives. Frozen: part of the profile's format.
const PASSWORD_KEY: &[u8] = b"password-key";

/// The key that countersigns, as this device keeps it.
struct KeptPasswordKey {
    /// Its public half: another one in the log says that the password was changed, or registered anew.
    public: PublicKey,
    /// The key under LUK.
    slot: Vec<u8>,
}

impl Canon for KeptPasswordKey {
    fn encode(&self, out: &mut Encoder) {
        self.public.encode(out);
        out.bytes(&self.slot);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        Ok(Self { public: Canon::decode(input)?, slot: input.bytes(SLOT_LIMIT)?.to_vec() })
    }
}

/// Opens the local slot with the password.
pub(super) async fn open_local_slot(
    ports: &Ports,
    profile: &Profile,
    password: &Password,
) -> Result<Lrk, ProfileError> {
    open_with_luk(ports, profile, password).await.map(|(lrk, _)| lrk)
}

async fn open_with_luk(
    ports: &Ports,
    profile: &Profile,
    password: &Password,
) -> Result<(Lrk, Luk), ProfileError> {
    let local_secret = ports.keychain.load().await?.ok_or(ProfileError::NoLocalSecret)?;
    allow_guess(ports).await?;
    let local = LocalUnlock {
        local_secret: &local_secret,
        device_id: &profile.device_id,
        salt: &profile.salt,
        profile: profile.ksf_profile,
    };
    let luk = stretched_luk(ports, password, &local).await?;
    let ctx = Profile::local_context(profile.account_id, profile.device_id);
    let lrk = open_slot(&luk, &ctx, &profile.local_slot, &LocalCheck);
    count_guess(ports, lrk.is_ok()).await?;
    Ok((lrk.map_err(|_| ProfileError::WrongPassword)?, luk))
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

/// The key that countersigns for the account as its log is pinned here: from this device, or, where the password was changed
/// or registered anew elsewhere, from the server, to which `password` proves itself; then it opens this device, too.
///
/// # Errors
/// [`ProfileError::WrongPassword`] within [`SignInError::Account`], or [`SignInError::Refused`]: nothing was changed.
pub(crate) async fn countersigning_key(
    ports: &Ports,
    api: &Api,
    unlocked: &mut Unlocked,
    password: &Password,
) -> Result<PasswordKey, SignInError> {
    if password_is_outdated(&*ports.store, unlocked).await? {
        return prove_password(ports, api, unlocked, password).await;
    }
    let (_, luk) = Box::pin(open_with_luk(ports, &unlocked.profile, password)).await?;
    let ctx = Profile::password_key_context(unlocked.account_id(), unlocked.device_id());
    let kept = kept_key(&*ports.store, unlocked).await?;
    let key = kept.and_then(|kept| open_slot(&luk, &ctx, &kept.slot, &PasswordKeyCheck(kept.public)).ok());
    match key {
        Some(key) => Ok(key),
        // What is kept was damaged outside this program.
        None => prove_password(ports, api, unlocked, password).await,
    }
}

/// Keeps, with a batch, the key that the local slot's password gives. `luk` is what that password opens.
pub(super) fn put_password_key(
    unlocked: &Unlocked,
    luk: &Luk,
    key: &PasswordKey,
    batch: &mut Batch,
) -> Result<(), ProfileError> {
    let damaged = |_| ProfileError::Damaged("the password's key");
    let ctx = Profile::password_key_context(unlocked.account_id(), unlocked.device_id());
    let slot = seal_slot(luk, &ctx, key, &unlocked.hedge());
    let slot = slot.map_err(|_| ProfileError::Damaged("the password's key"))?;
    let kept = canon::to_bytes(&KeptPasswordKey { public: key.public(), slot });
    let sealed = unlocked.sealer().seal(Table::Profile, PASSWORD_KEY, &kept).map_err(damaged)?;
    batch.put(Table::Profile, PASSWORD_KEY, sealed);
    Ok(())
}

/// Whether the account's password or Secret Key was changed elsewhere since this device's password was proved: it is
/// time to ask for the account's password and to call [`adopt_password`]. Also where it was never proved.
///
/// # Errors
/// [`ProfileError`].
pub async fn password_is_outdated(store: &dyn LocalStore, unlocked: &Unlocked) -> Result<bool, ProfileError> {
    let Some(kept) = kept_key(store, unlocked).await? else { return Ok(true) };
    Ok(unlocked.state().auth().is_some_and(|auth| auth.password_key != kept.public))
}

/// None where it is not there, or was damaged: then the password proves itself to the server.
async fn kept_key(
    store: &dyn LocalStore,
    unlocked: &Unlocked,
) -> Result<Option<KeptPasswordKey>, ProfileError> {
    let Some(sealed) = store.read(Table::Profile, PASSWORD_KEY).await? else { return Ok(None) };
    let kept = unlocked.sealer().open(Table::Profile, PASSWORD_KEY, &sealed).ok();
    Ok(kept.and_then(|kept| canon::from_bytes(&kept).ok()))
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
    prove_password(ports, api, unlocked, password).await.map(|_| ())
}

async fn prove_password(
    ports: &Ports,
    api: &Api,
    unlocked: &mut Unlocked,
    password: &Password,
) -> Result<PasswordKey, SignInError> {
    let entrant = Entrant {
        parties: Parties { account_id: unlocked.account_id(), server_id: unlocked.server_id() },
        secret_key: &unlocked.secret_key,
        password,
        floor: unlocked.state.auth().map_or(unlocked.profile.ksf_profile, |auth| auth.profile),
    };
    let entered = Box::pin(enter(ports, api, &entrant)).await?;
    check_log(unlocked.state(), &entered, &entrant)?;
    set_local_password(ports, unlocked, password, &entered.password_key).await?;
    Ok(entered.password_key)
}

/// Seals LRK under the password, which must be the account's current one, and beside it the key that it gives: one local
/// write.
pub(crate) async fn set_local_password(
    ports: &Ports,
    unlocked: &mut Unlocked,
    password: &Password,
    key: &PasswordKey,
) -> Result<(), AccountError> {
    let mut batch = Batch::new();
    put_local_password(ports, unlocked, password, key, &mut batch).await?;
    ports.store.write(batch).await?;
    reload_profile(ports, unlocked).await
}

/// The same as part of another write, after which [`reload_profile`] is called.
pub(crate) async fn put_local_password(
    ports: &Ports,
    unlocked: &Unlocked,
    password: &Password,
    key: &PasswordKey,
    batch: &mut Batch,
) -> Result<(), AccountError> {
    let (salt, slot, luk) = Box::pin(seal_local_slot(ports, unlocked, password)).await?;
    let profile = Profile { salt, local_slot: slot, ..unlocked.profile.clone() };
    profile.put(profile.stage, batch);
    Ok(put_password_key(unlocked, &luk, key, batch)?)
}

/// Reads the profile again, after a write that may have changed it.
pub(crate) async fn reload_profile(ports: &Ports, unlocked: &mut Unlocked) -> Result<(), AccountError> {
    unlocked.profile = profile(&*ports.store).await?.ok_or(ProfileError::Missing)?;
    Ok(())
}
