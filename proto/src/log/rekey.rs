//! The rules of a rekey: everything that follows losing or retiring a device, in one link.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::account::{AccountState, NamedEpoch, NamedSlot};
use super::account_bodies::DeviceAdd;
use super::device::Device;
use super::error::LinkError;
use super::link::{AccountLink, Signer};
use super::rekey_bodies::{Rekey, RekeyReason};
use super::{LogHead, VaultHead};
use crate::ids::{DeviceId, Hash};

impl AccountState {
    /// Applies a rekey. `recovered` is given in a `recover` link: the device that it has just added, if it did.
    pub(super) fn rekey(
        &mut self,
        rekey: &Rekey,
        link: &AccountLink,
        recovered: Option<Option<&DeviceAdd>>,
    ) -> Result<(), LinkError> {
        self.check_reason(rekey, recovered.is_some())?;
        self.revoke(rekey, link, recovered.flatten().map(|add| add.keys.device_id()))?;
        self.end_vaults(rekey, link, recovered.is_some())?;
        if rekey.generation != self.generation.next() {
            return Err(LinkError::Rule("a rekey moves the account root key by one generation"));
        }
        if rekey.prev_ark.is_empty() {
            return Err(LinkError::Rule("a rekey carries the key before"));
        }
        self.use_signing_key(&rekey.enrolment_key)?;
        self.change_uek(rekey)?;
        self.check_slots_are_new(rekey)?;
        // What came before a new Recovery Key, that one does not open.
        if recovered.is_none() {
            self.keep_former();
        }
        self.set_device_slots(rekey)?;
        self.set_vault_slots(rekey)?;
        self.set_auth(&rekey.auth)?;
        // It was announced under a password and devices that may be others now.
        self.announced = None;
        self.generation = rekey.generation;
        self.ark_commit = rekey.ark_commit;
        self.enrolment_key = rekey.enrolment_key;
        Ok(())
    }

    fn check_reason(&self, rekey: &Rekey, recovers: bool) -> Result<(), LinkError> {
        if recovers != (rekey.reason == RekeyReason::Recovery) {
            return Err(LinkError::Rule("a recovery, and only that, rekeys for recovery"));
        }
        let revokes = !rekey.revoked.is_empty();
        let fits = match rekey.reason {
            RekeyReason::Lost | RekeyReason::Retired => revokes,
            RekeyReason::Rotation => !revokes,
            RekeyReason::Recovery => true,
        };
        if !fits {
            return Err(LinkError::Rule("a rekey's reason fits the devices it revokes"));
        }
        let old = self.auth().map(|auth| auth.secret_key_generation);
        let fresh = old != Some(rekey.auth.secret_key_generation);
        if !fresh && matches!(rekey.reason, RekeyReason::Lost | RekeyReason::Recovery) {
            return Err(LinkError::Rule("after a loss the Secret Key is a new one"));
        }
        let old_record = self.auth().map(|auth| auth.record_hash);
        if fresh && old_record == Some(rekey.auth.record_hash) {
            return Err(LinkError::Rule("a new Secret Key has a new OPAQUE record"));
        }
        Ok(())
    }

    fn revoke(
        &mut self,
        rekey: &Rekey,
        link: &AccountLink,
        recovered: Option<DeviceId>,
    ) -> Result<(), LinkError> {
        let cut_offs: Arc<[VaultHead]> = link.heads.as_slice().into();
        let last_anchor = self.last_anchor();
        if !rekey.revoked.is_empty() {
            self.revoking.push(link.seq);
        }
        for device_id in &rekey.revoked {
            if link.signer == Signer::Device(*device_id) || recovered == Some(*device_id) {
                return Err(LinkError::Rule("a device does not revoke itself"));
            }
            let device =
                self.devices.get_mut(device_id).ok_or(LinkError::Rule("a revoked device is known"))?;
            device.revoke(link.seq, Arc::clone(&cut_offs), |before| last_anchor > Some(before));
        }
        Ok(())
    }

