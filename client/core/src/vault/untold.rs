//! What is to be told of items and no user was told yet.
//!
//! A conflict, or an item that came back, is found by comparing what was shown with what is shown now: once, in the
//! write that changes it. The notice is a record of that same write, so that it outlives everything that can fail
//! afterwards, and it goes when the app says that its user was told.

use std::collections::{BTreeMap, BTreeSet};

use lockstep_proto::canon::{self, Canon, CanonError, Decoder, Encoder};
use lockstep_proto::ids::{ItemId, VaultId};

use super::loading::{scan, unseal};
use super::notice::Notice;
use super::reading::item_of;
use super::records::Records;
use crate::account::{RecordError, Unlocked};
use crate::ports::{Batch, LocalStore, Table};

/// Notices of an item, at most: more than there are kinds.
const NOTICES_LIMIT: usize = 32;

/// Notices by item, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Untold(BTreeMap<ItemId, Notices>);

/// The notices of one item.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Notices(BTreeSet<Notice>);

impl Untold {
    /// Every notice, by item.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (ItemId, Notice)> {
        self.0.iter().flat_map(|(item_id, notices)| notices.0.iter().map(|notice| (*item_id, *notice)))
    }

    /// What these items have to tell with the new notices; no other items.
    pub(crate) fn with(&self, new: &[(ItemId, Notice)]) -> Self {
        let mut with = Self::default();
        for (item_id, notice) in new {
            let known = || self.0.get(item_id).cloned().unwrap_or_default();
            with.0.entry(*item_id).or_insert_with(known).add(*notice);
        }
        with
    }

    /// What the items of these notices have to tell without them, which may be nothing; no other items.
    pub(crate) fn without(&self, told: &[(ItemId, Notice)]) -> Self {
        let mut without = Self::default();
        for (item_id, notice) in told {
            let Some(known) = self.0.get(item_id) else { continue };
            without.0.entry(*item_id).or_insert_with(|| known.clone()).0.remove(notice);
        }
        without
    }

    /// These items have this to tell now.
    pub(crate) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
        self.0.retain(|_, notices| !notices.0.is_empty());
    }
}

impl Notices {
    fn add(&mut self, notice: Notice) {
        self.0.insert(notice);
        // A conflict says that the item was merged, and more.
        if self.0.contains(&Notice::Conflict) {
            self.0.remove(&Notice::Merged);
        }
    }
}

impl Canon for Notices {
    fn encode(&self, out: &mut Encoder) {
        out.bytes(&self.0.iter().map(|notice| code(*notice)).collect::<Vec<_>>());
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        let codes = input.bytes(NOTICES_LIMIT)?;
        let notices = codes.iter().map(|code| notice(*code)).collect::<Option<_>>();
        notices.map(Self).ok_or(CanonError::Invalid("notice"))
    }
}

/// The byte of a notice in the record.
fn code(notice: Notice) -> u8 {
    match notice {
        Notice::Merged => 1,
        Notice::Conflict => 2,
        Notice::BroughtBack => 3,
        Notice::OutOfTrash => 4,
        Notice::PurgeDropped => 5,
        Notice::Quarantined => 6,
        Notice::SplitOff => 7,
    }
}

fn notice(code: u8) -> Option<Notice> {
    Some(match code {
        1 => Notice::Merged,
        2 => Notice::Conflict,
        3 => Notice::BroughtBack,
        4 => Notice::OutOfTrash,
        5 => Notice::PurgeDropped,
        6 => Notice::Quarantined,
        7 => Notice::SplitOff,
        _ => return None,
    })
}

impl Records<'_> {
    /// These items have this to tell; the records of others stay.
    pub(crate) fn put_untold(&self, batch: &mut Batch, untold: &Untold) -> Result<(), RecordError> {
        for (item_id, notices) in &untold.0 {
            let key = [untold_key(&self.vault_id).as_slice(), item_id.as_bytes()].concat();
            if notices.0.is_empty() {
                batch.delete(Table::Profile, key);
            } else {
                self.put_sealed(batch, Table::Profile, key, &canon::to_bytes(notices))?;
            }
        }
        Ok(())
    }

    /// The vault is begun anew.
    pub(crate) fn delete_untold(&self, batch: &mut Batch) {
        batch.delete_prefix(Table::Profile, untold_key(&self.vault_id));
    }
}

/// Reads what a vault has to tell.
pub(super) async fn read_untold(
    store: &dyn LocalStore,
    unlocked: &Unlocked,
    vault_id: &VaultId,
) -> Result<Untold, RecordError> {
    let table = Table::Profile;
    let mut untold = Untold::default();
    for (key, sealed) in scan(store, table, &untold_key(vault_id)).await? {
        let record = unseal(unlocked, table, &key, &sealed)?;
        let notices = canon::from_bytes(&record).map_err(RecordError::reading(table))?;
        untold.0.insert(item_of(table, &key)?, notices);
    }
    Ok(untold)
}

fn untold_key(vault_id: &VaultId) -> Vec<u8> {
    [b"untold/".as_slice(), vault_id.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Notice; 7] = [
        Notice::Merged,
        Notice::Conflict,
        Notice::BroughtBack,
        Notice::OutOfTrash,
        Notice::PurgeDropped,
        Notice::Quarantined,
        Notice::SplitOff,
    ];

    #[test]
    fn every_notice_has_a_byte_of_its_own_and_no_other_byte_is_one() {
        for known in ALL {
            let bytes = canon::to_bytes(&Notices([known].into()));
            assert_eq!(canon::from_bytes::<Notices>(&bytes), Ok(Notices([known].into())));
        }
        let known: BTreeSet<_> = (0..=u8::MAX).filter_map(notice).collect();
        assert_eq!(known, BTreeSet::from(ALL));
    }

    #[test]
    fn a_notice_is_there_once_and_a_conflict_says_what_merged_says() {
        let (one, other) = (ItemId::from_random([1; 16]), ItemId::from_random([2; 16]));
        let mut untold = Untold::default();
        untold.extend(untold.with(&[(one, Notice::Merged), (other, Notice::Merged)]));
        let now = untold.with(&[(one, Notice::Conflict), (one, Notice::Conflict), (one, Notice::Merged)]);
        assert_eq!(now.iter().collect::<Vec<_>>(), [(one, Notice::Conflict)]);
        untold.extend(now);
        let mut all: Vec<_> = untold.iter().collect();
        all.sort();
        let mut expected = [(one, Notice::Conflict), (other, Notice::Merged)];
        expected.sort();
        assert_eq!(all, expected);
    }

    #[test]
    fn what_was_told_goes_and_what_came_meanwhile_stays() {
        let (one, other) = (ItemId::from_random([1; 16]), ItemId::from_random([2; 16]));
        let mut untold = Untold::default();
        let waiting = [(one, Notice::Conflict), (one, Notice::SplitOff), (other, Notice::Merged)];
        untold.extend(untold.with(&waiting));
        untold.extend(untold.without(&[
            (one, Notice::Conflict),
            (other, Notice::Merged),
            (other, Notice::Conflict),
        ]));
        assert_eq!(untold.iter().collect::<Vec<_>>(), [(one, Notice::SplitOff)]);
        assert_eq!(untold.0.len(), 1);
    }
}
