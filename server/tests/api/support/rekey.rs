//! Links that change an account's keys.

use ed25519_dalek::SigningKey;
use lockstep_proto::api::account::{AppendLinks, Appended, BarDevices, Barred, RegistrationStart};
use lockstep_proto::api::recovery::{RecoveryProof, RecoverySession, RecoveryStart};
use lockstep_proto::api::session::Challenge;
use lockstep_proto::api::signup::RegistrationAnswer;
use lockstep_proto::bar::BarStatement;
use lockstep_proto::bytes::Bytes;
use lockstep_proto::ids::{DeviceId, Hash, ServerId};
use lockstep_proto::log::{
    AccountLink, AccountState, AuthUpdate, DeviceAdd, DeviceSlot, Enrolment, LinkBody, Recover,
    RecoveryChange, RecoveryPublicKeys, Rekey, RekeyReason, Signer, VaultHead, VaultSlot,
};
use lockstep_proto::sign::{PublicKey, Signed};
use lockstep_proto::signin::{RecoveryChallenge, record_hash};
use lockstep_proto::wrap::slot_hash;

use super::account::{Device, kem_key, password_key, random};
use super::opaque::Registration;
use super::{Account, Answer, Vault, World};

fn changed_to(recovery: RecoveryPublicKeys) -> (LinkBody, Bytes) {
    let slot = Bytes(random::<256>().to_vec());
    let change = RecoveryChange { recovery, slot: slot_hash(&slot) };
    (LinkBody::RecoveryChange(Box::new(change)), slot)
}

impl Account {
    /// The account's log as the server has it.
    pub(crate) async fn state(&self, world: &World) -> AccountState {
        let page = world.store.link_page(self.id, None).await.unwrap().unwrap();
        let links: Vec<_> =
            page.links.iter().map(|link| Signed::<AccountLink>::from_wire(&link.bytes).unwrap()).collect();
        AccountState::from_links(&links).unwrap()
    }

    /// Adds a device by the account's own one.
    pub(crate) async fn add_device(&mut self, world: &World, token: &str) -> Device {
        let device = Device::new();
        let body = LinkBody::DeviceAdd(DeviceAdd { keys: device.keys.clone(), how: Enrolment::Pairing });
        let key = self.device.key.clone();
        let link = self.link(Signer::Device(self.device.id()), &key, body);
        let request = AppendLinks { links: vec![link], slots: Vec::new(), record: None };
        world.post("/v1/account/links", token, &request).await.ok::<Appended>();
        device
    }

    /// Goes on with another device; gives the one before.
    pub(crate) fn change_device(&mut self, device: Device) -> Device {
        std::mem::replace(&mut self.device, device)
    }

    /// Knows where a vault is.
    pub(crate) fn pin(&mut self, vault: &Vault) {
        self.vaults.retain(|known| known.vault_id != vault.id);
        self.vaults.push(VaultHead { vault_id: vault.id, head: vault.head });
        self.vaults.sort();
    }

    pub(crate) async fn bar(&self, world: &World, token: &str, devices: &[DeviceId]) -> Answer {
        let mut devices = devices.to_vec();
        devices.sort();
        world.post("/v1/account/bar", token, &self.bars(world.server_id, devices)).await
    }

    /// What bars them, by the account's device and with its password.
    pub(crate) fn bars(&self, server_id: ServerId, devices: Vec<DeviceId>) -> BarDevices {
        let statement = self.bar_statement(server_id, devices.clone());
        let signature = *Signed::sign(statement, &password_key(&self.records[&self.head.hash])).signature();
        BarDevices { devices, head: Some(self.head), signature: Some(signature) }
    }

    pub(crate) fn bar_statement(&self, server_id: ServerId, devices: Vec<DeviceId>) -> BarStatement {
        let (account_id, device_id) = (self.id, self.device.id());
        BarStatement { server_id, account_id, device_id, head: self.head, devices }
    }

    pub(crate) async fn must_bar(&self, world: &World, token: &str, devices: &[DeviceId]) -> u64 {
        self.bar(world, token, devices).await.ok::<Barred>().until_ms
    }

