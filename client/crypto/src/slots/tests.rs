//! Every slot opens in its own place and nowhere else.

#![allow(clippy::unwrap_used)]

use lockstep_proto::ids::{AccountId, DeviceId, Epoch, Generation, Hash, Seq, VaultId};
use lockstep_proto::signin::record_hash;

use super::*;
use crate::keys::Lrk;
use crate::password_key::PasswordKey;
use crate::secret_key::SecretKey;
use crate::testing::{CountingRandom, device_rng_secret};

const SEED: [u8; 32] = [8; 32];
const ACCOUNT: AccountId = AccountId([1; 32]);

fn ctx(slot: SlotKind, wrapping: KeyKind, wrapped: KeyKind) -> WrapContext {
    WrapContext {
        account_id: ACCOUNT,
        slot,
        wrapping,
        wrapping_generation: Generation(1),
        wrapped,
        wrapped_generation: Generation(2),
        vault_id: VaultId([2; 32]),
        device_id: DeviceId([3; 16]),
        log_seq: Seq(4),
        log_hash: Hash([5; 32]),
    }
}

fn ark(byte: u8) -> (Ark, ArkCheck) {
    let ark = Ark::from_bytes([byte; 32]);
    let check =
        ArkCheck { seed: SEED, generation: Generation(1), commit: ark.derive_commit(&SEED, Generation(1)) };
    (ark, check)
}

fn vault_key(byte: u8) -> (VaultKey, VaultKeyCheck) {
    let key = VaultKey::from_bytes([byte; 32]);
    let check = VaultKeyCheck { seed: SEED, epoch: Epoch(1), commit: key.derive_commit(&SEED, Epoch(1)) };
    (key, check)
}

/// Seals, opens, and opens under a context that says something else.
fn round_trip<K: WrappingKey, C: SlotContent>(slot: SlotKind, wrapping: &K, content: &C, check: &C::Check) {
    let (random, secret) = (CountingRandom::default(), device_rng_secret(1));
    let ctx = ctx(slot, K::KIND, C::KIND);
    let sealed = seal_slot(wrapping, &ctx, content, &Hedge::new(&random, &secret)).unwrap();
    let opened: C = open_slot(wrapping, &ctx, &sealed, check).unwrap();
    assert_eq!(*opened.expose_content(), *content.expose_content());

    let others = [
        WrapContext { account_id: AccountId::ZERO, ..ctx },
        WrapContext { wrapping_generation: Generation(9), ..ctx },
        WrapContext { wrapped_generation: Generation(9), ..ctx },
        WrapContext { vault_id: VaultId::ZERO, ..ctx },
        WrapContext { device_id: DeviceId::ZERO, ..ctx },
        WrapContext { log_seq: Seq(9), ..ctx },
        WrapContext { log_hash: Hash::ZERO, ..ctx },
    ];
    for other in others {
        let refused = open_slot::<K, C>(wrapping, &other, &sealed, check).err().unwrap();
        assert_eq!(refused, SlotError::Open(OpenError::Commitment));
    }
    for kind in SlotKind::ALL.iter().filter(|kind| **kind != slot) {
        let other = WrapContext { slot: *kind, ..ctx };
        assert!(open_slot::<K, C>(wrapping, &other, &sealed, check).is_err());
    }
}

#[test]
fn every_symmetric_slot_opens_in_its_own_place_only() {
    let (ark, ark_check) = ark(1);
    let (prev_ark, prev_ark_check) = self::ark(2);
    let (vault_key, vault_key_check) = vault_key(3);
    let (prev_vault_key, prev_vault_key_check) = self::vault_key(4);
    let uek = KemSecret::from_bytes([5; 32]);
    let secret_key = SecretKey::from_bytes([6; 16]);
    let secret_key_check = SecretKeyCheck {
        account_id: ACCOUNT,
        generation: Generation(1),
        commit: secret_key.derive_commit(&ACCOUNT, Generation(1)),
    };
    let record = vec![7; 192];

    round_trip(SlotKind::Password, &Auk::from_bytes([9; 32]), &ark, &ark_check);
    round_trip(SlotKind::Uek, &ark, &uek, &UekCheck(uek.public()));
    round_trip(SlotKind::SecretKey, &ark, &secret_key, &secret_key_check);
    round_trip(SlotKind::VaultKey, &ark, &vault_key, &vault_key_check);
    round_trip(SlotKind::PrevVaultKey, &vault_key, &prev_vault_key, &prev_vault_key_check);
    round_trip(SlotKind::PrevArk, &ark, &prev_ark, &prev_ark_check);
    round_trip(SlotKind::Local, &Luk::from_bytes([9; 32]), &Lrk::from_bytes([7; 32]), &LocalCheck);
    let password_key = PasswordKey::from_slice(&[8; 32]).unwrap();
    let check = PasswordKeyCheck(password_key.public());
    round_trip(SlotKind::PasswordKey, &Luk::from_bytes([9; 32]), &password_key, &check);
    round_trip(SlotKind::OpaqueRecord, &ark, &record, &RecordCheck(record_hash(&record)));
}

