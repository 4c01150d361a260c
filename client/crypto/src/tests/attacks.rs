//! What a hostile server tries with sealed bytes. Names begin with the row of the list of attacks.

#![allow(clippy::unwrap_used)]

use lockstep_proto::ids::{AccountId, DeviceId, Epoch, Generation, Hash, Seq, VaultId};
use lockstep_proto::sign::{PublicKey, Signature};
use lockstep_proto::wrap::{KeyKind, SlotKind, WrapContext};

use crate::envelope::{self, OpenError};
use crate::hedge::Hedge;
use crate::kem::KemSecret;
use crate::keys::{Ark, VaultKey};
use crate::slots::{ArkCheck, SlotError, VaultKeyCheck, open_slot, open_slot_with, seal_slot, seal_slot_to};
use crate::testing::{CountingRandom, device_rng_secret, key};

const SEED: [u8; 32] = [8; 32];

fn vault_ctx(account: u8, vault: u8, epoch: u32, log_seq: u64) -> WrapContext {
    WrapContext {
        account_id: AccountId([account; 32]),
        slot: SlotKind::VaultKey,
        wrapping: KeyKind::Ark,
        wrapping_generation: Generation(1),
        wrapped: KeyKind::VaultKey,
        wrapped_generation: Generation(epoch),
        vault_id: VaultId([vault; 32]),
        device_id: DeviceId::ZERO,
        log_seq: Seq(log_seq),
        log_hash: Hash([5; 32]),
    }
}

fn device_ctx(generation: u32) -> WrapContext {
    WrapContext {
        slot: SlotKind::Device,
        wrapping: KeyKind::Device,
        wrapped: KeyKind::Ark,
        wrapped_generation: Generation(generation),
        ..vault_ctx(1, 0, 0, 1)
    }
}

fn ark() -> Ark {
    Ark::from_bytes([1; 32])
}

fn sealed(ctx: &WrapContext, vault_key: &VaultKey) -> Vec<u8> {
    let (random, secret) = (CountingRandom::default(), device_rng_secret(1));
    seal_slot(&ark(), ctx, vault_key, &Hedge::new(&random, &secret)).unwrap()
}

fn open(ctx: &WrapContext, slot: &[u8], expected: &VaultKey) -> Result<VaultKey, SlotError> {
    let check =
        VaultKeyCheck { seed: SEED, epoch: Epoch(1), commit: expected.derive_commit(&SEED, Epoch(1)) };
    open_slot(&ark(), ctx, slot, &check)
}

#[test]
fn a04_every_flipped_bit_of_a_slot_is_refused() {
    let (ctx, vault_key) = (vault_ctx(1, 2, 1, 4), VaultKey::from_bytes([3; 32]));
    let slot = sealed(&ctx, &vault_key);
    for bit in 0..slot.len() * 8 {
        let mut changed = slot.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(open(&ctx, &changed, &vault_key).is_err(), "bit {bit}");
    }
}

#[test]
fn a14_a_key_that_the_adversary_knows_is_refused() {
    let (ctx, own) = (vault_ctx(1, 2, 1, 4), VaultKey::from_bytes([3; 32]));
    let planted = sealed(&ctx, &VaultKey::from_bytes([66; 32]));
    assert_eq!(open(&ctx, &planted, &own).err(), Some(SlotError::NotCommitted));
}

#[test]
fn a15_a22_a40_slots_do_not_open_in_each_others_place() {
    let vault_key = VaultKey::from_bytes([3; 32]);
    let places = [
        vault_ctx(1, 2, 1, 4),
        vault_ctx(9, 2, 1, 4),
        vault_ctx(1, 9, 1, 4),
        vault_ctx(1, 2, 2, 4),
        vault_ctx(1, 2, 1, 5),
    ];
    for (home, ctx) in places.iter().enumerate() {
        let slot = sealed(ctx, &vault_key);
        for (place, other) in places.iter().enumerate() {
            let outcome = open(other, &slot, &vault_key).err();
            let expected = (home != place).then_some(SlotError::Open(OpenError::Commitment));
            assert_eq!(outcome, expected, "slot {home} at {place}");
        }
    }
}

