//! What a hostile member could make of a record: moved, made to fit, signed with a true key.

use std::sync::OnceLock;

use ed25519_dalek::SigningKey;
use lockstep_proto::digest::Leaf;
use lockstep_proto::hash::hash;
use lockstep_proto::ids::{DeviceId, Hash, Version};
use lockstep_proto::log::{
    AccountLink, AccountState, CommitBody, ContentBody, ControlBody, DeviceSlot, Entry, LeafMap, LinkBody,
    Rekey, RekeyReason, Signer, VaultHead, VaultSlot, VaultState, change_digest,
};
use lockstep_proto::sign::Signed;

use super::super::seeds::{cases, unhex};

/// The keys that signed the vectors.
pub(super) struct Keys {
    device: SigningKey,
    enrolment: SigningKey,
    recovery: SigningKey,
}

impl Keys {
    /// Read once: a fuzzer asks for them thousands of times a second.
    pub(super) fn get() -> &'static Self {
        static KEYS: OnceLock<Keys> = OnceLock::new();
        KEYS.get_or_init(Self::read)
    }

    fn read() -> Self {
        let cases = cases("links");
        let key = |index: usize| {
            let bytes = unhex(cases[index]["signing_key"].as_str().unwrap());
            SigningKey::from_bytes(bytes.as_slice().try_into().unwrap())
        };
        Self { device: key(0), enrolment: key(3), recovery: key(5) }
    }

    pub(super) fn sign_link(&self, link: AccountLink, account: Option<&AccountState>) -> Signed<AccountLink> {
        let key = match link.signer {
            Signer::Device(_) => &self.device,
            Signer::Enrolment => &self.enrolment,
            Signer::Recovery => &self.recovery,
        };
        let record = match (account.and_then(AccountState::auth), &link.body) {
            (Some(auth), _) => auth.record_hash,
            (None, LinkBody::AuthUpdate(first)) => first.record_hash,
            (None, _) => Hash::ZERO,
        };
        // As the vectors' keys are made.
        let password_key = SigningKey::from_bytes(&hash("test password", &[&record.0]).0);
        Signed::sign(link, key).countersigned(&password_key)
    }

    /// The entry after the head. With leaves its changes replace what is there, its digest and counts add up.
    pub(super) fn sign_entry(
        &self,
        entry: Entry,
        account: &AccountState,
        vault: Option<&VaultState>,
        leaves: Option<&LeafMap>,
    ) -> Entry {
        let mut commit = entry.commit.value().clone();
        let mut body = entry.body;
        commit.author_account = account.account_id();
        commit.author_position = account.head();
        if let Some(vault) = vault {
            (commit.vault_id, commit.seq) = (vault.vault_id(), vault.head().seq.next());
            (commit.prev_hash, commit.control_hash) = (vault.head().hash, vault.control().hash);
        }
        if let CommitBody::Genesis(genesis) = &mut body {
            for member in &mut genesis.control.members {
                (member.account_id, member.position) = (account.account_id(), account.head());
            }
        }
        if let (Some(vault), Some(leaves)) = (vault, leaves) {
            (commit.digest, commit.live) = (vault.digest(), vault.live());
            commit.tombstones = vault.tombstones();
            match &mut body {
                CommitBody::Content(content) => {
                    commit.epoch = vault.epoch();
                    commit.live += fit_changes(content, leaves);
                    commit.digest = change_digest(&vault.vault_id(), &vault.digest(), &content.changes)
                        .unwrap_or(vault.digest());
                }
                CommitBody::Control(control) => {
                    for member in &mut control.members {
                        (member.account_id, member.position) = (account.account_id(), account.head());
                    }
                    bring_key(control, account, vault);
                    commit.epoch = control.epoch;
                }
                CommitBody::Heal(heal) => {
                    commit.epoch = vault.epoch();
                    (heal.fork, heal.side) = (vault.head(), vault.head());
                    heal.side_control_hash = vault.control().hash;
                }
                CommitBody::Genesis(_) => {}
            }
        }
        commit.body_hash = body.hash();
        Entry { commit: Signed::sign(commit, &self.device), body }
    }
}

