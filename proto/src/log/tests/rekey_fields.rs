//! Every field of a rekey and of a recover, changed one at a time and signed again.

use super::every_kind::*;
use super::fixture::*;
use super::link_bodies::{BAD_KEY, Case, REUSED, public, rule};
use crate::ids::{Epoch, Generation, VaultId};
use crate::log::*;
use crate::sign::PublicKey;

fn run(cases: &[Case<Rekey>]) {
    let (account, _) = busy_account();
    let honest = account.rekey(RekeyReason::Lost, &["phone"]);
    let Rekey {
        reason: _,
        revoked: _,
        generation: _,
        ark_commit: _,
        enrolment_key: _,
        device_slots: _,
        auth: _,
        uek_generation: _,
        uek: _,
        vault_slots: _,
        prev_ark: _,
    } = &honest;
    for (field, change, expected) in cases {
        let mut rekey = honest.clone();
        change(&mut rekey);
        let link = account.link("laptop", LinkBody::Rekey(Box::new(rekey)));
        assert_eq!(&account.attempt(link, "laptop").map(|_| ()), expected, "{field}");
    }
}

#[test]
fn reason_revoked_and_generation() {
    let unfit = rule("a rekey's reason fits the devices it revokes");
    let generation = rule("a rekey moves the account root key by one generation");
    run(&[
        ("reason retired", |rekey| rekey.reason = RekeyReason::Retired, Ok(())),
        ("reason rotation", |rekey| rekey.reason = RekeyReason::Rotation, unfit.clone()),
        (
            "reason recovery",
            |rekey| rekey.reason = RekeyReason::Recovery,
            rule("a recovery, and only that, rekeys for recovery"),
        ),
        ("nobody revoked", |rekey| rekey.revoked.clear(), unfit),
        (
            "the signer revoked",
            |rekey| rekey.revoked = vec![device_id("laptop")],
            rule("a device does not revoke itself"),
        ),
        (
            "a stranger revoked",
            |rekey| rekey.revoked = vec![device_id("stranger")],
            rule("a revoked device is known"),
        ),
        (
            "another device revoked",
            |rekey| rekey.revoked = vec![device_id("tablet")],
            rule("a rekey has one slot for exactly each active device"),
        ),
        ("generation kept", |rekey| rekey.generation = Generation(1), generation.clone()),
        ("generation by two", |rekey| rekey.generation = Generation(3), generation),
        ("prev_ark missing", |rekey| rekey.prev_ark.clear(), rule("a rekey carries the key before")),
        ("prev_ark", |rekey| rekey.prev_ark[0] ^= 1, Ok(())),
        ("ark_commit", |rekey| rekey.ark_commit = named("other"), Ok(())),
    ]);
}

#[test]
fn keys() {
    let uek = rule("a new user encryption key, and only that, has a new generation");
    run(&[
        ("enrolment_key kept", |rekey| rekey.enrolment_key = public("anna esk 1"), REUSED),
        ("enrolment_key of a device", |rekey| rekey.enrolment_key = public("phone"), REUSED),
        ("enrolment_key of no point", |rekey| rekey.enrolment_key = PublicKey([2; 32]), BAD_KEY),
        (
            "a new UEK",
            |rekey| (rekey.uek_generation, rekey.uek) = (Generation(2), kem_key("anna uek 2")),
            Ok(()),
        ),
        ("uek_generation alone", |rekey| rekey.uek_generation = Generation(2), REUSED),
        ("uek alone", |rekey| rekey.uek = kem_key("other"), uek.clone()),
        ("uek_generation down", |rekey| rekey.uek_generation = Generation(0), uek.clone()),
        (
            "uek_generation by two",
            |rekey| (rekey.uek_generation, rekey.uek) = (Generation(3), kem_key("other")),
            uek,
        ),
    ]);
}

