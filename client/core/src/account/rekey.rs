//! The link that changes every key of an account, with everything it names.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use lockstep_crypto::hedge::Hedge;
use lockstep_crypto::kem::KemSecret;
use lockstep_crypto::keys::{Ark, VaultKey};
use lockstep_crypto::opaque::Registered;
use lockstep_crypto::random::Random;
use lockstep_crypto::secret_key::SecretKey;
use lockstep_crypto::slots::{UekCheck, open_slot, seal_slot, seal_slot_to};
use lockstep_crypto::unlock::derive_auk;
use lockstep_proto::ids::{DeviceId, Epoch, Hash, VaultId};
use lockstep_proto::log::{
    AccountState, AuthUpdate, DevicePublicKeys, DeviceSlot, RecoveryPublicKeys, Rekey, RekeyReason, VaultSlot,
};
use lockstep_proto::sign::PublicKey;
use lockstep_proto::signin::record_hash;
use lockstep_proto::wrap::slot_hash;

use super::error::AccountError;
use super::in_flight::LinkParts;
use super::registration::{NewRecord, next_profile, password_key};
use super::slots::{Place, auth_slot};

/// What changes, and for whom.
pub(super) struct Plan {
    /// Why.
    pub(super) reason: RekeyReason,
    /// The devices that end.
    pub(super) revoked: BTreeSet<DeviceId>,
    /// A device that joins in the same link.
    pub(super) joining: Option<DevicePublicKeys>,
    /// The Recovery Key's public halves from now on: the recovery slot is sealed to them.
    pub(super) recovery: RecoveryPublicKeys,
    /// The Secret Key from now on, where it changes.
    pub(super) new_secret_key: Option<SecretKey>,
    /// The epoch that each vault gets.
    pub(super) epochs: BTreeMap<VaultId, NextVaultKey>,
}

/// The epoch that a vault gets, and what its key is bound to.
pub(crate) struct NextVaultKey {
    /// The epoch: the one after the last that the log has named.
    pub(crate) epoch: Epoch,
    /// The vault's seed.
    pub(crate) seed: [u8; 32],
    /// The key of the epoch before.
    pub(crate) before: Arc<VaultKey>,
}

/// The keys that the account has until then.
pub(super) struct Old<'a> {
    pub(super) state: &'a AccountState,
    pub(super) ark: &'a Ark,
    pub(super) secret_key: &'a SecretKey,
    pub(super) uek_slot: &'a [u8],
}

