//! What stands in slots, and what each thing is checked against when it comes out.

use lockstep_proto::ids::{AccountId, Epoch, Generation, Hash};
use lockstep_proto::log::KemKey;
use lockstep_proto::seeded;
use lockstep_proto::sign::PublicKey;
use lockstep_proto::signin::record_hash;
use lockstep_proto::wrap::KeyKind;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::kem::KemSecret;
use crate::keys::{Ark, Lrk, VaultKey};
use crate::password_key::PasswordKey;
use crate::secret_key::SecretKey;

/// Something that a symmetric slot holds.
pub trait SlotContent: Sized {
    /// Its kind, as the context names it.
    const KIND: KeyKind;

    /// What a log says about it.
    type Check;

    /// The bytes to seal.
    fn expose_content(&self) -> Zeroizing<Vec<u8>>;

    /// The content with these bytes, if it has the right length and is what `check` says.
    fn from_content(bytes: &[u8], check: &Self::Check) -> Option<Self>;
}

/// What the account's log commits ARK to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArkCheck {
    /// The 32 random bytes of the account's genesis.
    pub seed: [u8; 32],
    /// The generation.
    pub generation: Generation,
    /// `ark_commit` of that generation.
    pub commit: Hash,
}

/// What a vault's log commits its key to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VaultKeyCheck {
    /// The 32 random bytes of the vault's genesis.
    pub seed: [u8; 32],
    /// The epoch.
    pub epoch: Epoch,
    /// `vk_commit` of that epoch.
    pub commit: Hash,
}

/// What the account's log commits the Secret Key to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecretKeyCheck {
    /// The account.
    pub account_id: AccountId,
    /// `sk_gen`.
    pub generation: Generation,
    /// `sk_commit` of that generation.
    pub commit: Hash,
}

/// The public half that the account's log names for UEK.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UekCheck(pub KemKey);

/// The hash by which the account's log names the OPAQUE record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordCheck(pub Hash);

/// The public half that the account's log names for the key that countersigns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordKeyCheck(pub PublicKey);

/// Nothing: LRK never leaves its device, so no log speaks of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalCheck;

impl SlotContent for Ark {
    const KIND: KeyKind = KeyKind::Ark;
    type Check = ArkCheck;

    fn expose_content(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.expose_bytes().to_vec())
    }

    fn from_content(bytes: &[u8], check: &ArkCheck) -> Option<Self> {
        let ark = Self::from_slice(bytes).ok()?;
        (same(&ark.derive_commit(&check.seed, check.generation), &check.commit)
            || seeded!("ark-commitment-unchecked"))
        .then_some(ark)
    }
}

impl SlotContent for VaultKey {
    const KIND: KeyKind = KeyKind::VaultKey;
    type Check = VaultKeyCheck;

    fn expose_content(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.expose_bytes().to_vec())
    }

    fn from_content(bytes: &[u8], check: &VaultKeyCheck) -> Option<Self> {
        let key = Self::from_slice(bytes).ok()?;
        (same(&key.derive_commit(&check.seed, check.epoch), &check.commit)
            || seeded!("vault-key-commitment-unchecked"))
        .then_some(key)
    }
}

impl SlotContent for SecretKey {
    const KIND: KeyKind = KeyKind::SecretKey;
    type Check = SecretKeyCheck;

    fn expose_content(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.expose_bytes().to_vec())
    }

    fn from_content(bytes: &[u8], check: &SecretKeyCheck) -> Option<Self> {
        let key = Self::from_slice(bytes).ok()?;
        (same(&key.derive_commit(&check.account_id, check.generation), &check.commit)
            || seeded!("secret-key-commitment-unchecked"))
        .then_some(key)
    }
}

/// UEK's private half.
impl SlotContent for KemSecret {
    const KIND: KeyKind = KeyKind::Uek;
    type Check = UekCheck;

    fn expose_content(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.expose_bytes().to_vec())
    }

    fn from_content(bytes: &[u8], check: &UekCheck) -> Option<Self> {
        let key = Self::from_slice(bytes).ok()?;
        (key.public() == check.0 || seeded!("uek-unchecked")).then_some(key)
    }
}

impl SlotContent for Lrk {
    const KIND: KeyKind = KeyKind::Lrk;
    type Check = LocalCheck;

    fn expose_content(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.expose_bytes().to_vec())
    }

    fn from_content(bytes: &[u8], _: &LocalCheck) -> Option<Self> {
        Self::from_slice(bytes).ok()
    }
}

impl SlotContent for PasswordKey {
    const KIND: KeyKind = KeyKind::PasswordKey;
    type Check = PasswordKeyCheck;

    fn expose_content(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.expose_bytes().to_vec())
    }

    fn from_content(bytes: &[u8], check: &PasswordKeyCheck) -> Option<Self> {
        Self::from_slice(bytes).ok().filter(|key| key.public() == check.0)
    }
}

/// An OPAQUE record, as its registration upload.
impl SlotContent for Vec<u8> {
    const KIND: KeyKind = KeyKind::OpaqueRecord;
    type Check = RecordCheck;

    fn expose_content(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.clone())
    }

    fn from_content(bytes: &[u8], check: &RecordCheck) -> Option<Self> {
        (same(&record_hash(bytes), &check.0) || seeded!("opaque-record-unchecked")).then(|| bytes.to_vec())
    }
}

fn same(left: &Hash, right: &Hash) -> bool {
    left.0.ct_eq(&right.0).into()
}
