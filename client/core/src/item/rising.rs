//! R-STAMP: a device's stamps in an item rise, whatever its clock says and whatever it has forgotten.
//!
//! An edit is stamped above everything in the document that was edited. That is not enough where the document is
//! another life of the item: after a purge an import makes it anew, without the entries that this device wrote in the
//! first life, while another device still has those. Its floors would take a new entry under an old stamp for one that
//! was given up.

use std::collections::{BTreeMap, BTreeSet};

use lockstep_proto::ids::DeviceId;

use super::document::Document;
use super::entry::Entry;
use super::limits::ItemError;
use super::register::{Bounds, Register};
use super::stamp::{Author, Stamp};
use super::trash::{TRASH, content, saw_restamped};

type Fresh = BTreeMap<Stamp, Stamp>;

impl Document {
    /// This document as `own` may save it over `current`: entries of `own` that are new there get stamps above `above`,
    /// the highest that `own` has used in the item. Nothing changes where they are above it already.
    ///
    /// # Errors
    /// [`ItemError::StampsUsedUp`].
    pub(crate) fn rising(
        mut self,
        current: Option<&Document>,
        own: DeviceId,
        above: Option<Stamp>,
    ) -> Result<Self, ItemError> {
        let Some(above) = above else { return Ok(self) };
        // A document that names the highest stamp goes on from what had it: the same life of the item.
        if current.is_none() && self.names(above) {
            return Ok(self);
        }
        let is_new = |key: &str, entry: &Entry| {
            let known = current.and_then(|current| current.register(key));
            let is_known =
                |known: &Register| known.entries().contains(entry) || known.floors().covers(entry.stamp);
            entry.stamp.device() == own && !known.is_some_and(is_known)
        };
        let mut new: BTreeMap<String, BTreeSet<Stamp>> = BTreeMap::new();
        for (key, register) in &self.fields {
            let entries = register.entries().iter().filter(|entry| is_new(key, entry));
            new.insert(key.clone(), entries.map(|entry| entry.stamp).collect());
        }
        let stamps: BTreeSet<Stamp> = new.values().flatten().copied().collect();
        if stamps.first().is_none_or(|lowest| *lowest > above) {
            return Ok(self);
        }
        let highest = current.and_then(Document::highest_stamp).max(Some(above));
        self.restamp(new, highest, own)?;
        Ok(self)
    }

    /// This document as it may be merged with `served`, where `base` is what `own` edited: what `own` wrote since,
    /// nobody else can have seen and given up, whatever the floors of `served` say. Such entries get stamps above
    /// everything.
    ///
    /// # Errors
    /// [`ItemError::StampsUsedUp`].
    pub(crate) fn above_floors(
        mut self,
        base: Option<&Document>,
        served: &Document,
        own: DeviceId,
    ) -> Result<Self, ItemError> {
        let holds = |document: Option<&Document>, key: &str, entry: &Entry| {
            let register = document.and_then(|document| document.register(key));
            register.is_some_and(|register| register.entries().contains(entry))
        };
        let is_unsent = |key: &str, entry: &Entry| {
            entry.stamp.device() == own && !holds(base, key, entry) && !holds(Some(served), key, entry)
        };
        let is_dropped = |key: &str, stamp: Stamp| {
            served.register(key).is_some_and(|register| register.floors().covers(stamp))
        };
        let mut unsent: BTreeMap<String, BTreeSet<Stamp>> = BTreeMap::new();
        for (key, register) in &self.fields {
            let entries = register.entries().iter().filter(|entry| is_unsent(key, entry));
            unsent.insert(key.clone(), entries.map(|entry| entry.stamp).collect());
        }
        // All of them, so that they stay in their order.
        if !lockstep_proto::seeded!("unsent-given-up")
            && unsent.iter().any(|(key, stamps)| stamps.iter().any(|stamp| is_dropped(key, *stamp)))
        {
            self.restamp(unsent, served.highest_stamp(), own)?;
        }
        Ok(self)
    }