/// Seals something that the log does not name, properly, in its place.
fn planted<C: SlotContent>(slot: SlotKind, content: &C, check: &C::Check) {
    let (random, secret) = (CountingRandom::default(), device_rng_secret(1));
    let (ark, ctx) = (ark(1).0, ctx(slot, KeyKind::Ark, C::KIND));
    let sealed = seal_slot(&ark, &ctx, content, &Hedge::new(&random, &secret)).unwrap();
    let refused = open_slot::<_, C>(&ark, &ctx, &sealed, check).err().unwrap();
    assert_eq!(refused, SlotError::NotCommitted);
}

#[test]
fn a_key_that_the_log_does_not_commit_to_is_refused() {
    planted(SlotKind::VaultKey, &VaultKey::from_bytes([66; 32]), &vault_key(3).1);
    planted(SlotKind::PrevArk, &Ark::from_bytes([66; 32]), &ark(2).1);
    planted(
        SlotKind::Uek,
        &KemSecret::from_bytes([66; 32]),
        &UekCheck(KemSecret::from_bytes([5; 32]).public()),
    );
    planted(SlotKind::OpaqueRecord, &vec![66; 192], &RecordCheck(record_hash(&[7; 192])));
    let secret_key = SecretKey::from_bytes([6; 16]);
    let commit = secret_key.derive_commit(&ACCOUNT, Generation(1));
    let check = SecretKeyCheck { account_id: ACCOUNT, generation: Generation(1), commit };
    planted(SlotKind::SecretKey, &SecretKey::from_bytes([66; 16]), &check);
}

#[test]
fn device_and_recovery_slots_open_for_their_recipient_only() {
    let (random, secret) = (CountingRandom::default(), device_rng_secret(1));
    let hedge = Hedge::new(&random, &secret);
    let (ark, check) = ark(1);
    let recipient = KemSecret::make(&random);
    for (slot, wrapping) in [(SlotKind::Device, KeyKind::Device), (SlotKind::Recovery, KeyKind::Recovery)] {
        let ctx = ctx(slot, wrapping, KeyKind::Ark);
        let sealed = seal_slot_to(&recipient.public(), &ctx, &ark, &hedge).unwrap();
        let opened = open_slot_with(&recipient, &ctx, &sealed, &check).unwrap();
        assert_eq!(opened.expose_bytes(), ark.expose_bytes());

        let elsewhere = WrapContext { log_seq: Seq(9), ..ctx };
        let refused = open_slot_with(&recipient, &elsewhere, &sealed, &check).err().unwrap();
        assert_eq!(refused, SlotError::Open(OpenError::Aead));
        let stranger = KemSecret::from_bytes([9; 32]);
        assert!(open_slot_with(&stranger, &ctx, &sealed, &check).is_err());
        let refused = open_slot_with(&recipient, &ctx, &sealed, &self::ark(2).1).err().unwrap();
        assert_eq!(refused, SlotError::NotCommitted);
    }
}

#[test]
fn a_context_of_another_kind_seals_nothing() {
    let (random, secret) = (CountingRandom::default(), device_rng_secret(1));
    let hedge = Hedge::new(&random, &secret);
    let ark = ark(1).0;
    let wrong = [
        ctx(SlotKind::Password, KeyKind::Auk, KeyKind::Ark),
        ctx(SlotKind::PrevArk, KeyKind::Ark, KeyKind::Ark),
        ctx(SlotKind::VaultKey, KeyKind::Ark, KeyKind::Ark),
        ctx(SlotKind::VaultKey, KeyKind::Auk, KeyKind::VaultKey),
        ctx(SlotKind::Device, KeyKind::Device, KeyKind::Ark),
    ];
    for ctx in wrong {
        assert_eq!(seal_slot(&ark, &ctx, &vault_key(1).0, &hedge), Err(SealError::Context));
    }
    let recipient = KemSecret::from_bytes([9; 32]).public();
    let symmetric = ctx(SlotKind::Password, KeyKind::Auk, KeyKind::Ark);
    assert_eq!(seal_slot_to(&recipient, &symmetric, &ark, &hedge), Err(SealError::Context));
}
