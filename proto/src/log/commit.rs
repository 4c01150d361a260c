//! A commit of the vault log.

use super::commit_bodies::CommitBody;
use super::{ENTRY_LIMIT, LogHead, OBSERVED_LIMIT, VaultHead, time_ms};
use crate::canon::{Canon, CanonError, Decoder, Encoder};
use crate::digest::Digest;
use crate::ids::{AccountId, DeviceId, Epoch, Hash, Seq, VaultId};
use crate::sign::{Signed, Structure};

/// The kind of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum CommitKind {
    /// The first commit: members and the first epoch.
    Genesis = 1,
    /// Items change.
    Content = 2,
    /// Members or the epoch change.
    Control = 3,
    /// Two branches are joined after a restore.
    Heal = 4,
}

impl CommitKind {
    /// Every kind, in order.
    pub const ALL: [Self; 4] = [Self::Genesis, Self::Content, Self::Control, Self::Heal];
}

impl Canon for CommitKind {
    fn encode(&self, out: &mut Encoder) {
        out.u8(*self as u8);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        let value = input.u8()?;
        let unknown = CanonError::UpdateNeeded { field: "commit kind", value: u32::from(value) };
        Self::ALL.into_iter().find(|kind| *kind as u8 == value).ok_or(unknown)
    }
}

/// One commit: who changes a vault, at which point, to what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// The vault; zero in a genesis.
    pub vault_id: VaultId,
    /// The position; 0 in a genesis.
    pub seq: Seq,
    /// The hash of the commit before; zero in a genesis.
    pub prev_hash: Hash,
    /// What kind of body follows.
    pub kind: CommitKind,
    /// The vault key's epoch; a control commit's own is the new one.
    pub epoch: Epoch,
    /// The hash of the latest genesis, control or heal before this commit; zero in a genesis.
    pub control_hash: Hash,
    /// The account that writes.
    pub author_account: AccountId,
    /// The device that writes and signs.
    pub author_device: DeviceId,
    /// How far the author knows its own account log.
    pub author_position: LogHead,
    /// The author's wall clock in milliseconds since 1970; shown, never trusted.
    pub time_ms: u64,
    /// The vault's digest after this commit.
    pub digest: Digest,
    /// Live items after this commit.
    pub live: u64,
    /// Tombstones after this commit.
    pub tombstones: u64,
    /// Heads of the author's other sole-member vaults that are new since its last commit, ascending by vault.
    pub observed: Vec<VaultHead>,
    /// The hash of the body under the label of its kind.
    pub body_hash: Hash,
}

impl Commit {
    /// Where this commit stands, once `hash` is its hash.
    pub fn head(&self, hash: Hash) -> LogHead {
        LogHead { seq: self.seq, hash }
    }
}

/// The id of the vault that this genesis makes.
pub fn vault_id_of(genesis: &Signed<Commit>) -> VaultId {
    VaultId::from(genesis.hash())
}

impl Structure for Commit {
    const LABEL: &'static str = "vault-commit";
    const HASH_LABEL: &'static str = "vault-commit-hash";
    const LIMIT: usize = ENTRY_LIMIT;
}

impl Canon for Commit {
    fn encode(&self, out: &mut Encoder) {
        self.vault_id.encode(out);
        self.seq.encode(out);
        self.prev_hash.encode(out);
        self.kind.encode(out);
        self.epoch.encode(out);
        self.control_hash.encode(out);
        self.author_account.encode(out);
        self.author_device.encode(out);
        self.author_position.encode(out);
        out.u64(self.time_ms);
        self.digest.encode(out);
        out.u64(self.live);
        out.u64(self.tombstones);
        out.list(&self.observed);
        self.body_hash.encode(out);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        Ok(Self {
            vault_id: Canon::decode(input)?,
            seq: Canon::decode(input)?,
            prev_hash: Canon::decode(input)?,
            kind: Canon::decode(input)?,
            epoch: Canon::decode(input)?,
            control_hash: Canon::decode(input)?,
            author_account: Canon::decode(input)?,
            author_device: Canon::decode(input)?,
            author_position: Canon::decode(input)?,
            time_ms: time_ms(input)?,
            digest: Canon::decode(input)?,
            live: input.u64()?,
            tombstones: input.u64()?,
            observed: input.sorted_list("observed", OBSERVED_LIMIT, |head: &VaultHead| head.vault_id)?,
            body_hash: Canon::decode(input)?,
        })
    }
}

/// A commit and its body as read from the wire: the body is the one the commit names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The signed commit; its signature is not yet verified.
    pub commit: Signed<Commit>,
    /// The body, whose hash was compared with the commit's.
    pub body: CommitBody,
}

impl Entry {
    /// Reads a commit and the body it names.
    ///
    /// # Errors
    /// [`super::CommitError::Format`] for bytes that are neither, [`super::CommitError::Body`] for another body.
    pub fn from_wire(commit: &[u8], body: &[u8]) -> Result<Self, super::CommitError> {
        let commit = Signed::<Commit>::from_wire(commit)?;
        let same = CommitBody::hash_bytes(commit.value().kind, body) == commit.value().body_hash;
        if !same && !crate::seeded!("body-unchecked") {
            return Err(super::CommitError::Body);
        }
        let body = CommitBody::from_bytes(commit.value().kind, body)?;
        Ok(Self { commit, body })
    }
}
