//! The slots of an account: their contexts, how they are made at sign-up, and how they are opened.

use lockstep_crypto::hedge::Hedge;
use lockstep_crypto::kem::KemSecret;
use lockstep_crypto::keys::{Ark, Auk, VaultKey};
use lockstep_crypto::secret_key::SecretKey;
use lockstep_crypto::slots::{
    ArkCheck, SecretKeyCheck, VaultKeyCheck, open_slot, open_slot_with, seal_slot, seal_slot_to,
};
use lockstep_proto::ids::{AccountId, DeviceId, Epoch, Generation, VaultId};
use lockstep_proto::log::{AccountState, LogHead, NamedEpoch, NamedSlot, RecoveryPublicKeys};
use lockstep_proto::wrap::{KeyKind, SlotKind, WrapContext};

use super::error::AccountError;
use super::log_store::read_slot;
use super::profile::ProfileError;
use super::unlocked::Unlocked;
use crate::ports::{LocalStore, Ports};

/// Keys that have no generations are written as generation 0.
const NO_GENERATION: Generation = Generation(0);

/// The contexts of one account's slots, first named by the link after `before`.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) account_id: AccountId,
    pub(super) before: LogHead,
}

impl Place {
    fn context(
        self,
        slot: SlotKind,
        wrapping: (KeyKind, Generation),
        wrapped: (KeyKind, Generation),
    ) -> WrapContext {
        WrapContext {
            account_id: self.account_id,
            slot,
            wrapping: wrapping.0,
            wrapping_generation: wrapping.1,
            wrapped: wrapped.0,
            wrapped_generation: wrapped.1,
            vault_id: VaultId::ZERO,
            device_id: DeviceId::ZERO,
            log_seq: self.before.seq,
            log_hash: self.before.hash,
        }
    }

    pub(super) fn password(self, secret_key: Generation, ark: Generation) -> WrapContext {
        self.context(SlotKind::Password, (KeyKind::Auk, secret_key), (KeyKind::Ark, ark))
    }

    pub(super) fn recovery(self, ark: Generation) -> WrapContext {
        self.context(SlotKind::Recovery, (KeyKind::Recovery, NO_GENERATION), (KeyKind::Ark, ark))
    }

    pub(super) fn uek(self, ark: Generation, uek: Generation) -> WrapContext {
        self.context(SlotKind::Uek, (KeyKind::Ark, ark), (KeyKind::Uek, uek))
    }

    pub(super) fn secret_key(self, ark: Generation, secret_key: Generation) -> WrapContext {
        self.context(SlotKind::SecretKey, (KeyKind::Ark, ark), (KeyKind::SecretKey, secret_key))
    }

    pub(super) fn prev_ark(self, ark: Generation) -> WrapContext {
        let before = Generation(ark.0.saturating_sub(1));
        self.context(SlotKind::PrevArk, (KeyKind::Ark, ark), (KeyKind::Ark, before))
    }

    pub(super) fn device(self, device_id: DeviceId, ark: Generation) -> WrapContext {
        let ctx = self.context(SlotKind::Device, (KeyKind::Device, NO_GENERATION), (KeyKind::Ark, ark));
        WrapContext { device_id, ..ctx }
    }

    pub(super) fn vault(self, vault_id: VaultId, ark: Generation, epoch: Epoch) -> WrapContext {
        let ctx =
            self.context(SlotKind::VaultKey, (KeyKind::Ark, ark), (KeyKind::VaultKey, Generation(epoch.0)));
        WrapContext { vault_id, ..ctx }
    }

    /// The context of the vault key before that of `epoch`, sealed under it.
    pub(super) fn prev_vault_key(self, vault_id: VaultId, epoch: Epoch) -> WrapContext {
        let key = |epoch: u32| (KeyKind::VaultKey, Generation(epoch));
        let (after, before) = (key(epoch.0), key(epoch.0.saturating_sub(1)));
        WrapContext { vault_id, ..self.context(SlotKind::PrevVaultKey, after, before) }
    }

    /// The context under which a device keeps the OPAQUE record that it made.
    pub(super) fn opaque_record(self, device_id: DeviceId, ark: Generation) -> WrapContext {
        let wrapped = (KeyKind::OpaqueRecord, NO_GENERATION);
        WrapContext { device_id, ..self.context(SlotKind::OpaqueRecord, (KeyKind::Ark, ark), wrapped) }
    }
}

/// The keys that a new account's slots hold, all of generation 1.
pub(super) struct SlotKeys<'a> {
    pub(super) ark: &'a Ark,
    pub(super) auk: &'a Auk,
    pub(super) uek: &'a KemSecret,
    pub(super) secret_key: &'a SecretKey,
    pub(super) recovery: &'a RecoveryPublicKeys,
}

/// A new account's slots.
pub(super) struct SignUpSlots {
    pub(super) password: Vec<u8>,
    pub(super) recovery: Vec<u8>,
    pub(super) uek: Vec<u8>,
    pub(super) secret_key: Vec<u8>,
}

impl SignUpSlots {
    /// Seals them for the link after `place.before`.
    pub(super) fn make(place: Place, keys: &SlotKeys<'_>, hedge: &Hedge<'_>) -> Result<Self, AccountError> {
        let first = Generation(1);
        Ok(Self {
            password: seal_slot(keys.auk, &place.password(first, first), keys.ark, hedge)?,
            recovery: seal_slot_to(&keys.recovery.kem, &place.recovery(first), keys.ark, hedge)?,
            uek: seal_slot(keys.ark, &place.uek(first, first), keys.uek, hedge)?,
            secret_key: seal_slot(keys.ark, &place.secret_key(first, first), keys.secret_key, hedge)?,
        })
    }

