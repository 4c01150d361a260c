//! An account's log that forked: the server was restored from a backup, and another device signed links there that this device's
//! links do not precede. Logs are never merged. When its person says so, a device goes on with the log that the server has,
//! as long as that one still knows it, and keeps in mind which devices its own log had removed: these are removed again.

use std::collections::{BTreeMap, BTreeSet};

use lockstep_crypto::keys::Ark;
use lockstep_crypto::slots::{ArkCheck, open_slot};
use lockstep_proto::canon::{self, Canon, CanonError, Decoder, Encoder};
use lockstep_proto::ids::{DeviceId, Generation, Hash, VaultId};
use lockstep_proto::log::{ALL_DEVICES_LIMIT, AccountLink, AccountState, LinkBody, LogHead};
use lockstep_proto::sign::Signed;

use super::device_secrets::put_secrets;
use super::error::AccountError;
use super::events::{SecurityEvent, note_event};
use super::log_store::{put_links, put_pin, put_slots, read_links};
use super::log_sync::pull_with_slots;
use super::profile::{LINK_IN_FLIGHT, ProfileError, REMOVALS_DUE};
use super::pull::Pulled;
use super::slots::{Place, auth_slot, open_device_slot, open_secret_key_slot, stored_slot};
use super::unlocked::Unlocked;
use crate::api::{Api, TokenSource};
use crate::ports::{Batch, LocalStore, Ports, Table};

/// Two logs of the account: this device's and the server's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TwoLogs {
    /// The last link that both have.
    pub fork: LogHead,
    /// The server's head.
    pub served: LogHead,
    /// Who signed the server's links after the fork, and when by their clocks, in milliseconds since 1970.
    pub signers: Vec<(Option<DeviceId>, u64)>,
    /// How many links only this device has.
    pub own: usize,
    /// Devices that only this device's log has removed, and that the server's still has.
    pub removed: BTreeSet<DeviceId>,
    /// Devices that only this device's log has.
    pub added: BTreeSet<DeviceId>,
    /// Vaults that only this device's log has.
    pub vaults: BTreeSet<VaultId>,
    /// Whether the server's log still has this device.
    pub is_known: bool,
}

/// The server's log, verified from its genesis, with its slots, and what it differs in.
struct Served {
    pulled: Pulled,
    slots: BTreeMap<Hash, Vec<u8>>,
    own: Vec<Signed<AccountLink>>,
    common: usize,
}

impl Served {
    async fn pull(
        ports: &Ports,
        (api, tokens): (&Api, &dyn TokenSource),
        unlocked: &Unlocked,
    ) -> Result<Self, AccountError> {
        let account_id = unlocked.account_id();
        let (pulled, slots) = pull_with_slots(&*ports.store, api, tokens, &account_id, None).await?;
        let own = read_links(&*ports.store, &account_id).await?;
        let same = own.iter().zip(&pulled.links).take_while(|(own, served)| own.hash() == served.hash());
        let common = same.count();
        Ok(Self { pulled, slots, own, common })
    }

    fn compare(&self, unlocked: &Unlocked) -> TwoLogs {
        let (own, served) = (&unlocked.state, &self.pulled.state);
        let last = self.own.get(self.common.saturating_sub(1));
        let fork = last.map(|link| LogHead { seq: link.value().seq, hash: link.hash() }).unwrap_or_default();
        let after = self.pulled.links.iter().skip(self.common).map(Signed::value);
        let signer = |link: &AccountLink| match link.signer {
            lockstep_proto::log::Signer::Device(device_id) => Some(device_id),
            _ => None,
        };
        let is_active = |state: &AccountState, id: &DeviceId| {
            state.device(id).is_some_and(lockstep_proto::log::Device::is_active)
        };
        let own_devices = || own.devices().iter();
        let removed = own_devices().filter(|(id, device)| !device.is_active() && is_active(served, id));
        let added = own_devices().filter(|(id, device)| device.is_active() && served.device(id).is_none());
        let vaults = own.vaults().keys().filter(|id| !served.vaults().contains_key(id));
        TwoLogs {
            fork,
            served: served.head(),
            signers: after.map(|link| (signer(link), link.time_ms)).collect(),
            own: self.own.len().saturating_sub(self.common),
            removed: removed.map(|(id, _)| *id).collect(),
            added: added.map(|(id, _)| *id).collect(),
            vaults: vaults.copied().collect(),
            is_known: is_active(served, &unlocked.device_id()),
        }
    }
}

