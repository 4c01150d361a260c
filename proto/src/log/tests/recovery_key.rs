//! What takes the place of the Recovery Key, and what it does.

use super::every_kind::*;
use super::fixture::*;
use super::link_bodies::{BAD_KEY, Case, REUSED, public, rule};
use crate::ids::Seq;
use crate::log::*;
use crate::sign::{PublicKey, SignatureError};

const UNANNOUNCED: LinkError =
    LinkError::Rule("a device changes the Recovery Key to the one that is announced");

fn announce(account: &mut TestAccount, signer: &str, name: &str) {
    account.push(signer, LinkBody::RecoveryAnnounce(Box::new(recovery_keys(name))));
}

fn change(account: &TestAccount, signer: &str, name: &str) -> Result<AccountState, LinkError> {
    let change = RecoveryChange { recovery: recovery_keys(name), slot: named(&format!("{name} slot")) };
    account.attempt(account.link(signer, LinkBody::RecoveryChange(Box::new(change))), signer)
}

#[test]
fn a_recovery_key_that_was_announced_takes_the_place_of_the_lost_one() {
    let (mut account, _) = busy_account();
    let before = account.state.head();
    announce(&mut account, "laptop", "rk 2");
    let announced = account.state.announced_recovery().unwrap();
    assert_eq!((announced.seq, &announced.recovery), (before.seq.next(), &recovery_keys("rk 2")));
    assert_eq!(account.state.recovery(), &recovery_keys("anna rk 1"), "until then the one before recovers");
    account.attempt(recover_link(&account), "anna rk 1").unwrap();
    // Another device than the one that announced it may confirm it, with a link between.
    account.add_vault("tablet", "work");
    let at = account.state.head();
    let after = change(&account, "phone", "rk 2").unwrap();
    assert_eq!((after.recovery(), after.announced_recovery()), (&recovery_keys("rk 2"), None));
    let slot = after.auth_slot(&named("rk 2 slot")).unwrap();
    assert_eq!((after.auth().unwrap().recovery_slot, slot.before), (slot.hash, at));
    let old = account.state.auth().unwrap();
    assert_eq!(after.auth().unwrap(), &AuthUpdate { recovery_slot: slot.hash, ..old.clone() });
    assert!(!after.slot_hashes().contains(&old.recovery_slot));
}

#[test]
fn a44_no_device_names_a_recovery_key_that_was_not_announced() {
    let (mut account, _) = busy_account();
    assert_eq!(change(&account, "laptop", "rk 2").map(|_| ()), Err(UNANNOUNCED));
    announce(&mut account, "laptop", "rk 2");
    assert_eq!(change(&account, "laptop", "rk 3").map(|_| ()), Err(UNANNOUNCED));
    announce(&mut account, "laptop", "rk 3");
    assert_eq!(change(&account, "laptop", "rk 2").map(|_| ()), Err(UNANNOUNCED), "a later one counts");
    change(&account, "laptop", "rk 3").unwrap();
    // The keys of one that was given up are used: they are not announced again.
    let again = account.link("laptop", LinkBody::RecoveryAnnounce(Box::new(recovery_keys("rk 2"))));
    assert_eq!(account.attempt(again, "laptop"), Err(LinkError::KeyReused));
}

#[test]
fn an_announcement_is_cancelled_by_the_old_key_and_by_every_change_of_the_password() {
    let (mut account, _) = busy_account();
    announce(&mut account, "phone", "rk 9");
    let rekey = account.rekey(RekeyReason::Lost, &["phone"]);
    let rotation = account.rekey(RekeyReason::Rotation, &[]);
    for (link, key) in [
        (account.link("laptop", LinkBody::AuthUpdate(account.new_password("new"))), "laptop"),
        (account.link("laptop", LinkBody::Rekey(Box::new(rekey))), "laptop"),
        (account.link("laptop", LinkBody::Rekey(Box::new(rotation))), "laptop"),
        (recover_link(&account), "anna rk 1"),
        (recovery_change_link(&account), "anna rk 1"),
    ] {
        let mut after = account.clone();
        let kind = link.body.kind();
        after.accept(link, key);
        assert_eq!(after.state.announced_recovery(), None, "{kind:?}");
        if after.state.device(&device_id("laptop")).unwrap().is_active() {
            assert_eq!(change(&after, "laptop", "rk 9").map(|_| ()), Err(UNANNOUNCED), "{kind:?}");
        }
    }
    for body in [LinkBody::DeviceAdd(pairing("fresh")), LinkBody::SecurityVersion(2)] {
        let after = account.attempt(account.link("laptop", body), "laptop").unwrap();
        assert!(after.announced_recovery().is_some());
    }
}

