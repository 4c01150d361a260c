//! What becomes of an edit when a newer version of its item arrives.

use lockstep_proto::digest::Leaf;
use lockstep_proto::ids::{DeviceId, Hash, Version};

use super::fixture::document;
use crate::item::merge::merge;
use crate::item::{Author, Bounds, Document, Draft, Entry, Floors, MAX_MS, Register, Saw, Stamp, Value};
use crate::sync::inspect::Incoming;
use crate::sync::merge::{Outcome, decide};
use crate::sync::news::news;
use crate::vault::{Edit, Notice, OutboxEntry, QuarantineReason, names};

/// This device.
const OWN: DeviceId = DeviceId([1; 16]);
const OLD: Leaf = Leaf { version: Version(3), blob_hash: Hash([3; 32]) };
const LEAF: Leaf = Leaf { version: Version(4), blob_hash: Hash([4; 32]) };

fn edited(document: &Document, device: u8, field: &str, value: &str) -> Document {
    let mut document = document.clone();
    let author = Author { now_ms: 2_000, device: DeviceId([device; 16]) };
    document.edit(author).set(field, value).apply().unwrap();
    document
}

fn entry(base: &Document, edit: Edit) -> OutboxEntry {
    OutboxEntry { base: Some(OLD), base_document: Some(base.clone()), edit }
}

fn waiting(outcome: Outcome) -> OutboxEntry {
    let Outcome::Waits(entry) = outcome else { panic!("nothing waits: {outcome:?}") };
    entry
}

#[test]
fn edits_of_different_fields_become_one_document_on_the_new_version() {
    let base = document("title");
    let served = edited(&base, 2, "username", "theirs");
    let own = entry(&base, Edit::Write(edited(&base, 1, "password", "ours")));
    let decision = decide(&own, LEAF, &Incoming::Live(served.clone()), OWN);
    assert_eq!(decision.notice, Some(Notice::Merged));
    let entry = waiting(decision.outcome);
    assert_eq!((entry.base, entry.base_document), (Some(LEAF), Some(served)));
    let document = entry.edit.document().unwrap();
    assert_eq!((document.text("username"), document.text("password")), (Some("theirs"), Some("ours")));
}

#[test]
fn edits_of_one_field_are_told_as_a_conflict_once() {
    let base = document("title");
    let (ours, theirs) = (edited(&base, 1, "password", "ours"), edited(&base, 2, "password", "theirs"));
    let own = entry(&base, Edit::Write(ours.clone()));
    let merged = waiting(decide(&own, LEAF, &Incoming::Live(theirs.clone()), OWN).outcome);
    let document = merged.edit.document().unwrap().clone();
    // On the device that merges and on the one that receives it, and on one that had neither.
    for before in [Some(&ours), Some(&theirs), Some(&base), None] {
        assert_eq!(news(before, &document), [Notice::Conflict]);
    }
    let renamed = edited(&document, 3, "title", "renamed");
    assert_eq!(news(Some(&document), &renamed), []);
    let later = decide(&merged, LEAF, &Incoming::Live(renamed), OWN);
    assert_eq!((later.outcome, later.notice), (Outcome::Done, None));
}

#[test]
fn a_further_value_of_a_field_in_conflict_is_told_and_an_ordinary_edit_of_it_is_not() {
    let base = document("title");
    let conflict = merge(&edited(&base, 1, "password", "ours"), &edited(&base, 2, "password", "theirs"));
    let further = merge(&conflict, &edited(&base, 3, "password", "a third one's"));
    assert_eq!(news(Some(&conflict), &further), [Notice::Conflict]);
    assert_eq!(news(Some(&conflict), &edited(&conflict, 2, "password", "later")), []);
    let mut chosen = further.clone();
    let author = Author { now_ms: 9_000, device: DeviceId([1; 16]) };
    chosen.edit(author).resolve("password", "theirs").apply().unwrap();
    assert_eq!(news(Some(&further), &chosen), []);
}

#[test]
fn an_item_that_comes_back_from_the_trash_is_told_on_every_device() {
    let base = document("title");
    let mut trashed = base.clone();
    let author = Author { now_ms: 9_000, device: DeviceId([1; 16]) };
    trashed.edit(author).trash().apply().unwrap();
    let ours = edited(&base, 2, "password", "unseen");
    let back = merge(&trashed, &ours);
    for before in [Some(&trashed), Some(&ours), None] {
        assert_eq!(news(before, &back), [Notice::OutOfTrash]);
    }
    assert_eq!(news(Some(&back), &edited(&back, 1, "username", "x")), []);
    let mut restored = trashed.clone();
    restored.edit(author).restore().apply().unwrap();
    assert_eq!(news(Some(&trashed), &restored), []);
}

#[test]
fn nobody_is_told_of_two_names() {
    let named = |device, name: &str| {
        let author = Author { now_ms: 5, device: DeviceId([device; 16]) };
        names::named(None, name, author).unwrap()
    };
    assert_eq!(news(None, &merge(&named(1, "laptop"), &named(2, "desktop"))), []);
}

