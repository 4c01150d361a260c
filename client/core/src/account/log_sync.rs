//! Keeps the own account log in step: pulls, verifies, adopts what a rekey made, and pins.

use std::collections::{BTreeMap, BTreeSet};

use lockstep_crypto::keys::Ark;
use lockstep_crypto::secret_key::SecretKey;
use lockstep_proto::ids::{AccountId, DeviceId, Hash, VaultId};
use lockstep_proto::log::{AccountLink, AccountState, AuthUpdate, LogHead};
use lockstep_proto::sign::Signed;

use super::device_secrets::put_secrets;
use super::error::AccountError;
use super::events::{announced_ms, put_link_events};
use super::in_flight::waiting_link;
use super::log_store::{put_links, put_pin, put_slots, read_slot};
use super::pull::{Pulled, pull_log, pull_slots};
use super::slots::{auth_slot, open_device_slot, open_secret_key_slot, stored_slot};
use super::unlocked::Unlocked;
use crate::api::{Api, TokenSource};
use crate::ports::{Batch, LocalStore, Ports};

/// How often a pull starts over when the log moves between two of its requests.
const ROUNDS: usize = 3;

/// What a pull changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountChange {
    /// The head before.
    pub before: LogHead,
    /// The head now.
    pub after: LogHead,
    /// Devices that were added, ascending.
    pub added_devices: Vec<DeviceId>,
    /// Devices that were removed, ascending.
    pub removed_devices: Vec<DeviceId>,
    /// Vaults that appeared, ascending.
    pub added_vaults: Vec<VaultId>,
    /// The way to sign in changed: another password, record or Secret Key.
    pub sign_in: SignInChange,
}

/// Whether the way to sign in changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignInChange {
    /// It is as it was.
    Unchanged,
    /// There is a new OPAQUE record: probably a new password.
    NewRecord,
    /// There is a new Secret Key: the Emergency Kit must be printed again.
    NewSecretKey,
}

impl AccountChange {
    /// Whether anything changed.
    pub fn is_empty(&self) -> bool {
        self.before == self.after
    }

    fn between(before: &AccountState, after: &AccountState) -> Self {
        let active = |state: &AccountState| -> BTreeSet<DeviceId> {
            state.devices().iter().filter(|(_, device)| device.is_active()).map(|(id, _)| *id).collect()
        };
        let vaults = |state: &AccountState| -> BTreeSet<VaultId> { state.vaults().keys().copied().collect() };
        let (old, new) = (active(before), active(after));
        let auth = |state: &AccountState| {
            state.auth().map(|auth| (auth.record_hash, auth.secret_key_generation)).unwrap_or_default()
        };
        let sign_in = match (auth(before), auth(after)) {
            (old, new) if old.1 != new.1 => SignInChange::NewSecretKey,
            (old, new) if old.0 != new.0 => SignInChange::NewRecord,
            _ => SignInChange::Unchanged,
        };
        Self {
            before: before.head(),
            after: after.head(),
            added_devices: new.difference(&old).copied().collect(),
            removed_devices: old.difference(&new).copied().collect(),
            added_vaults: vaults(after).difference(&vaults(before)).copied().collect(),
            sign_in,
        }
    }
}

/// Pulls the own account log, verifies it, and stores links, slots and the pin in one write. A rekey by another device
/// is adopted: the new ARK comes from this device's slot and is resealed under LRK.
///
/// # Errors
/// [`AccountError`]; then nothing was stored and `unlocked` is as it was. With two exceptions, after which the links are
/// stored and what they did is told: [`AccountError::DeviceRevoked`] after a verified link that removes this device, and
/// [`AccountError::Slot`] or [`AccountError::SlotMissing`] after a rekey whose ARK this device was not given.
pub async fn pull_account(
    ports: &Ports,
    api: &Api,
    unlocked: &mut Unlocked,
    tokens: &dyn TokenSource,
) -> Result<AccountChange, AccountError> {
    let (pulled, slots) =
        pull_with_slots(&*ports.store, api, tokens, &unlocked.account_id(), Some(&unlocked.state)).await?;
    let change = AccountChange::between(&unlocked.state, &pulled.state);
    install(ports, unlocked, pulled, &slots, Batch::new()).await?;
    // A device that is about to join by recovery is not there yet.
    match unlocked.state.device(&unlocked.device_id()) {
        Some(device) if !device.is_active() => Err(AccountError::DeviceRevoked),
        _ => Ok(change),
    }
}

/// Pulls what follows `known` and the slots that the store lacks for it. Starts over where one is missing, which may come of a
/// log that moves in between.
///
/// # Errors
/// [`AccountError::SlotMissing`] where nothing is known yet and a slot of the account's sign-in is missing: a new device needs
/// all of them.
pub(super) async fn pull_with_slots(
    store: &dyn LocalStore,
    api: &Api,
    tokens: &dyn TokenSource,
    account_id: &AccountId,
    known: Option<&AccountState>,
) -> Result<(Pulled, BTreeMap<Hash, Vec<u8>>), AccountError> {
    let (pulled, slots) = pull_with_slots_at_hand(store, api, tokens, account_id, known).await?;
    let sign_in = pulled.state.auth().into_iter().flat_map(AuthUpdate::slots);
    let missing = sign_in.into_iter().find(|hash| known.is_none() && !slots.contains_key(hash));
    missing.map_or(Ok((pulled, slots)), |hash| Err(AccountError::SlotMissing { hash }))
}

