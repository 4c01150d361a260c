//! A vault's verified state as bytes, so that whoever verified a chain need not do it again after a restart.
//!
//! A checkpoint carries no proof: whoever keeps it must keep it where nobody else writes. It is not part of the
//! protocol and never crosses the wire.

use std::collections::{BTreeMap, BTreeSet};

use super::super::commit_bodies::Role;
use super::super::{LogHead, SEALED_LIMIT};
use super::heal::Written;
use super::{Join, MemberState, VaultState};
use crate::canon::{self, Canon, CanonError, Decoder, Encoder};
use crate::ids::{AccountId, DeviceId, Generation, Hash, Seq};

/// Upper bound of a checkpoint's lists: every account that was ever a member.
const ENTRIES_LIMIT: usize = 1 << 20;

impl VaultState {
    /// The state as bytes that [`Self::from_checkpoint`] reads.
    pub fn to_checkpoint(&self) -> Vec<u8> {
        canon::to_bytes(self)
    }

    /// A state that was verified before and kept by oneself.
    ///
    /// # Errors
    /// [`CanonError`] for anything that [`Self::to_checkpoint`] did not write.
    pub fn from_checkpoint(bytes: &[u8]) -> Result<Self, CanonError> {
        canon::from_bytes(bytes)
    }
}

impl Canon for VaultState {
    fn encode(&self, out: &mut Encoder) {
        out.label(if self.joins.is_empty() { LABEL } else { HEALED_LABEL });
        out.u8(crate::SUITE);
        self.vault_id.encode(out);
        out.fixed(&self.seed);
        self.head.encode(out);
        self.control.encode(out);
        self.control_before.encode(out);
        self.epoch.encode(out);
        self.vault_key_commit.encode(out);
        out.bytes(&self.prev_vault_key);
        let members = self.members.iter().map(|(account, state)| Member(*account, *state));
        out.list(&members.collect::<Vec<_>>());
        let positions = self.positions.iter().map(|(account, position)| Position(*account, *position));
        out.list(&positions.collect::<Vec<_>>());
        encode_written(&self.last_written, out);
        self.digest.encode(out);
        out.u64(self.live);
        out.u64(self.tombstones);
        out.list(&self.pending_cut_offs.iter().copied().collect::<Vec<_>>());
        if !self.joins.is_empty() {
            self.charter.encode(out);
            out.list(&self.joins);
        }
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        let is_healed = input.label_of([LABEL, HEALED_LABEL])? == 1;
        input.suite()?;
        let mut state = Self {
            vault_id: Canon::decode(input)?,
            seed: input.fixed()?,
            head: Canon::decode(input)?,
            control: Canon::decode(input)?,
            charter: LogHead::default(),
            overruled: None,
            control_before: Canon::decode(input)?,
            epoch: Canon::decode(input)?,
            vault_key_commit: Canon::decode(input)?,
            prev_vault_key: input.bytes(SEALED_LIMIT)?.to_vec(),
            members: decode_members(input)?,
            positions: decode_positions(input)?,
            last_written: decode_written(input)?,
            joins: Vec::new(),
            digest: Canon::decode(input)?,
            live: input.u64()?,
            tombstones: input.u64()?,
            pending_cut_offs: decode_cut_offs(input)?,
        };
        state.charter = if is_healed { Canon::decode(input)? } else { state.control };
        if is_healed {
            state.joins = input.sorted_list("heals", ENTRIES_LIMIT, |join: &Join| join.heal)?;
        }
        Ok(state)
    }
}

const LABEL: &str = "vault-checkpoint";
/// The label of a chain that has heals.
const HEALED_LABEL: &str = "vault-checkpoint-joined";

impl Canon for Join {
    fn encode(&self, out: &mut Encoder) {
        self.fork.encode(out);
        self.side.encode(out);
        self.heal.encode(out);
        encode_written(&self.written, out);
        encode_written(&self.beside, out);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        Ok(Self {
            fork: Canon::decode(input)?,
            side: Canon::decode(input)?,
            heal: Canon::decode(input)?,
            written: decode_written(input)?,
            beside: decode_written(input)?,
        })
    }
}

struct Position(AccountId, LogHead);

impl Canon for Position {
    fn encode(&self, out: &mut Encoder) {
        self.0.encode(out);
        self.1.encode(out);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        Ok(Self(Canon::decode(input)?, Canon::decode(input)?))
    }
}

struct LastWritten(AccountId, DeviceId, Seq);

impl Canon for LastWritten {
    fn encode(&self, out: &mut Encoder) {
        self.0.encode(out);
        self.1.encode(out);
        self.2.encode(out);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        Ok(Self(Canon::decode(input)?, Canon::decode(input)?, Canon::decode(input)?))
    }
}

struct Member(AccountId, MemberState);

impl Canon for Member {
    fn encode(&self, out: &mut Encoder) {
        self.0.encode(out);
        self.1.role.encode(out);
        self.1.position.encode(out);
        self.1.uek_generation.encode(out);
        self.1.slot.encode(out);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        let account: AccountId = Canon::decode(input)?;
        let role: Role = Canon::decode(input)?;
        let position: LogHead = Canon::decode(input)?;
        let uek_generation: Generation = Canon::decode(input)?;
        let slot: Hash = Canon::decode(input)?;
        Ok(Self(account, MemberState { role, position, uek_generation, slot }))
    }
}

fn encode_written(written: &Written, out: &mut Encoder) {
    let list = written.iter().map(|((account, device), seq)| LastWritten(*account, *device, *seq));
    out.list(&list.collect::<Vec<_>>());
}

fn decode_written(input: &mut Decoder<'_>) -> Result<Written, CanonError> {
    let list = input.sorted_list("authors", ENTRIES_LIMIT, |entry: &LastWritten| (entry.0, entry.1))?;
    Ok(list.into_iter().map(|entry| ((entry.0, entry.1), entry.2)).collect())
}

fn decode_positions(input: &mut Decoder<'_>) -> Result<BTreeMap<AccountId, LogHead>, CanonError> {
    let list = input.sorted_list("positions", ENTRIES_LIMIT, |entry: &Position| entry.0)?;
    Ok(list.into_iter().map(|entry| (entry.0, entry.1)).collect())
}

fn decode_members(input: &mut Decoder<'_>) -> Result<BTreeMap<AccountId, MemberState>, CanonError> {
    let list = input.sorted_list("members", ENTRIES_LIMIT, |entry: &Member| entry.0)?;
    Ok(list.into_iter().map(|entry| (entry.0, entry.1)).collect())
}

fn decode_cut_offs(input: &mut Decoder<'_>) -> Result<BTreeSet<LogHead>, CanonError> {
    let list = input.sorted_list("cut-offs", ENTRIES_LIMIT, |head: &LogHead| *head)?;
    Ok(list.into_iter().collect())
}