#[test]
fn a16_absent_empty_and_truncated_slots_are_refused() {
    let (ctx, vault_key) = (vault_ctx(1, 2, 1, 4), VaultKey::from_bytes([3; 32]));
    let slot = sealed(&ctx, &vault_key);
    for length in 0..slot.len() {
        assert!(open(&ctx, &slot[..length], &vault_key).is_err(), "{length} bytes");
        assert!(open(&ctx, &vec![0; length], &vault_key).is_err(), "{length} zeros");
    }
}

#[test]
fn a17_other_suites_ask_for_an_update() {
    let (ctx, vault_key) = (vault_ctx(1, 2, 1, 4), VaultKey::from_bytes([3; 32]));
    let mut slot = sealed(&ctx, &vault_key);
    for suite in (0..=255).filter(|suite| *suite != lockstep_proto::SUITE) {
        slot[0] = suite;
        let refused = open(&ctx, &slot, &vault_key).err();
        assert_eq!(refused, Some(SlotError::Open(OpenError::UpdateNeeded { suite })));
    }
}

#[test]
fn a24_no_envelope_opens_under_two_keys() {
    let (random, secret) = (CountingRandom::default(), device_rng_secret(1));
    let hedge = Hedge::new(&random, &secret);
    let one = envelope::seal(&key(1), b"ctx", b"for one", &hedge).unwrap();
    let two = envelope::seal(&key(2), b"ctx", b"for two", &hedge).unwrap();
    let mut commitment_of_two = one.clone();
    commitment_of_two[33..65].copy_from_slice(&two[33..65]);
    for envelope in [one, two, commitment_of_two] {
        let opened = [1, 2, 3].map(|byte| envelope::open(&key(byte), b"ctx", &envelope).is_ok());
        assert!(opened.iter().filter(|opened| **opened).count() <= 1);
    }
}

#[test]
fn a34_sizes_say_nothing_about_the_content() {
    let (random, secret) = (CountingRandom::default(), device_rng_secret(1));
    let hedge = Hedge::new(&random, &secret);
    let length = |plaintext: &[u8]| envelope::seal(&key(1), b"ctx", plaintext, &hedge).unwrap().len();
    assert_eq!(length(b""), length(&[0; 252]));
    assert_eq!(length(&[0; 1_000]), length(&[0xff; 1_000]));
    let sizes: std::collections::BTreeSet<usize> =
        (0..4_000).step_by(3).map(|size| length(&vec![1; size])).collect();
    assert!(sizes.len() <= 70, "{} sizes", sizes.len());
}

#[test]
fn a38_the_enrolment_key_ends_with_its_generation() {
    use ed25519_dalek::Signer as _;

    let old = ark().derive_enrolment_key(&SEED, Generation(1));
    let new = Ark::from_bytes([2; 32]).derive_enrolment_key(&SEED, Generation(2));
    let signature = Signature(old.sign(b"a shadow device").to_bytes());
    assert!(PublicKey::from(&old).verify(b"a shadow device", &signature).is_ok());
    assert!(PublicKey::from(&new).verify(b"a shadow device", &signature).is_err());
}

#[test]
fn a41_a_forged_root_key_is_refused() {
    let (random, secret) = (CountingRandom::default(), device_rng_secret(1));
    let hedge = Hedge::new(&random, &secret);
    let device = KemSecret::make(&random);
    let next = Ark::from_bytes([2; 32]);
    let check =
        ArkCheck { seed: SEED, generation: Generation(2), commit: next.derive_commit(&SEED, Generation(2)) };
    let forged = Ark::from_bytes([66; 32]);
    let slot = seal_slot_to(&device.public(), &device_ctx(2), &forged, &hedge).unwrap();
    let refused = open_slot_with(&device, &device_ctx(2), &slot, &check).err();
    assert_eq!(refused, Some(SlotError::NotCommitted));

    let older = seal_slot_to(&device.public(), &device_ctx(1), &next, &hedge).unwrap();
    assert!(open_slot_with(&device, &device_ctx(2), &older, &check).is_err());
    let right = seal_slot_to(&device.public(), &device_ctx(2), &next, &hedge).unwrap();
    assert!(open_slot_with(&device, &device_ctx(2), &right, &check).is_ok());
}
