//! The pin: the point of a vault's log up to which this device has verified everything.

use std::collections::BTreeMap;

use lockstep_proto::api::vaults::Room;
use lockstep_proto::canon::{Canon, CanonError, Decoder, Encoder};
use lockstep_proto::ids::{DeviceId, ItemId, Seq, VaultId, Version};
use lockstep_proto::log::{Change, LogHead, VAULTS_LIMIT, VaultHead, VaultState};

/// The format of this record where the whole chain is verified.
const FORMAT_CHECKED: u8 = 1;
/// The format where it is not: a last field says from which commit on it is.
const FORMAT_SINCE: u8 = 2;
/// Added to either: the chain has heals; how far the account's log was known then, and versions on other branches, follow.
const FORMAT_HEALED: u8 = 2;
/// Upper bound of the items of that list.
const ABOVE_LIMIT: usize = 1 << 20;
/// Upper bound of a checkpoint, in bytes.
const CHECKPOINT_LIMIT: usize = 1 << 24;

/// How much of a vault's chain this device has verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum History {
    /// All of it, from the genesis.
    Checked,
    /// Control commits, and everything from this commit on: where the first sync began.
    Since(LogHead),
}

impl History {
    /// The first position from which every commit is on this device.
    pub(crate) fn since(self) -> Seq {
        match self {
            Self::Checked => Seq(0),
            Self::Since(head) => head.seq,
        }
    }
}

/// What is pinned of a vault, beside its leaves: one sealed record, written together with them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pin {
    state: VaultState,
    head_author: DeviceId,
    confirmed_ms: u64,
    room: Option<Room>,
    observed: BTreeMap<VaultId, LogHead>,
    history: History,
    above: BTreeMap<ItemId, Version>,
    judged: Seq,
}

impl Pin {
    /// A pin at `state`, whose head `head_author` wrote, confirmed by the server at `now_ms`.
    pub(crate) fn new(state: VaultState, head_author: DeviceId, now_ms: u64) -> Self {
        Self {
            state,
            head_author,
            confirmed_ms: now_ms,
            room: None,
            observed: BTreeMap::new(),
            history: History::Checked,
            above: BTreeMap::new(),
            judged: Seq(0),
        }
    }

    /// The same pin, of a healed chain that was verified with the account's log up to this link.
    pub(crate) fn judged(self, judged: Seq) -> Self {
        Self { judged, ..self }
    }

    /// How far the account's log was known when the healed chain was last verified as a whole.
    pub(crate) fn judged_at(&self) -> Seq {
        self.judged
    }

    /// The same pin, after a heal: the next versions of these items are above those that they had on the other branch.
    pub(crate) fn above(mut self, versions: impl IntoIterator<Item = (ItemId, Version)>) -> Self {
        for (item_id, version) in versions {
            let known = self.above.entry(item_id).or_default();
            *known = version.max(*known);
        }
        self
    }

    /// The version after this one of an item.
    pub(crate) fn next_version(&self, item_id: &ItemId, version: Version) -> Version {
        let next = self.above.get(item_id).map_or(version, |above| version.max(*above)).next();
        // What a hostile device made of the other branch's versions does not make the item unwritable.
        next.min(Version(version.0.saturating_add(Change::VERSION_STEP)))
    }

    /// The same pin, with so much of the chain behind it verified.
    pub(crate) fn with_history(self, history: History) -> Self {
        Self { history, ..self }
    }

    /// The pin after the chain has moved on.
    pub(crate) fn advance(&self, state: VaultState, head_author: DeviceId) -> Self {
        Self { state, head_author, ..self.clone() }
    }

    /// The same pin, confirmed by the server at `now_ms` with this room.
    pub(crate) fn confirmed(&self, now_ms: u64, room: Room) -> Self {
        Self { confirmed_ms: now_ms, room: Some(room), ..self.clone() }
    }

    /// The same pin, after a commit of this device that observes these heads.
    pub(crate) fn observing(&self, heads: &[VaultHead]) -> Self {
        let mut pin = self.clone();
        pin.observed.extend(heads.iter().map(|head| (head.vault_id, head.head)));
        pin
    }