/// What the server's log and this device's differ in; `None` where they are one.
///
/// # Errors
/// [`AccountError`] where the server's log does not verify.
pub(crate) async fn two_logs(
    ports: &Ports,
    calls: (&Api, &dyn TokenSource),
    unlocked: &Unlocked,
) -> Result<Option<TwoLogs>, AccountError> {
    let served = Served::pull(ports, calls, unlocked).await?;
    let is_fork = served.common < served.own.len() && served.common < served.pulled.links.len();
    Ok(is_fork.then(|| served.compare(unlocked)))
}

/// Goes on with the server's log, of which the person was shown `shown`: one local write, which also notes the devices that have
/// to be removed again. Vaults and what waits in them stay as they are.
///
/// # Errors
/// [`AccountError::OtherLog`] where the server's log has gone on to another branch, or does not have this device;
/// [`AccountError::Slot`] or [`AccountError::SlotMissing`] where its keys are not to be had. Nothing was changed.
pub(crate) async fn accept_log(
    ports: &Ports,
    calls: (&Api, &dyn TokenSource),
    unlocked: &mut Unlocked,
    shown: &TwoLogs,
) -> Result<(), AccountError> {
    let served = Served::pull(ports, calls, unlocked).await?;
    let two = served.compare(unlocked);
    let state = &served.pulled.state;
    if !two.is_known || state.hash_at(shown.served.seq) != Some(shown.served.hash) {
        return Err(AccountError::OtherLog);
    }
    let ark = present_ark(ports, unlocked, &served).await?;
    let (_, named) = auth_slot(state, |auth| auth.secret_key_slot)?;
    let slot = match served.slots.get(&named.hash) {
        Some(slot) => slot.clone(),
        None => stored_slot(&*ports.store, &named).await?,
    };
    let secret_key = open_secret_key_slot(state, &ark, &slot)?;
    let mut batch = Batch::new();
    batch.delete_prefix(Table::Links, unlocked.account_id().as_bytes().to_vec());
    batch.delete(Table::Profile, LINK_IN_FLIGHT);
    put_links(&state.account_id(), &served.pulled.links, &mut batch);
    put_slots(served.slots.values(), &mut batch);
    put_pin(state, unlocked.sealer(), &mut batch)?;
    let generation = state.generation();
    put_secrets(&unlocked.keys, &ark, generation, &secret_key, unlocked.sealer(), &mut batch)?;
    let mut due = removals_due(&*ports.store, unlocked).await?;
    due.extend(&two.removed);
    put_removals(unlocked, &due, &mut batch)?;
    let event = SecurityEvent::HistoryAccepted { vault_id: VaultId::ZERO };
    note_event(unlocked, event, ports.clock.now_ms(), &mut batch)?;
    ports.store.write(batch).await?;
    unlocked.ark = ark;
    unlocked.generation = generation;
    unlocked.former.clear();
    unlocked.secret_key = secret_key;
    unlocked.state = served.pulled.state;
    Ok(())
}

