//! What an account link can say, kind by kind.

use super::keys::{DevicePublicKeys, KemKey, RecoveryPublicKeys};
use super::reanchor::Reanchor;
use super::rekey_bodies::{Recover, RecoveryChange, Rekey};
use super::{LogHead, SEALED_LIMIT};
use crate::canon::{Canon, CanonError, Decoder, Encoder};
use crate::ids::{DeviceId, Epoch, Generation, Hash, ServerId, VaultId};
use crate::sign::PublicKey;
use crate::signin::KsfProfile;

/// Implements [`Canon`] for a plain struct: its fields in the order given, each by its own `Canon`.
macro_rules! canon_fields {
    ($name:ident { $($field:ident),+ $(,)? }) => {
        impl Canon for $name {
            fn encode(&self, out: &mut Encoder) {
                $(self.$field.encode(out);)+
            }

            fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
                Ok(Self { $($field: Canon::decode(input)?),+ })
            }
        }
    };
}
pub(super) use canon_fields;

/// The kind of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum LinkKind {
    /// The first link.
    Genesis = 1,
    /// New password, OPAQUE record or slots.
    AuthUpdate = 2,
    /// A device joins.
    DeviceAdd = 3,
    /// Everything that follows losing or retiring a device.
    Rekey = 4,
    /// A device joins by Recovery Key, with a rekey.
    Recover = 5,
    /// A vault of one's own appears.
    VaultCreate = 6,
    /// A shared vault is joined.
    VaultJoin = 7,
    /// A vault is left.
    VaultLeave = 8,
    /// A contact's keys are pinned.
    ContactPin = 9,
    /// The lowest security version clients may run goes up.
    SecurityVersion = 10,
    /// Reserved for escrowed recovery.
    Escrow = 11,
    /// A new Recovery Key is announced.
    RecoveryAnnounce = 12,
    /// The Recovery Key changes.
    RecoveryChange = 13,
    /// The account goes on from the history of a restored server.
    Reanchor = 14,
}

impl LinkKind {
    /// Every kind, in order.
    pub const ALL: [Self; 14] = [
        Self::Genesis,
        Self::AuthUpdate,
        Self::DeviceAdd,
        Self::Rekey,
        Self::Recover,
        Self::VaultCreate,
        Self::VaultJoin,
        Self::VaultLeave,
        Self::ContactPin,
        Self::SecurityVersion,
        Self::Escrow,
        Self::RecoveryAnnounce,
        Self::RecoveryChange,
        Self::Reanchor,
    ];
}

impl Canon for LinkKind {
    fn encode(&self, out: &mut Encoder) {
        out.u8(*self as u8);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        let value = input.u8()?;
        let unknown = CanonError::UpdateNeeded { field: "link kind", value: u32::from(value) };
        Self::ALL.into_iter().find(|kind| *kind as u8 == value).ok_or(unknown)
    }
}

/// A link's body.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum LinkBody {
    Genesis(Box<GenesisLink>),
    AuthUpdate(AuthUpdate),
    DeviceAdd(DeviceAdd),
    Rekey(Box<Rekey>),
    Recover(Box<Recover>),
    VaultCreate(VaultCreate),
    VaultJoin(VaultJoin),
    VaultLeave(VaultLeave),
    /// Sealed under a key derived from ARK.
    ContactPin(Vec<u8>),
    SecurityVersion(u32),
    /// Reserved.
    Escrow(Vec<u8>),
    /// The public halves of the Recovery Key that is to come.
    RecoveryAnnounce(Box<RecoveryPublicKeys>),
    RecoveryChange(Box<RecoveryChange>),
    Reanchor(Reanchor),
}

impl LinkBody {
    /// The kind.
    pub fn kind(&self) -> LinkKind {
        match self {
            Self::Genesis(_) => LinkKind::Genesis,
            Self::AuthUpdate(_) => LinkKind::AuthUpdate,
            Self::DeviceAdd(_) => LinkKind::DeviceAdd,
            Self::Rekey(_) => LinkKind::Rekey,
            Self::Recover(_) => LinkKind::Recover,
            Self::VaultCreate(_) => LinkKind::VaultCreate,
            Self::VaultJoin(_) => LinkKind::VaultJoin,
            Self::VaultLeave(_) => LinkKind::VaultLeave,
            Self::ContactPin(_) => LinkKind::ContactPin,
            Self::SecurityVersion(_) => LinkKind::SecurityVersion,
            Self::Escrow(_) => LinkKind::Escrow,
            Self::RecoveryAnnounce(_) => LinkKind::RecoveryAnnounce,
            Self::RecoveryChange(_) => LinkKind::RecoveryChange,
            Self::Reanchor(_) => LinkKind::Reanchor,
        }
    }

