//! What links say that change keys: all of them, or the Recovery Key.

use super::account_bodies::{AuthUpdate, DeviceAdd, canon_fields};
use super::keys::{KemKey, RecoveryPublicKeys};
use super::{ALL_DEVICES_LIMIT, SEALED_LIMIT, VAULT_KEY_SEALED_LIMIT, VAULTS_LIMIT};
use crate::canon::{Canon, CanonError, Decoder, Encoder};
use crate::ids::{DeviceId, Epoch, Generation, Hash, VaultId};
use crate::sign::PublicKey;

/// Why keys are changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum RekeyReason {
    /// A device was lost: always a new Secret Key, too.
    Lost = 1,
    /// A device was wiped by its owner.
    Retired = 2,
    /// No device goes; keys are fresh.
    Rotation = 3,
    /// Part of a recovery.
    Recovery = 4,
}

impl Canon for RekeyReason {
    fn encode(&self, out: &mut Encoder) {
        out.u8(*self as u8);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        match input.u8()? {
            1 => Ok(Self::Lost),
            2 => Ok(Self::Retired),
            3 => Ok(Self::Rotation),
            4 => Ok(Self::Recovery),
            other => Err(CanonError::UpdateNeeded { field: "rekey reason", value: u32::from(other) }),
        }
    }
}

/// The slot that hands the new ARK to one device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceSlot {
    /// The device.
    pub device_id: DeviceId,
    /// The slot's hash.
    pub slot: Hash,
}
canon_fields!(DeviceSlot { device_id, slot });

/// The next key of one vault: what the control commit that brings it must say, and the slot that holds it under the new ARK.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultSlot {
    /// The vault.
    pub vault_id: VaultId,
    /// The epoch of the key inside.
    pub epoch: Epoch,
    /// The commitment to that key.
    pub vault_key_commit: Hash,
    /// The key that the log has named before, sealed under that key.
    pub prev_vault_key: Vec<u8>,
    /// The slot's hash.
    pub slot: Hash,
}

impl Canon for VaultSlot {
    fn encode(&self, out: &mut Encoder) {
        self.vault_id.encode(out);
        self.epoch.encode(out);
        self.vault_key_commit.encode(out);
        out.bytes(&self.prev_vault_key);
        self.slot.encode(out);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        Ok(Self {
            vault_id: Canon::decode(input)?,
            epoch: Canon::decode(input)?,
            vault_key_commit: Canon::decode(input)?,
            prev_vault_key: input.bytes(VAULT_KEY_SEALED_LIMIT)?.to_vec(),
            slot: Canon::decode(input)?,
        })
    }
}

/// Everything that follows losing or retiring a device, in one link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rekey {
    /// Why.
    pub reason: RekeyReason,
    /// The devices that end here, ascending; may be empty, and may name one again to set its cut-offs anew.
    pub revoked: Vec<DeviceId>,
    /// The new generation: exactly one more.
    pub generation: Generation,
    /// The commitment to the new ARK.
    pub ark_commit: Hash,
    /// The new ESK.
    pub enrolment_key: PublicKey,
    /// One slot for exactly each device active after this link, ascending.
    pub device_slots: Vec<DeviceSlot>,
    /// How to sign in from now on.
    pub auth: AuthUpdate,
    /// UEK's generation.
    pub uek_generation: Generation,
    /// UEK; unchanged at the same generation.
    pub uek: KemKey,
    /// One slot for exactly each vault of the account, ascending.
    pub vault_slots: Vec<VaultSlot>,
    /// The ARK before, sealed under the new one; read only for sealed bodies of older links.
    pub prev_ark: Vec<u8>,
}

impl Canon for Rekey {
    fn encode(&self, out: &mut Encoder) {
        self.reason.encode(out);
        out.list(&self.revoked);
        self.generation.encode(out);
        self.ark_commit.encode(out);
        self.enrolment_key.encode(out);
        out.list(&self.device_slots);
        self.auth.encode(out);
        self.uek_generation.encode(out);
        self.uek.encode(out);
        out.list(&self.vault_slots);
        out.bytes(&self.prev_ark);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        Ok(Self {
            reason: Canon::decode(input)?,
            revoked: input.sorted_list("revoked", ALL_DEVICES_LIMIT, |id: &DeviceId| *id)?,
            generation: Canon::decode(input)?,
            ark_commit: Canon::decode(input)?,
            enrolment_key: Canon::decode(input)?,
            device_slots: input
                .sorted_list("device slots", ALL_DEVICES_LIMIT, |slot: &DeviceSlot| slot.device_id)?,
            auth: Canon::decode(input)?,
            uek_generation: Canon::decode(input)?,
            uek: Canon::decode(input)?,
            vault_slots: input.sorted_list("vault slots", VAULTS_LIMIT, |slot: &VaultSlot| slot.vault_id)?,
            prev_ark: input.bytes(SEALED_LIMIT)?.to_vec(),
        })
    }
}

/// The Recovery Key takes the account back: all keys change, itself included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recover {
    /// The device that joins; `None` where one of the account recovers it.
    pub device: Option<DeviceAdd>,
    /// The public halves of the next Recovery Key.
    pub recovery: RecoveryPublicKeys,
    /// The new keys.
    pub rekey: Rekey,
}

impl Canon for Recover {
    fn encode(&self, out: &mut Encoder) {
        out.list(self.device.as_slice());
        self.recovery.encode(out);
        self.rekey.encode(out);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        let joining = input.sorted_list("joining device", 1, |add: &DeviceAdd| add.keys.device_id())?;
        Ok(Self {
            device: joining.into_iter().next(),
            recovery: Canon::decode(input)?,
            rekey: Canon::decode(input)?,
        })
    }
}

/// The Recovery Key changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveryChange {
    /// The public halves of the new one.
    pub recovery: RecoveryPublicKeys,
    /// The slot that holds ARK for it.
    pub slot: Hash,
}
canon_fields!(RecoveryChange { recovery, slot });
