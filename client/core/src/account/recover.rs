//! Recovery: the Recovery Key on a new device takes the account back, without password and Secret Key.
//!
//! **Order:** the Recovery Key proves itself; the whole log, verified, whose recovery keys must be its own; the newest
//! recovery slot that opens, checked: no other slot is needed; the person chooses the devices that stay; this device's keys, durable; the devices that go
//! are barred and every vault is pulled; one `recover` link, durable here before it is sent: this device joins, the others
//! go, every key is new, the Recovery Key included. [`Client::recover`](crate::client::Client::recover) does what comes after the
//! person's choice, again after a crash. What the account signs in with from then on is on the papers that
//! [`super::unshown_papers`] gives until they are printed.

use std::collections::{BTreeMap, BTreeSet};

use lockstep_crypto::device::DeviceKeys;
use lockstep_crypto::hedge::Hedge;
use lockstep_crypto::keys::Ark;
use lockstep_crypto::kit::RecoverySheet;
use lockstep_crypto::password::Password;
use lockstep_crypto::recovery_key::RecoveryKey;
use lockstep_crypto::secret_key::SecretKey;
use lockstep_crypto::slots::SlotError;
use lockstep_proto::api::ErrorCode;
use lockstep_proto::canon::{Canon as _, CanonError, Decoder, Encoder};
use lockstep_proto::ids::{DeviceId, Generation, Hash};
use lockstep_proto::log::{ALL_DEVICES_LIMIT, AccountState};
use zeroize::Zeroizing;

use super::device_secrets::DeviceSecrets;
use super::error::AccountError;
use super::events::put_link_events;
use super::former::{LostBecause, LostKeys, Opened, note_lost, open_generations};
use super::local_slot::make_local_slot;
use super::log_store::{put_links, put_pin, put_slots};
use super::log_sync::pull_with_slots_at_hand;
use super::profile::{Profile, ProfileError, RECOVERY, Stage, profile, refuse_existing};
use super::pull::Pulled;
use super::registration::next_profile;
use super::session::RecoveryToken;
use super::sign_in::{KnownDevice, known_devices};
use super::slots::{auth_slot, open_secret_key_slot};
use super::unlock::unlock_at_any_stage;
use super::unlocked::Unlocked;
use crate::api::{Api, ApiError};
use crate::ports::{Batch, LocalStore, Ports, Table};

/// A recovery did not begin. Nothing is stored on this device.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecoverError {
    /// The account's log, a slot, the profile or a call is at fault.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// The server does not take the Recovery Key.
    #[error("the recovery was refused: check that this is the newest recovery sheet of the account")]
    Refused,
    /// The sheet names another server.
    #[error("this is not the server that the recovery sheet names; nothing was sent")]
    OtherServer,
    /// The account's log names another Recovery Key.
    #[error("the account that the server shows has another Recovery Key than this sheet; nothing was stored")]
    OtherKey,
}

impl From<ApiError> for RecoverError {
    fn from(error: ApiError) -> Self {
        match error.code() {
            Some(ErrorCode::RecoveryFailed) => Self::Refused,
            _ => Self::Account(error.into()),
        }
    }
}

impl From<ProfileError> for RecoverError {
    fn from(error: ProfileError) -> Self {
        Self::Account(error.into())
    }
}

/// A recovery that waits for the person to say which devices stay, and which password the account has from now on.
/// Dropping it leaves nothing behind.
pub struct PendingRecovery<'a> {
    ports: &'a Ports,
    sheet: &'a RecoverySheet,
    pulled: Pulled,
    slots: BTreeMap<Hash, Vec<u8>>,
    ark: Ark,
    generation: Generation,
    secret_key: SecretKey,
    lost: Vec<LostKeys>,
}