#[test]
fn slots() {
    let devices = rule("a rekey has one slot for exactly each active device");
    let vaults = rule("a rekey has one slot for exactly each vault");
    let anew = rule("a rekey makes every slot anew");
    let later = rule("a rekey names the next epoch of each vault, with the key before");
    run(&[
        ("a device slot", |rekey| rekey.device_slots[0].slot = named("other"), Ok(())),
        ("a device slot missing", |rekey| rekey.device_slots.truncate(1), devices.clone()),
        ("no device slot", |rekey| rekey.device_slots.clear(), devices.clone()),
        (
            "a stranger's slot",
            |rekey| rekey.device_slots[0].device_id = device_id("stranger"),
            devices.clone(),
        ),
        ("the revoked device's slot", |rekey| rekey.device_slots[1].device_id = device_id("phone"), devices),
        ("a vault slot", |rekey| rekey.vault_slots[0].slot = named("other"), Ok(())),
        ("a vault slot of a later epoch", |rekey| rekey.vault_slots[0].epoch = Epoch(3), later.clone()),
        (
            "a vault slot of the last epoch",
            |rekey| rekey.vault_slots[0].epoch = Epoch(u32::MAX),
            later.clone(),
        ),
        ("a vault slot of the same epoch", |rekey| rekey.vault_slots[0].epoch = Epoch(1), later.clone()),
        ("a vault slot of an earlier epoch", |rekey| rekey.vault_slots[0].epoch = Epoch(0), later.clone()),
        ("vault_key_commit", |rekey| rekey.vault_slots[0].vault_key_commit = named("other"), Ok(())),
        ("prev_vault_key", |rekey| rekey.vault_slots[0].prev_vault_key[0] ^= 1, Ok(())),
        ("prev_vault_key missing", |rekey| rekey.vault_slots[0].prev_vault_key.clear(), later),
        ("the vault's old slot", |rekey| rekey.vault_slots[0].slot = named("home slot 1"), anew.clone()),
        (
            "a device's and a vault's slot alike",
            |r| r.vault_slots[0].slot = r.device_slots[0].slot,
            anew.clone(),
        ),
        ("a vault's and a sign-in slot alike", |r| r.vault_slots[0].slot = r.auth.uek_slot, anew.clone()),
        ("two devices' slots alike", |r| r.device_slots[0].slot = r.device_slots[1].slot, anew),
        ("no vault slot", |rekey| rekey.vault_slots.clear(), vaults.clone()),
        ("another vault's slot", |rekey| rekey.vault_slots[0].vault_id = VaultId([1; 32]), vaults),
    ]);
}

#[test]
fn sign_in_fields() {
    let anew = rule("a rekey makes every slot anew");
    let loss = rule("after a loss the Secret Key is a new one");
    run(&[
        ("password_slot kept", |r| r.auth.password_slot = auth("anna", 1).password_slot, anew.clone()),
        ("recovery_slot kept", |r| r.auth.recovery_slot = auth("anna", 1).recovery_slot, anew.clone()),
        ("uek_slot kept", |r| r.auth.uek_slot = auth("anna", 1).uek_slot, anew.clone()),
        ("secret_key_slot kept", |r| r.auth.secret_key_slot = auth("anna", 1).secret_key_slot, anew.clone()),
        ("an old slot in another place", |r| r.auth.uek_slot = auth("anna", 1).password_slot, anew.clone()),
        ("two slots alike", |r| r.auth.uek_slot = r.auth.password_slot, anew),
        (
            "record_hash kept",
            |r| r.auth.record_hash = auth("anna", 1).record_hash,
            rule("a new Secret Key has a new OPAQUE record"),
        ),
        ("record_hash", |r| r.auth.record_hash = named("other"), Ok(())),
        ("password_key", |r| r.auth.password_key = public("other"), Ok(())),
        (
            "password_key kept",
            |r| r.auth.password_key = auth("anna", 1).password_key,
            rule("a new OPAQUE record, and only that, has a new password key"),
        ),
        ("password_key of a device", |r| r.auth.password_key = public("phone"), REUSED),
        ("password_key of no point", |r| r.auth.password_key = PublicKey([2; 32]), BAD_KEY),
        ("opaque_server_key", |r| r.auth.opaque_server_key = [9; 32], rule("the server's OPAQUE key stays")),
        ("the Secret Key kept", |r| r.auth.secret_key_generation = Generation(1), loss.clone()),
        (
            "the Secret Key and its commitment kept",
            |r| {
                r.auth.secret_key_generation = Generation(1);
                r.auth.secret_key_commit = named("sk commit 1");
            },
            loss,
        ),
        (
            "secret_key_commit kept",
            |r| r.auth.secret_key_commit = named("sk commit 1"),
            rule("a new Secret Key, and only that, has a new generation"),
        ),
        (
            "secret_key_generation by two",
            |r| r.auth.secret_key_generation = Generation(3),
            rule("Secret Key generations go up by one"),
        ),
    ]);
}