#[test]
fn a_version_that_holds_the_edit_already_ends_it() {
    let base = document("title");
    let ours = edited(&base, 1, "password", "ours");
    let served = edited(&ours, 2, "username", "theirs");
    let decision = decide(&entry(&base, Edit::Write(ours)), LEAF, &Incoming::Live(served), OWN);
    assert_eq!((decision.outcome, decision.notice), (Outcome::Done, None));
}

#[test]
fn an_edit_writes_over_a_tombstone_with_its_whole_document() {
    let base = document("title");
    let ours = edited(&base, 1, "password", "ours");
    let decision = decide(&entry(&base, Edit::Write(ours.clone())), LEAF, &purged(&base), OWN);
    assert_eq!(decision.notice, Some(Notice::BroughtBack));
    let expected = OutboxEntry { base: Some(LEAF), base_document: None, edit: Edit::Write(ours) };
    assert_eq!(waiting(decision.outcome), expected);
}

#[test]
fn an_edit_writes_over_what_cannot_be_opened() {
    let base = document("title");
    let ours = edited(&base, 1, "password", "ours");
    let incoming = Incoming::Quarantined(QuarantineReason::Sealed);
    let decision = decide(&entry(&base, Edit::Write(ours.clone())), LEAF, &incoming, OWN);
    let expected = OutboxEntry { base: Some(LEAF), base_document: None, edit: Edit::Write(ours) };
    assert_eq!(waiting(decision.outcome), expected);
}

fn purge(seen: &Document) -> Edit {
    Edit::Purge(Saw::of(seen))
}

fn purged(seen: &Document) -> Incoming {
    Incoming::Tombstone(Saw::of(seen))
}

fn trashed(base: &Document, device: u8) -> Document {
    let mut document = base.clone();
    document.edit(Author { now_ms: 5_000, device: DeviceId([device; 16]) }).trash().apply().unwrap();
    document
}

#[test]
fn a_purge_gives_way_to_what_it_has_not_seen_and_to_nothing_else() {
    let base = document("title");
    let served = edited(&base, 2, "username", "theirs");
    let decision = decide(&entry(&base, purge(&base)), LEAF, &Incoming::Live(served), OWN);
    assert_eq!((decision.outcome, decision.notice), (Outcome::Done, Some(Notice::PurgeDropped)));
    let sealed = Incoming::Quarantined(QuarantineReason::Sealed);
    let decision = decide(&entry(&base, purge(&base)), LEAF, &sealed, OWN);
    assert_eq!((decision.outcome, decision.notice), (Outcome::Done, Some(Notice::PurgeDropped)));
    // Somebody else put it into the trash, too.
    let served = trashed(&base, 2);
    let decision = decide(&entry(&base, purge(&base)), LEAF, &Incoming::Live(served.clone()), OWN);
    assert_eq!(decision.notice, None);
    let expected = OutboxEntry { base: Some(LEAF), base_document: Some(served), edit: purge(&base) };
    assert_eq!(waiting(decision.outcome), expected);
}

#[test]
fn two_purges_are_one_of_what_both_have_seen() {
    let base = document("title");
    let (ours, theirs) = (edited(&base, 1, "password", "ours"), edited(&base, 2, "username", "theirs"));
    let decision = decide(&entry(&base, purge(&base)), LEAF, &purged(&theirs), OWN);
    assert_eq!((decision.outcome, decision.notice), (Outcome::Done, None));
    let decision = decide(&entry(&base, purge(&ours)), LEAF, &purged(&theirs), OWN);
    let edit = Edit::Purge(Saw::of(&ours).union(&Saw::of(&theirs)));
    assert_eq!(decision.notice, None);
    assert_eq!(waiting(decision.outcome), OutboxEntry { base: Some(LEAF), base_document: None, edit });
}

#[test]
fn what_a_purge_has_seen_does_not_come_back() {
    let base = document("title");
    let author = Author { now_ms: 1_000, device: DeviceId([7; 16]) };
    let imported = Draft::by("login", author).unwrap().set("title", "imported").build().unwrap();
    // Trashed here meanwhile, which is no reason to keep it; or imported, and purged elsewhere already.
    for (seen, ours, entry) in [
        (&base, trashed(&base, 1), entry(&base, Edit::Write(trashed(&base, 1)))),
        (
            &imported,
            imported.clone(),
            OutboxEntry { base: None, base_document: None, edit: Edit::Write(imported.clone()) },
        ),
    ] {
        let decision = decide(&entry, LEAF, &purged(seen), OWN);
        assert_eq!((decision.outcome, decision.notice), (Outcome::Done, None));
        // A tombstone that cannot be opened has seen nothing.
        let decision = decide(&entry, LEAF, &Incoming::Tombstone(Saw::default()), OWN);
        assert_eq!(decision.notice, Some(Notice::BroughtBack));
        let expected = OutboxEntry { base: Some(LEAF), base_document: None, edit: Edit::Write(ours) };
        assert_eq!(waiting(decision.outcome), expected);
    }
}