/// Proves the Recovery Key and opens the account with it: at the newest generation of keys that it opens. The transport
/// port leads to the sheet's server.
///
/// # Errors
/// [`RecoverError`]; nothing was stored.
pub async fn start_recovery<'a>(
    ports: &'a Ports,
    sheet: &'a RecoverySheet,
) -> Result<PendingRecovery<'a>, RecoverError> {
    refuse_existing(&*ports.store).await?;
    let api = Api::new(ports.transport.clone());
    if api.info().await?.server_id != sheet.server_id {
        return Err(RecoverError::OtherServer);
    }
    let token = RecoveryToken::open(&api, sheet.server_id, sheet.account_id, &sheet.recovery_key).await?;
    let (store, account_id) = (&*ports.store, &sheet.account_id);
    let (pulled, mut slots) = pull_with_slots_at_hand(store, &api, &token, account_id, None).await?;
    let state = &pulled.state;
    if state.server_id() != sheet.server_id {
        return Err(RecoverError::OtherServer);
    }
    if *state.recovery() != sheet.recovery_key.derive_public_keys() {
        return Err(RecoverError::OtherKey);
    }
    let opened =
        open_generations((&api, &token), state, &pulled.links, slots.clone(), &sheet.recovery_key).await?;
    let Opened { arks, slots: former, lost } = opened;
    let (generation, ark) = arks.into_iter().next().ok_or_else(|| nothing_opens(state, &lost))?;
    slots.extend(former);
    // It is of no use but until the recovery brings another one.
    let (auth, _) = auth_slot(state, |auth| auth.secret_key_slot)?;
    let secret_key = slots.get(&auth.secret_key_slot);
    let secret_key = secret_key.and_then(|slot| open_secret_key_slot(state, &ark, slot).ok());
    let secret_key = secret_key.unwrap_or_else(|| SecretKey::make(&*ports.random));
    Ok(PendingRecovery { ports, sheet, pulled, slots, ark, generation, secret_key, lost })
}

/// Not one generation opens.
fn nothing_opens(state: &AccountState, lost: &[LostKeys]) -> AccountError {
    let hash = state.auth().map(|auth| auth.recovery_slot).unwrap_or_default();
    match lost.iter().any(|lost| lost.because == LostBecause::Missing) {
        true => AccountError::SlotMissing { hash },
        false => AccountError::Slot(SlotError::NotCommitted),
    }
}

impl PendingRecovery<'_> {
    /// The account's active devices, ascending by the link that added them.
    pub fn devices(&self) -> Vec<KnownDevice> {
        known_devices(&self.pulled.state)
    }

    /// The changes of keys after which this Recovery Key opens nothing newer, newest first: what was sealed with those
    /// keys is lost by going on. Where slots are [missing](LostBecause::Missing) the server may withhold them.
    pub fn lost(&self) -> &[LostKeys] {
        &self.lost
    }

    /// The account's verified log, as the server shows it.
    pub fn state(&self) -> &AccountState {
        &self.pulled.state
    }

    /// The person has chosen: all devices but `stay` go, and `password` is the account's from now on. Makes this
    /// device's keys and stores everything that a crash must not lose; nothing is sent yet.
    ///
    /// # Errors
    /// [`RecoverError`]; nothing was stored.
    pub async fn confirm(
        self,
        stay: &BTreeSet<DeviceId>,
        password: &Password,
    ) -> Result<Unlocked, RecoverError> {
        let Self { ports, sheet, pulled, slots, ark, generation, secret_key, lost } = self;
        refuse_existing(&*ports.store).await?;
        let keys = DeviceKeys::make(&*ports.random);
        let rng_secret = keys.derive_rng_secret();
        let hedge = Hedge::new(&*ports.random, &rng_secret);
        let owner = (sheet.account_id, keys.device_id());
        let ksf_profile = next_profile(&pulled.state);
        let local = Box::pin(make_local_slot(ports, password, owner, ksf_profile, &hedge)).await?;
        let profile = Profile {
            stage: Stage::Recovering,
            server_url: sheet.server_url.as_str().to_owned(),
            server_id: sheet.server_id,
            account_id: owner.0,
            device_id: owner.1,
            ksf_profile,
            salt: local.salt,
            local_slot: local.slot,
        };
        let shown = pulled.state.generation();
        let secrets = DeviceSecrets { keys, ark, generation, secret_key };
        let mut batch = Batch::new();
        profile.put(Stage::Recovering, &mut batch);
        put_links(&owner.0, &pulled.links, &mut batch);
        put_slots(slots.values(), &mut batch);
        let unlocked = Unlocked::new(profile, secrets, pulled.state, local.lrk, ports.random.clone());
        unlocked.put_secrets(&mut batch)?;
        put_pin(unlocked.state(), unlocked.sealer(), &mut batch)?;
        let now_ms = ports.clock.now_ms();
        put_link_events(&unlocked, (None, None), None, &pulled.links, now_ms, &mut batch)?;
        note_lost(&unlocked, &lost, now_ms, &mut batch)?;
        let recovery_key = RecoveryKey::from_bytes(*sheet.recovery_key.expose_bytes());
        Recovery { recovery_key, stay: stay.clone(), shown }.put(&unlocked, &mut batch)?;
        ports.store.write(batch).await.map_err(AccountError::from)?;
        Ok(unlocked)
    }
}

