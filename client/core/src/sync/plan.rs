//! Decisions without effects: where two heads stand, what goes into the next commit, how long to wait.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use lockstep_crypto::envelope::sealed_length;
use lockstep_crypto::random::{Random, make_bytes};
use lockstep_proto::api::vaults::Room;
use lockstep_proto::ids::ItemId;
use lockstep_proto::log::LogHead;

use crate::vault::{Edit, Mark, Outbox, OutboxEntry, QuarantineReason};

/// Changes of a commit, at most, while nobody is in the way.
const BATCH_CHANGES: u64 = 64;
/// Bytes of a commit's blobs, at most, unless one item alone has more.
const BATCH_BYTES: u64 = 256 * 1024;
/// What a blob takes beside its envelope: header and lengths, rounded up.
const HEADER_BYTES: u64 = 256;
/// From this refusal in a row on, a device waits, and halves its commits.
pub(crate) const PATIENT_REFUSALS: u32 = 3;
/// The first ceiling of that wait, in milliseconds; it doubles.
const FIRST_CEILING_MS: u64 = 25;
/// No ceiling is above this, in milliseconds.
const LAST_CEILING_MS: u64 = 2_000;
/// After so many refusals in a row a sync ends.
pub(crate) const REFUSALS_LIMIT: u32 = 32;

/// Where the server's head stands, seen from the pin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It is the pin.
    Same,
    /// It is above the pin; whether it follows from it is the verifier's question.
    Ahead,
    /// It is below the pin: something acknowledged is gone.
    Behind,
    /// It is at the pin's position with another hash.
    Diverged,
}

/// Compares.
pub(crate) fn standing(pinned: &LogHead, served: &LogHead) -> Standing {
    match served.seq.cmp(&pinned.seq) {
        Ordering::Greater => Standing::Ahead,
        Ordering::Less if lockstep_proto::seeded!("older-head-accepted") => Standing::Same,
        Ordering::Less => Standing::Behind,
        Ordering::Equal if served == pinned => Standing::Same,
        Ordering::Equal => Standing::Diverged,
    }
}

/// How large the next commit may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BatchSize {
    changes: u64,
    bytes: u64,
}

impl Default for BatchSize {
    fn default() -> Self {
        Self { changes: BATCH_CHANGES, bytes: BATCH_BYTES }
    }
}

impl BatchSize {
    /// After a refusal: half as large.
    pub(crate) fn halved(self) -> Self {
        Self { changes: (self.changes / 2).max(1), bytes: (self.bytes / 2).max(1) }
    }

    /// After a success: twice as large, up to where it started.
    pub(crate) fn doubled(self) -> Self {
        Self { changes: (self.changes * 2).min(BATCH_CHANGES), bytes: (self.bytes * 2).min(BATCH_BYTES) }
    }

    /// The items of the next commit: at least one if any waits, within this size and the vault's room.
    /// `Err` when not even one fits into the room.
    pub(crate) fn next<'a>(
        self,
        waiting: impl IntoIterator<Item = (&'a ItemId, &'a OutboxEntry)>,
        room: Option<&Room>,
    ) -> Result<Vec<ItemId>, NoRoom> {
        let changes = room.map_or(self.changes, |room| self.changes.min(room.commit_changes));
        let hard = room.map_or(u64::MAX, |room| room.bytes.min(room.commit_blob_bytes));
        let mut chosen = Vec::new();
        let (mut bytes, mut refused) = (0_u64, false);
        for (item_id, entry) in waiting {
            let size = blob_size(&entry.edit);
            let fits_room = bytes.saturating_add(size) <= hard && (chosen.len() as u64) < changes;
            let fits_size = chosen.is_empty() || bytes.saturating_add(size) <= self.bytes;
            if !fits_room && chosen.is_empty() {
                refused = true;
                continue;
            }
            if !fits_room || !fits_size {
                break;
            }
            bytes = bytes.saturating_add(size);
            chosen.push(*item_id);
        }
        if chosen.is_empty() && refused { Err(NoRoom) } else { Ok(chosen) }
    }
}

/// The edits that may be sent now. One over a version that only a newer program can read waits until this one is
/// updated: it would be written over unread.
pub(crate) fn sendable<'a>(
    outbox: &'a Outbox,
    quarantine: &'a BTreeMap<ItemId, Mark>,
) -> impl Iterator<Item = (&'a ItemId, &'a OutboxEntry)> {
    outbox.iter().filter(|(item_id, _)| {
        quarantine.get(item_id).is_none_or(|mark| mark.reason != QuarantineReason::UpdateNeeded)
    })
}

/// No waiting edit fits into what the vault still takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoRoom;

pub(super) fn blob_size(edit: &Edit) -> u64 {
    HEADER_BYTES + sealed_length(edit.to_bytes().len()) as u64
}

/// How long to wait after so many refusals in a row, in milliseconds: nothing at first, then uniformly random up to a
/// ceiling that doubles from 25 ms to 2 s.
pub(crate) fn make_refusal_delay_ms(refusals: u32, random: &dyn Random) -> u64 {
    let Some(exponent) = refusals.checked_sub(PATIENT_REFUSALS) else { return 0 };
    let ceiling = FIRST_CEILING_MS.saturating_mul(1 << exponent.min(20)).min(LAST_CEILING_MS);
    u64::from_be_bytes(make_bytes(random)) % (ceiling + 1)
}
