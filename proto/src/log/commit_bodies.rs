//! What a commit can say, kind by kind.

use super::account_bodies::canon_fields;
use super::commit::CommitKind;
use super::{CHANGES_LIMIT, ENTRY_LIMIT, LogHead, MEMBERS_LIMIT, SEALED_LIMIT};
use crate::canon::{Canon, CanonError, Decoder, Encoder};
use crate::hash::hash;
use crate::ids::{AccountId, Epoch, Generation, Hash, ItemId, Version};

/// A commit's body.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum CommitBody {
    Genesis(GenesisCommit),
    Content(ContentBody),
    Control(ControlBody),
    Heal(HealBody),
}

impl CommitBody {
    /// The kind.
    pub fn kind(&self) -> CommitKind {
        match self {
            Self::Genesis(_) => CommitKind::Genesis,
            Self::Content(_) => CommitKind::Content,
            Self::Control(_) => CommitKind::Control,
            Self::Heal(_) => CommitKind::Heal,
        }
    }

    /// The canonical bytes that follow the signed commit.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Encoder::new();
        match self {
            Self::Genesis(body) => body.encode(&mut out),
            Self::Content(body) => body.encode(&mut out),
            Self::Control(body) => body.encode(&mut out),
            Self::Heal(body) => body.encode(&mut out),
        }
        out.into_bytes()
    }

    /// Reads the body of a commit of this kind.
    ///
    /// # Errors
    /// [`CanonError`].
    pub fn from_bytes(kind: CommitKind, bytes: &[u8]) -> Result<Self, CanonError> {
        if bytes.len() > ENTRY_LIMIT {
            return Err(CanonError::TooLong { found: bytes.len(), limit: ENTRY_LIMIT });
        }
        let mut input = Decoder::new(bytes);
        let body = match kind {
            CommitKind::Genesis => Self::Genesis(Canon::decode(&mut input)?),
            CommitKind::Content => Self::Content(Canon::decode(&mut input)?),
            CommitKind::Control => Self::Control(Canon::decode(&mut input)?),
            CommitKind::Heal => Self::Heal(Canon::decode(&mut input)?),
        };
        input.finish()?;
        if body.to_bytes() == bytes { Ok(body) } else { Err(CanonError::NotCanonical) }
    }

    /// The hash that a commit names: `H("genesis-body" | "content-body" | "control-body" | "heal-body", bytes)`.
    pub fn hash(&self) -> Hash {
        Self::hash_bytes(self.kind(), &self.to_bytes())
    }

    pub(super) fn hash_bytes(kind: CommitKind, bytes: &[u8]) -> Hash {
        let label = match kind {
            CommitKind::Genesis => "genesis-body",
            CommitKind::Content => "content-body",
            CommitKind::Control => "control-body",
            CommitKind::Heal => "heal-body",
        };
        hash(label, &[bytes])
    }
}

/// What a member may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Role {
    /// Nothing.
    Reader = 1,
    /// Content.
    Writer = 2,
    /// Content, control and heal.
    Admin = 3,
}

impl Role {
    /// Whether this role may write a commit of that kind.
    pub fn allows(self, kind: CommitKind) -> bool {
        match kind {
            CommitKind::Content => self >= Self::Writer,
            CommitKind::Genesis | CommitKind::Control | CommitKind::Heal => self == Self::Admin,
        }
    }
}

impl Canon for Role {
    fn encode(&self, out: &mut Encoder) {
        out.u8(*self as u8);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        match input.u8()? {
            1 => Ok(Self::Reader),
            2 => Ok(Self::Writer),
            3 => Ok(Self::Admin),
            other => Err(CanonError::UpdateNeeded { field: "role", value: u32::from(other) }),
        }
    }
}

/// A member as a control body names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// The account.
    pub account_id: AccountId,
    /// What it may write.
    pub role: Role,
    /// How far its account log counts.
    pub position: LogHead,
    /// The generation of the UEK that its grant is sealed to.
    pub uek_generation: Generation,
    /// The hash of its grant, or of the author's own key slot; zero in a genesis.
    pub slot: Hash,
}
canon_fields!(Member { account_id, role, position, uek_generation, slot });

/// Members and the epoch: the whole control state, every time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlBody {
    /// All members, ascending by account.
    pub members: Vec<Member>,
    /// The epoch from here on.
    pub epoch: Epoch,
    /// The commitment to its vault key.
    pub vault_key_commit: Hash,
    /// The vault key of the epoch before, sealed under this one; empty at epoch 1.
    pub prev_vault_key: Vec<u8>,
}

impl Canon for ControlBody {
    fn encode(&self, out: &mut Encoder) {
        out.list(&self.members);
        self.epoch.encode(out);
        self.vault_key_commit.encode(out);
        out.bytes(&self.prev_vault_key);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        Ok(Self {
            members: input.sorted_list("members", MEMBERS_LIMIT, |member: &Member| member.account_id)?,
            epoch: Canon::decode(input)?,
            vault_key_commit: Canon::decode(input)?,
            prev_vault_key: input.bytes(SEALED_LIMIT)?.to_vec(),
        })
    }
}

/// The first commit's body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GenesisCommit {
    /// 32 random bytes; with them the id is unique, and key commitments are bound to the vault.
    pub seed: [u8; 32],
    /// The first control state.
    pub control: ControlBody,
}

impl Canon for GenesisCommit {
    fn encode(&self, out: &mut Encoder) {
        out.fixed(&self.seed);
        self.control.encode(out);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        Ok(Self { seed: input.fixed()?, control: Canon::decode(input)? })
    }
}

/// One item's change. A new item has old version 0 and old hash zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// The item.
    pub item_id: ItemId,
    /// The version it replaces.
    pub old_version: Version,
    /// That version's blob hash.
    pub old_blob_hash: Hash,
    /// The new version.
    pub new_version: Version,
    /// Its blob hash.
    pub new_blob_hash: Hash,
}
canon_fields!(Change { item_id, old_version, old_blob_hash, new_version, new_blob_hash });

impl Change {
    /// Upper bound of a version's step: no hostile writer can use up the versions of an item.
    pub const VERSION_STEP: u64 = 1 << 32;

    /// Whether the versions make sense: a creation goes up from 0 with a zero hash, anything else from a real one, by at
    /// most [`Self::VERSION_STEP`]. A creation's version is 1; after a heal it is above that of the other branch.
    pub fn is_plausible(&self) -> bool {
        let step = self.new_version.0.checked_sub(self.old_version.0);
        let goes_up = step.is_some_and(|step| (1..=Self::VERSION_STEP).contains(&step));
        let is_creation = self.old_version.0 == 0;
        goes_up && self.old_blob_hash.is_zero() == is_creation && !self.new_blob_hash.is_zero()
    }
}

/// Items change: at most one change per item, ascending by item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentBody {
    /// The changes; at least one.
    pub changes: Vec<Change>,
}

impl Canon for ContentBody {
    fn encode(&self, out: &mut Encoder) {
        out.list(&self.changes);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        Ok(Self { changes: input.sorted_list("changes", CHANGES_LIMIT, |change: &Change| change.item_id)? })
    }
}

/// Two branches are joined (R-HEAL).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HealBody {
    /// The last commit both branches share.
    pub fork: LogHead,
    /// The head of the joiner's branch (A).
    pub side: LogHead,
    /// The control hash of that branch.
    pub side_control_hash: Hash,
}
canon_fields!(HealBody { fork, side, side_control_hash });
