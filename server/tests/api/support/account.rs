//! An account with its devices.

use std::collections::BTreeMap;

use ed25519_dalek::SigningKey;
use lockstep_domain::Random as _;
use lockstep_proto::api::account::{AppendLinks, Appended};
use lockstep_proto::api::heal::{AccountHealed, HealAccount};
use lockstep_proto::api::session::{Challenge, ChallengeRequest, Session, SessionRequest};
use lockstep_proto::api::signin::{EnrolmentSession, SigninAnswer, SigninFinish, SigninStart};
use lockstep_proto::api::signup::{RegistrationAnswer, SignupDone, SignupFinish, SignupStart};
use lockstep_proto::bytes::Bytes;
use lockstep_proto::hash::hash;
use lockstep_proto::ids::{AccountId, DeviceId, Generation, Hash, Seq, VaultId};
use lockstep_proto::log::{
    AccountLink, AuthUpdate, DeviceAdd, DevicePublicKeys, Enrolment, GenesisLink, KemKey, LinkBody, LogHead,
    RecoveryPublicKeys, Signer, VaultCreate, VaultHead,
};
use lockstep_proto::sign::{PublicKey, Signed};
use lockstep_proto::signin::{ChallengePurpose, KsfProfile, SessionChallenge, record_hash};
use lockstep_proto::wrap::slot_hash;
use lockstep_server::SystemRandom;

use super::opaque::{Login, Registration};
use super::{Answer, World};

pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemRandom.fill(&mut bytes);
    bytes
}

pub(super) fn kem_key() -> KemKey {
    // Twelve-bit coefficients below 0x800 are below ML-KEM's modulus, whatever the rest.
    let bytes = random::<{ KemKey::LENGTH }>().map(|byte| byte & 0x77);
    KemKey::from_bytes(&bytes).unwrap()
}

pub(crate) struct Device {
    pub(crate) key: SigningKey,
    pub(crate) keys: DevicePublicKeys,
}

impl Device {
    pub(crate) fn new() -> Self {
        let key = SigningKey::from_bytes(&random());
        let keys = DevicePublicKeys { signing: PublicKey::from(&key), kem: kem_key() };
        Self { key, keys }
    }

    pub(crate) fn id(&self) -> DeviceId {
        self.keys.device_id()
    }
}

/// The key that countersigns under the password of this record.
pub(crate) fn password_key(record: &Hash) -> SigningKey {
    SigningKey::from_bytes(&hash("test password", &[&record.0]).0)
}

pub(crate) struct Account {
    pub(crate) id: AccountId,
    pub(crate) password: Vec<u8>,
    pub(crate) device: Device,
    pub(crate) enrolment_key: SigningKey,
    pub(crate) recovery_key: SigningKey,
    /// The OPAQUE record whose password countersigns after each link.
    pub(crate) records: BTreeMap<Hash, Hash>,
    pub(crate) head: LogHead,
    pub(crate) vaults: Vec<VaultHead>,
    pub(crate) signup: SignupFinish,
}

impl Account {
    /// Signs up on an open server.
    pub(crate) async fn sign_up(world: &World) -> Self {
        let account =
            Self::prepare(world, None).await.unwrap_or_else(|answer| panic!("{}", answer.problem().detail));
        let done: SignupDone = world.post("/v1/signup/finish", "", &account.signup).await.ok();
        assert_eq!((done.account_id, done.head), (account.id, account.head));
        account
    }

    /// Everything up to the last request of a sign-up.
    pub(crate) async fn prepare(world: &World, invite: Option<String>) -> Result<Self, Answer> {
        Self::prepare_padded(world, invite, &[]).await
    }