    async fn register(&self, world: &World, token: &str, password: &[u8]) -> (Vec<u8>, Bytes) {
        let (registration, request) = Registration::start(password);
        let request = RegistrationStart { request: request.into() };
        let answer: RegistrationAnswer = world.post("/v1/account/registration", token, &request).await.ok();
        let record = registration.finish(password, &answer.response, &self.id, &world.server_id);
        (record, answer.server_public_key)
    }

    /// An auth_update with a new password, which the account does not know yet.
    pub(crate) async fn new_password(&mut self, world: &World, token: &str, password: &[u8]) -> AppendLinks {
        let (record, _) = self.register(world, token, password).await;
        let old = self.state(world).await.auth().unwrap().clone();
        let slot = Bytes(random::<256>().to_vec());
        let record_hash = record_hash(&record);
        let password_key = PublicKey::from(&password_key(&record_hash));
        let fields = AuthUpdate { password_slot: slot_hash(&slot), record_hash, password_key, ..old };
        let key = self.device.key.clone();
        let link = self.link(Signer::Device(self.device.id()), &key, LinkBody::AuthUpdate(fields));
        AppendLinks { links: vec![link], slots: vec![slot], record: Some(record.into()) }
    }

    /// A rekey by the account's device with a new password. The account goes on with its keys.
    pub(crate) async fn rekey(
        &mut self,
        world: &World,
        token: &str,
        password: &[u8],
        revoked: &[DeviceId],
    ) -> AppendLinks {
        let reason = if revoked.is_empty() { RekeyReason::Rotation } else { RekeyReason::Lost };
        let (rekey, slots, record) = self.new_keys(world, token, password, revoked, reason, None).await;
        let key = self.device.key.clone();
        let link = self.link(Signer::Device(self.device.id()), &key, LinkBody::Rekey(Box::new(rekey)));
        AppendLinks { links: vec![link], slots, record: Some(record.into()) }
    }

    /// A `recover` that brings this device in. The account goes on with its keys and with it.
    pub(crate) async fn recover(
        &mut self,
        world: &World,
        token: &str,
        device: Device,
        revoked: &[DeviceId],
    ) -> AppendLinks {
        let key = self.recovery_key.clone();
        let password = self.password.clone();
        let (reason, id) = (RekeyReason::Recovery, Some(device.id()));
        let (rekey, slots, record) = self.new_keys(world, token, &password, revoked, reason, id).await;
        let add = DeviceAdd { keys: device.keys.clone(), how: Enrolment::Recovery };
        self.recovery_key = SigningKey::from_bytes(&random());
        let recovery = RecoveryPublicKeys { signing: PublicKey::from(&self.recovery_key), kem: kem_key() };
        let body = LinkBody::Recover(Box::new(Recover { device: Some(add), recovery, rekey }));
        let link = self.link(Signer::Recovery, &key, body);
        self.device = device;
        AppendLinks { links: vec![link], slots, record: Some(record.into()) }
    }

    /// The Recovery Key names the next one. The account goes on with that.
    pub(crate) fn change_recovery(&mut self) -> AppendLinks {
        let key = std::mem::replace(&mut self.recovery_key, SigningKey::from_bytes(&random()));
        let recovery = RecoveryPublicKeys { signing: PublicKey::from(&self.recovery_key), kem: kem_key() };
        let (body, slot) = changed_to(recovery);
        AppendLinks { links: vec![self.link(Signer::Recovery, &key, body)], slots: vec![slot], record: None }
    }

    /// The account's device announces a Recovery Key: the link, and the public halves.
    pub(crate) fn announce_recovery(&mut self) -> (AppendLinks, RecoveryPublicKeys) {
        let signing = PublicKey::from(&SigningKey::from_bytes(&random()));
        let recovery = RecoveryPublicKeys { signing, kem: kem_key() };
        let (signer, key) = (Signer::Device(self.device.id()), self.device.key.clone());
        let link = self.link(signer, &key, LinkBody::RecoveryAnnounce(Box::new(recovery.clone())));
        (AppendLinks { links: vec![link], slots: Vec::new(), record: None }, recovery)
    }

