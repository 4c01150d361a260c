//! What another device's rekey does to this one.

use lockstep_crypto::kem::KemSecret;
use lockstep_crypto::keys::{Ark, Auk, VaultKey};
use lockstep_crypto::password_key::PasswordKey;
use lockstep_crypto::secret_key::SecretKey;
use lockstep_crypto::slots::{VaultKeyCheck, seal_slot, seal_slot_to};
use lockstep_proto::ids::{DeviceId, Epoch, Generation, Hash};
use lockstep_proto::log::{
    AccountLink, AuthUpdate, DeviceSlot, LinkBody, Rekey, RekeyReason, Signer, VaultHead, VaultSlot,
};
use lockstep_proto::sign::{PublicKey, Signed};
use lockstep_proto::wrap::slot_hash;

use super::super::slots::Place;
use super::super::*;
use super::device::{Device, account};
use super::links::{SEED, SEEN, create_vault, key, open, vault_id};
use crate::testing::block_on;

const SECOND: Generation = Generation(2);

/// Who goes, and which key the others are handed.
pub(super) struct Plan {
    revoked: Vec<DeviceId>,
    committed: Ark,
    handed: Ark,
    secret_key: (SecretKey, Generation),
}

impl Plan {
    pub(super) fn honest(revoked: Vec<DeviceId>) -> Self {
        let (committed, handed) = (Ark::from_bytes([21; 32]), Ark::from_bytes([21; 32]));
        Self { revoked, committed, handed, secret_key: (SecretKey::from_bytes([22; 16]), SECOND) }
    }

    /// A new root key and nothing else.
    pub(super) fn rotation(unlocked: &Unlocked) -> Self {
        let kept = SecretKey::from_bytes(*unlocked.secret_key.expose_bytes());
        Self { secret_key: (kept, Generation(1)), ..Self::honest(Vec::new()) }
    }
}

/// A rekey by this device for an account with vault 1, whose key it changes from 1 to 2.
pub(super) fn rekey(
    device: &Device,
    unlocked: &mut Unlocked,
    plan: &Plan,
) -> (Signed<AccountLink>, Vec<Vec<u8>>) {
    let password_key = device.password_key(unlocked);
    let state = unlocked.state();
    let place = Place { account_id: state.account_id(), before: state.head() };
    let hedge = unlocked.hedge();
    let (secret_key, secret_key_generation) = (&plan.secret_key.0, plan.secret_key.1);
    let ark = &plan.committed;
    let sealed_uek = KemSecret::from_bytes([1; 32]);
    let password =
        seal_slot(&Auk::from_bytes([23; 32]), &place.password(secret_key_generation, SECOND), ark, &hedge)
            .unwrap();
    let recovery = seal_slot_to(&state.recovery().kem, &place.recovery(SECOND), ark, &hedge).unwrap();
    let uek = seal_slot(ark, &place.uek(SECOND, Generation(1)), &sealed_uek, &hedge).unwrap();
    let secret =
        seal_slot(ark, &place.secret_key(SECOND, secret_key_generation), secret_key, &hedge).unwrap();
    let vault_ctx = place.vault(vault_id(1), SECOND, Epoch(2));
    let vault = seal_slot(ark, &vault_ctx, &key(2), &hedge).unwrap();
    let before_ctx = place.prev_vault_key(vault_id(1), Epoch(2));
    let prev_vault_key = seal_slot(&key(2), &before_ctx, &key(1), &hedge).unwrap();
    let stays = |id: &DeviceId| !plan.revoked.contains(id);
    let devices: Vec<(DeviceId, Vec<u8>)> = state
        .devices()
        .iter()
        .filter(|(id, _)| stays(id))
        .map(|(id, device)| {
            (*id, seal_slot_to(&device.keys().kem, &place.device(*id, SECOND), &plan.handed, &hedge).unwrap())
        })
        .collect();
    let old = state.auth().unwrap();
    // Without a new Secret Key the record stays the one that the server has.
    let (record_hash, password_key_after) = match secret_key_generation == old.secret_key_generation {
        true => (old.record_hash, old.password_key),
        false => (Hash([24; 32]), PasswordKey::from_slice(&[25; 32]).unwrap().public()),
    };
    let auth = AuthUpdate {
        password_slot: slot_hash(&password),
        recovery_slot: slot_hash(&recovery),
        uek_slot: slot_hash(&uek),
        secret_key_slot: slot_hash(&secret),
        record_hash,
        password_key: password_key_after,
        profile: old.profile,
        opaque_server_key: old.opaque_server_key,
        secret_key_generation,
        secret_key_commit: secret_key.derive_commit(&state.account_id(), secret_key_generation),
    };
    let body = Rekey {
        reason: if plan.revoked.is_empty() { RekeyReason::Rotation } else { RekeyReason::Lost },
        revoked: plan.revoked.clone(),
        generation: SECOND,
        ark_commit: ark.derive_commit(state.seed(), SECOND),
        enrolment_key: PublicKey::from(&ark.derive_enrolment_key(state.seed(), SECOND)),
        device_slots: devices
            .iter()
            .map(|(device_id, slot)| DeviceSlot { device_id: *device_id, slot: slot_hash(slot) })
            .collect(),
        auth,
        uek_generation: state.uek().0,
        uek: state.uek().1.clone(),
        vault_slots: vec![VaultSlot {
            vault_id: vault_id(1),
            epoch: Epoch(2),
            vault_key_commit: key(2).derive_commit(&SEED, Epoch(2)),
            prev_vault_key,
            slot: slot_hash(&vault),
        }],
        prev_ark: vec![0; 64],
    };
    let heads = vec![VaultHead { vault_id: vault_id(1), head: SEEN }];
    let signer = Signer::Device(unlocked.device_id());
    let body = LinkBody::Rekey(Box::new(body));
    let link = AccountLink::after(state.account_id(), &state.head(), signer, 0, heads, body);
    let mut slots = vec![password, recovery, uek, secret, vault];
    slots.extend(devices.into_iter().map(|(_, slot)| slot));
    (unlocked.sign_link(link).countersigned(&password_key.signing()), slots)
}

