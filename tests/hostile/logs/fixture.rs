//! An account of three devices with one vault, of real links and commits whose keys are the same in every run.

use ed25519_dalek::SigningKey;
use lockstep_proto::digest::Digest;
use lockstep_proto::hash::hash;
use lockstep_proto::ids::{AccountId, DeviceId, Epoch, Generation, Hash, ItemId, Seq, ServerId, VaultId};
use lockstep_proto::log::*;
use lockstep_proto::sign::{PublicKey, Signed};
use lockstep_proto::signin::KsfProfile;

/// Devices are numbers: two that stay honest, and one that may be revoked.
pub(crate) const DEVICES: usize = 3;
/// The device that may be revoked; from then on its key is the server's.
pub(crate) const LOST: usize = 2;

pub(crate) fn named(name: &str) -> Hash {
    hash("test", &[name.as_bytes()])
}

pub(crate) fn signing_key(device: usize) -> SigningKey {
    SigningKey::from_bytes(&named(&format!("device {device}")).0)
}

pub(crate) fn device_id(device: usize) -> DeviceId {
    device_keys(device).device_id()
}

pub(crate) fn item_id(name: &str) -> ItemId {
    ItemId::from_derived(named(name).0[..16].try_into().unwrap())
}

/// A key as ML-KEM's modulus check wants it.
fn kem_key(name: &str) -> KemKey {
    let mut bytes = named(name).0.repeat(KemKey::LENGTH / 32);
    for packed in bytes[..1_152].chunks_exact_mut(3) {
        packed[1] &= !0x08;
        packed[2] &= !0x80;
    }
    KemKey::from_bytes(&bytes).unwrap()
}

fn device_keys(device: usize) -> DevicePublicKeys {
    let signing = PublicKey::from(&signing_key(device));
    DevicePublicKeys { signing, kem: kem_key(&format!("device {device}")) }
}

fn public_key(name: &str) -> PublicKey {
    PublicKey::from(&SigningKey::from_bytes(&named(name).0))
}

/// The key that countersigns under the password of this record.
fn password_key(record: &Hash) -> SigningKey {
    SigningKey::from_bytes(&named(&format!("password of {record}")).0)
}

fn auth(tag: &str, secret_key_generation: u32) -> AuthUpdate {
    AuthUpdate {
        password_slot: named(&format!("{tag} password")),
        recovery_slot: named(&format!("{tag} recovery")),
        uek_slot: named(&format!("{tag} uek")),
        secret_key_slot: named(&format!("{tag} sk")),
        record_hash: named(&format!("{tag} record")),
        password_key: PublicKey::from(&password_key(&named(&format!("{tag} record")))),
        profile: KsfProfile::Profile1,
        opaque_server_key: named("opaque server").0,
        secret_key_generation: Generation(secret_key_generation),
        secret_key_commit: named(&format!("sk commit {secret_key_generation}")),
    }
}

fn account_genesis() -> Signed<AccountLink> {
    let body = GenesisLink {
        seed: named("seed").0,
        server_id: ServerId([7; 16]),
        device: device_keys(0),
        enrolment_key: public_key("esk 1"),
        uek: kem_key("uek 1"),
        recovery: RecoveryPublicKeys { signing: public_key("rk 1"), kem: kem_key("rk 1") },
        ark_commit: named("ark 1"),
        security_version: 1,
    };
    let link = AccountLink {
        account_id: AccountId::ZERO,
        seq: Seq(0),
        prev_hash: Hash::ZERO,
        signer: Signer::Device(device_id(0)),
        time_ms: 0,
        heads: Vec::new(),
        body: LinkBody::Genesis(Box::new(body)),
    };
    Signed::sign(link, &signing_key(0))
}