/// Whatever a hostile device says that it had seen, nobody has seen what this device has not sent.
#[test]
fn no_purge_takes_an_edit_that_was_not_sent() {
    let base = document("title");
    let all: Saw =
        (0..24_u8).map(|device| Stamp::new(MAX_MS - 1, u32::MAX, DeviceId([device; 16])).unwrap()).collect();
    let forged = Incoming::Tombstone(all.clone());
    let ours = edited(&base, OWN.0[0], "password", "not sent yet");
    assert!(all.covers(&ours));
    let decision = decide(&entry(&base, Edit::Write(ours.clone())), LEAF, &forged, OWN);
    assert_eq!(decision.notice, Some(Notice::BroughtBack));
    let expected = OutboxEntry { base: Some(LEAF), base_document: None, edit: Edit::Write(ours.clone()) };
    assert_eq!(waiting(decision.outcome), expected);
    // Also where another tombstone comes then: nothing of it was sent.
    let decision = decide(&expected, LEAF, &forged, OWN);
    assert_eq!(waiting(decision.outcome), expected);
    // What others wrote, and what was sent, somebody may have seen.
    let theirs = edited(&base, 7, "password", "theirs");
    for (base, edit) in [(&base, &theirs), (&ours, &ours)] {
        let decision = decide(&entry(base, Edit::Write(edit.clone())), LEAF, &forged, OWN);
        assert_eq!((decision.outcome, decision.notice), (Outcome::Done, None));
    }
}

#[test]
fn sides_that_do_not_fit_into_one_item_part_and_nothing_is_lost() {
    let base = document("title");
    let fill = |device: u8| {
        let mut document = base.clone();
        for round in 0..7_u64 {
            let author = Author { now_ms: 2_000 + round, device: DeviceId([device; 16]) };
            let mut edit = document.edit(author);
            for field in 0..8 {
                edit = edit.set(format!("custom/{device}-{field}"), format!("{round}").repeat(8_000));
            }
            edit.apply().unwrap();
        }
        document
    };
    let (ours, theirs) = (fill(1), fill(2));
    let decision =
        decide(&entry(&base, Edit::Write(ours.clone())), LEAF, &Incoming::Live(theirs.clone()), OWN);
    match decision.outcome {
        Outcome::Split { stays, apart } => {
            let kept = stays.map_or(theirs.clone(), |entry| entry.edit.document().unwrap().clone());
            let both = [kept, apart];
            assert!(both.contains(&ours) && both.contains(&theirs));
            assert_eq!(decision.notice, None);
        }
        Outcome::Waits(entry) => {
            let document = entry.edit.document().unwrap();
            assert!(document.to_bytes().len() <= crate::item::MAX_DOCUMENT_BYTES);
        }
        Outcome::Done => panic!("both sides hold something of their own"),
    }
}

/// Whoever makes an archive, or has another device, knows which devices there are.
#[test]
fn a_version_that_claims_to_have_seen_what_was_never_sent_drops_nothing_of_it() {
    let base = document("title");
    let ours = edited(&base, 1, "notes", "unsent");
    let own = ours.register("notes").unwrap().winner().stamp();
    for (floor_ms, planted) in
        [(own.ms(), Value::Null), (9_000, Value::Null), (9_000, Value::from("planted"))]
    {
        let newest = Entry::new(Stamp::new(10_000, 0, DeviceId([2; 16])).unwrap(), planted, Vec::new());
        let floors = Floors::at([Stamp::new(floor_ms, 7, OWN).unwrap()]);
        let claim = Register::from_entries(vec![newest], floors, &Bounds::PROTOCOL).unwrap();
        let theirs = base.clone().with_register("notes", claim);
        let mut entry = entry(&base, Edit::Write(ours.clone()));
        for base_document in [Some(base.clone()), None] {
            entry.base_document = base_document;
            let met = waiting(decide(&entry, LEAF, &Incoming::Live(theirs.clone()), OWN).outcome);
            let notes = met.edit.document().unwrap().register("notes").unwrap();
            let shown = [notes.winner()].into_iter().chain(notes.conflicts());
            assert!(shown.into_iter().any(|entry| entry.value().as_text() == Some("unsent")));
        }
    }
}

#[test]
fn where_no_stamp_is_left_the_edit_becomes_an_item_of_its_own() {
    let base = document("title");
    let ours = edited(&base, 1, "notes", "unsent");
    let last = (1 << 48) - 1;
    let newest = Entry::new(Stamp::new(last, u32::MAX, DeviceId([2; 16])).unwrap(), Value::Null, Vec::new());
    let floors = Floors::at([Stamp::new(last, 0, OWN).unwrap()]);
    let claim = Register::from_entries(vec![newest], floors, &Bounds::PROTOCOL).unwrap();
    let theirs = base.clone().with_register("notes", claim);
    let decision = decide(&entry(&base, Edit::Write(ours.clone())), LEAF, &Incoming::Live(theirs), OWN);
    assert_eq!(decision.outcome, Outcome::Split { stays: None, apart: ours });
}