    /// Whether `own` has written something since `base`, trashings aside: nobody else can have seen it.
    pub(crate) fn has_unsent(&self, base: Option<&Document>, own: DeviceId) -> bool {
        let sent: BTreeSet<Stamp> =
            base.into_iter().flat_map(|base| content(base).map(|entry| entry.stamp)).collect();
        let mut unsent = content(self).map(|entry| entry.stamp).filter(|stamp| !sent.contains(stamp));
        unsent.any(|stamp| stamp.device() == own)
    }

    /// Gives these entries fresh stamps above everything here and above `above`.
    fn restamp(
        &mut self,
        entries: BTreeMap<String, BTreeSet<Stamp>>,
        above: Option<Stamp>,
        own: DeviceId,
    ) -> Result<(), ItemError> {
        let stamps: BTreeSet<Stamp> = entries.values().flatten().copied().collect();
        let fresh = fresh_stamps(&stamps, self.highest_stamp().max(above), own)?;
        for (key, stamps) in entries.into_iter().filter(|(_, stamps)| !stamps.is_empty()) {
            if let Some(register) = self.fields.get_mut(&key)
                && let Some(restamped) = restamped(register, &key, &stamps, &fresh)
            {
                *register = restamped;
            }
        }
        Ok(())
    }

    fn names(&self, stamp: Stamp) -> bool {
        let entries = self.fields.values().flat_map(Register::entries);
        entries.into_iter().any(|entry| entry.stamp == stamp || entry.replaces.contains(&stamp))
    }
}

/// Stamps above the highest, in the same order.
fn fresh_stamps(
    stamps: &BTreeSet<Stamp>,
    mut highest: Option<Stamp>,
    own: DeviceId,
) -> Result<Fresh, ItemError> {
    let mut fresh = Fresh::new();
    for stamp in stamps {
        let next = Stamp::after(highest, Author { now_ms: 0, device: own }).ok_or(ItemError::StampsUsedUp)?;
        fresh.insert(*stamp, next);
        highest = Some(next);
    }
    Ok(fresh)
}