/// The same, with the slots that the server has.
pub(super) async fn pull_with_slots_at_hand(
    store: &dyn LocalStore,
    api: &Api,
    tokens: &dyn TokenSource,
    account_id: &AccountId,
    known: Option<&AccountState>,
) -> Result<(Pulled, BTreeMap<Hash, Vec<u8>>), AccountError> {
    let mut round = 1;
    loop {
        let pulled = pull_log(api, tokens, account_id, known).await?;
        let stored = known_slots(store, &pulled.state).await?;
        let slots = pull_slots(api, tokens, &pulled.state, &stored).await?;
        let is_here = |hash: &Hash| stored.contains(hash) || slots.contains_key(hash);
        let complete = pulled.state.slot_hashes().iter().all(is_here);
        if complete || round == ROUNDS {
            return Ok((pulled, slots));
        }
        round += 1;
    }
}

/// Stores what was verified, together with `batch`, and only then shows it in `unlocked`. What has happened to the account is
/// stored, and with it told, also where a slot of a rekey does not open: nonsense in it would else hold up the news.
pub(super) async fn install(
    ports: &Ports,
    unlocked: &mut Unlocked,
    pulled: Pulled,
    slots: &BTreeMap<Hash, Vec<u8>>,
    mut batch: Batch,
) -> Result<(), AccountError> {
    let Pulled { state, links } = pulled;
    let (rekeyed, refused) = match adopt_rekey(&*ports.store, unlocked, &state, slots).await {
        Ok(rekeyed) => (rekeyed, None),
        Err(error @ (AccountError::Slot(_) | AccountError::SlotMissing { .. })) => (None, Some(error)),
        Err(error) => return Err(error),
    };
    put_links(&state.account_id(), &links, &mut batch);
    put_slots(slots.values(), &mut batch);
    // Where the whole log comes at once, the device is new: what happened before is no news.
    let follows = links.first().is_some_and(|link| link.value().prev_hash == unlocked.state.head().hash);
    let before = follows.then_some(&unlocked.state);
    let announced_ms = announced_ms(&*ports.store, unlocked).await?;
    put_link_events(
        unlocked,
        (before, announced_ms),
        waiting_link(ports, unlocked).await?,
        &links,
        ports.clock.now_ms(),
        &mut batch,
    )?;
    if !links.is_empty() {
        put_pin(&state, unlocked.sealer(), &mut batch)?;
    }
    if let Some((ark, secret_key)) = &rekeyed {
        put_secrets(&unlocked.keys, ark, state.generation(), secret_key, unlocked.sealer(), &mut batch)?;
    }
    if !batch.is_empty() {
        ports.store.write(batch).await?;
    }
    if let Some((ark, secret_key)) = rekeyed {
        unlocked.ark = ark;
        unlocked.generation = state.generation();
        unlocked.former.clear();
        unlocked.secret_key = secret_key;
    }
    unlocked.state = state;
    refused.map_or(Ok(()), Err)
}

/// The link of this device that follows `unlocked`'s state, as if it had been pulled.
pub(super) fn own_link(state: &AccountState, link: Signed<AccountLink>) -> Result<Pulled, AccountError> {
    Ok(Pulled { state: state.apply(&link)?, links: vec![link] })
}

/// The new ARK and Secret Key, if the log is a generation ahead of what this device holds.
async fn adopt_rekey(
    store: &dyn LocalStore,
    unlocked: &Unlocked,
    state: &AccountState,
    slots: &BTreeMap<Hash, Vec<u8>>,
) -> Result<Option<(Ark, SecretKey)>, AccountError> {
    let device = state.device(&unlocked.device_id()).filter(|device| device.is_active());
    let (Some(device), true) = (device, state.generation() != unlocked.generation) else { return Ok(None) };
    let named = device.slot().ok_or(AccountError::SlotMissing { hash: Hash::ZERO })?;
    let slot = match slots.get(&named.hash) {
        Some(slot) => slot.clone(),
        None => stored_slot(store, named).await?,
    };
    let ark = open_device_slot(state, unlocked.device_id(), unlocked.keys.kem(), named, &slot)?;
    let (_, named) = auth_slot(state, |auth| auth.secret_key_slot)?;
    let slot = match slots.get(&named.hash) {
        Some(slot) => slot.clone(),
        None => stored_slot(store, &named).await?,
    };
    let secret_key = open_secret_key_slot(state, &ark, &slot)?;
    Ok(Some((ark, secret_key)))
}

async fn known_slots(store: &dyn LocalStore, state: &AccountState) -> Result<BTreeSet<Hash>, AccountError> {
    let mut known = BTreeSet::new();
    for hash in state.slot_hashes() {
        if read_slot(store, &hash).await?.is_some() {
            known.insert(hash);
        }
    }
    Ok(known)
}
