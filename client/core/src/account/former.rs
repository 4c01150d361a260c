//! What the Recovery Key opens of an account's generations of ARK.
//!
//! Whoever has a device and the password can sign a rekey whose recovery slot is nonsense, or that nobody is given. So the
//! present slot is only the first that is tried: the log still names those of former generations, and the server keeps them.
//! **What was sealed under keys that nobody can open is lost; what was there before is not.**

use std::collections::{BTreeMap, BTreeSet};

use lockstep_crypto::keys::Ark;
use lockstep_crypto::recovery_key::RecoveryKey;
use lockstep_crypto::slots::{ArkCheck, open_slot_with};
use lockstep_proto::api::account::SlotsQuery;
use lockstep_proto::ids::{DeviceId, Generation, Hash};
use lockstep_proto::log::{AccountLink, AccountState, LinkBody, NamedSlot, Signer};
use lockstep_proto::sign::Signed;
use lockstep_proto::wrap::slot_hash;

use super::error::AccountError;
use super::events::{SecurityEvent, note_event};
use super::log_store::{put_slots, read_links};
use super::pull::garbage;
use super::recover::Recovery;
use super::slots::{Place, auth_slot, stored_slot};
use super::unlocked::Unlocked;
use crate::api::{Api, TokenSource};
use crate::ports::{Batch, Ports};

/// Why there is no key of a generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LostBecause {
    /// The slot that the log names holds something else: whoever signed the change of keys put it there.
    Refused,
    /// The server does not give a slot: it was never given it, or withholds it.
    Missing,
}

/// A change of keys after which the Recovery Key opens nothing of what is newer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LostKeys {
    /// The generation.
    pub generation: Generation,
    /// The device that signed it.
    pub by: Option<DeviceId>,
    /// Why.
    pub because: LostBecause,
}

/// What a Recovery Key opens.
pub(super) struct Opened {
    /// The generations that it opens, newest first.
    pub(super) arks: Vec<(Generation, Ark)>,
    /// The slots of former generations.
    pub(super) slots: BTreeMap<Hash, Vec<u8>>,
    /// The newer ones that it does not open, newest first, and the newest that it opens where slots of vaults are missing.
    pub(super) lost: Vec<LostKeys>,
}

/// Opens every generation that this Recovery Key, the present one of `state`, opens. `slots` are those of the present state,
/// as far as they are there, and `links` the log.
///
/// # Errors
/// [`AccountError::Api`].
pub(super) async fn open_generations(
    (api, tokens): (&Api, &dyn TokenSource),
    state: &AccountState,
    links: &[Signed<AccountLink>],
    mut slots: BTreeMap<Hash, Vec<u8>>,
    key: &RecoveryKey,
) -> Result<Opened, AccountError> {
    slots.extend(pull_former(api, tokens, state).await?);
    let kem = key.derive_kem();
    let present = (state.generation(), state.ark_commit(), auth_slot(state, |auth| auth.recovery_slot)?.1);
    let former = state.former_arks().map(|(generation, ark)| (generation, ark.ark_commit, ark.recovery_slot));
    let (mut arks, mut lost) = (Vec::<(Generation, Ark)>::new(), Vec::new());
    for (generation, commit, NamedSlot { hash, before }) in std::iter::once(present).chain(former) {
        let ctx = Place { account_id: state.account_id(), before }.recovery(generation);
        let check = ArkCheck { seed: *state.seed(), generation, commit };
        let opened = slots.get(&hash).map(|slot| open_slot_with(&kem, &ctx, slot, &check));
        let because = match opened {
            Some(Ok(ark)) => {
                let is_newest = arks.is_empty();
                arks.push((generation, ark));
                let is_whole = all_vaults(state, generation, &slots);
                Some(LostBecause::Missing).filter(|_| is_newest && !is_whole)
            }
            Some(Err(_)) => Some(LostBecause::Refused).filter(|_| arks.is_empty()),
            None => Some(LostBecause::Missing).filter(|_| arks.is_empty()),
        };
        lost.extend(because.map(|because| LostKeys { generation, by: signer(links, generation), because }));
    }
    Ok(Opened { arks, slots, lost })
}

