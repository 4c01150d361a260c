//! An account from its first key to its recovery, without a network: only what is sealed passes from step to step.

#![allow(clippy::unwrap_used)]

use lockstep_proto::ids::{
    AccountId, DeviceId, Epoch, Generation, Hash, ItemId, Seq, ServerId, VaultId, Version,
};
use lockstep_proto::signin::KsfProfile;
use lockstep_proto::wrap::{KeyKind, SlotKind, WrapContext};

use crate::device::DeviceKeys;
use crate::hedge::Hedge;
use crate::item::{open_item, seal_item};
use crate::keys::{Ark, DeviceRngSecret, LocalSecret, Lrk, VaultKey};
use crate::kit::{EmergencyKit, RecoverySheet, ServerUrl};
use crate::opaque::ExportKey;
use crate::password::Password;
use crate::recovery_key::RecoveryKey;
use crate::secret_key::SecretKey;
use crate::slots::{
    ArkCheck, LocalCheck, SlotError, VaultKeyCheck, open_slot, open_slot_with, seal_slot, seal_slot_to,
};
use crate::stretch::CheapStretch;
use crate::testing::CountingRandom;
use crate::unlock::{DeviceSalt, LocalUnlock, derive_auk, derive_luk};
use lockstep_proto::blob::{Blob, ItemHeader, ItemState};

const ACCOUNT: AccountId = AccountId([1; 32]);
const SERVER: ServerId = ServerId([2; 16]);
const VAULT: VaultId = VaultId([3; 32]);
const SEED: [u8; 32] = [4; 32];
const PROFILE: KsfProfile = KsfProfile::Profile1;

fn ctx(slot: SlotKind, wrapping: KeyKind, wrapped: KeyKind) -> WrapContext {
    WrapContext {
        account_id: ACCOUNT,
        slot,
        wrapping,
        wrapping_generation: Generation(1),
        wrapped,
        wrapped_generation: Generation(1),
        vault_id: VaultId::ZERO,
        device_id: DeviceId::ZERO,
        log_seq: Seq(0),
        log_hash: Hash([5; 32]),
    }
}

/// Everything that leaves the first device: on paper, and sealed at the server.
struct Outside {
    kit: String,
    sheet: String,
    ark_check: ArkCheck,
    vault_check: VaultKeyCheck,
    password_slot: Vec<u8>,
    recovery_slot: Vec<u8>,
    vault_slot: Vec<u8>,
    blob: Vec<u8>,
}

/// OPAQUE's part in these stories: the same export key for the same password, tested in its own module.
fn export_key(password: &str, secret_key: &SecretKey) -> ExportKey {
    ExportKey::from_bytes(
        *Password::new(password).unwrap().derive_opaque(secret_key, &ACCOUNT).expose_bytes(),
    )
}

fn sign_up(password: &str) -> Outside {
    let random = CountingRandom::default();
    let rng_secret = DeviceKeys::make(&random).derive_rng_secret();
    let hedge = Hedge::new(&random, &rng_secret);
    let (ark, vault_key) = (Ark::make(&random), VaultKey::make(&random));
    let (secret_key, recovery_key) = (SecretKey::make(&random), RecoveryKey::make(&random));
    let auk = derive_auk(&secret_key, &export_key(password, &secret_key), &ACCOUNT, PROFILE);
    let header = ItemHeader {
        vault_id: VAULT,
        epoch: Epoch(1),
        item_id: ItemId::from_random([6; 16]),
        version: Version(1),
        prev_blob_hash: Hash::ZERO,
        author_account: ACCOUNT,
        author_device: DeviceId::ZERO,
        state: ItemState::Live,
    };
    let password_ctx = ctx(SlotKind::Password, KeyKind::Auk, KeyKind::Ark);
    let recovery_ctx = ctx(SlotKind::Recovery, KeyKind::Recovery, KeyKind::Ark);
    let vault_ctx = ctx(SlotKind::VaultKey, KeyKind::Ark, KeyKind::VaultKey);
    let recipient = recovery_key.derive_public_keys().kem;
    let ark_commit = ark.derive_commit(&SEED, Generation(1));
    let vault_commit = vault_key.derive_commit(&SEED, Epoch(1));
    let server_url = ServerUrl::new("https://vault.example").unwrap();
    Outside {
        ark_check: ArkCheck { seed: SEED, generation: Generation(1), commit: ark_commit },
        vault_check: VaultKeyCheck { seed: SEED, epoch: Epoch(1), commit: vault_commit },
        password_slot: seal_slot(&auk, &password_ctx, &ark, &hedge).unwrap(),
        recovery_slot: seal_slot_to(&recipient, &recovery_ctx, &ark, &hedge).unwrap(),
        vault_slot: seal_slot(&ark, &vault_ctx, &vault_key, &hedge).unwrap(),
        blob: seal_item(&vault_key, &header, b"a document", &hedge).unwrap().bytes,
        kit: EmergencyKit {
            secret_key,
            account_id: ACCOUNT,
            server_url: server_url.clone(),
            server_id: SERVER,
            ksf_profile: PROFILE,
        }
        .expose_text()
        .to_string(),
        sheet: RecoverySheet { recovery_key, account_id: ACCOUNT, server_url, server_id: SERVER }
            .expose_text()
            .to_string(),
    }
}