    fn is_healed(&self) -> bool {
        !self.above.is_empty() || self.judged.0 > 0
    }

    /// The verified state.
    pub(crate) fn state(&self) -> &VaultState {
        &self.state
    }

    /// How much of the chain is verified.
    pub(crate) fn history(&self) -> History {
        self.history
    }

    /// The device that wrote the head.
    pub(crate) fn head_author(&self) -> DeviceId {
        self.head_author
    }

    /// When the server last answered with this head, by this device's clock.
    pub(crate) fn confirmed_ms(&self) -> u64 {
        self.confirmed_ms
    }

    /// What the vault still took when the server last said so.
    pub(crate) fn room(&self) -> Option<&Room> {
        self.room.as_ref()
    }

    /// The heads of other vaults that this device's commits here have named last.
    pub(crate) fn observed(&self) -> &BTreeMap<VaultId, LogHead> {
        &self.observed
    }
}

impl Canon for Pin {
    fn encode(&self, out: &mut Encoder) {
        let format = match self.history {
            History::Checked => FORMAT_CHECKED,
            History::Since(_) => FORMAT_SINCE,
        };
        let is_healed = self.is_healed();
        out.u8(if is_healed { format + FORMAT_HEALED } else { format });
        out.bytes(&self.state.to_checkpoint());
        self.head_author.encode(out);
        out.u64(self.confirmed_ms);
        out.bool(self.room.is_some());
        let room = self.room.unwrap_or(Room { bytes: 0, commit_blob_bytes: 0, commit_changes: 0 });
        out.u64(room.bytes);
        out.u64(room.commit_blob_bytes);
        out.u64(room.commit_changes);
        let observed =
            self.observed.iter().map(|(vault_id, head)| VaultHead { vault_id: *vault_id, head: *head });
        out.list(&observed.collect::<Vec<_>>());
        if let History::Since(head) = &self.history {
            head.encode(out);
        }
        if is_healed {
            self.judged.encode(out);
            let above =
                self.above.iter().take(ABOVE_LIMIT).map(|(item_id, version)| Above(*item_id, *version));
            out.list(&above.collect::<Vec<_>>());
        }
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        let byte = input.u8()?;
        let is_healed = byte > FORMAT_SINCE;
        let format = if is_healed { byte - FORMAT_HEALED } else { byte };
        match format {
            FORMAT_CHECKED | FORMAT_SINCE => {}
            _ => return Err(CanonError::UpdateNeeded { field: "pin", value: u32::from(byte) }),
        }
        let state = VaultState::from_checkpoint(input.bytes(CHECKPOINT_LIMIT)?)?;
        let head_author = Canon::decode(input)?;
        let confirmed_ms = input.u64()?;
        let present = input.bool()?;
        let room =
            Room { bytes: input.u64()?, commit_blob_bytes: input.u64()?, commit_changes: input.u64()? };
        let observed = input.sorted_list("observed", VAULTS_LIMIT, |head: &VaultHead| head.vault_id)?;
        let observed = observed.into_iter().map(|head| (head.vault_id, head.head)).collect();
        let history = match format {
            FORMAT_SINCE => History::Since(Canon::decode(input)?),
            _ => History::Checked,
        };
        let judged = if is_healed { Canon::decode(input)? } else { Seq(0) };
        let above = match is_healed {
            true => input.sorted_list("versions", ABOVE_LIMIT, |above: &Above| above.0)?,
            false => Vec::new(),
        };
        let above = above.into_iter().map(|above| (above.0, above.1)).collect();
        Ok(Self {
            state,
            head_author,
            confirmed_ms,
            room: present.then_some(room),
            observed,
            history,
            above,
            judged,
        })
    }
}

struct Above(ItemId, Version);

impl Canon for Above {
    fn encode(&self, out: &mut Encoder) {
        self.0.encode(out);
        self.1.encode(out);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        Ok(Self(Canon::decode(input)?, Canon::decode(input)?))
    }
}
