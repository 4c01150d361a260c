//! Every field of the plain link bodies, changed one at a time and signed again: what is refused and why, and what is
//! the signer's word.

use super::every_kind::*;
use super::fixture::*;
use super::recorded::{apply, begin};
use crate::ids::{Generation, Hash, ServerId, VaultId};
use crate::log::*;
use crate::sign::{PublicKey, SignatureError, Signed};

/// What is changed, how, and what the verifier says.
pub(super) type Case<T> = (&'static str, fn(&mut T), Result<(), LinkError>);

pub(super) const BAD_KEY: Result<(), LinkError> = Err(LinkError::Signature(SignatureError::Key));
pub(super) const REUSED: Result<(), LinkError> = Err(LinkError::KeyReused);

pub(super) fn rule(text: &'static str) -> Result<(), LinkError> {
    Err(LinkError::Rule(text))
}

pub(super) fn public(name: &str) -> PublicKey {
    PublicKey::from(&signing_key(name))
}

#[test]
pub(super) fn genesis_body_fields() {
    let cases: &[Case<GenesisLink>] = &[
        ("seed", |body| body.seed = [9; 32], Ok(())),
        ("server_id", |body| body.server_id = ServerId([9; 16]), Ok(())),
        ("ark_commit", |body| body.ark_commit = named("another"), Ok(())),
        ("security_version", |body| body.security_version = 0, Ok(())),
        ("enrolment_key", |body| body.enrolment_key = public("another"), Ok(())),
        ("uek", |body| body.uek = kem_key("another"), Ok(())),
        ("device.signing", |body| body.device.signing = public("phone"), Err(LinkError::Genesis)),
        ("device.kem", |body| body.device.kem = kem_key("phone"), Err(LinkError::Genesis)),
        ("enrolment_key of the device", |body| body.enrolment_key = body.device.signing, REUSED),
        ("enrolment_key of no point", |body| body.enrolment_key = PublicKey([0; 32]), BAD_KEY),
        ("recovery.signing of the device", |body| body.recovery.signing = body.device.signing, REUSED),
        ("recovery.signing of ESK", |body| body.recovery.signing = body.enrolment_key, REUSED),
        ("recovery.signing of no point", |body| body.recovery.signing = PublicKey([2; 32]), BAD_KEY),
        ("recovery.kem of UEK", |body| body.recovery.kem = body.uek.clone(), REUSED),
        ("recovery.kem of the device", |body| body.recovery.kem = body.device.kem.clone(), REUSED),
        ("uek of the device", |body| body.uek = body.device.kem.clone(), REUSED),
    ];
    let honest = TestAccount::genesis("anna", "laptop");
    let id = begin(&Signed::sign(honest.clone(), &signing_key("laptop"))).unwrap().account_id();
    for (field, change, expected) in cases {
        let mut link = honest.clone();
        let LinkBody::Genesis(body) = &mut link.body else { panic!("a genesis") };
        change(body);
        let found = begin(&Signed::sign(link, &signing_key("laptop")));
        assert_eq!(found.as_ref().map(|_| ()), expected.as_ref().map(|_| ()), "{field}");
        assert!(
            found.is_err() || found.unwrap().account_id() != id,
            "{field}: another genesis, another account"
        );
    }
}

#[test]
pub(super) fn auth_update_fields() {
    let twice = rule("every slot is a different one");
    let half = rule("an auth_update brings a new OPAQUE record and password slot");
    let kept = rule("an auth_update repeats all slots but the password's");
    let key = rule("a new OPAQUE record, and only that, has a new password key");
    let rekeyed = rule("the Secret Key changes in a rekey only");
    let mixed = rule("a new Secret Key, and only that, has a new generation");
    let cases: &[Case<AuthUpdate>] = &[
        ("password_slot", |auth| auth.password_slot = named("other"), Ok(())),
        ("recovery_slot", |auth| auth.recovery_slot = named("other"), kept.clone()),
        ("uek_slot", |auth| auth.uek_slot = named("other"), kept.clone()),
        ("secret_key_slot", |auth| auth.secret_key_slot = named("other"), kept.clone()),
        ("recovery = uek", |auth| auth.recovery_slot = auth.uek_slot, kept),
        ("password_key", |auth| auth.password_key = public("other"), Ok(())),
        ("password_key kept", |auth| auth.password_key = super::fixture::auth("anna", 1).password_key, key),
        ("password_key of a device", |auth| auth.password_key = public("phone"), REUSED),
        ("password_key of the Recovery Key", |auth| auth.password_key = public("anna rk 1"), REUSED),
        ("password_key of no point", |auth| auth.password_key = PublicKey([2; 32]), BAD_KEY),
        ("record_hash", |auth| auth.record_hash = named("other"), Ok(())),
        ("opaque_server_key", |auth| auth.opaque_server_key = [9; 32], rule("the server's OPAQUE key stays")),
        ("password = recovery", |auth| auth.password_slot = auth.recovery_slot, twice.clone()),
        ("password = uek", |auth| auth.password_slot = auth.uek_slot, twice.clone()),
        ("password = secret key", |auth| auth.password_slot = auth.secret_key_slot, twice),
        (
            "record_hash kept",
            |auth| auth.record_hash = super::fixture::auth("anna", 1).record_hash,
            half.clone(),
        ),
        (
            "password_slot kept",
            |auth| auth.password_slot = super::fixture::auth("anna", 1).password_slot,
            half,
        ),
        ("secret_key_generation down", |auth| auth.secret_key_generation = Generation(0), rekeyed.clone()),
        ("secret_key_generation up", |auth| auth.secret_key_generation = Generation(2), rekeyed.clone()),
        ("a new Secret Key", |auth| *auth = super::fixture::auth("new", 2), rekeyed),
        ("secret_key_commit alone", |auth| auth.secret_key_commit = named("another key"), mixed),
    ];
    let (account, _) = busy_account();
    for (field, change, expected) in cases {
        let mut body = account.new_password("new");
        change(&mut body);
        let found = account.attempt(account.link("laptop", LinkBody::AuthUpdate(body)), "laptop");
        assert_eq!(&found.map(|_| ()), expected, "{field}");
    }
}

#[test]
pub(super) fn the_first_auth_update_starts_at_generation_one() {
    let genesis = Signed::sign(TestAccount::genesis("anna", "laptop"), &signing_key("laptop"));
    let state = begin(&genesis).unwrap();
    let signer = Signer::Device(device_id("laptop"));
    for (generation, accepted) in [(0, false), (1, true), (2, false)] {
        let body = LinkBody::AuthUpdate(auth("anna", generation));
        let link = AccountLink::after(state.account_id(), &state.head(), signer, 0, Vec::new(), body);
        let found = apply(&state, &sign_link(&state, link, "laptop"));
        let expected = if accepted { Ok(()) } else { rule("Secret Key generations start at 1") };
        assert_eq!(found.map(|_| ()), expected, "{generation}");
    }
}

#[test]
pub(super) fn device_add_fields() {
    let cases: &[Case<DeviceAdd>] = &[
        ("signing", |add| add.keys.signing = public("other"), Ok(())),
        ("kem", |add| add.keys.kem = kem_key("other"), Ok(())),
        ("signing of a device", |add| add.keys.signing = public("phone"), REUSED),
        ("signing of ESK", |add| add.keys.signing = public("anna esk 1"), REUSED),
        ("signing of the Recovery Key", |add| add.keys.signing = public("anna rk 1"), REUSED),
        ("signing of no point", |add| add.keys.signing = PublicKey([2; 32]), BAD_KEY),
        ("kem of a device", |add| add.keys.kem = kem_key("tablet"), REUSED),
        ("kem of UEK", |add| add.keys.kem = kem_key("anna uek 1"), REUSED),
        ("kem of the Recovery Key", |add| add.keys.kem = kem_key("anna rk 1"), REUSED),
        ("how kit", |add| add.how = Enrolment::Kit, Err(LinkError::Signer)),
        ("how recovery", |add| add.how = Enrolment::Recovery, Err(LinkError::Signer)),
    ];
    let (account, _) = busy_account();
    for (field, change, expected) in cases {
        let mut body = pairing("fresh");
        change(&mut body);
        let found = account.attempt(account.link("laptop", LinkBody::DeviceAdd(body)), "laptop");
        assert_eq!(&found.map(|_| ()), expected, "{field}");
    }
}

#[test]
pub(super) fn vault_create_and_security_version_fields() {
    let (account, vault) = busy_account();
    let create = |vault_id, slot: Hash| {
        let body = LinkBody::VaultCreate(VaultCreate { vault_id, slot });
        account.attempt(account.link("laptop", body), "laptop")
    };
    assert_eq!(create(vault.id(), named("slot")), Err(LinkError::Rule("a vault is created once")));
    let slot = NamedSlot { hash: named("other slot"), before: account.state.head() };
    let state = create(VaultId([8; 32]), slot.hash).unwrap();
    assert_eq!(
        state.vaults()[&VaultId([8; 32])],
        AccountVault {
            added: slot.before.seq.next(),
            by: device_id("laptop"),
            slot,
            epoch: crate::ids::Epoch(1),
            epochs: Default::default(),
            former: Default::default(),
            anchors: Default::default(),
        }
    );
    assert!(state.slot_hashes().contains(&slot.hash) && !account.state.slot_hashes().contains(&slot.hash));
    for (version, accepted) in [(0, false), (1, false), (2, true), (3, false), (u32::MAX, false)] {
        let link = account.link("laptop", LinkBody::SecurityVersion(version));
        let expected = if accepted { Ok(()) } else { rule("a security version goes up by one") };
        assert_eq!(account.attempt(link, "laptop").map(|_| ()), expected, "{version}");
    }
}