/// Two devices and a vault; the second one rekeys. What the first one's pull says.
fn pull_after(plan: impl Fn(&Unlocked) -> Plan) -> (Device, Unlocked, Result<AccountChange, AccountError>) {
    let (server, first, signed_up) = account();
    let second = Device::new(&server, 3);
    let mut theirs = second.sign_in(&signed_up.kit).unwrap();
    create_vault(&second, &mut theirs, 1).unwrap();
    let mut ours = signed_up.unlocked;
    let our_api = first.api();
    let our_session = ours.session(&our_api);
    block_on(our_session.token()).unwrap();
    let (link, slots) = rekey(&second, &mut theirs, &plan(&ours));
    let api = second.api();
    let session = theirs.session(&api);
    // The second device stores its own slots with the link, and opens its own device slot as any other.
    let _ =
        block_on(append_link(&second.ports, &api, &mut theirs, &session, link, LinkParts::of_slots(slots)));
    let pulled = block_on(pull_account(&first.ports, &our_api, &mut ours, &our_session));
    (first, ours, pulled)
}

/// The key of vault 1 that the rekey seals under the one that it names.
fn open_before(unlocked: &Unlocked, newest: &VaultKey) -> Result<VaultKey, AccountError> {
    let named = &unlocked.state().vaults()[&vault_id(1)].epochs[&Epoch(2)];
    let sealed = SealedVaultKey { vault_id: vault_id(1), epoch: Epoch(2), named };
    let commit = key(1).derive_commit(&SEED, Epoch(1));
    sealed.open(unlocked.account_id(), newest, &VaultKeyCheck { seed: SEED, epoch: Epoch(1), commit })
}

#[test]
fn a_rekey_is_adopted_without_a_password() {
    let (device, unlocked, pulled) = pull_after(|_| Plan::honest(Vec::new()));
    assert_eq!(pulled.unwrap().sign_in, SignInChange::NewSecretKey);
    for unlocked in [unlocked, device.unlock().unwrap()] {
        assert_eq!(unlocked.ark().expose_bytes(), &[21; 32]);
        assert_eq!(unlocked.emergency_kit().unwrap().secret_key.expose_bytes(), &[22; 16]);
        assert_eq!(open(&device, &unlocked, 1, 2).unwrap().expose_bytes(), key(2).expose_bytes());
        assert_eq!(open_before(&unlocked, &key(2)).unwrap().expose_bytes(), key(1).expose_bytes());
        assert!(matches!(open_before(&unlocked, &key(3)), Err(AccountError::Slot(_))));
    }
}

#[test]
fn a41_a_forged_root_key_is_refused() {
    let (device, unlocked, pulled) =
        pull_after(|_| Plan { handed: Ark::from_bytes([66; 32]), ..Plan::honest(Vec::new()) });
    let error = pulled.unwrap_err();
    assert!(matches!(error, AccountError::Slot(_)), "{error}");
    // What has happened is known and told; the keys are those from before.
    let again = device.unlock().unwrap();
    for unlocked in [&unlocked, &again] {
        assert_eq!(unlocked.state().generation(), Generation(2));
        assert_eq!(unlocked.ark().expose_bytes(), again.ark().expose_bytes());
        assert_ne!(unlocked.ark().expose_bytes(), &[66; 32]);
        let events = block_on(security_events(&*device.ports.store, unlocked)).unwrap();
        assert!(events.iter().any(|event| matches!(event.event, SecurityEvent::KeysChanged)), "{events:?}");
    }
}

#[test]
fn a_removed_device_is_told_and_keeps_what_it_has() {
    let (device, unlocked, pulled) = pull_after(|ours| Plan::honest(vec![ours.device_id()]));
    assert!(matches!(pulled, Err(AccountError::DeviceRevoked)));
    let again = device.unlock().unwrap();
    assert_eq!(again.ark().expose_bytes(), unlocked.ark().expose_bytes());
    assert_ne!(again.ark().expose_bytes(), &[21; 32]);
}
