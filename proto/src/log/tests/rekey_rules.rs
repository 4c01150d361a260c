//! Rules of rekey and recover.

use super::fixture::*;
use crate::ids::{Epoch, Generation, Seq};
use crate::log::*;
use crate::sign::PublicKey;

fn three_devices() -> TestAccount {
    let mut account = TestAccount::new("anna", "laptop");
    account.add_device("laptop", "phone");
    account.add_device("laptop", "tablet");
    account.add_vault("laptop", "home");
    account
}

fn attempt(account: &TestAccount, rekey: Rekey) -> Result<AccountState, LinkError> {
    account.attempt(account.link("laptop", LinkBody::Rekey(Box::new(rekey))), "laptop")
}

#[test]
pub(super) fn a_rekey_ends_a_device_and_the_old_enrolment_key() {
    let mut account = three_devices();
    let rekey = account.rekey(RekeyReason::Lost, &["phone"]);
    account.push("laptop", LinkBody::Rekey(Box::new(rekey)));
    let phone = account.state.device(&device_id("phone")).unwrap();
    assert!(!phone.is_active() && phone.is_authorised_after(Seq(4)) && !phone.is_authorised_after(Seq(5)));
    let vault_id = *account.heads.keys().next().unwrap();
    assert_eq!(phone.revocation().unwrap().cut_off(&vault_id), Some(account.heads[&vault_id]));
    assert_eq!(account.state.generation(), Generation(2));
    let link = account.link("phone", LinkBody::SecurityVersion(2));
    assert_eq!(account.attempt(link, "phone"), Err(LinkError::Signer));
    let add = LinkBody::DeviceAdd(DeviceAdd { keys: device_keys("shadow"), how: Enrolment::Kit });
    let mut shadow = account.link("laptop", add);
    shadow.signer = Signer::Enrolment;
    shadow.heads.clear();
    assert!(account.attempt(shadow.clone(), "anna esk 1").is_err());
    assert!(account.attempt(shadow, "anna generation 2 esk").is_ok());
}

#[test]
pub(super) fn a_rekey_has_one_slot_for_exactly_each_active_device_and_vault() {
    let account = three_devices();
    let honest = account.rekey(RekeyReason::Retired, &["phone"]);
    assert!(attempt(&account, honest.clone()).is_ok());
    let mut missing = honest.clone();
    missing.device_slots.pop();
    let mut surplus = honest.clone();
    surplus.device_slots.push(DeviceSlot { device_id: device_id("phone"), slot: named("phone") });
    surplus.device_slots.sort_by_key(|slot| slot.device_id);
    let mut no_vault = honest.clone();
    no_vault.vault_slots.clear();
    let mut old_slot = honest.clone();
    old_slot.vault_slots[0].slot = named("home slot 1");
    let mut same_slot = honest.clone();
    same_slot.vault_slots[0].slot = same_slot.device_slots[0].slot;
    for rekey in [missing, surplus, no_vault, old_slot, same_slot] {
        assert!(matches!(attempt(&account, rekey), Err(LinkError::Rule(_))));
    }
}

#[test]
pub(super) fn a_rekey_names_a_later_epoch_of_every_vault() {
    let mut account = three_devices();
    let vault_id = *account.heads.keys().next().unwrap();
    for epoch in 2..=4 {
        let honest = account.rekey(RekeyReason::Rotation, &[]);
        let mut same = honest.clone();
        same.vault_slots[0].epoch = Epoch(epoch - 1);
        let mut rootless = honest.clone();
        rootless.vault_slots[0].prev_vault_key.clear();
        for rekey in [same, rootless] {
            let refused = LinkError::Rule("a rekey names the next epoch of each vault, with the key before");
            assert_eq!(attempt(&account, rekey), Err(refused));
        }
        let before = account.state.head();
        account.push("laptop", LinkBody::Rekey(Box::new(honest.clone())));
        let (vault, named) = (&account.state.vaults()[&vault_id], &honest.vault_slots[0]);
        assert_eq!((vault.epoch, vault.slot.hash), (Epoch(epoch), named.slot));
        assert_eq!(
            vault.epochs.keys().map(|epoch| epoch.0).collect::<Vec<_>>(),
            (2..=epoch).collect::<Vec<_>>()
        );
        let last = &vault.epochs[&Epoch(epoch)];
        assert_eq!((last.vault_key_commit, last.before), (named.vault_key_commit, before));
        assert_eq!(last.prev_vault_key, named.prev_vault_key);
        assert!(account.state.slot_hashes().contains(&named.slot));
    }
}