    /// The same with bytes after the OPAQUE record that the link names.
    pub(crate) async fn prepare_padded(
        world: &World,
        invite: Option<String>,
        padding: &[u8],
    ) -> Result<Self, Answer> {
        let (device, enrolment_key) = (Device::new(), SigningKey::from_bytes(&random()));
        let recovery_key = SigningKey::from_bytes(&random());
        let genesis = Signed::sign(genesis(world, &device, &enrolment_key, &recovery_key), &device.key);
        let id = AccountId::from(genesis.hash());
        let password = random::<64>().to_vec();
        let (registration, request) = Registration::start(&password);
        let start = SignupStart { account_id: id, request: request.into(), invite: invite.clone() };
        let answer = world.post("/v1/signup/start", "", &start).await;
        if !answer.status.is_success() {
            return Err(answer);
        }
        let answer: RegistrationAnswer = answer.ok();
        let record = registration.finish(&password, &answer.response, &id, &world.server_id);
        let record = [&record, padding].concat();
        let slots: Vec<Bytes> = (0..4).map(|_| Bytes(random::<256>().to_vec())).collect();
        let body = LinkBody::AuthUpdate(auth_update(&slots, &record, &answer.server_public_key));
        let head = LogHead { seq: Seq(0), hash: genesis.hash() };
        let link = AccountLink::after(id, &head, Signer::Device(device.id()), 0, Vec::new(), body);
        let record_hash = record_hash(&record);
        let auth_update = Signed::sign(link, &device.key).countersigned(&password_key(&record_hash));
        let head = LogHead { seq: Seq(1), hash: auth_update.hash() };
        let (genesis, auth_update) = (genesis.to_body(), auth_update.to_body());
        let signup = SignupFinish { genesis, auth_update, slots, record: record.into(), invite };
        let vaults = Vec::new();
        let records = BTreeMap::from([(head.hash, record_hash)]);
        Ok(Self { id, password, device, enrolment_key, recovery_key, records, head, vaults, signup })
    }

    /// A session of the account's first device.
    pub(crate) async fn token(&self, world: &World) -> String {
        let answer = self.open_session(world, &self.device).await;
        answer.ok::<Session>().token
    }

    pub(crate) async fn open_session(&self, world: &World, device: &Device) -> Answer {
        let asked = ChallengeRequest { account_id: self.id, device_id: device.id() };
        let challenge: Challenge = world.post("/v1/session/challenge", "", &asked).await.ok();
        world.post("/v1/session", "", &self.proof(world, device, &challenge.nonce)).await
    }

    pub(crate) fn proof(&self, world: &World, device: &Device, nonce: &[u8]) -> SessionRequest {
        let (account_id, device_id) = (self.id, device.id());
        let challenge = SessionChallenge {
            server_id: world.server_id,
            account_id,
            device_id,
            purpose: ChallengePurpose::Session,
            nonce: nonce.try_into().unwrap(),
        };
        let signature = *Signed::sign(challenge, &device.key).signature();
        SessionRequest { account_id, device_id, nonce: nonce.to_vec().into(), signature }
    }

    /// OPAQUE with some password; `Err` is the last answer.
    pub(crate) async fn sign_in(&self, world: &World, password: &[u8]) -> Result<EnrolmentSession, Answer> {
        let (login, ke1) = Login::start(password);
        let start = SigninStart { account_id: self.id, ke1: ke1.into() };
        let answer = world.post("/v1/signin/start", "", &start).await;
        if !answer.status.is_success() {
            return Err(answer);
        }
        let answer: SigninAnswer = answer.ok();
        let ke3 = login.finish(password, &answer.ke2, &self.id, &world.server_id).unwrap_or(vec![7; 64]);
        let finish = SigninFinish { signin_id: answer.signin_id, ke3: ke3.into() };
        let answer = world.post("/v1/signin/finish", "", &finish).await;
        if answer.status.is_success() { Ok(answer.ok()) } else { Err(answer) }
    }