#[test]
fn recover_fields() {
    let cases: &[Case<Recover>] = &[
        (
            "how pairing",
            |r| r.device.as_mut().unwrap().how = Enrolment::Pairing,
            rule("a recovered device says so"),
        ),
        ("how kit", |r| r.device.as_mut().unwrap().how = Enrolment::Kit, rule("a recovered device says so")),
        ("a known device", |r| r.device.as_mut().unwrap().keys = device_keys("phone"), REUSED),
        ("a known KEM key", |r| r.device.as_mut().unwrap().keys.kem = kem_key("anna uek 1"), REUSED),
        ("no point", |r| r.device.as_mut().unwrap().keys.signing = PublicKey([2; 32]), BAD_KEY),
        (
            "reason lost",
            |r| r.rekey.reason = RekeyReason::Lost,
            rule("a recovery, and only that, rekeys for recovery"),
        ),
        (
            "reason rotation",
            |r| r.rekey.reason = RekeyReason::Rotation,
            rule("a recovery, and only that, rekeys for recovery"),
        ),
        (
            "the new device revoked",
            |r| r.rekey.revoked = vec![device_id("new")],
            rule("a device does not revoke itself"),
        ),
        (
            "the new device without a slot",
            |r| r.rekey.device_slots.clear(),
            rule("a rekey has one slot for exactly each active device"),
        ),
        ("the used Recovery Key kept", |r| r.recovery = recovery_keys("anna rk 1"), REUSED),
        (
            "the Secret Key kept",
            |r| r.rekey.auth.secret_key_generation = Generation(1),
            rule("after a loss the Secret Key is a new one"),
        ),
        ("recovery.kem alone", |r| r.recovery.kem = kem_key("anna rk 1"), REUSED),
        ("recovery.signing alone", |r| r.recovery.signing = public("anna rk 1"), REUSED),
        ("recovery.signing of no point", |r| r.recovery.signing = PublicKey([0; 32]), BAD_KEY),
        ("recovery.signing of the new ESK", |r| r.recovery.signing = r.rekey.enrolment_key, REUSED),
        (
            "generation kept",
            |r| r.rekey.generation = Generation(1),
            rule("a rekey moves the account root key by one generation"),
        ),
    ];
    let (account, _) = busy_account();
    for (field, change, expected) in cases {
        let mut link = recover_link(&account);
        let LinkBody::Recover(body) = &mut link.body else { panic!("a recover") };
        change(body);
        assert_eq!(&account.attempt(link, "anna rk 1").map(|_| ()), expected, "{field}");
    }
}

#[test]
fn a_rotation_may_keep_the_secret_key_and_a_retirement_too() {
    let (account, _) = busy_account();
    for rekey in [account.rekey(RekeyReason::Rotation, &[]), account.rekey(RekeyReason::Retired, &["phone"])]
    {
        assert_eq!(rekey.auth.secret_key_generation, Generation(1));
        let slots: Vec<_> = rekey.device_slots.iter().map(|slot| slot.slot).collect();
        let state =
            account.attempt(account.link("laptop", LinkBody::Rekey(Box::new(rekey))), "laptop").unwrap();
        assert_eq!(state.generation(), Generation(2));
        assert!(slots.iter().all(|slot| state.slot_hashes().contains(slot)));
        let laptop = state.device(&device_id("laptop")).unwrap().slot().unwrap();
        assert_eq!(laptop.before, account.state.head());
        assert!(state.device(&device_id("phone")).unwrap().is_active() == (slots.len() == 3));
    }
}