/// ARK as the server's log has it: handed to this device by a rekey there, or from before the fork.
async fn present_ark(ports: &Ports, unlocked: &Unlocked, served: &Served) -> Result<Ark, AccountError> {
    let state = &served.pulled.state;
    let (generation, commit) = (state.generation(), state.ark_commit());
    if unlocked.generation == generation && unlocked.state.ark_commit() == commit {
        return Ok(unlocked.ark.duplicate());
    }
    let device = state.device(&unlocked.device_id());
    if let Some(named) = device.and_then(lockstep_proto::log::Device::slot) {
        let slot = match served.slots.get(&named.hash) {
            Some(slot) => slot.clone(),
            None => stored_slot(&*ports.store, named).await?,
        };
        return open_device_slot(state, unlocked.device_id(), unlocked.keys.kem(), named, &slot);
    }
    // Each rekey of the own log seals the key before.
    let mut ark = unlocked.ark.duplicate();
    let mut now = unlocked.generation;
    for link in served.own.iter().rev() {
        let rekey = match &link.value().body {
            LinkBody::Rekey(rekey) => rekey,
            LinkBody::Recover(recover) => &recover.rekey,
            _ => continue,
        };
        if now == generation || rekey.generation != now {
            continue;
        }
        let before = Generation(now.0.saturating_sub(1));
        let place = Place {
            account_id: state.account_id(),
            before: LogHead {
                seq: lockstep_proto::ids::Seq(link.value().seq.0.saturating_sub(1)),
                hash: link.value().prev_hash,
            },
        };
        let commit = commit_of(&served.own, before).ok_or(AccountError::OtherLog)?;
        let check = ArkCheck { seed: *state.seed(), generation: before, commit };
        ark = open_slot(&ark, &place.prev_ark(now), &rekey.prev_ark, &check)?;
        now = before;
    }
    let is_it = now == generation && commit_of(&served.own, now) == Some(commit);
    if is_it { Ok(ark) } else { Err(AccountError::SlotMissing { hash: Hash::ZERO }) }
}

/// The commitment to ARK of this generation, as the log names it.
fn commit_of(links: &[Signed<AccountLink>], generation: Generation) -> Option<Hash> {
    links.iter().find_map(|link| match &link.value().body {
        LinkBody::Genesis(genesis) if generation == Generation(1) => Some(genesis.ark_commit),
        LinkBody::Rekey(rekey) if rekey.generation == generation => Some(rekey.ark_commit),
        LinkBody::Recover(recover) if recover.rekey.generation == generation => {
            Some(recover.rekey.ark_commit)
        }
        _ => None,
    })
}

struct Due(Vec<DeviceId>);

impl Canon for Due {
    fn encode(&self, out: &mut Encoder) {
        out.list(&self.0);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        Ok(Self(input.sorted_list("devices", ALL_DEVICES_LIMIT, |device: &DeviceId| *device)?))
    }
}

/// Devices that a log that was given up had removed, and that are not removed again yet.
///
/// # Errors
/// [`ProfileError`] where the record is damaged.
pub(crate) async fn removals_due(
    store: &dyn LocalStore,
    unlocked: &Unlocked,
) -> Result<BTreeSet<DeviceId>, ProfileError> {
    let Some(sealed) = store.read(Table::Profile, REMOVALS_DUE).await? else { return Ok(BTreeSet::new()) };
    let damaged = || ProfileError::Damaged("the devices that are to be removed");
    let bytes = unlocked.sealer().open(Table::Profile, REMOVALS_DUE, &sealed).map_err(|_| damaged())?;
    let due: Due = canon::from_bytes(&bytes).map_err(|_| damaged())?;
    Ok(due.0.into_iter().collect())
}

/// Notes which are, or that none are any more.
///
/// # Errors
/// [`ProfileError`] when the record cannot be sealed.
pub(crate) fn put_removals(
    unlocked: &Unlocked,
    due: &BTreeSet<DeviceId>,
    batch: &mut Batch,
) -> Result<(), ProfileError> {
    if due.is_empty() {
        batch.delete(Table::Profile, REMOVALS_DUE);
        return Ok(());
    }
    let bytes = canon::to_bytes(&Due(due.iter().copied().collect()));
    let sealed = unlocked.sealer().seal(Table::Profile, REMOVALS_DUE, &bytes);
    let sealed = sealed.map_err(|_| ProfileError::Damaged("the devices that are to be removed"))?;
    batch.put(Table::Profile, REMOVALS_DUE, sealed);
    Ok(())
}
