//! Envelopes, slots and printed keys: bytes of a stranger open nothing, bytes of one's own nowhere else.

use lockstep_crypto::envelope::{self, OpenError};
use lockstep_crypto::hedge::Hedge;
use lockstep_crypto::item::open_item;
use lockstep_crypto::kem::KemSecret;
use lockstep_crypto::keys::{Ark, Auk, DeviceRngSecret, Lrk, Luk, SymmetricKey, VaultKey};
use lockstep_crypto::kit::{EmergencyKit, RecoverySheet};
use lockstep_crypto::password_key::PasswordKey;
use lockstep_crypto::random::Random;
use lockstep_crypto::recovery_key::RecoveryKey;
use lockstep_crypto::secret_key::SecretKey;
use lockstep_crypto::slots::{
    ArkCheck, LocalCheck, PasswordKeyCheck, RecordCheck, SecretKeyCheck, SlotContent, SlotError, UekCheck,
    VaultKeyCheck, WrappingKey, open_slot, open_slot_with,
};
use lockstep_proto::blob::Blob;
use lockstep_proto::canon;
use lockstep_proto::ids::{AccountId, Epoch, Generation, Hash};
use lockstep_proto::wrap::{SlotKind, WrapContext};
use serde_json::Value;

use super::seeds::{Fields, cases, field, unhex, vectors};

/// The first byte says what the rest is; a context and then what is sealed, or a text.
pub(crate) fn run(input: &[u8]) {
    let mut fields = Fields(input);
    match fields.byte() % 4 {
        0 => open(fields),
        1 => seal(fields),
        2 => slot(fields),
        _ => texts(fields.0),
    }
}

/// The keys of the vectors: what is mutated opens with one of them or not at all.
const KEYS: [u8; 8] = [1, 2, 3, 7, 8, 9, 14, 6];

fn open(mut fields: Fields<'_>) {
    let ctx = fields.field();
    for byte in KEYS {
        let key = SymmetricKey::from_bytes([byte; 32]);
        if let Ok(plaintext) = envelope::open(&key, ctx, fields.0) {
            assert!(envelope::sealed_length(plaintext.len()) == fields.0.len());
        }
    }
    if let Ok(blob) = Blob::from_bytes(fields.0) {
        drop(open_item(&VaultKey::from_bytes([7; 32]), &blob));
    }
}

/// What is sealed opens, and with one bit changed anywhere it does not.
fn seal(mut fields: Fields<'_>) {
    let key = SymmetricKey::from_bytes([fields.byte(); 32]);
    let (place, bit) = (usize::from(fields.byte()) << 8 | usize::from(fields.byte()), fields.byte() % 8);
    let ctx = fields.field();
    let secret = DeviceRngSecret::from_bytes([1; 32]);
    let Ok(mut sealed) = envelope::seal(&key, ctx, fields.0, &Hedge::new(&Constant, &secret)) else {
        return;
    };
    assert!(sealed.len() == envelope::sealed_length(fields.0.len()));
    assert!(*envelope::open(&key, ctx, &sealed).unwrap() == fields.0);
    let other = [ctx, &[0]].concat();
    assert!(envelope::open(&key, &other, &sealed) == Err(OpenError::Commitment));
    let length = sealed.len();
    sealed[place % length] ^= 1 << bit;
    assert!(envelope::open(&key, ctx, &sealed).is_err());
}

