//! Every kind of slot.

use lockstep_crypto::hedge::Hedge;
use lockstep_crypto::kem::KemSecret;
use lockstep_crypto::keys::{Ark, Auk, DeviceRngSecret, Lrk, Luk, VaultKey};
use lockstep_crypto::password_key::PasswordKey;
use lockstep_crypto::secret_key::SecretKey;
use lockstep_crypto::slots::{ArkCheck, SlotContent, WrappingKey, open_slot_with, seal_slot, seal_slot_to};
use lockstep_proto::canon;
use lockstep_proto::ids::{AccountId, DeviceId, Generation, Hash, Seq, VaultId};
use lockstep_proto::wrap::{KeyKind, SlotKind, WrapContext, slot_hash};
use serde_json::{Value, json};

use crate::{CountingRandom, frozen, hex, unhex, unhex_array};

const DEVICE_SECRET: [u8; 32] = [0xdd; 32];
const SEED: [u8; 32] = [0x5e; 32];

fn ctx(slot: SlotKind, wrapping: KeyKind, wrapped: KeyKind) -> WrapContext {
    WrapContext {
        account_id: AccountId([1; 32]),
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

fn case(kind: SlotKind, ctx: &WrapContext, wrapping: &[u8], content: &[u8], slot: &[u8]) -> Value {
    json!({
        "slot_kind": kind as u8,
        "context": hex(&ctx.context()),
        "wrapping": hex(wrapping),
        "content": hex(content),
        "device_rng_secret": hex(&DEVICE_SECRET),
        "slot": hex(slot),
        "slot_hash": hex(&slot_hash(slot).0),
    })
}

fn symmetric<K: WrappingKey, C: SlotContent>(kind: SlotKind, wrapping: &K, content: &C) -> Value {
    let (random, secret) = (CountingRandom::new(), DeviceRngSecret::from_bytes(DEVICE_SECRET));
    let ctx = ctx(kind, K::KIND, C::KIND);
    let slot = seal_slot(wrapping, &ctx, content, &Hedge::new(&random, &secret)).unwrap();
    case(kind, &ctx, wrapping.symmetric().expose_bytes(), &content.expose_content(), &slot)
}

fn public(kind: SlotKind, wrapping: KeyKind, ark: &Ark) -> Value {
    let (random, secret) = (CountingRandom::new(), DeviceRngSecret::from_bytes(DEVICE_SECRET));
    let recipient = KemSecret::from_bytes([6; 32]);
    let ctx = ctx(kind, wrapping, KeyKind::Ark);
    let slot = seal_slot_to(&recipient.public(), &ctx, ark, &Hedge::new(&random, &secret)).unwrap();
    case(kind, &ctx, recipient.expose_bytes(), ark.expose_bytes(), &slot)
}

#[test]
fn slots_are_frozen() {
    let ark = Ark::from_bytes([7; 32]);
    let vault_key = VaultKey::from_bytes([8; 32]);
    let cases = vec![
        symmetric(SlotKind::Password, &Auk::from_bytes([9; 32]), &ark),
        public(SlotKind::Recovery, KeyKind::Recovery, &ark),
        public(SlotKind::Device, KeyKind::Device, &ark),
        symmetric(SlotKind::Uek, &ark, &KemSecret::from_bytes([10; 32])),
        symmetric(SlotKind::SecretKey, &ark, &SecretKey::from_bytes([11; 16])),
        symmetric(SlotKind::VaultKey, &ark, &vault_key),
        symmetric(SlotKind::PrevVaultKey, &vault_key, &VaultKey::from_bytes([12; 32])),
        symmetric(SlotKind::PrevArk, &ark, &Ark::from_bytes([13; 32])),
        symmetric(SlotKind::Local, &Luk::from_bytes([14; 32]), &Lrk::from_bytes([15; 32])),
        symmetric(
            SlotKind::PasswordKey,
            &Luk::from_bytes([14; 32]),
            &PasswordKey::from_slice(&[17; 32]).unwrap(),
        ),
        symmetric(SlotKind::OpaqueRecord, &ark, &vec![16; 192]),
    ];
    let description =
        "every slot kind; for recovery and device slots `wrapping` is the recipient's X-Wing secret";
    for case in frozen("slots.json", description, cases) {
        assert_eq!(slot_hash(&unhex(&case["slot"])).0, unhex_array(&case["slot_hash"]));
        let ctx: WrapContext = canon::from_bytes(&unhex(&case["context"])).unwrap();
        if matches!(ctx.slot, SlotKind::Recovery | SlotKind::Device) {
            let ark = Ark::from_bytes(unhex_array(&case["content"]));
            let commit = ark.derive_commit(&SEED, Generation(1));
            let check = ArkCheck { seed: SEED, generation: Generation(1), commit };
            let recipient = KemSecret::from_bytes(unhex_array(&case["wrapping"]));
            let opened = open_slot_with(&recipient, &ctx, &unhex(&case["slot"]), &check).unwrap();
            assert_eq!(opened.expose_bytes(), ark.expose_bytes());
        } else {
            let wrapping = lockstep_crypto::keys::SymmetricKey::from_bytes(unhex_array(&case["wrapping"]));
            let opened = lockstep_crypto::envelope::open(&wrapping, &ctx.context(), &unhex(&case["slot"]));
            assert_eq!(*opened.unwrap(), unhex(&case["content"]));
        }
    }
}