    /// The devices that end here, ascending.
    pub fn revoked(&self) -> &[DeviceId] {
        match self {
            Self::Rekey(rekey) => &rekey.revoked,
            Self::Recover(recover) => &recover.rekey.revoked,
            _ => &[],
        }
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut out = Encoder::new();
        match self {
            Self::Genesis(body) => body.encode(&mut out),
            Self::AuthUpdate(body) => body.encode(&mut out),
            Self::DeviceAdd(body) => body.encode(&mut out),
            Self::Rekey(body) => body.encode(&mut out),
            Self::Recover(body) => body.encode(&mut out),
            Self::VaultCreate(body) => body.encode(&mut out),
            Self::VaultJoin(body) => body.encode(&mut out),
            Self::VaultLeave(body) => body.encode(&mut out),
            Self::ContactPin(sealed) | Self::Escrow(sealed) => out.bytes(sealed),
            Self::SecurityVersion(version) => out.u32(*version),
            Self::RecoveryAnnounce(body) => body.encode(&mut out),
            Self::RecoveryChange(body) => body.encode(&mut out),
            Self::Reanchor(body) => body.encode(&mut out),
        }
        out.into_bytes()
    }

    pub(super) fn from_bytes(kind: LinkKind, bytes: &[u8]) -> Result<Self, CanonError> {
        let mut input = Decoder::new(bytes);
        let body = match kind {
            LinkKind::Genesis => Self::Genesis(Box::new(Canon::decode(&mut input)?)),
            LinkKind::AuthUpdate => Self::AuthUpdate(Canon::decode(&mut input)?),
            LinkKind::DeviceAdd => Self::DeviceAdd(Canon::decode(&mut input)?),
            LinkKind::Rekey => Self::Rekey(Box::new(Canon::decode(&mut input)?)),
            LinkKind::Recover => Self::Recover(Box::new(Canon::decode(&mut input)?)),
            LinkKind::VaultCreate => Self::VaultCreate(Canon::decode(&mut input)?),
            LinkKind::VaultJoin => Self::VaultJoin(Canon::decode(&mut input)?),
            LinkKind::VaultLeave => Self::VaultLeave(Canon::decode(&mut input)?),
            LinkKind::ContactPin => Self::ContactPin(input.bytes(SEALED_LIMIT)?.to_vec()),
            LinkKind::SecurityVersion => Self::SecurityVersion(input.u32()?),
            LinkKind::Escrow => Self::Escrow(input.bytes(SEALED_LIMIT)?.to_vec()),
            LinkKind::RecoveryAnnounce => Self::RecoveryAnnounce(Box::new(Canon::decode(&mut input)?)),
            LinkKind::RecoveryChange => Self::RecoveryChange(Box::new(Canon::decode(&mut input)?)),
            LinkKind::Reanchor => Self::Reanchor(Canon::decode(&mut input)?),
        };
        input.finish()?;
        Ok(body)
    }
}

/// The first link of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GenesisLink {
    /// 32 random bytes; with them the id is unique, and key commitments are bound to the account.
    pub seed: [u8; 32],
    /// The server the account is made for.
    pub server_id: ServerId,
    /// The first device; it signs this link.
    pub device: DevicePublicKeys,
    /// ESK of generation 1.
    pub enrolment_key: PublicKey,
    /// UEK of generation 1: what other people encrypt to.
    pub uek: KemKey,
    /// The Recovery Key's public halves.
    pub recovery: RecoveryPublicKeys,
    /// The commitment to ARK of generation 1.
    pub ark_commit: Hash,
    /// The lowest security version that clients of this account may run.
    pub security_version: u32,
}