    /// All of them.
    pub(super) fn all(&self) -> [&Vec<u8>; 4] {
        [&self.password, &self.recovery, &self.uek, &self.secret_key]
    }
}

/// ARK of the current generation, as the log commits to it.
pub(super) fn ark_check(state: &AccountState) -> ArkCheck {
    ArkCheck { seed: *state.seed(), generation: state.generation(), commit: state.ark_commit() }
}

/// Opens the password slot that the log names.
pub(super) fn open_password_slot(state: &AccountState, auk: &Auk, slot: &[u8]) -> Result<Ark, AccountError> {
    let (auth, named) = auth_slot(state, |auth| auth.password_slot)?;
    let ctx = place(state, &named).password(auth.secret_key_generation, state.generation());
    Ok(open_slot(auk, &ctx, slot, &ark_check(state))?)
}

/// Opens the device slot that a rekey made for this device.
pub(super) fn open_device_slot(
    state: &AccountState,
    device_id: DeviceId,
    key: &KemSecret,
    named: &NamedSlot,
    slot: &[u8],
) -> Result<Ark, AccountError> {
    let ctx = place(state, named).device(device_id, state.generation());
    Ok(open_slot_with(key, &ctx, slot, &ark_check(state))?)
}

/// Opens the Secret Key's slot that the log names.
pub(super) fn open_secret_key_slot(
    state: &AccountState,
    ark: &Ark,
    slot: &[u8],
) -> Result<SecretKey, AccountError> {
    let (auth, named) = auth_slot(state, |auth| auth.secret_key_slot)?;
    let generation = auth.secret_key_generation;
    let ctx = place(state, &named).secret_key(state.generation(), generation);
    let check = SecretKeyCheck { account_id: state.account_id(), generation, commit: auth.secret_key_commit };
    Ok(open_slot(ark, &ctx, slot, &check)?)
}

/// Opens a vault's key with ARK of this generation: from the slot that the account's log named then, checked against what the
/// vault's log commits to.
/// The slot's bytes are in the profile since the log was pulled.
///
/// # Errors
/// [`AccountError::SlotMissing`] where the profile lacks the slot; [`AccountError::Slot`] for one that does not open
/// or holds another key.
pub async fn vault_key(
    ports: &Ports,
    unlocked: &Unlocked,
    (generation, ark): (Generation, &Ark),
    vault_id: VaultId,
    slot: &NamedSlot,
    check: &VaultKeyCheck,
) -> Result<VaultKey, AccountError> {
    let bytes = stored_slot(&*ports.store, slot).await?;
    let ctx = place(unlocked.state(), slot).vault(vault_id, generation, check.epoch);
    Ok(open_slot(ark, &ctx, &bytes, check)?)
}

/// The key of a vault before the one of `epoch`, sealed under it.
pub(crate) struct SealedVaultKey<'a> {
    pub(crate) vault_id: VaultId,
    pub(crate) epoch: Epoch,
    pub(crate) named: &'a NamedEpoch,
}

impl SealedVaultKey<'_> {
    /// Opens it with the key of its epoch.
    ///
    /// # Errors
    /// [`AccountError::Slot`] where it does not open, or holds another key.
    pub(crate) fn open(
        &self,
        account_id: AccountId,
        key: &VaultKey,
        check: &VaultKeyCheck,
    ) -> Result<VaultKey, AccountError> {
        let place = Place { account_id, before: self.named.before };
        let ctx = place.prev_vault_key(self.vault_id, self.epoch);
        Ok(open_slot(key, &ctx, &self.named.prev_vault_key, check)?)
    }
}

/// Seals a vault's key for the link that comes after the log's current head, which must be the first to name it.
///
/// # Errors
/// [`AccountError::Seal`].
pub fn make_vault_key_slot(
    unlocked: &Unlocked,
    vault_id: VaultId,
    epoch: Epoch,
    key: &VaultKey,
) -> Result<Vec<u8>, AccountError> {
    let place = Place { account_id: unlocked.account_id(), before: unlocked.state().head() };
    let ctx = place.vault(vault_id, unlocked.generation, epoch);
    Ok(seal_slot(unlocked.ark(), &ctx, key, &unlocked.hedge())?)
}

/// The bytes of a slot in the profile.
pub(super) async fn stored_slot(store: &dyn LocalStore, slot: &NamedSlot) -> Result<Vec<u8>, AccountError> {
    read_slot(store, &slot.hash).await?.ok_or(AccountError::SlotMissing { hash: slot.hash })
}

/// One of the current sign-in slots as the log names it.
pub(super) fn auth_slot(
    state: &AccountState,
    which: impl Fn(&lockstep_proto::log::AuthUpdate) -> lockstep_proto::ids::Hash,
) -> Result<(&lockstep_proto::log::AuthUpdate, NamedSlot), AccountError> {
    let auth = state.auth().ok_or(ProfileError::Damaged("the account's log has no sign-in"))?;
    let hash = which(auth);
    let named = state.auth_slot(&hash).ok_or(AccountError::SlotMissing { hash })?;
    Ok((auth, named))
}

fn place(state: &AccountState, named: &NamedSlot) -> Place {
    Place { account_id: state.account_id(), before: named.before }
}