    /// The account's device lets an announced Recovery Key take the place of the present one.
    pub(crate) fn confirm_recovery(&mut self, recovery: &RecoveryPublicKeys) -> AppendLinks {
        let (signer, key) = (Signer::Device(self.device.id()), self.device.key.clone());
        let (body, slot) = changed_to(recovery.clone());
        AppendLinks { links: vec![self.link(signer, &key, body)], slots: vec![slot], record: None }
    }

    async fn new_keys(
        &mut self,
        world: &World,
        token: &str,
        password: &[u8],
        revoked: &[DeviceId],
        reason: RekeyReason,
        recovered: Option<DeviceId>,
    ) -> (Rekey, Vec<Bytes>, Vec<u8>) {
        let (record, server_key) = self.register(world, token, password).await;
        let state = self.state(world).await;
        let mut slots = Vec::new();
        let mut slot = || {
            slots.push(Bytes(random::<200>().to_vec()));
            slot_hash(slots.last().unwrap())
        };
        let named: Vec<Hash> = (0..4).map(|_| slot()).collect();
        let active =
            state.devices().iter().filter(|(id, device)| device.is_active() && !revoked.contains(id));
        let mut active: Vec<DeviceId> = active.map(|(id, _)| *id).chain(recovered).collect();
        active.sort();
        let device_slots = active.iter().map(|id| DeviceSlot { device_id: *id, slot: slot() }).collect();
        let vaults = state.vaults().iter();
        let vault_slots = vaults.map(|(vault_id, vault)| VaultSlot {
            vault_id: *vault_id,
            epoch: vault.epoch.next(),
            vault_key_commit: Hash(random()),
            prev_vault_key: vec![2; 40],
            slot: slot(),
        });
        let vault_slots = vault_slots.collect();
        let old = state.auth().unwrap();
        let fresh = matches!(reason, RekeyReason::Lost | RekeyReason::Recovery);
        let auth = AuthUpdate {
            password_slot: named[0],
            recovery_slot: named[1],
            uek_slot: named[2],
            secret_key_slot: named[3],
            record_hash: record_hash(&record),
            password_key: PublicKey::from(&password_key(&record_hash(&record))),
            profile: old.profile,
            opaque_server_key: server_key.0.as_slice().try_into().unwrap(),
            secret_key_generation: if fresh {
                old.secret_key_generation.next()
            } else {
                old.secret_key_generation
            },
            secret_key_commit: if fresh { Hash(random()) } else { old.secret_key_commit },
        };
        self.enrolment_key = SigningKey::from_bytes(&random());
        let (uek_generation, uek) = state.uek();
        let mut revoked = revoked.to_vec();
        revoked.sort();
        let rekey = Rekey {
            reason,
            revoked,
            generation: state.generation().next(),
            ark_commit: Hash(random()),
            enrolment_key: PublicKey::from(&self.enrolment_key),
            device_slots,
            auth,
            uek_generation,
            uek: uek.clone(),
            vault_slots,
            prev_ark: vec![1; 40],
        };
        (rekey, slots, record)
    }

    /// A recovery session by this key; `Err` is the last answer.
    pub(crate) async fn open_recovery(&self, world: &World, key: &SigningKey) -> Result<String, Answer> {
        let start = RecoveryStart { account_id: self.id };
        let answer = world.post("/v1/recovery/challenge", "", &start).await;
        if !answer.status.is_success() {
            return Err(answer);
        }
        let proof = self.recovery_proof(world, key, &answer.ok::<Challenge>().nonce);
        let answer = world.post("/v1/recovery", "", &proof).await;
        if answer.status.is_success() {
            Ok(answer.ok::<RecoverySession>().recovery_token)
        } else {
            Err(answer)
        }
    }

    pub(crate) fn recovery_proof(&self, world: &World, key: &SigningKey, nonce: &[u8]) -> RecoveryProof {
        let account_id = self.id;
        let challenge =
            RecoveryChallenge { server_id: world.server_id, account_id, nonce: nonce.try_into().unwrap() };
        let signature = *Signed::sign(challenge, key).signature();
        RecoveryProof { account_id, nonce: nonce.to_vec().into(), signature }
    }
}