/// Brings the last key that a rekey has named, or else the next epoch with any key.
fn bring_key(control: &mut ControlBody, account: &AccountState, vault: &VaultState) {
    let known = account.vaults().get(&vault.vault_id());
    let last = known.and_then(|known| known.epochs.last_key_value());
    if let Some((epoch, named)) = last.filter(|(epoch, _)| **epoch > vault.epoch()) {
        (control.epoch, control.vault_key_commit) = (*epoch, named.vault_key_commit);
        control.prev_vault_key.clone_from(&named.prev_vault_key);
    } else {
        control.epoch = vault.epoch().next();
        control.vault_key_commit = Hash([control.epoch.0 as u8; 32]);
    }
}

/// Makes every change replace what is there; gives how many create.
fn fit_changes(content: &mut ContentBody, leaves: &LeafMap) -> u64 {
    let none = Leaf { version: Version(0), blob_hash: Hash::ZERO };
    let mut created = 0;
    for change in &mut content.changes {
        let old = leaves.leaf(&change.item_id).copied().unwrap_or(none);
        (change.old_version, change.old_blob_hash) = (old.version, old.blob_hash);
        change.new_version = old.version.next();
        created += u64::from(old == none);
    }
    created
}

/// Moves a link to the head of its log.
pub(super) fn move_link(link: &mut AccountLink, account: &AccountState, vault: Option<&VaultState>) {
    link.account_id = account.account_id();
    (link.seq, link.prev_hash) = (account.head().seq.next(), account.head().hash);
    link.heads.clear();
    if link.signer != Signer::Enrolment {
        let head = |id: &_| vault.filter(|vault| vault.vault_id() == *id).map(VaultState::head);
        let ids = account.vaults().keys();
        link.heads.extend(ids.map(|id| VaultHead { vault_id: *id, head: head(id).unwrap_or_default() }));
    }
}

/// Makes what a link says fit the account.
pub(super) fn fit_link(link: &mut AccountLink, account: &AccountState, vault: Option<&VaultState>) {
    match &mut link.body {
        LinkBody::VaultCreate(create) => {
            create.vault_id = vault.map_or(create.vault_id, VaultState::vault_id);
        }
        LinkBody::AuthUpdate(update) => {
            let old = account.auth();
            let slots = old.map(|old| [old.recovery_slot, old.uek_slot, old.secret_key_slot]);
            [update.recovery_slot, update.uek_slot, update.secret_key_slot] =
                slots.unwrap_or([update.recovery_slot, update.uek_slot, update.secret_key_slot]);
        }
        LinkBody::RecoveryChange(change) if link.signer != Signer::Recovery => {
            let announced = account.announced_recovery();
            change.recovery =
                announced.map_or(change.recovery.clone(), |announced| announced.recovery.clone());
        }
        LinkBody::SecurityVersion(version) => *version = account.security_version().saturating_add(1),
        LinkBody::Rekey(rekey) => fit_rekey(rekey, account, None, link.signer),
        LinkBody::Recover(recover) => {
            let new = recover.device.as_ref().map(|add| add.keys.device_id());
            fit_rekey(&mut recover.rekey, account, new, link.signer);
        }
        _ => {}
    }
}

/// Revokes what is there to revoke, and has a slot for everything.
fn fit_rekey(rekey: &mut Rekey, account: &AccountState, new: Option<DeviceId>, signer: Signer) {
    let active = account.devices().iter().filter(|(_, device)| device.is_active());
    let mut stays: Vec<DeviceId> = active.map(|(id, _)| *id).collect();
    if matches!(rekey.reason, RekeyReason::Lost | RekeyReason::Retired) {
        rekey.revoked = stays.iter().copied().filter(|id| signer != Signer::Device(*id)).take(1).collect();
    }
    rekey.revoked.retain(|id| account.device(id).is_some());
    stays.extend(new);
    stays.retain(|id| !rekey.revoked.contains(id));
    stays.sort_unstable();
    rekey.generation = account.generation().next();
    let slot = |place: usize, kind: u8| {
        Hash([kind ^ rekey.generation.0 as u8, place as u8].repeat(16).try_into().unwrap())
    };
    let slots = stays.into_iter().enumerate();
    rekey.device_slots =
        slots.map(|(at, device_id)| DeviceSlot { device_id, slot: slot(at, 0xd0) }).collect();
    let vaults = account.vaults().iter().enumerate();
    rekey.vault_slots = vaults
        .map(|(at, (id, vault))| VaultSlot {
            vault_id: *id,
            epoch: vault.epoch.next(),
            vault_key_commit: slot(at, 0xf0),
            prev_vault_key: vec![2; 40],
            slot: slot(at, 0xe0),
        })
        .collect();
}