#[test]
pub(super) fn a_rekey_changes_every_key_it_must() {
    let account = three_devices();
    let honest = account.rekey(RekeyReason::Lost, &["phone"]);
    let mut same_generation = honest.clone();
    same_generation.generation = Generation(1);
    let mut same_esk = honest.clone();
    same_esk.enrolment_key = account.state.enrolment_key();
    let mut old_secret_key = honest.clone();
    old_secret_key.auth.secret_key_generation = Generation(1);
    old_secret_key.auth.secret_key_commit = named("sk commit 1");
    let mut old_record = honest.clone();
    old_record.auth.record_hash = auth("anna", 1).record_hash;
    let mut old_slot = honest.clone();
    old_slot.auth.password_slot = auth("anna", 1).password_slot;
    let mut no_old_key = honest.clone();
    no_old_key.prev_ark.clear();
    let mut foreign_uek = honest.clone();
    foreign_uek.uek = kem_key("mallory");
    let mut old_password_key = honest.clone();
    old_password_key.auth.password_key = auth("anna", 1).password_key;
    for rekey in [
        same_generation,
        same_esk,
        old_secret_key,
        old_record,
        old_slot,
        no_old_key,
        foreign_uek,
        old_password_key,
    ] {
        assert!(attempt(&account, rekey).is_err());
    }
}

#[test]
pub(super) fn a_reason_fits_what_is_revoked() {
    let account = three_devices();
    assert!(attempt(&account, account.rekey(RekeyReason::Rotation, &[])).is_ok());
    for rekey in [
        account.rekey(RekeyReason::Rotation, &["phone"]),
        account.rekey(RekeyReason::Lost, &[]),
        account.rekey(RekeyReason::Retired, &["laptop"]),
        account.rekey(RekeyReason::Retired, &["stranger"]),
        account.rekey(RekeyReason::Recovery, &["phone"]),
    ] {
        assert!(matches!(attempt(&account, rekey), Err(LinkError::Rule(_))));
    }
}

#[test]
pub(super) fn a_later_revocation_of_the_same_device_sets_its_cut_off_anew() {
    let mut account = three_devices();
    let rekey = account.rekey(RekeyReason::Retired, &["phone"]);
    account.push("laptop", LinkBody::Rekey(Box::new(rekey)));
    let vault_id = *account.heads.keys().next().unwrap();
    let moved = LogHead { seq: Seq(9), hash: named("later head") };
    account.heads.insert(vault_id, moved);
    let rekey = account.rekey(RekeyReason::Retired, &["phone"]);
    account.push("laptop", LinkBody::Rekey(Box::new(rekey)));
    let phone = account.state.device(&device_id("phone")).unwrap();
    assert_eq!(phone.revocation().unwrap().cut_off(&vault_id), Some(moved));
    assert!(!phone.is_authorised_after(Seq(5)));
}

fn recover(account: &TestAccount) -> Recover {
    let mut rekey = account.rekey(RekeyReason::Recovery, &["laptop", "phone", "tablet"]);
    rekey.device_slots = vec![DeviceSlot { device_id: device_id("new"), slot: named("new slot") }];
    let device = DeviceAdd { keys: device_keys("new"), how: Enrolment::Recovery };
    Recover { device: Some(device), recovery: recovery_keys("anna rk 2"), rekey }
}