    /// A head of nothing ends a vault of which whoever signs has seen nothing. Only of a device that goes: it may have
    /// linked one that it never made, or whose key nobody has. And of none that somebody who stays has seen, or whose
    /// key a rekey has changed: whoever made that had it, but for one who knows the password and makes what nobody can
    /// open. Against that there is the Recovery Key.
    fn end_vaults(&mut self, rekey: &Rekey, link: &AccountLink, recovers: bool) -> Result<(), LinkError> {
        for VaultHead { vault_id, .. } in link.heads.iter().filter(|seen| seen.head == LogHead::default()) {
            let vault = self.vaults.get(vault_id).filter(|vault| vault.epochs.is_empty() || recovers);
            let goes = vault.is_some_and(|vault| rekey.revoked.binary_search(&vault.by).is_ok());
            let is_seen = |device: &Device| {
                let found = device.heads().binary_search_by_key(vault_id, |seen| seen.vault_id);
                found.is_ok_and(|index| device.heads()[index].head != LogHead::default())
            };
            let mut staying = self.devices.values().filter(|device| device.is_active());
            if (!goes || staying.any(is_seen)) && !crate::seeded!("vault-ends-unasked") {
                return Err(LinkError::Rule("a vault ends only with who linked it, unseen by all who stay"));
            }
            self.vaults.remove(vault_id);
            self.ended.insert(*vault_id);
        }
        Ok(())
    }

    fn change_uek(&mut self, rekey: &Rekey) -> Result<(), LinkError> {
        if rekey.uek_generation == self.uek_generation.next() {
            self.use_kem_key(&rekey.uek)?;
        } else if rekey.uek_generation != self.uek_generation || rekey.uek != self.uek {
            return Err(LinkError::Rule("a new user encryption key, and only that, has a new generation"));
        }
        self.uek_generation = rekey.uek_generation;
        self.uek = rekey.uek.clone();
        Ok(())
    }

    /// Under a new ARK no slot that holds it or is sealed by it can be an old one, and each is a different one.
    fn check_slots_are_new(&self, rekey: &Rekey) -> Result<(), LinkError> {
        let mut named = rekey.auth.slots().to_vec();
        named.extend(rekey.device_slots.iter().map(|slot| slot.slot));
        named.extend(rekey.vault_slots.iter().map(|slot| slot.slot));
        let distinct: BTreeSet<Hash> = named.iter().copied().collect();
        if distinct.len() != named.len() || !distinct.is_disjoint(&self.slot_hashes()) {
            return Err(LinkError::Rule("a rekey makes every slot anew"));
        }
        Ok(())
    }

    fn set_device_slots(&mut self, rekey: &Rekey) -> Result<(), LinkError> {
        let before = self.head();
        let active = self.devices.iter().filter(|(_, device)| device.is_active()).map(|(id, _)| id);
        if !rekey.device_slots.iter().map(|slot| &slot.device_id).eq(active) {
            return Err(LinkError::Rule("a rekey has one slot for exactly each active device"));
        }
        for slot in &rekey.device_slots {
            if let Some(device) = self.devices.get_mut(&slot.device_id) {
                device.set_slot(NamedSlot { hash: slot.slot, before });
            }
        }
        Ok(())
    }

    fn set_vault_slots(&mut self, rekey: &Rekey) -> Result<(), LinkError> {
        let before = self.head();
        if !rekey.vault_slots.iter().map(|slot| &slot.vault_id).eq(self.vaults.keys()) {
            return Err(LinkError::Rule("a rekey has one slot for exactly each vault"));
        }
        for named in &rekey.vault_slots {
            let Some(vault) = self.vaults.get_mut(&named.vault_id) else { continue };
            if named.epoch != vault.epoch.next() || named.prev_vault_key.is_empty() {
                return Err(LinkError::Rule(
                    "a rekey names the next epoch of each vault, with the key before",
                ));
            }
            let epoch = NamedEpoch {
                vault_key_commit: named.vault_key_commit,
                prev_vault_key: named.prev_vault_key.clone(),
                before,
            };
            Arc::make_mut(&mut vault.epochs).insert(named.epoch, epoch);
            vault.slot = NamedSlot { hash: named.slot, before };
            vault.epoch = named.epoch;
        }
        Ok(())
    }
}
