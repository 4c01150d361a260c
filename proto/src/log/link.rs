//! A link of the account log.

use super::account_bodies::{LinkBody, LinkKind};
use super::{ENTRY_LIMIT, LATEST_MS, LogHead, VAULTS_LIMIT, VaultHead, time_ms};
use crate::canon::{Canon, CanonError, Decoder, Encoder};
use crate::ids::{AccountId, DeviceId, Hash, Seq};
use crate::sign::Structure;

/// Whose key signs a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signer {
    /// A device that is authorised after the link before.
    Device(DeviceId),
    /// The enrolment key ESK of the current generation: only `device_add` by kit.
    Enrolment,
    /// The Recovery Key: `recover` and `recovery_change`.
    Recovery,
}

impl Canon for Signer {
    fn encode(&self, out: &mut Encoder) {
        let (kind, device_id) = match self {
            Self::Device(device_id) => (1, *device_id),
            Self::Enrolment => (2, DeviceId::ZERO),
            Self::Recovery => (3, DeviceId::ZERO),
        };
        out.u8(kind);
        device_id.encode(out);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        let kind = input.u8()?;
        let device_id = DeviceId::decode(input)?;
        match (kind, device_id.is_zero()) {
            (1, false) => Ok(Self::Device(device_id)),
            (2, true) => Ok(Self::Enrolment),
            (3, true) => Ok(Self::Recovery),
            _ => Err(CanonError::Invalid("signer")),
        }
    }
}

/// One link: what changes in an account, where, and who says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountLink {
    /// The account; zero in a genesis.
    pub account_id: AccountId,
    /// The position; 0 in a genesis.
    pub seq: Seq,
    /// The hash of the link before; zero in a genesis.
    pub prev_hash: Hash,
    /// Whose key signs.
    pub signer: Signer,
    /// The wall clock of whoever signs, in milliseconds since 1970; shown, never trusted.
    pub time_ms: u64,
    /// The signer's pinned head of every vault the account has, ascending by vault; empty in a genesis and in a
    /// `device_add` by kit.
    pub heads: Vec<VaultHead>,
    /// What changes.
    pub body: LinkBody,
}

impl AccountLink {
    /// The position after `head`, pointing at it. A clock that says more than [`LATEST_MS`] is written as that.
    pub fn after(
        account_id: AccountId,
        head: &LogHead,
        signer: Signer,
        now_ms: u64,
        heads: Vec<VaultHead>,
        body: LinkBody,
    ) -> Self {
        let time_ms = now_ms.min(LATEST_MS);
        Self { account_id, seq: head.seq.next(), prev_hash: head.hash, signer, time_ms, heads, body }
    }
}

impl Structure for AccountLink {
    const LABEL: &'static str = "account-link";
    const HASH_LABEL: &'static str = "account-link-hash";
    const LIMIT: usize = ENTRY_LIMIT;

    /// Whatever changes who gets in, but by the Recovery Key, and which history counts.
    fn is_countersigned(&self) -> bool {
        match self.body {
            LinkBody::AuthUpdate(_) | LinkBody::DeviceAdd(_) | LinkBody::Rekey(_) => true,
            LinkBody::SecurityVersion(_) | LinkBody::RecoveryAnnounce(_) | LinkBody::Reanchor(_) => true,
            LinkBody::RecoveryChange(_) => self.signer != Signer::Recovery,
            LinkBody::Genesis(_) | LinkBody::Recover(_) | LinkBody::VaultCreate(_) => false,
            LinkBody::VaultJoin(_) | LinkBody::VaultLeave(_) => false,
            LinkBody::ContactPin(_) | LinkBody::Escrow(_) => false,
        }
    }
}

impl Canon for AccountLink {
    fn encode(&self, out: &mut Encoder) {
        self.account_id.encode(out);
        self.seq.encode(out);
        self.prev_hash.encode(out);
        self.body.kind().encode(out);
        self.signer.encode(out);
        out.u64(self.time_ms);
        out.list(&self.heads);
        out.bytes(&self.body.to_bytes());
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        let account_id = Canon::decode(input)?;
        let seq = Canon::decode(input)?;
        let prev_hash = Canon::decode(input)?;
        let kind = LinkKind::decode(input)?;
        let signer = Canon::decode(input)?;
        let time_ms = time_ms(input)?;
        let heads = input.sorted_list("heads", VAULTS_LIMIT, |head: &VaultHead| head.vault_id)?;
        let body = LinkBody::from_bytes(kind, input.bytes(ENTRY_LIMIT)?)?;
        Ok(Self { account_id, seq, prev_hash, signer, time_ms, heads, body })
    }
}