/// The register with fresh stamps in the place of these.
fn restamped(register: &Register, key: &str, stamps: &BTreeSet<Stamp>, fresh: &Fresh) -> Option<Register> {
    let renew = |stamp: Stamp| match fresh.get(&stamp) {
        Some(renewed) if stamps.contains(&stamp) => *renewed,
        _ => stamp,
    };
    let entry = |entry: &Entry| {
        let value = if key == TRASH && stamps.contains(&entry.stamp) {
            saw_restamped(&entry.value, fresh)
        } else {
            entry.value.clone()
        };
        Entry::new(renew(entry.stamp), value, entry.replaces.iter().copied().map(renew).collect())
    };
    let entries = register.entries().iter().map(entry).collect();
    Register::from_entries(entries, register.floors().clone(), &Bounds::PROTOCOL)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::draft::Draft;
    use super::super::floors::Floors;
    use super::super::merge::merge;
    use super::super::trash::TrashState;
    use super::super::value::Value;
    use super::*;

    const OWN: DeviceId = DeviceId([1; 16]);

    fn at(now_ms: u64) -> Author {
        Author { now_ms, device: OWN }
    }

    fn stamp(ms: u64) -> Stamp {
        Stamp::new(ms, 0, OWN).unwrap()
    }

    fn made(ms: u64) -> Document {
        Draft::by("login", at(ms)).unwrap().set("name", "Bank").set("notes", "new life").build().unwrap()
    }

    #[test]
    fn a_new_life_of_an_item_is_stamped_above_the_first_one() {
        let mut first = made(100);
        for round in 0..60_u64 {
            first.edit(at(200 + round)).set("notes", format!("{round}")).apply().unwrap();
        }
        let mut second = made(150);
        second.edit(at(151)).set("notes", "second life").trash().apply().unwrap();
        let trashed = second.trash_state();
        let lost = merge(&first, &second);
        assert!(
            lost.register("notes")
                .unwrap()
                .entries()
                .iter()
                .all(|one| one.value().as_text() != Some("second life"))
        );
        let risen = second.clone().rising(None, OWN, first.highest_stamp()).unwrap();
        assert_eq!(merge(&first, &risen).text("notes"), Some("second life"));
        assert_eq!((risen.trash_state(), risen.conflicts().len()), (trashed, 0));
        assert!(matches!(trashed, TrashState::Trashed { .. }));
        assert_eq!(risen.registers().count(), second.registers().count());
    }

    #[test]
    fn edits_over_what_is_shown_rise_too_and_what_is_known_stays() {
        let current = made(100);
        let mut edited = current.clone();
        edited.edit(at(101)).set("notes", "later").apply().unwrap();
        let risen = edited.clone().rising(Some(&current), OWN, Some(stamp(900))).unwrap();
        let notes = risen.register("notes").unwrap();
        assert!(notes.winner().stamp() > stamp(900) && notes.history()[0].stamp() == stamp(100));
        assert_eq!(risen.register("name"), current.register("name"));
        // Already above, or the same life: not a byte differs.
        for (held, above) in [(Some(&current), stamp(100)), (None, stamp(101))] {
            assert_eq!(edited.clone().rising(held, OWN, Some(above)).unwrap(), edited);
        }
        assert_eq!(edited.clone().rising(Some(&current), OWN, None).unwrap(), edited);
        // Of other devices nothing is changed.
        assert_eq!(edited.clone().rising(None, DeviceId([2; 16]), Some(stamp(900))).unwrap(), edited);
    }

    #[test]
    fn what_nobody_can_have_seen_is_above_every_floor() {
        let base = made(100);
        let mut edited = base.clone();
        edited.edit(at(200)).set("notes", "first").set("username", "anna").apply().unwrap();
        edited.edit(at(201)).set("notes", "unsent").apply().unwrap();
        let other = DeviceId([2; 16]);
        let claim = |field: &str, floor: u64| {
            let newest = Entry::new(Stamp::new(1_000, 0, other).unwrap(), Value::Null, Vec::new());
            let floors = Floors::at([stamp(floor)]);
            let register = Register::from_entries(vec![newest], floors, &Bounds::PROTOCOL).unwrap();
            let mut served = base.clone();
            served.fields.insert(field.to_owned(), register);
            served
        };
        let waits = |document: &Document, field: &str, value: &str| {
            let register = document.register(field).unwrap();
            let heads = register.conflicts().into_iter().chain([register.winner()]);
            heads.into_iter().any(|entry| entry.value().as_text() == Some(value))
        };
        for (field, value) in [("notes", "unsent"), ("username", "anna")] {
            for floor in [150, 200, 201, 999] {
                let served = claim(field, floor);
                let risen = edited.clone().above_floors(Some(&base), &served, OWN).unwrap();
                let met = merge(&risen, &served);
                assert!(waits(&met, field, value), "{field} {floor}");
                assert_eq!(merge(&served, &risen), met);
                // Nothing is stamped anew where nothing would be dropped.
                assert_eq!(risen == edited, floor < 200, "{field} {floor}");
                let stamps: Vec<_> =
                    risen.register("notes").unwrap().entries().iter().map(Entry::stamp).collect();
                assert!(stamps.is_sorted_by(|newer, older| newer > older));
                assert!(Document::from_bytes(&risen.to_bytes()).is_ok_and(|read| read == risen));
            }
        }
        // What was sent may have been seen and given up.
        let served = claim("notes", 999);
        assert_eq!(edited.clone().above_floors(Some(&edited), &served, OWN).unwrap(), edited);
        assert_eq!(edited.clone().above_floors(Some(&base), &base, OWN).unwrap(), edited);
    }

    #[test]
    fn two_edits_under_one_stamp_both_stay() {
        let read = made(100);
        let (mut one, mut two) = (read.clone(), read.clone());
        one.edit(at(5)).set("notes", "one").apply().unwrap();
        two.edit(at(5)).set("notes", "two").apply().unwrap();
        let above = one.highest_stamp_of(OWN);
        let saved = merge(&one, &two.rising(Some(&one), OWN, above).unwrap());
        assert_eq!((saved.text("notes"), saved.conflicts().len()), (Some("two"), 1));
    }
}