#[test]
pub(super) fn the_recovery_key_brings_a_device_and_new_keys_in_one_link() {
    let account = three_devices();
    let link = |recover| {
        let mut link = account.link("laptop", LinkBody::Recover(Box::new(recover)));
        link.signer = Signer::Recovery;
        link
    };
    let state = account.attempt(link(recover(&account)), "anna rk 1").unwrap();
    assert!(state.device(&device_id("new")).unwrap().is_active());
    assert!(!state.device(&device_id("laptop")).unwrap().is_active());
    assert_eq!(state.recovery().signing, PublicKey::from(&signing_key("anna rk 2")));

    assert!(account.attempt(link(recover(&account)), "laptop").is_err());
    let mut same_recovery_key = recover(&account);
    same_recovery_key.recovery = account.state.recovery().clone();
    assert_eq!(account.attempt(link(same_recovery_key), "anna rk 1"), Err(LinkError::KeyReused));
    let mut by_device = link(recover(&account));
    by_device.signer = Signer::Device(device_id("laptop"));
    assert_eq!(account.attempt(by_device, "laptop"), Err(LinkError::Signer));
    let mut rekey_only = account.link("laptop", LinkBody::Rekey(Box::new(recover(&account).rekey)));
    rekey_only.signer = Signer::Recovery;
    assert_eq!(account.attempt(rekey_only, "anna rk 1"), Err(LinkError::Signer));
}

/// A vault of which only the device that goes has ever named a head.
#[test]
pub(super) fn a_vault_that_nobody_who_stays_has_seen_ends_with_the_device_that_linked_it() {
    let mut account = three_devices();
    let ghost = TestVault::new(&account, "phone", "ghost");
    let slot = named("ghost slot 1");
    account.push("phone", LinkBody::VaultCreate(VaultCreate { vault_id: ghost.id(), slot }));
    let kept = *account.heads.keys().next().unwrap();
    account.heads.insert(ghost.id(), LogHead::default());
    let ending = |account: &TestAccount, revoked: &[&str]| {
        let mut rekey = account.rekey(RekeyReason::Lost, revoked);
        rekey.vault_slots.retain(|slot| slot.vault_id != ghost.id());
        rekey
    };
    let refused = Err(LinkError::Rule("a vault ends only with who linked it, unseen by all who stay"));
    assert_eq!(attempt(&account, ending(&account, &["tablet"])), refused, "who linked it stays");
    let mut seen = account.clone();
    seen.heads.insert(ghost.id(), ghost.state.head());
    seen.push("tablet", LinkBody::SecurityVersion(2));
    seen.heads.insert(ghost.id(), LogHead::default());
    assert_eq!(attempt(&seen, ending(&seen, &["phone"])), refused, "somebody who stays has seen it");
    attempt(&seen, ending(&seen, &["phone", "tablet"])).unwrap();
    let mut both = ending(&account, &["phone"]);
    let mut heads = account.heads.clone();
    heads.insert(kept, LogHead::default());
    both.vault_slots.clear();
    let mut all = account.clone();
    all.heads = heads;
    assert_eq!(attempt(&all, both), refused, "another one's vault");

    let mut used = account.clone();
    used.heads.insert(ghost.id(), ghost.state.head());
    used.name_epoch("phone");
    used.heads.insert(ghost.id(), LogHead::default());
    assert_eq!(attempt(&used, ending(&used, &["phone"])), refused, "a rekey has changed its key");

    let surplus = account.rekey(RekeyReason::Lost, &["phone"]);
    assert!(matches!(attempt(&account, surplus), Err(LinkError::Rule(_))), "it has a slot all the same");
    let rekey = ending(&account, &["phone"]);
    account.push("laptop", LinkBody::Rekey(Box::new(rekey)));
    assert_eq!(account.state.vaults().keys().collect::<Vec<_>>(), [&kept]);
    assert!(account.state.ended_vaults().iter().eq([&ghost.id()]));
    account.heads.remove(&ghost.id());
    let again = LinkBody::VaultCreate(VaultCreate { vault_id: ghost.id(), slot: named("ghost slot 2") });
    let again = account.attempt(account.link("laptop", again), "laptop");
    assert_eq!(again, Err(LinkError::Rule("a vault is created once")));
}
