//! A server in memory, and accounts and vaults as honest clients make them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ed25519_dalek::SigningKey;
use lockstep_proto::api::account::{AppendLinks, Appended, BarDevices};
use lockstep_proto::bar::BarStatement;
use lockstep_proto::bytes::Bytes;
use lockstep_proto::hash::hash;
use lockstep_proto::ids::*;
use lockstep_proto::log::*;
use lockstep_proto::sign::{PublicKey, Signed};
use lockstep_proto::signin::KsfProfile;
use lockstep_proto::wrap::slot_hash;

use super::vault::TestVault;
use crate::caller::{Caller, Session};
use crate::limits::RequestRates;
use crate::ports::{Clock, Random};
use crate::secrets::ServerSecrets;
use crate::services::signup::stored_link;
use crate::services::{Admissions, LinksError, Ports, Services, SignupRule};
use crate::store::{AccountLimits, AccountStore, Admission, CreateOutcome, MemoryStore, NewAccount};

/// When everything begins.
pub(super) const NOON_MS: u64 = 1_800_000_000_000;

/// A wall clock that a test moves.
pub(super) struct TestClock(AtomicU64);

impl TestClock {
    pub(super) fn set_ms(&self, now_ms: u64) {
        self.0.store(now_ms, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now_ms(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// Bytes that never come twice.
#[derive(Default)]
struct Counted(AtomicU64);

impl Random for Counted {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(32) {
            let number = self.0.fetch_add(1, Ordering::SeqCst);
            chunk.copy_from_slice(&hash("test random", &[&number.to_be_bytes()]).0[..chunk.len()]);
        }
    }
}

/// A node over a store.
pub(super) struct World {
    pub(super) store: Arc<MemoryStore>,
    pub(super) clock: Arc<TestClock>,
    pub(super) ports: Ports,
    pub(super) services: Services,
    pub(super) server_id: ServerId,
    opaque_key: [u8; 32],
}

impl World {
    pub(super) fn new() -> Self {
        Self::with(Arc::default(), Arc::new(TestClock(NOON_MS.into())), AccountLimits::default())
    }

    /// What each account may hold.
    pub(super) fn limited(limits: AccountLimits) -> Self {
        Self::with(Arc::default(), Arc::new(TestClock(NOON_MS.into())), limits)
    }

    /// Another node over the same store.
    pub(super) fn node(&self) -> Self {
        Self::with(self.store.clone(), self.clock.clone(), AccountLimits::default())
    }

    fn with(store: Arc<MemoryStore>, clock: Arc<TestClock>, limits: AccountLimits) -> Self {
        let ports =
            Ports { store: store.clone(), clock: clock.clone(), random: Arc::new(Counted::default()) };
        // The same on every node: randomness begins anew.
        let secrets = ServerSecrets::make(&*ports.random);
        let admissions = Admissions::unguarded(SignupRule::Open);
        let services =
            Services::new(ports.clone(), &secrets, admissions, RequestRates::UNLIMITED, limits).unwrap();
        let setup = secrets.expose_opaque_setup();
        let opaque = crate::signin::OpaqueServer::from_setup(setup, secrets.server_id()).unwrap();
        let opaque_key = opaque.public_key().try_into().unwrap();
        Self { store, clock, ports, services, server_id: secrets.server_id(), opaque_key }
    }
}

pub(super) fn named(name: &str) -> Hash {
    hash("test", &[name.as_bytes()])
}

pub(super) fn signing_key(name: &str) -> SigningKey {
    SigningKey::from_bytes(&named(name).0)
}

pub(super) fn device_id(name: &str) -> DeviceId {
    device_keys(name).device_id()
}

pub(super) fn device_keys(name: &str) -> DevicePublicKeys {
    DevicePublicKeys { signing: PublicKey::from(&signing_key(name)), kem: kem_key(name) }
}

pub(super) fn recovery_keys(name: &str) -> RecoveryPublicKeys {
    RecoveryPublicKeys { signing: PublicKey::from(&signing_key(name)), kem: kem_key(name) }
}

fn kem_key(name: &str) -> KemKey {
    // Twelve-bit coefficients below 0x800 are below ML-KEM's modulus.
    let bytes: Vec<u8> = named(name).0.repeat(KemKey::LENGTH / 32).iter().map(|byte| byte & 0x77).collect();
    KemKey::from_bytes(&bytes).unwrap()
}

/// The slot of this name.
pub(super) fn slot(name: &str) -> Bytes {
    named(name).0.repeat(4).into()
}

fn password_key(record: &Hash) -> SigningKey {
    SigningKey::from_bytes(&hash("test password", &[&record.0]).0)
}

/// An account, as its owner has it.
#[derive(Clone)]
pub(super) struct TestAccount {
    pub(super) name: String,
    pub(super) state: AccountState,
    pub(super) heads: BTreeMap<VaultId, LogHead>,
    pub(super) links: Vec<Signed<AccountLink>>,
}

impl TestAccount {
    /// An account whose first device is `first`; no server knows of it.
    pub(super) fn new(world: &World, name: &str, first: &str) -> Self {
        let body = GenesisLink {
            seed: named(&format!("{name} seed")).0,
            server_id: world.server_id,
            device: device_keys(first),
            enrolment_key: PublicKey::from(&signing_key(&format!("{name} enrolment"))),
            uek: kem_key(&format!("{name} uek")),
            recovery: recovery_keys(&format!("{name} recovery")),
            ark_commit: named(&format!("{name} ark")),
            security_version: 1,
        };
        let genesis = AccountLink {
            account_id: AccountId::ZERO,
            seq: Seq(0),
            prev_hash: Hash::ZERO,
            signer: Signer::Device(device_id(first)),
            time_ms: NOON_MS,
            heads: Vec::new(),
            body: LinkBody::Genesis(Box::new(body)),
        };
        let genesis = Signed::sign(genesis, &signing_key(first));
        let state = AccountState::from_genesis(&genesis).unwrap();
        let mut account = Self { name: name.to_owned(), state, heads: BTreeMap::new(), links: vec![genesis] };
        let auth = account.auth(name, &world.opaque_key);
        account.sign(first, LinkBody::AuthUpdate(auth));
        account
    }

    /// The same, which the server has.
    pub(super) async fn sign_up(world: &World, name: &str, first: &str) -> Self {
        let account = Self::new(world, name, first);
        let links = account.links.iter().map(|link| stored_link(link, NOON_MS)).collect();
        let new = NewAccount { account_id: account.id(), links, slots: Vec::new(), record: None };
        assert_eq!(world.store.create_account(new, Admission::Anyone).await.unwrap(), CreateOutcome::Created);
        account
    }

    pub(super) fn id(&self) -> AccountId {
        self.state.account_id()
    }

    pub(super) fn caller(&self, device: &str) -> Caller {
        Caller { account_id: self.id(), session: Session::Device(device_id(device)) }
    }

    pub(super) fn auth(&self, tag: &str, opaque_key: &[u8; 32]) -> AuthUpdate {
        let record_hash = named(&format!("{tag} record"));
        AuthUpdate {
            password_slot: slot_hash(&slot(&format!("{tag} password"))),
            recovery_slot: slot_hash(&slot(&format!("{tag} recovery"))),
            uek_slot: slot_hash(&slot(&format!("{tag} uek"))),
            secret_key_slot: slot_hash(&slot(&format!("{tag} secret key"))),
            record_hash,
            password_key: PublicKey::from(&password_key(&record_hash)),
            profile: KsfProfile::CURRENT,
            opaque_server_key: *opaque_key,
            secret_key_generation: Generation(1),
            secret_key_commit: named("secret key"),
        }
    }

    /// What names another password, and everything else as it is.
    pub(super) fn new_password(&self, tag: &str) -> AuthUpdate {
        let old = self.state.auth().unwrap();
        let new = self.auth(tag, &old.opaque_server_key);
        let AuthUpdate { password_slot, record_hash, password_key, .. } = new;
        AuthUpdate { password_slot, record_hash, password_key, ..old.clone() }
    }

    /// The next link, signed with the key named `key`; it is not the account's yet.
    pub(super) fn link(&self, signer: Signer, key: &str, body: LinkBody) -> Signed<AccountLink> {
        let heads = self.heads.iter().map(|(vault_id, head)| VaultHead { vault_id: *vault_id, head: *head });
        let heads = if signer == Signer::Enrolment { Vec::new() } else { heads.collect() };
        let record = match (self.state.auth(), &body) {
            (None, LinkBody::AuthUpdate(first)) => first.record_hash,
            (auth, _) => auth.unwrap().record_hash,
        };
        let link = AccountLink::after(self.id(), &self.state.head(), signer, NOON_MS, heads, body);
        Signed::sign(link, &signing_key(key)).countersigned(&password_key(&record))
    }

    /// A device signs the next link.
    pub(super) fn sign(&mut self, device: &str, body: LinkBody) -> Bytes {
        let link = self.link(Signer::Device(device_id(device)), device, body);
        self.follow(link)
    }

    /// The link is the account's next.
    pub(super) fn follow(&mut self, link: Signed<AccountLink>) -> Bytes {
        self.state = self.state.apply(&link).unwrap();
        let bytes = link.to_body();
        self.links.push(link);
        bytes
    }

    pub(super) fn add_device(&mut self, by: &str, device: &str) -> Bytes {
        let add = DeviceAdd { keys: device_keys(device), how: Enrolment::Pairing };
        self.sign(by, LinkBody::DeviceAdd(add))
    }

    /// Adds a device on the server, too.
    pub(super) async fn pair(&mut self, world: &World, by: &str, device: &str) {
        let link = self.add_device(by, device);
        append(world, self.caller(by), vec![link], Vec::new()).await.unwrap();
    }

    /// Makes a vault, links it, and gives it.
    pub(super) async fn add_vault(&mut self, world: &World, by: &str, name: &str) -> TestVault {
        let vault = TestVault::new(self, by, name);
        vault.create(world, self.caller(by)).await.unwrap();
        let link = self.link_vault(by, &vault);
        let slot = slot(&format!("{name} vault"));
        append(world, self.caller(by), vec![link], vec![slot]).await.unwrap();
        vault
    }

    /// The link that makes a vault the account's.
    pub(super) fn link_vault(&mut self, by: &str, vault: &TestVault) -> Bytes {
        let body =
            VaultCreate { vault_id: vault.id(), slot: slot_hash(&slot(&format!("{} vault", vault.name))) };
        let link = self.sign(by, LinkBody::VaultCreate(body));
        self.heads.insert(vault.id(), vault.state.head());
        link
    }

    /// A rekey that removes devices as an honest client makes it, and the slots that it names.
    pub(super) fn rekey(&self, revoked: &[&str]) -> (Rekey, Vec<Bytes>) {
        let generation = self.state.generation().next();
        let tag = format!("{} generation {generation}", self.name);
        let mut revoked: Vec<DeviceId> = revoked.iter().map(|device| device_id(device)).collect();
        revoked.sort();
        let stays = |id: &DeviceId| !revoked.contains(id);
        let devices = self.state.devices().iter().filter(|(id, device)| device.is_active() && stays(id));
        let device_slots: Vec<(DeviceId, Bytes)> =
            devices.map(|(id, _)| (*id, slot(&format!("{tag} {id}")))).collect();
        let vaults: Vec<(VaultId, Epoch, Bytes)> = self
            .state
            .vaults()
            .iter()
            .map(|(id, vault)| (*id, vault.epoch.next(), slot(&format!("{tag} {id}"))))
            .collect();
        let own = ["password", "recovery", "uek", "secret key"].map(|what| slot(&format!("{tag} {what}")));
        let old = self.state.auth().unwrap();
        let auth = AuthUpdate {
            record_hash: old.record_hash,
            password_key: old.password_key,
            ..self.auth(&tag, &old.opaque_server_key)
        };
        let (uek_generation, uek) = self.state.uek();
        let rekey = Rekey {
            reason: if revoked.is_empty() { RekeyReason::Rotation } else { RekeyReason::Retired },
            generation,
            ark_commit: named(&format!("{tag} ark")),
            enrolment_key: PublicKey::from(&signing_key(&format!("{tag} enrolment"))),
            device_slots: device_slots
                .iter()
                .map(|(device_id, slot)| DeviceSlot { device_id: *device_id, slot: slot_hash(slot) })
                .collect(),
            auth,
            uek_generation,
            uek: uek.clone(),
            vault_slots: vaults
                .iter()
                .map(|(vault_id, epoch, slot)| VaultSlot {
                    vault_id: *vault_id,
                    epoch: *epoch,
                    vault_key_commit: named(&format!("key of epoch {epoch}")),
                    prev_vault_key: vec![2; 64],
                    slot: slot_hash(slot),
                })
                .collect(),
            prev_ark: vec![1; 64],
            revoked,
        };
        let slots = device_slots.into_iter().map(|(_, slot)| slot).chain(own);
        (rekey, slots.chain(vaults.into_iter().map(|(.., slot)| slot)).collect())
    }

    /// What bars devices, signed with the account's password.
    pub(super) fn bar(&self, world: &World, by: &str, devices: &[&str]) -> BarDevices {
        let mut devices: Vec<DeviceId> = devices.iter().map(|device| device_id(device)).collect();
        devices.sort();
        let head = self.state.head();
        let statement = BarStatement {
            server_id: world.server_id,
            account_id: self.id(),
            device_id: device_id(by),
            head,
            devices: devices.clone(),
        };
        let key = password_key(&self.state.auth().unwrap().record_hash);
        let signature = *Signed::sign(statement, &key).signature();
        BarDevices { devices, head: Some(head), signature: Some(signature) }
    }
}

pub(super) async fn append(
    world: &World,
    caller: Caller,
    links: Vec<Bytes>,
    slots: Vec<Bytes>,
) -> Result<Appended, LinksError> {
    world.services.account.append(caller, &AppendLinks { links, slots, record: None }).await
}
