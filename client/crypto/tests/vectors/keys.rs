//! Key derivations and printed keys.

use lockstep_crypto::device::DeviceKeys;
use lockstep_crypto::keys::{Ark, LocalSecret, SourceRecord, VaultKey};
use lockstep_crypto::opaque::ExportKey;
use lockstep_crypto::password::Password;
use lockstep_crypto::password_key::PasswordKey;
use lockstep_crypto::recovery_key::RecoveryKey;
use lockstep_crypto::secret_key::SecretKey;
use lockstep_crypto::stretch::Argon2id;
use lockstep_crypto::unlock::{DeviceSalt, LocalUnlock, derive_auk, derive_luk};
use lockstep_proto::ids::{AccountId, DeviceId, Epoch, Generation, Hash, ItemId, VaultId};
use lockstep_proto::log::KemKey;
use lockstep_proto::signin::KsfProfile;
use serde_json::{Value, json};
use sha2::Digest as _;
use unicode_normalization::UnicodeNormalization as _;

use crate::{frozen, hex, unhex_array};

const SEED: [u8; 32] = [0x5e; 32];
const ACCOUNT: AccountId = AccountId([0xac; 32]);
const VAULT: VaultId = VaultId([0xfa; 32]);
const DEVICE: DeviceId = DeviceId([0xde; 16]);
const PASSWORD: &str = "cafe\u{301} \u{fb01}sh";

/// X-Wing public keys are long; their hash says as much.
fn kem_hash(key: &KemKey) -> String {
    hex(&sha2::Sha256::digest(key.as_bytes()))
}

fn account_keys() -> Value {
    let ark = Ark::from_bytes([1; 32]);
    let enrolment = ark.derive_enrolment_key(&SEED, Generation(3)).verifying_key();
    let recovery = RecoveryKey::from_bytes([2; 20]).derive_public_keys();
    let device = DeviceKeys::from_secret_bytes(&[4; 64]).unwrap();
    json!({
        "seed": hex(&SEED),
        "account_id": hex(&ACCOUNT.0),
        "ark": hex(ark.expose_bytes()),
        "generation": 3,
        "ark_commit": hex(&ark.derive_commit(&SEED, Generation(3)).0),
        "enrolment_public_key": hex(enrolment.as_bytes()),
        "secret_key": hex(&[3; 16]),
        "sk_commit": hex(&SecretKey::from_bytes([3; 16]).derive_commit(&ACCOUNT, Generation(3)).0),
        "recovery_key": hex(&[2; 20]),
        "recovery_signing_public_key": hex(&recovery.signing.0),
        "recovery_kem_public_key_sha256": kem_hash(&recovery.kem),
        "device_secret": hex(&[4; 64]),
        "device_signing_public_key": hex(&device.public().signing.0),
        "device_kem_public_key_sha256": kem_hash(&device.public().kem),
        "device_id": hex(&device.device_id().0),
        "device_rng_secret": hex(device.derive_rng_secret().expose_bytes()),
    })
}

fn vault_keys() -> Value {
    let key = VaultKey::from_bytes([5; 32]);
    let item_id = ItemId::from_random([6; 16]);
    let ids = key.derive_item_id_key(&VAULT);
    json!({
        "seed": hex(&SEED),
        "vault_id": hex(&VAULT.0),
        "vault_key": hex(key.expose_bytes()),
        "epoch": 1,
        "vk_commit": hex(&key.derive_commit(&SEED, Epoch(1)).0),
        "item_id": item_id.to_string(),
        "item_key": hex(key.derive_item_key(&VAULT, Epoch(1), &item_id).expose_bytes()),
        "import_by_id": ids.derive_imported("bitwarden", SourceRecord::Id(b"record-1")).to_string(),
        "import_by_hash": ids.derive_imported("csv", SourceRecord::Hash(&Hash([7; 32]))).to_string(),
        "vault_name_id": ids.derive_vault_name().to_string(),
        "device_id": hex(&DEVICE.0),
        "apart_id": ids.derive_apart(&ItemId::from_random([4; 16]), b"document").to_string(),
        "device_name_id": ids.derive_device_name(&DEVICE).to_string(),
    })
}

fn unlock_keys() -> Value {
    let secret_key = SecretKey::from_bytes([3; 16]);
    let password = Password::new(PASSWORD).unwrap();
    let export_key = ExportKey::from_bytes([8; 64]);
    let local = LocalUnlock {
        local_secret: &LocalSecret::from_bytes([9; 32]),
        device_id: &DEVICE,
        salt: &DeviceSalt([10; 16]),
        profile: KsfProfile::Profile1,
    };
    json!({
        "password_utf8": hex(PASSWORD.as_bytes()),
        "password_nfkd_utf8": hex(PASSWORD.nfkd().collect::<String>().as_bytes()),
        "account_id": hex(&ACCOUNT.0),
        "secret_key": hex(secret_key.expose_bytes()),
        "opaque_password": hex(password.derive_opaque(&secret_key, &ACCOUNT).expose_bytes()),
        "export_key": hex(export_key.expose_bytes()),
        "profile": 1,
        "auk": hex(derive_auk(&secret_key, &export_key, &ACCOUNT, KsfProfile::Profile1).expose_bytes()),
        "password_public_key": hex(&PasswordKey::derive(&export_key, &ACCOUNT).public().0),
        "local_secret": hex(local.local_secret.expose_bytes()),
        "device_id": hex(&DEVICE.0),
        "device_salt": hex(&local.salt.0),
        "luk": hex(derive_luk(&password, &local, &Argon2id).unwrap().expose_bytes()),
    })
}

#[test]
fn key_derivations_are_frozen() {
    let description = "account keys; vault keys and derived item ids; the keys that a password opens. secret_key is the Secret \
        Key, recovery_key the Recovery Key, device_secret the Ed25519 seed and then the X-Wing seed; password_utf8 is the text \
        as typed, password_nfkd_utf8 what is hashed";
    let cases = frozen("keys.json", description, vec![account_keys(), vault_keys(), unlock_keys()]);
    let ark = Ark::from_bytes(unhex_array(&cases[0]["ark"]));
    let commit = ark.derive_commit(&unhex_array(&cases[0]["seed"]), Generation(3));
    assert_eq!(commit.0, unhex_array(&cases[0]["ark_commit"]));
}

#[test]
fn printed_keys_are_frozen() {
    let secret_keys = [[0; 16], [0xff; 16], *b"sixteen bytes..!"].map(|bytes| {
        let text = SecretKey::from_bytes(bytes).expose_text();
        json!({ "secret_key": hex(&bytes), "text": *text })
    });
    let recovery_keys = [[0; 20], [0xff; 20], *b"twenty bytes of key!"].map(|bytes| {
        let text = RecoveryKey::from_bytes(bytes).expose_text();
        json!({ "recovery_key": hex(&bytes), "text": *text })
    });
    let description = "Secret Keys and Recovery Keys as they are printed";
    for case in frozen("secret_key.json", description, [secret_keys, recovery_keys].concat()) {
        let text = case["text"].as_str().unwrap();
        if case.get("secret_key").is_some() {
            assert_eq!(*SecretKey::parse(text).unwrap().expose_bytes(), unhex_array(&case["secret_key"]));
        } else {
            assert_eq!(*RecoveryKey::parse(text).unwrap().expose_bytes(), unhex_array(&case["recovery_key"]));
        }
    }
}