/// Opens with the Recovery Key what it opens, for a recovery that goes on with this profile: until its link is in the log, the
/// vaults' keys come from whichever generation has them.
///
/// # Errors
/// [`AccountError::OtherRecoveryKey`]; [`AccountError::KeysMovedOn`] where a slot is missing of a generation that the person
/// who recovers has not been shown: the server may withhold it.
pub(crate) async fn open_for_recovery(
    ports: &Ports,
    calls: (&Api, &dyn TokenSource),
    unlocked: &mut Unlocked,
    recovery: &Recovery,
) -> Result<(), AccountError> {
    let key = &recovery.recovery_key;
    if *unlocked.state.recovery() != key.derive_public_keys() {
        return Err(AccountError::OtherRecoveryKey);
    }
    let mut slots = BTreeMap::new();
    for hash in unlocked.state.slot_hashes() {
        let named = NamedSlot { hash, before: unlocked.state.head() };
        if let Ok(slot) = stored_slot(&*ports.store, &named).await {
            slots.insert(hash, slot);
        }
    }
    let links = read_links(&*ports.store, &unlocked.account_id()).await?;
    let Opened { arks, slots, lost } = open_generations(calls, &unlocked.state, &links, slots, key).await?;
    let lost: Vec<_> = lost.into_iter().filter(|lost| lost.generation > unlocked.generation).collect();
    let is_news = |lost: &LostKeys| lost.because == LostBecause::Missing && lost.generation > recovery.shown;
    if lost.iter().any(is_news) && !lockstep_proto::seeded!("withheld-keys-given-up") {
        return Err(AccountError::KeysMovedOn);
    }
    let mut batch = Batch::new();
    put_slots(slots.values(), &mut batch);
    note_lost(unlocked, &lost, ports.clock.now_ms(), &mut batch)?;
    ports.store.write(batch).await?;
    unlocked.former = arks;
    Ok(())
}

/// Adds what tells of keys that are lost.
pub(super) fn note_lost(
    unlocked: &Unlocked,
    lost: &[LostKeys],
    now_ms: u64,
    batch: &mut Batch,
) -> Result<(), AccountError> {
    let by: BTreeSet<Option<DeviceId>> = lost.iter().map(|lost| lost.by).collect();
    for device_id in by {
        note_event(unlocked, SecurityEvent::KeysLost { device_id }, now_ms, batch)?;
    }
    Ok(())
}

/// The slots of former generations, as far as the server has them. Every one of them matches its hash.
async fn pull_former(
    api: &Api,
    tokens: &dyn TokenSource,
    state: &AccountState,
) -> Result<BTreeMap<Hash, Vec<u8>>, AccountError> {
    let kept = state.kept_slot_hashes();
    let mut slots = BTreeMap::new();
    let mut next = state.former_arks().next().map(|(generation, _)| generation);
    while let Some(generation) = next {
        let page = api.account_slots(tokens, &SlotsQuery { generation: Some(generation) }).await?;
        let oldest = page.oldest.filter(|oldest| *oldest <= generation).ok_or_else(garbage)?;
        let served = page.slots.into_iter().map(|slot| (slot_hash(&slot.bytes), slot.bytes.0));
        slots.extend(served.filter(|(hash, _)| kept.contains(hash)));
        next = state.former_arks().map(|(generation, _)| generation).find(|generation| *generation < oldest);
    }
    Ok(slots)
}

/// Whether the slots of all vaults under this generation are there.
fn all_vaults(state: &AccountState, generation: Generation, slots: &BTreeMap<Hash, Vec<u8>>) -> bool {
    let mut named = state.vaults().keys().filter_map(|vault_id| state.vault_slot(vault_id, generation));
    named.all(|(_, slot)| slots.contains_key(&slot.hash))
}

fn signer(links: &[Signed<AccountLink>], generation: Generation) -> Option<DeviceId> {
    links.iter().find_map(|link| match (&link.value().body, link.value().signer) {
        (LinkBody::Rekey(rekey), Signer::Device(by)) if rekey.generation == generation => Some(by),
        _ => None,
    })
}