/// The state after one more link by `device`, which has `head` pinned in each vault.
pub(crate) fn link(state: &AccountState, device: usize, head: LogHead, body: LinkBody) -> AccountState {
    let heads = state.vaults().keys().map(|vault_id| VaultHead { vault_id: *vault_id, head });
    let signer = Signer::Device(device_id(device));
    let link = AccountLink::after(state.account_id(), &state.head(), signer, 0, heads.collect(), body);
    let record = match (state.auth(), &link.body) {
        (None, LinkBody::AuthUpdate(first)) => first.record_hash,
        (auth, _) => auth.map(|auth| auth.record_hash).unwrap_or_default(),
    };
    let link = Signed::sign(link, &signing_key(device)).countersigned(&password_key(&record));
    state.apply(&link).unwrap()
}

/// The account with its three devices and its vault, and the vault's genesis.
pub(crate) fn account() -> (AccountState, Entry) {
    let none = LogHead::default();
    let mut state = AccountState::from_genesis(&account_genesis()).unwrap();
    state = link(&state, 0, none, LinkBody::AuthUpdate(auth("first", 1)));
    for device in 1..DEVICES {
        let add = DeviceAdd { keys: device_keys(device), how: Enrolment::Pairing };
        state = link(&state, 0, none, LinkBody::DeviceAdd(add));
    }
    let genesis = vault_genesis(&state);
    let create = VaultCreate { vault_id: vault_id_of(&genesis.commit), slot: named("vault slot") };
    (link(&state, 0, none, LinkBody::VaultCreate(create)), genesis)
}

fn vault_genesis(account: &AccountState) -> Entry {
    let member = Member {
        account_id: account.account_id(),
        role: Role::Admin,
        position: account.head(),
        uek_generation: Generation(1),
        slot: Hash::ZERO,
    };
    let body = CommitBody::Genesis(GenesisCommit {
        seed: named("vault seed").0,
        control: ControlBody {
            members: vec![member],
            epoch: Epoch(1),
            vault_key_commit: named("vault key 1"),
            prev_vault_key: Vec::new(),
        },
    });
    let commit = Commit {
        vault_id: VaultId::ZERO,
        seq: Seq(0),
        prev_hash: Hash::ZERO,
        kind: CommitKind::Genesis,
        epoch: Epoch(1),
        control_hash: Hash::ZERO,
        author_account: account.account_id(),
        author_device: device_id(0),
        author_position: account.head(),
        time_ms: 0,
        digest: Digest::default(),
        live: 0,
        tombstones: 0,
        observed: Vec::new(),
        body_hash: body.hash(),
    };
    Entry { commit: Signed::sign(commit, &signing_key(0)), body }
}

/// The link by which `device` revokes the lost one, with what it has pinned as cut-off.
pub(crate) fn revoke(state: &AccountState, device: usize, head: LogHead) -> AccountState {
    let generation = state.generation().next();
    let tag = format!("{device} {generation}");
    let lost = device_id(LOST);
    let active = state.devices().iter().filter(|(id, device)| device.is_active() && **id != lost);
    let (uek_generation, uek) = state.uek();
    let old = state.auth().unwrap().secret_key_generation;
    let vaults = state.vaults().iter().map(|(vault_id, vault)| VaultSlot {
        vault_id: *vault_id,
        epoch: vault.epoch.next(),
        vault_key_commit: named(&format!("{tag} key of {vault_id}")),
        prev_vault_key: vec![2; 64],
        slot: named(&format!("{tag} {vault_id}")),
    });
    let rekey = Rekey {
        reason: RekeyReason::Lost,
        revoked: vec![lost],
        generation,
        ark_commit: named(&format!("{tag} ark")),
        enrolment_key: public_key(&format!("{tag} esk")),
        device_slots: active
            .map(|(id, _)| DeviceSlot { device_id: *id, slot: named(&format!("{tag} {id}")) })
            .collect(),
        auth: auth(&tag, old.0 + 1),
        uek_generation,
        uek: uek.clone(),
        vault_slots: vaults.collect(),
        prev_ark: vec![1; 64],
    };
    link(state, device, head, LinkBody::Rekey(Box::new(rekey)))
}