/// A slot under a context of any kind, with checks that name what the vectors hold.
fn slot(mut fields: Fields<'_>) {
    let Ok(ctx) = canon::from_bytes::<WrapContext>(fields.field()) else { return };
    let ark_check = |ark: u8| ArkCheck {
        seed: [8; 32],
        generation: Generation(1),
        commit: Ark::from_bytes([ark; 32]).derive_commit(&[8; 32], Generation(1)),
    };
    let vault_check = |key: u8| VaultKeyCheck {
        seed: [8; 32],
        epoch: Epoch(1),
        commit: VaultKey::from_bytes([key; 32]).derive_commit(&[8; 32], Epoch(1)),
    };
    let ark = Ark::from_bytes([7; 32]);
    let bytes = fields.0;
    match ctx.slot {
        SlotKind::Password => one::<_, Ark>(&Auk::from_bytes([9; 32]), &ctx, bytes, &ark_check(7)),
        SlotKind::Uek => {
            one::<_, KemSecret>(&ark, &ctx, bytes, &UekCheck(KemSecret::from_bytes([10; 32]).public()));
        }
        SlotKind::SecretKey => {
            let commit = SecretKey::from_bytes([11; 16]).derive_commit(&AccountId([1; 32]), Generation(1));
            let check = SecretKeyCheck { account_id: AccountId([1; 32]), generation: Generation(1), commit };
            one::<_, SecretKey>(&ark, &ctx, bytes, &check);
        }
        SlotKind::VaultKey => one::<_, VaultKey>(&ark, &ctx, bytes, &vault_check(8)),
        SlotKind::PrevVaultKey => {
            one::<_, VaultKey>(&VaultKey::from_bytes([8; 32]), &ctx, bytes, &vault_check(12));
        }
        SlotKind::PrevArk => one::<_, Ark>(&ark, &ctx, bytes, &ark_check(13)),
        SlotKind::Local => one::<_, Lrk>(&Luk::from_bytes([14; 32]), &ctx, bytes, &LocalCheck),
        SlotKind::PasswordKey => {
            let check = PasswordKeyCheck(PasswordKey::from_slice(&[17; 32]).unwrap().public());
            one::<_, PasswordKey>(&Luk::from_bytes([14; 32]), &ctx, bytes, &check);
        }
        SlotKind::OpaqueRecord => one::<_, Vec<u8>>(&ark, &ctx, bytes, &RecordCheck(Hash([0; 32]))),
        SlotKind::Recovery | SlotKind::Device => {
            let recipient = KemSecret::from_bytes([6; 32]);
            if let Ok(opened) = open_slot_with(&recipient, &ctx, bytes, &ark_check(7)) {
                assert!(opened.expose_bytes() == ark.expose_bytes());
            }
        }
    }
}

/// Opened or not, nothing but the key that the check names comes out, and no other suite is taken for this one.
fn one<K: WrappingKey, C: SlotContent>(wrapping: &K, ctx: &WrapContext, bytes: &[u8], check: &C::Check) {
    match open_slot::<K, C>(wrapping, ctx, bytes, check) {
        Ok(content) => assert!(C::from_content(&content.expose_content(), check).is_some()),
        Err(SlotError::Open(OpenError::UpdateNeeded { suite })) => {
            assert!(suite != lockstep_proto::SUITE && bytes.first() == Some(&suite));
        }
        Err(_) => {}
    }
}

/// What a person types or scans.
fn texts(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(key) = SecretKey::parse(text) {
        assert!(*SecretKey::parse(&key.expose_text()).unwrap().expose_bytes() == *key.expose_bytes());
    }
    if let Ok(key) = RecoveryKey::parse(text) {
        assert!(*RecoveryKey::parse(&key.expose_text()).unwrap().expose_bytes() == *key.expose_bytes());
    }
    if let Ok(kit) = EmergencyKit::parse(text) {
        let text = kit.expose_text();
        assert!(*EmergencyKit::parse(&text).unwrap().expose_text() == *text);
    }
    if let Ok(sheet) = RecoverySheet::parse(text) {
        let text = sheet.expose_text();
        assert!(*RecoverySheet::parse(&text).unwrap().expose_text() == *text);
    }
}

struct Constant;

impl Random for Constant {
    fn fill(&self, out: &mut [u8]) {
        out.fill(7);
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let bytes = |case: &Value, name: &str| unhex(case[name].as_str().unwrap());
    let mut seeds = Vec::new();
    for case in cases("envelope") {
        let ctx = field(&bytes(&case, "context"));
        seeds.push([&[0][..], &ctx, &bytes(&case, "envelope")].concat());
        seeds.push([&[1, 1, 0, 40, 3][..], &ctx, &bytes(&case, "plaintext")].concat());
    }
    seeds.extend(vectors("item_blob", &["blob"]).into_iter().map(|blob| [&[0, 0, 0][..], &blob].concat()));
    for case in cases("slots") {
        seeds.push([&[2][..], &field(&bytes(&case, "context")), &bytes(&case, "slot")].concat());
    }
    for case in cases("secret_key") {
        seeds.extend(case["text"].as_str().map(|text| [&[3][..], text.as_bytes()].concat()));
    }
    seeds
}
