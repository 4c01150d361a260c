//! The adversary's own keys, one of every kind, and whether any of them opens something.

use lockstep_crypto::device::DeviceKeys;
use lockstep_crypto::envelope;
use lockstep_crypto::item::open_item;
use lockstep_crypto::kem::KemSecret;
use lockstep_crypto::keys::{Ark, LocalSecret, Lrk, SymmetricKey, VaultKey};
use lockstep_crypto::pairing::{Invitation, Offer, PairingCode, PairingSecrets, Reply, Reveal, Sent};
use lockstep_crypto::recovery_key::RecoveryKey;
use lockstep_native::OsRandom;
use lockstep_proto::blob::ItemHeader;
use lockstep_proto::log::{AccountState, RecoveryPublicKeys};
use lockstep_proto::sign::PublicKey;
use lockstep_proto::wrap::WrapContext;

use super::sealed::Sealed;

/// What is sealed to a public key is longer than this.
const ENCAPSULATED: usize = 1_120;

/// A key and what kind it is.
type Named<K> = (&'static str, K);

/// The keys. What everybody knows, and zeros, are keys as well: something could be sealed under them by mistake.
pub(crate) struct Keyring {
    symmetric: Vec<Named<SymmetricKey>>,
    kems: Vec<Named<KemSecret>>,
    code: PairingSecrets,
    signing: Vec<PublicKey>,
}

impl Keyring {
    pub(crate) fn make() -> Self {
        let (ark, recovery) = (Ark::make(&OsRandom), RecoveryKey::make(&OsRandom));
        let unlock = |_| SymmetricKey::from_bytes(*LocalSecret::make(&OsRandom).expose_bytes());
        let enrolment = PublicKey::from(&ark.derive_enrolment_key(&[7; 32], Default::default()));
        let RecoveryPublicKeys { signing: recovery_signing, .. } = recovery.derive_public_keys();
        let device = PublicKey::from(DeviceKeys::make(&OsRandom).signing());
        let vault_key = VaultKey::make(&OsRandom);
        Self {
            symmetric: vec![
                ("vault key", SymmetricKey::from_bytes(*vault_key.expose_bytes())),
                ("account root key", SymmetricKey::from_bytes(*ark.expose_bytes())),
                ("account unlock key", unlock(())),
                ("local unlock key", unlock(())),
                ("local root key", SymmetricKey::from_bytes(*Lrk::make(&OsRandom).expose_bytes())),
                ("zeros", SymmetricKey::from_bytes([0; 32])),
            ],
            kems: vec![
                ("device key", KemSecret::make(&OsRandom)),
                ("user encryption key", KemSecret::make(&OsRandom)),
                ("recovery key", recovery.derive_kem()),
                ("zeros", KemSecret::from_bytes([0; 32])),
            ],
            code: PairingCode::make(&OsRandom).derive_secrets(),
            signing: vec![device, enrolment, recovery_signing],
        }
    }

    /// The kind of key that opens it; `None` where none does.
    pub(crate) fn opens(&self, sealed: &Sealed) -> Option<&'static str> {
        match sealed {
            Sealed::Slot(bytes, contexts) => contexts.iter().find_map(|ctx| self.opens_slot(bytes, ctx)),
            Sealed::Item(blob) => self.opens_item(blob),
            Sealed::Pairing(bytes) => self.reads(bytes).then_some("pairing code"),
        }
    }

    fn opens_slot(&self, bytes: &[u8], ctx: &WrapContext) -> Option<&'static str> {
        let context = ctx.context();
        let known =
            [("account id", ctx.account_id.0), ("vault id", ctx.vault_id.0), ("hash", ctx.log_hash.0)];
        let known = known.map(|(name, bytes)| (name, SymmetricKey::from_bytes(bytes)));
        let mut symmetric = self.symmetric.iter().chain(&known);
        let under = symmetric.find(|(_, key)| envelope::open(key, &context, bytes).is_ok());
        let to = || {
            let mut kems = self.kems.iter().filter(|_| bytes.len() > ENCAPSULATED);
            kems.find(|(_, secret)| secret.open(&context, bytes).is_ok())
        };
        under.map(|(name, _)| *name).or_else(|| to().map(|(name, _)| *name))
    }

    fn opens_item(&self, blob: &lockstep_proto::blob::Blob) -> Option<&'static str> {
        let ItemHeader { vault_id, author_account, .. } = blob.header;
        let known = [("vault id", vault_id.0), ("account id", author_account.0)];
        let known = known.map(|(name, bytes)| (name, SymmetricKey::from_bytes(bytes)));
        let mut symmetric = self.symmetric.iter().chain(&known);
        let opens = symmetric.find(|(_, key)| {
            let as_vault_key = VaultKey::from_bytes(*key.expose_bytes());
            let directly = envelope::open(key, &blob.header.context(), &blob.envelope);
            directly.is_ok() || open_item(&as_vault_key, blob).is_ok()
        });
        opens.map(|(name, _)| *name)
    }

    fn reads(&self, bytes: &[u8]) -> bool {
        Sent::<Invitation>::read(&self.code, bytes).is_ok()
            || Sent::<Offer>::read(&self.code, bytes).is_ok()
            || Sent::<Reveal>::read(&self.code, bytes).is_ok()
            || Sent::<Reply>::read(&self.code, bytes).is_ok()
    }

    /// The bytes with every public key that these logs name replaced by one of the adversary's, of the same kind.
    pub(crate) fn substituted(&self, bytes: &mut [u8], logs: &[AccountState]) {
        for state in logs {
            let devices = state.devices().values().map(|device| device.keys());
            for keys in devices {
                replace(bytes, &keys.signing.0, &self.signing[0].0);
                replace(bytes, keys.kem.as_bytes(), self.kems[0].1.public().as_bytes());
            }
            replace(bytes, &state.enrolment_key().0, &self.signing[1].0);
            replace(bytes, &state.recovery().signing.0, &self.signing[2].0);
            replace(bytes, state.recovery().kem.as_bytes(), self.kems[2].1.public().as_bytes());
            replace(bytes, state.uek().1.as_bytes(), self.kems[1].1.public().as_bytes());
        }
    }

    /// A signing and an encryption key.
    pub(crate) fn public(&self) -> ([u8; 32], Vec<u8>) {
        (self.signing[0].0, self.kems[0].1.public().as_bytes().to_vec())
    }

    /// The keys themselves, for tests that seal something to them.
    pub(crate) fn expose(&self) -> (&[Named<SymmetricKey>], &[Named<KemSecret>]) {
        (&self.symmetric, &self.kems)
    }
}

fn replace(bytes: &mut [u8], key: &[u8], other: &[u8]) {
    let mut at = 0;
    while let Some(found) =
        bytes.get(at..).and_then(|rest| rest.windows(key.len()).position(|part| part == key))
    {
        bytes[at + found..at + found + key.len()].copy_from_slice(other);
        at += found + key.len();
    }
}

/// What a slot that is sealed under a root key holds, if one of these root keys opens it.
pub(crate) fn opened_by(arks: &[&Ark], bytes: &[u8], contexts: &[WrapContext]) -> Option<Vec<u8>> {
    let each = contexts.iter().flat_map(|ctx| arks.iter().map(move |ark| (ctx.context(), ark)));
    let mut opened = each.filter_map(|(context, ark)| envelope::open(ark.symmetric(), &context, bytes).ok());
    opened.next().map(|opened| opened.to_vec())
}