    /// Signs a link after the head; the head moves.
    pub(crate) fn link(&mut self, signer: Signer, key: &SigningKey, body: LinkBody) -> Bytes {
        let heads = if signer == Signer::Enrolment { Vec::new() } else { self.vaults.clone() };
        let before = self.records[&self.head.hash];
        let after = match &body {
            LinkBody::AuthUpdate(auth) => auth.record_hash,
            LinkBody::Rekey(rekey) => rekey.auth.record_hash,
            LinkBody::Recover(recover) => recover.rekey.auth.record_hash,
            _ => before,
        };
        let link = Signed::sign(AccountLink::after(self.id, &self.head, signer, 0, heads, body), key);
        let link = link.countersigned(&password_key(&before));
        self.head = LogHead { seq: link.value().seq, hash: link.hash() };
        self.records.insert(self.head.hash, after);
        link.to_body()
    }

    pub(crate) fn add_by_kit(&mut self, device: &Device) -> AppendLinks {
        let body = LinkBody::DeviceAdd(DeviceAdd { keys: device.keys.clone(), how: Enrolment::Kit });
        let key = self.enrolment_key.clone();
        AppendLinks { links: vec![self.link(Signer::Enrolment, &key, body)], slots: Vec::new(), record: None }
    }

    /// Links a vault into the account.
    pub(crate) async fn link_vault(&mut self, world: &World, token: &str, vault_id: VaultId, head: LogHead) {
        let request = self.vault_link(vault_id, head);
        let appended: Appended = world.post("/v1/account/links", token, &request).await.ok();
        assert_eq!(appended.head, self.head);
    }

    /// The same for a vault that is not there, by catch-up: links come before vaults there.
    pub(crate) async fn link_ghost(&mut self, world: &World, vault_id: VaultId, head: LogHead) {
        let AppendLinks { links, slots, record } = self.vault_link(vault_id, head);
        world.post("/v1/heal/account", "", &HealAccount { links, slots, record }).await.ok::<AccountHealed>();
    }

    pub(crate) fn vault_link(&mut self, vault_id: VaultId, head: LogHead) -> AppendLinks {
        let slot = Bytes(random::<200>().to_vec());
        let body = LinkBody::VaultCreate(VaultCreate { vault_id, slot: slot_hash(&slot) });
        let key = self.device.key.clone();
        let link = self.link(Signer::Device(self.device.id()), &key, body);
        self.vaults.push(VaultHead { vault_id, head });
        self.vaults.sort();
        AppendLinks { links: vec![link], slots: vec![slot], record: None }
    }
}

fn genesis(
    world: &World,
    device: &Device,
    enrolment_key: &SigningKey,
    recovery_key: &SigningKey,
) -> AccountLink {
    let body = GenesisLink {
        seed: random(),
        server_id: world.server_id,
        device: device.keys.clone(),
        enrolment_key: PublicKey::from(enrolment_key),
        uek: kem_key(),
        recovery: RecoveryPublicKeys { signing: PublicKey::from(recovery_key), kem: kem_key() },
        ark_commit: Hash(random()),
        security_version: 1,
    };
    AccountLink {
        account_id: AccountId::ZERO,
        seq: Seq(0),
        prev_hash: Hash::ZERO,
        signer: Signer::Device(device.id()),
        time_ms: 0,
        heads: Vec::new(),
        body: LinkBody::Genesis(Box::new(body)),
    }
}

fn auth_update(slots: &[Bytes], record: &[u8], server_key: &[u8]) -> AuthUpdate {
    AuthUpdate {
        password_slot: slot_hash(&slots[0]),
        recovery_slot: slot_hash(&slots[1]),
        uek_slot: slot_hash(&slots[2]),
        secret_key_slot: slot_hash(&slots[3]),
        record_hash: record_hash(record),
        password_key: PublicKey::from(&password_key(&record_hash(record))),
        profile: KsfProfile::CURRENT,
        opaque_server_key: server_key.try_into().unwrap(),
        secret_key_generation: Generation(1),
        secret_key_commit: Hash(random()),
    }
}