fn sign_in(outside: &Outside, password: &str, secret_key: &SecretKey) -> Result<Ark, SlotError> {
    let auk = derive_auk(secret_key, &export_key(password, secret_key), &ACCOUNT, PROFILE);
    let ctx = ctx(SlotKind::Password, KeyKind::Auk, KeyKind::Ark);
    open_slot(&auk, &ctx, &outside.password_slot, &outside.ark_check)
}

fn read(outside: &Outside, ark: &Ark) -> Vec<u8> {
    let ctx = ctx(SlotKind::VaultKey, KeyKind::Ark, KeyKind::VaultKey);
    let vault_key: VaultKey = open_slot(ark, &ctx, &outside.vault_slot, &outside.vault_check).unwrap();
    open_item(&vault_key, &Blob::from_bytes(&outside.blob).unwrap()).unwrap().to_vec()
}

#[test]
fn kit_and_password_open_the_vault_on_a_new_device() {
    let outside = sign_up("pass\u{e9}");
    let kit = EmergencyKit::parse(&outside.kit).unwrap();
    let ark = sign_in(&outside, "passe\u{301}", &kit.secret_key).unwrap();
    assert_eq!(read(&outside, &ark), b"a document");
}

#[test]
fn the_recovery_sheet_alone_opens_the_vault() {
    let outside = sign_up("forgotten");
    let recovery_key = RecoverySheet::parse(&outside.sheet).unwrap().recovery_key;
    let ctx = ctx(SlotKind::Recovery, KeyKind::Recovery, KeyKind::Ark);
    let ark = open_slot_with(&recovery_key.derive_kem(), &ctx, &outside.recovery_slot, &outside.ark_check);
    assert_eq!(read(&outside, &ark.unwrap()), b"a document");
}

#[test]
fn r_2skd_neither_password_nor_secret_key_is_enough() {
    let outside = sign_up("password");
    let kit = EmergencyKit::parse(&outside.kit).unwrap();
    assert!(sign_in(&outside, "Password", &kit.secret_key).is_err());
    assert!(sign_in(&outside, "password", &SecretKey::from_bytes([9; 16])).is_err());
}

#[test]
fn a_device_unlocks_offline_with_password_and_local_secret() {
    let random = CountingRandom::default();
    let rng_secret = DeviceRngSecret::from_bytes([1; 32]);
    let (lrk, local_secret, salt) =
        (Lrk::make(&random), LocalSecret::make(&random), DeviceSalt::make(&random));
    let luk = |password: &str, local_secret: &LocalSecret| {
        let local =
            LocalUnlock { local_secret, device_id: &DeviceId([7; 16]), salt: &salt, profile: PROFILE };
        derive_luk(&Password::new(password).unwrap(), &local, &CheapStretch).unwrap()
    };
    let ctx = ctx(SlotKind::Local, KeyKind::Luk, KeyKind::Lrk);
    let slot =
        seal_slot(&luk("password", &local_secret), &ctx, &lrk, &Hedge::new(&random, &rng_secret)).unwrap();

    let opened: Lrk = open_slot(&luk("password", &local_secret), &ctx, &slot, &LocalCheck).unwrap();
    assert_eq!(opened.expose_bytes(), lrk.expose_bytes());
    let wrong = [luk("other", &local_secret), luk("password", &LocalSecret::make(&random))];
    for wrong in wrong {
        assert!(open_slot::<_, Lrk>(&wrong, &ctx, &slot, &LocalCheck).is_err());
    }
}
