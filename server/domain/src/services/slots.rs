//! What links name and requests bring: slots and OPAQUE records.

use std::collections::{BTreeMap, BTreeSet};

use lockstep_proto::api::{SLOT_LIMIT, SLOTS_PER_REQUEST};
use lockstep_proto::bytes::Bytes;
use lockstep_proto::ids::{Generation, Hash};
use lockstep_proto::log::AccountState;
use lockstep_proto::signin::record_hash;
use lockstep_proto::wrap::slot_hash;

use crate::signin::OpaqueServer;
use crate::store::{StoredRecord, StoredSlot};

/// What a request brings does not fit what its links name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SlotFault {
    /// A named slot was not sent and is not stored.
    #[error("a slot that a link names was not sent")]
    Missing,
    /// A slot was sent that no link names.
    #[error("a slot was sent that no link names")]
    Unnamed,
    /// A slot is above its limit, or there are too many.
    #[error("a slot is empty or above its limit")]
    Size,
    /// The OPAQUE record was not sent, or is not the one that the link names.
    #[error("the OPAQUE record is not the one that the link names")]
    Record,
    /// The link names another OPAQUE server key than this server's.
    #[error("the link names another OPAQUE key than this server's")]
    ServerKey,
}

/// The slots that `after` names and `before` does not, from what was sent: all of them, and besides only those of
/// former generations.
pub(super) fn new_slots(
    before: Option<&AccountState>,
    after: &AccountState,
    sent: &[Bytes],
) -> Result<Vec<StoredSlot>, SlotFault> {
    if sent.len() > SLOTS_PER_REQUEST || sent.iter().any(|slot| slot.is_empty() || slot.len() > SLOT_LIMIT) {
        return Err(SlotFault::Size);
    }
    let known = before.map(AccountState::kept_slot_hashes).unwrap_or_default();
    let (named, kept) = (after.slot_hashes(), after.kept_slot_hashes());
    let sent: BTreeMap<Hash, &Bytes> = sent.iter().map(|slot| (slot_hash(slot), slot)).collect();
    if sent.keys().any(|hash| !kept.contains(hash)) {
        return Err(SlotFault::Unnamed);
    }
    let needed: BTreeSet<Hash> = named.difference(&known).copied().collect();
    if needed.iter().any(|hash| !sent.contains_key(hash)) {
        return Err(SlotFault::Missing);
    }
    Ok(sent.into_iter().map(|(hash, slot)| StoredSlot { hash, bytes: slot.0.clone() }).collect())
}

/// The slots that `before` names, and `after` does not any more.
pub(super) fn given_up(before: &AccountState, after: &AccountState) -> BTreeSet<Hash> {
    before.kept_slot_hashes().difference(&after.kept_slot_hashes()).copied().collect()
}

/// Slots of former generations in one answer, unless one generation alone has more.
const FORMER_SLOTS: usize = 512;

/// The slots of this former generation and of those before it, as many whole ones as one answer has, and the oldest of
/// them.
pub(super) fn former_slots(state: &AccountState, newest: Generation) -> (BTreeSet<Hash>, Option<Generation>) {
    let (mut named, mut oldest) = (BTreeSet::new(), None);
    for (generation, _) in state.former_arks().filter(|(generation, _)| *generation <= newest) {
        let hashes = state.former_slot_hashes(generation);
        if oldest.is_some() && named.len() + hashes.len() > FORMER_SLOTS {
            break;
        }
        named.extend(hashes);
        oldest = Some(generation);
    }
    (named, oldest)
}

/// The record that `after` names and `before` does not.
pub(super) fn new_record(
    opaque: &OpaqueServer,
    before: Option<&AccountState>,
    after: &AccountState,
    sent: Option<&Bytes>,
) -> Result<Option<StoredRecord>, SlotFault> {
    let Some(auth) = after.auth() else { return Err(SlotFault::Record) };
    if auth.opaque_server_key.as_slice() != opaque.public_key() {
        return Err(SlotFault::ServerKey);
    }
    let known = before.and_then(AccountState::auth).map(|auth| (auth.record_hash, auth.profile));
    if known == Some((auth.record_hash, auth.profile)) && sent.is_none() {
        return Ok(None);
    }
    let sent = sent.ok_or(SlotFault::Record)?;
    if record_hash(sent) != auth.record_hash || opaque.check_upload(sent).is_err() {
        return Err(SlotFault::Record);
    }
    Ok(Some(StoredRecord { upload: sent.0.clone(), profile: auth.profile }))
}
