//! The keys and the first two links of a new account: the only place that makes account keys (R-NULL).

use lockstep_crypto::device::DeviceKeys;
use lockstep_crypto::hedge::Hedge;
use lockstep_crypto::kem::KemSecret;
use lockstep_crypto::keys::{Ark, DeviceRngSecret};
use lockstep_crypto::opaque::Registered;
use lockstep_crypto::password_key::PasswordKey;
use lockstep_crypto::random::{Random, make_bytes};
use lockstep_crypto::recovery_key::RecoveryKey;
use lockstep_crypto::secret_key::SecretKey;
use lockstep_crypto::slots::seal_slot;
use lockstep_crypto::unlock::derive_auk;
use lockstep_proto::ids::{AccountId, Generation, Hash, Seq, ServerId};
use lockstep_proto::log::{AccountLink, AuthUpdate, GenesisLink, LATEST_MS, LinkBody, LogHead, Signer};
use lockstep_proto::sign::{PublicKey, Signed};
use lockstep_proto::signin::{KsfProfile, record_hash};
use lockstep_proto::wrap::slot_hash;

use super::error::AccountError;
use super::slots::{Place, SignUpSlots, SlotKeys};

/// The lowest security version that clients of a new account may run.
const SECURITY_VERSION: u32 = 1;
const FIRST: Generation = Generation(1);

/// Keys of a new account, and its genesis.
pub(super) struct NewKeys {
    pub(super) device: DeviceKeys,
    pub(super) ark: Ark,
    pub(super) secret_key: SecretKey,
    pub(super) recovery_key: RecoveryKey,
    pub(super) rng_secret: DeviceRngSecret,
    pub(super) genesis: Signed<AccountLink>,
    uek: KemSecret,
}

/// What a new account's sign-up sends besides the genesis.
pub(super) struct NewSignIn {
    pub(super) auth_update: Signed<AccountLink>,
    pub(super) slots: SignUpSlots,
    /// The OPAQUE record sealed under ARK, for this device to keep.
    pub(super) sealed_record: Vec<u8>,
    /// The key that countersigns from then on.
    pub(super) password_key: PasswordKey,
}

impl NewKeys {
    /// Makes all keys of an account at this server.
    pub(super) fn make(server_id: ServerId, (now_ms, random): (u64, &dyn Random)) -> Self {
        let device = DeviceKeys::make(random);
        let ark = Ark::make(random);
        let uek = KemSecret::make(random);
        let recovery_key = RecoveryKey::make(random);
        let seed = make_bytes(random);
        let genesis = GenesisLink {
            seed,
            server_id,
            device: device.public().clone(),
            enrolment_key: PublicKey::from(&ark.derive_enrolment_key(&seed, FIRST)),
            uek: uek.public(),
            recovery: recovery_key.derive_public_keys(),
            ark_commit: ark.derive_commit(&seed, FIRST),
            security_version: SECURITY_VERSION,
        };
        let link = AccountLink {
            account_id: AccountId::ZERO,
            seq: Seq(0),
            prev_hash: Hash::ZERO,
            signer: Signer::Device(device.device_id()),
            time_ms: now_ms.min(LATEST_MS),
            heads: Vec::new(),
            body: LinkBody::Genesis(Box::new(genesis)),
        };
        let genesis = Signed::sign(link, device.signing());
        let rng_secret = device.derive_rng_secret();
        Self { device, ark, secret_key: SecretKey::make(random), recovery_key, rng_secret, genesis, uek }
    }

    /// The account that the genesis makes.
    pub(super) fn account_id(&self) -> AccountId {
        AccountId::from(self.genesis.hash())
    }

    /// Seals the slots and signs the link that names them and the OPAQUE record.
    pub(super) fn make_sign_in(
        &self,
        registered: Registered,
        profile: KsfProfile,
        (now_ms, random): (u64, &dyn Random),
    ) -> Result<NewSignIn, AccountError> {
        let account_id = self.account_id();
        let before = LogHead { seq: Seq(0), hash: self.genesis.hash() };
        let place = Place { account_id, before };
        let hedge = Hedge::new(random, &self.rng_secret);
        let keys = SlotKeys {
            ark: &self.ark,
            auk: &derive_auk(&self.secret_key, &registered.export_key, &account_id, profile),
            uek: &self.uek,
            secret_key: &self.secret_key,
            recovery: &self.recovery_key.derive_public_keys(),
        };
        let slots = SignUpSlots::make(place, &keys, &hedge)?;
        let password_key = PasswordKey::derive(&registered.export_key, &account_id);
        let auth_update = AuthUpdate {
            password_slot: slot_hash(&slots.password),
            recovery_slot: slot_hash(&slots.recovery),
            uek_slot: slot_hash(&slots.uek),
            secret_key_slot: slot_hash(&slots.secret_key),
            record_hash: record_hash(&registered.upload),
            password_key: password_key.public(),
            profile,
            opaque_server_key: registered.server_public_key,
            secret_key_generation: FIRST,
            secret_key_commit: self.secret_key.derive_commit(&account_id, FIRST),
        };
        let signer = Signer::Device(self.device.device_id());
        let body = LinkBody::AuthUpdate(auth_update);
        let link = AccountLink::after(account_id, &before, signer, now_ms, Vec::new(), body);
        let auth_update = Signed::sign(link, self.device.signing()).countersigned(&password_key.signing());
        let record_ctx = place.opaque_record(self.device.device_id(), FIRST);
        let sealed_record = seal_slot(&self.ark, &record_ctx, &registered.upload, &hedge)?;
        Ok(NewSignIn { auth_update, slots, sealed_record, password_key })
    }
}