#[test]
fn recovery_change_fields() {
    let cases: &[Case<RecoveryChange>] = &[
        ("recovery.signing kept", |body| body.recovery.signing = public("anna rk 1"), REUSED),
        ("recovery.kem kept", |body| body.recovery.kem = kem_key("anna rk 1"), REUSED),
        ("recovery.signing of a device", |body| body.recovery.signing = public("phone"), REUSED),
        ("recovery.signing of no point", |body| body.recovery.signing = PublicKey([2; 32]), BAD_KEY),
        (
            "slot kept",
            |body| body.slot = auth("anna", 1).recovery_slot,
            rule("a new Recovery Key has a new slot"),
        ),
        (
            "slot of a vault",
            |body| body.slot = named("home slot 1"),
            rule("a new Recovery Key has a new slot"),
        ),
        ("slot", |body| body.slot = named("other"), Ok(())),
    ];
    let (account, _) = busy_account();
    for (field, change, expected) in cases {
        let mut link = recovery_change_link(&account);
        let LinkBody::RecoveryChange(body) = &mut link.body else { panic!("a recovery_change") };
        change(body);
        assert_eq!(&account.attempt(link, "anna rk 1").map(|_| ()), expected, "{field}");
    }
    let mismatch = Err(LinkError::Signature(SignatureError::Mismatch));
    assert_eq!(account.attempt(recovery_change_link(&account), "laptop"), mismatch);
    let mut after = account;
    after.accept(recovery_change_link(&after), "anna rk 1");
    let mut again = recovery_change_link(&after);
    let LinkBody::RecoveryChange(body) = &mut again.body else { panic!("a recovery_change") };
    **body = RecoveryChange { recovery: recovery_keys("rk 3"), slot: named("rk 3 slot") };
    assert_eq!(after.attempt(again.clone(), "anna rk 1"), mismatch, "it changed itself");
    after.attempt(again, "anna rk 2").unwrap();
}

/// Whoever has forgotten the password and holds a device and the sheet: nobody has to join.
#[test]
fn the_recovery_key_takes_the_account_back_on_a_device_that_it_has() {
    let (account, vault) = busy_account();
    let mut rekey = account.rekey(RekeyReason::Recovery, &["phone"]);
    rekey.device_slots.retain(|slot| slot.device_id != device_id("phone"));
    let recover = Recover { device: None, recovery: recovery_keys("anna rk 2"), rekey };
    let mut link = account.link("laptop", LinkBody::Recover(Box::new(recover)));
    link.signer = Signer::Recovery;
    let after = account.attempt(link.clone(), "anna rk 1").unwrap();
    let active: Vec<_> = after.devices().values().filter(|device| device.is_active()).collect();
    assert_eq!(active.len(), 2);
    assert!(active.iter().all(|device| device.added() < Seq(4)), "nobody has joined");
    let phone = after.device(&device_id("phone")).unwrap().revocation().unwrap();
    assert_eq!(phone.cut_off(&vault.id()), Some(vault.state.head()));
    assert_eq!(after.recovery(), &recovery_keys("anna rk 2"));
    for forger in ["laptop", "anna esk 1"] {
        let forged = account.attempt(link.clone(), forger).map(|_| ());
        assert_eq!(forged, Err(LinkError::Signature(SignatureError::Mismatch)), "{forger}");
    }
}