/// Makes the rekey, its slots and its record. A new ARK, ESK and vault keys always; a new UEK where a device was lost or
/// the Recovery Key used. `registered` is the OPAQUE run of the password with the Secret Key from now on; `keeper` is the
/// device that makes the link and keeps its record.
///
/// # Errors
/// [`AccountError::Seal`]; [`AccountError::Slot`] where UEK's slot does not open.
pub(super) fn make_rekey(
    plan: &Plan,
    old: &Old<'_>,
    registered: &Registered,
    keeper: DeviceId,
    (random, hedge): (&dyn Random, &Hedge<'_>),
) -> Result<(Rekey, LinkParts), AccountError> {
    let state = old.state;
    let place = Place { account_id: state.account_id(), before: state.head() };
    let generation = state.generation().next();
    let ark = Ark::make(random);
    let (auth, _) = auth_slot(state, |auth| auth.uek_slot)?;
    let mut slots = Slots { all: Vec::new() };

    let fresh = plan.new_secret_key.is_some();
    let secret_key = plan.new_secret_key.as_ref().unwrap_or(old.secret_key);
    let sk_generation = match fresh {
        true => auth.secret_key_generation.next(),
        false => auth.secret_key_generation,
    };
    let profile = next_profile(state);
    let auk = derive_auk(secret_key, &registered.export_key, &state.account_id(), profile);
    let (uek_generation, uek) = match plan.reason {
        RekeyReason::Lost | RekeyReason::Recovery => (state.uek().0.next(), KemSecret::make(random)),
        RekeyReason::Retired | RekeyReason::Rotation => (state.uek().0, open_uek(old)?),
    };

    let auth = AuthUpdate {
        password_slot: slots.add(seal_slot(&auk, &place.password(sk_generation, generation), &ark, hedge)?),
        recovery_slot: slots.add(seal_slot_to(&plan.recovery.kem, &place.recovery(generation), &ark, hedge)?),
        uek_slot: slots.add(seal_slot(&ark, &place.uek(generation, uek_generation), &uek, hedge)?),
        secret_key_slot: slots.add(seal_slot(
            &ark,
            &place.secret_key(generation, sk_generation),
            secret_key,
            hedge,
        )?),
        record_hash: record_hash(&registered.upload),
        password_key: password_key(registered, &state.account_id()).public(),
        profile,
        opaque_server_key: registered.server_public_key,
        secret_key_generation: sk_generation,
        secret_key_commit: secret_key.derive_commit(&state.account_id(), sk_generation),
    };
    let mut device_slots = Vec::new();
    for (device_id, keys) in stays(plan, state) {
        let slot = seal_slot_to(&keys.kem, &place.device(device_id, generation), &ark, hedge)?;
        device_slots.push(DeviceSlot { device_id, slot: slots.add(slot) });
    }
    let mut vault_slots = Vec::new();
    for (vault_id, NextVaultKey { epoch, seed, before }) in &plan.epochs {
        let key = VaultKey::make(random);
        let slot = seal_slot(&ark, &place.vault(*vault_id, generation, *epoch), &key, hedge)?;
        let ctx = place.prev_vault_key(*vault_id, *epoch);
        vault_slots.push(VaultSlot {
            vault_id: *vault_id,
            epoch: *epoch,
            vault_key_commit: key.derive_commit(seed, *epoch),
            prev_vault_key: seal_slot(&key, &ctx, &**before, hedge)?,
            slot: slots.add(slot),
        });
    }
    let rekey = Rekey {
        reason: plan.reason,
        revoked: plan.revoked.iter().copied().collect(),
        generation,
        ark_commit: ark.derive_commit(state.seed(), generation),
        enrolment_key: PublicKey::from(&ark.derive_enrolment_key(state.seed(), generation)),
        device_slots,
        auth,
        uek_generation,
        uek: uek.public(),
        vault_slots,
        prev_ark: seal_slot(&ark, &place.prev_ark(generation), old.ark, hedge)?,
    };
    let record = NewRecord::new(registered.upload.clone(), (&ark, generation), place, keeper, hedge)?;
    Ok((rekey, LinkParts { slots: slots.all, record: Some(record), bars: None }))
}

/// UEK as it is.
fn open_uek(old: &Old<'_>) -> Result<KemSecret, AccountError> {
    let state = old.state;
    let (generation, public) = state.uek();
    let (_, named) = auth_slot(state, |auth| auth.uek_slot)?;
    let ctx =
        Place { account_id: state.account_id(), before: named.before }.uek(state.generation(), generation);
    Ok(open_slot(old.ark, &ctx, old.uek_slot, &UekCheck(public.clone()))?)
}

/// The devices after the link, ascending.
fn stays(plan: &Plan, state: &AccountState) -> BTreeMap<DeviceId, DevicePublicKeys> {
    let active = state.devices().iter();
    let active = active.filter(|(id, device)| device.is_active() && !plan.revoked.contains(id));
    let active = active.map(|(id, device)| (*id, device.keys().clone()));
    active.chain(plan.joining.iter().map(|keys| (keys.device_id(), keys.clone()))).collect()
}

struct Slots {
    all: Vec<Vec<u8>>,
}

impl Slots {
    fn add(&mut self, slot: Vec<u8>) -> Hash {
        let hash = slot_hash(&slot);
        self.all.push(slot);
        hash
    }
}