impl Canon for GenesisLink {
    fn encode(&self, out: &mut Encoder) {
        out.fixed(&self.seed);
        self.server_id.encode(out);
        self.device.encode(out);
        self.enrolment_key.encode(out);
        self.uek.encode(out);
        self.recovery.encode(out);
        self.ark_commit.encode(out);
        out.u32(self.security_version);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        Ok(Self {
            seed: input.fixed()?,
            server_id: Canon::decode(input)?,
            device: Canon::decode(input)?,
            enrolment_key: Canon::decode(input)?,
            uek: Canon::decode(input)?,
            recovery: Canon::decode(input)?,
            ark_commit: Canon::decode(input)?,
            security_version: input.u32()?,
        })
    }
}

/// How an account is signed in to: hashes of its slots and OPAQUE record. Unchanged values are repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthUpdate {
    /// ARK under AUK.
    pub password_slot: Hash,
    /// ARK to the Recovery Key.
    pub recovery_slot: Hash,
    /// UEK's private half under ARK.
    pub uek_slot: Hash,
    /// The Secret Key under ARK.
    pub secret_key_slot: Hash,
    /// `H("opaque-record", registration upload)`.
    pub record_hash: Hash,
    /// The key that only the password of that record gives: it countersigns what changes who gets in.
    pub password_key: PublicKey,
    /// The key-stretching profile of the record.
    pub profile: KsfProfile,
    /// The server's OPAQUE public key as the client saw it.
    pub opaque_server_key: [u8; 32],
    /// The Secret Key's generation.
    pub secret_key_generation: Generation,
    /// The commitment to the Secret Key.
    pub secret_key_commit: Hash,
}

impl AuthUpdate {
    /// The four slots that it names.
    pub fn slots(&self) -> [Hash; 4] {
        [self.password_slot, self.recovery_slot, self.uek_slot, self.secret_key_slot]
    }
}

impl Canon for AuthUpdate {
    fn encode(&self, out: &mut Encoder) {
        self.password_slot.encode(out);
        self.recovery_slot.encode(out);
        self.uek_slot.encode(out);
        self.secret_key_slot.encode(out);
        self.record_hash.encode(out);
        self.password_key.encode(out);
        self.profile.encode(out);
        out.fixed(&self.opaque_server_key);
        self.secret_key_generation.encode(out);
        self.secret_key_commit.encode(out);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        Ok(Self {
            password_slot: Canon::decode(input)?,
            recovery_slot: Canon::decode(input)?,
            uek_slot: Canon::decode(input)?,
            secret_key_slot: Canon::decode(input)?,
            record_hash: Canon::decode(input)?,
            password_key: Canon::decode(input)?,
            profile: Canon::decode(input)?,
            opaque_server_key: input.fixed()?,
            secret_key_generation: Canon::decode(input)?,
            secret_key_commit: Canon::decode(input)?,
        })
    }
}

/// How a device came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Enrolment {
    /// Another device approved it.
    Pairing = 1,
    /// Emergency Kit and password.
    Kit = 2,
    /// Recovery Key.
    Recovery = 3,
}

impl Canon for Enrolment {
    fn encode(&self, out: &mut Encoder) {
        out.u8(*self as u8);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        match input.u8()? {
            1 => Ok(Self::Pairing),
            2 => Ok(Self::Kit),
            3 => Ok(Self::Recovery),
            other => Err(CanonError::UpdateNeeded { field: "enrolment", value: u32::from(other) }),
        }
    }
}

/// A device joins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceAdd {
    /// Its public keys; its id is derived from them.
    pub keys: DevicePublicKeys,
    /// How it came in.
    pub how: Enrolment,
}
canon_fields!(DeviceAdd { keys, how });

/// A vault appears in the account. Its id is the hash of its genesis commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VaultCreate {
    /// The vault.
    pub vault_id: VaultId,
    /// The hash of the slot that holds its key of epoch 1.
    pub slot: Hash,
}
canon_fields!(VaultCreate { vault_id, slot });

/// A shared vault is joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VaultJoin {
    /// The vault.
    pub vault_id: VaultId,
    /// The control commit that made this account a member.
    pub control: LogHead,
    /// The epoch of the key in the slot.
    pub epoch: Epoch,
    /// The hash of the grant that was accepted.
    pub grant: Hash,
    /// The hash of the slot that holds the vault's key.
    pub slot: Hash,
}
canon_fields!(VaultJoin { vault_id, control, epoch, grant, slot });

/// A vault is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VaultLeave {
    /// The vault.
    pub vault_id: VaultId,
    /// The control commit that removed this account, or the head at which it left.
    pub last: LogHead,
}
canon_fields!(VaultLeave { vault_id, last });