/// Unlocks a profile whose recovery was begun; [`Client::recover`](crate::client::Client::recover) goes on.
///
/// # Errors
/// [`ProfileError::WrongPassword`]; [`ProfileError::Complete`] when no recovery waits.
pub async fn resume_recovery(ports: &Ports, password: &Password) -> Result<Unlocked, ProfileError> {
    let profile = profile(&*ports.store).await?.ok_or(ProfileError::Missing)?;
    match profile.stage {
        Stage::Recovering => Box::pin(unlock_at_any_stage(ports, profile, password)).await,
        Stage::Ready => Err(ProfileError::Complete),
        other => Err(ProfileError::Unfinished(other)),
    }
}

/// What only a recovery needs, kept until its link is in the log.
pub(crate) struct Recovery {
    pub(crate) recovery_key: RecoveryKey,
    /// The devices that its owner keeps; all others go, also one that joins before the link.
    pub(crate) stay: BTreeSet<DeviceId>,
    /// The generation up to which its owner was shown what is lost.
    pub(crate) shown: Generation,
}

impl Recovery {
    /// On a device that the account has: nothing is kept but the link.
    pub(crate) fn here(recovery_key: &RecoveryKey, stay: BTreeSet<DeviceId>, shown: Generation) -> Self {
        Self { recovery_key: RecoveryKey::from_bytes(*recovery_key.expose_bytes()), stay, shown }
    }

    /// Its owner was shown that what is sealed with the present keys is lost.
    pub(crate) async fn give_up_keys(
        store: &dyn LocalStore,
        unlocked: &Unlocked,
    ) -> Result<(), ProfileError> {
        let recovery = Self { shown: unlocked.state.generation(), ..Self::read(store, unlocked).await? };
        let mut batch = Batch::new();
        recovery.put(unlocked, &mut batch)?;
        Ok(store.write(batch).await?)
    }

    fn put(&self, unlocked: &Unlocked, batch: &mut Batch) -> Result<(), ProfileError> {
        let mut out = Encoder::new();
        out.u16(FORMAT);
        out.fixed(self.recovery_key.expose_bytes());
        out.list(&self.stay.iter().copied().collect::<Vec<_>>());
        self.shown.encode(&mut out);
        let bytes = Zeroizing::new(out.into_bytes());
        let sealed = unlocked.sealer().seal(Table::Profile, RECOVERY, &bytes);
        batch.put(Table::Profile, RECOVERY, sealed.map_err(|_| ProfileError::Damaged("the recovery"))?);
        Ok(())
    }

    /// The recovery that waits.
    pub(crate) async fn read(store: &dyn LocalStore, unlocked: &Unlocked) -> Result<Self, ProfileError> {
        let damaged = || ProfileError::Damaged("the recovery");
        let sealed = store.read(Table::Profile, RECOVERY).await?.ok_or_else(damaged)?;
        let bytes = unlocked.sealer().open(Table::Profile, RECOVERY, &sealed).map_err(|_| damaged())?;
        Self::decode(&bytes).map_err(|_| damaged())
    }

    fn decode(bytes: &[u8]) -> Result<Self, CanonError> {
        let mut input = Decoder::new(bytes);
        let format = input.u16()?;
        if format != FORMAT {
            return Err(CanonError::UpdateNeeded { field: "recovery", value: u32::from(format) });
        }
        let recovery_key = RecoveryKey::from_bytes(input.fixed()?);
        let stay = input.sorted_list("devices that stay", ALL_DEVICES_LIMIT, |id: &DeviceId| *id)?;
        let shown = Generation::decode(&mut input)?;
        input.finish()?;
        Ok(Self { recovery_key, stay: stay.into_iter().collect(), shown })
    }
}

const FORMAT: u16 = 2;

/// The recovery is done: the profile is one of a device like others.
pub(crate) async fn end_recovery(ports: &Ports, unlocked: &mut Unlocked) -> Result<(), ProfileError> {
    let mut batch = Batch::new();
    unlocked.profile.put(Stage::Ready, &mut batch);
    batch.delete(Table::Profile, RECOVERY);
    ports.store.write(batch).await?;
    unlocked.profile.stage = Stage::Ready;
    Ok(())
}
