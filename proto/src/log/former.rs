//! What is left of the generations of ARK before the present one: the way back for the Recovery Key.
//!
//! A rekey seals the new ARK to the Recovery Key, and nobody but its owner can tell whether it did. Somebody who has a device
//! and the password could put nonsense there, and the sheet in the drawer would open nothing from then on. So the slots of
//! former generations stay named, as long as the Recovery Key that opens them is the present one: it takes the account back
//! from the newest generation whose slot it opens.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::account::{AccountState, AccountVault, NamedSlot};
use crate::ids::{Epoch, Generation, Hash, VaultId};

/// A generation of ARK before the present one, since the present Recovery Key is the account's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormerArk {
    /// The commitment to that ARK.
    pub ark_commit: Hash,
    /// The slot that held it for the Recovery Key, as the log named it last.
    pub recovery_slot: NamedSlot,
}

impl AccountVault {
    /// The slot that holds, or held, the key of an epoch; `None` for what was sealed before the present Recovery Key.
    pub fn slot_of(&self, epoch: Epoch) -> Option<NamedSlot> {
        if epoch == self.epoch { Some(self.slot) } else { self.former.get(&epoch).copied() }
    }
}

impl AccountState {
    /// The former generations that the present Recovery Key may still open, newest first.
    pub fn former_arks(&self) -> impl Iterator<Item = (Generation, &FormerArk)> {
        self.former.iter().rev().map(|(generation, former)| (*generation, former))
    }

    /// The slot of a vault's key under ARK of this generation, and that key's epoch; `None` where the vault is newer, or the
    /// generation before the present Recovery Key.
    pub fn vault_slot(&self, vault_id: &VaultId, generation: Generation) -> Option<(Epoch, NamedSlot)> {
        let vault = self.vaults.get(vault_id)?;
        // A rekey names a new generation, and of every vault a new epoch.
        let back = self.generation.0.checked_sub(generation.0)?;
        let epoch = Epoch(vault.epoch.0.checked_sub(back)?);
        vault.slot_of(epoch).map(|slot| (epoch, slot))
    }

    /// The hashes of the slots that lead from the Recovery Key to the vaults as they were under ARK of this former generation.
    pub fn former_slot_hashes(&self, generation: Generation) -> BTreeSet<Hash> {
        let Some(former) = self.former.get(&generation) else { return BTreeSet::new() };
        let vaults = self.vaults.keys().filter_map(|vault_id| self.vault_slot(vault_id, generation));
        vaults.map(|(_, slot)| slot.hash).chain([former.recovery_slot.hash]).collect()
    }

    /// The hashes of every slot that a server keeps: those of the current state and of the former generations.
    pub fn kept_slot_hashes(&self) -> BTreeSet<Hash> {
        let mut kept = self.slot_hashes();
        kept.extend(self.former.values().map(|former| former.recovery_slot.hash));
        kept.extend(self.vaults.values().flat_map(|vault| vault.former.values()).map(|slot| slot.hash));
        kept
    }

    /// A rekey is about to take the place of the present generation.
    pub(super) fn keep_former(&mut self) {
        let slot = self.auth().map(|auth| auth.recovery_slot).and_then(|hash| self.auth_slot(&hash));
        let Some(recovery_slot) = slot.filter(|_| !crate::seeded!("former-slots-dropped")) else { return };
        let former = FormerArk { ark_commit: self.ark_commit, recovery_slot };
        Arc::make_mut(&mut self.former).insert(self.generation, former);
        for vault in self.vaults.values_mut() {
            Arc::make_mut(&mut vault.former).insert(vault.epoch, vault.slot);
        }
    }

    /// There is another Recovery Key, which opens none of them.
    pub(super) fn forget_former(&mut self) {
        self.former = Arc::default();
        self.vaults.values_mut().for_each(|vault| vault.former = Arc::default());
    }

    /// About how many bytes of memory they take.
    pub(super) fn former_bytes(&self) -> usize {
        160 * self.former.len() + 96 * self.vaults.values().map(|vault| vault.former.len()).sum::<usize>()
    }
}
