//! What documents remember of other programs, and what is written beside an edit.

#![allow(clippy::unwrap_used, clippy::panic)]

use lockstep_proto::ids::DeviceId;

use super::merge::merge;
use super::reimport::{Base, Origin, Reimported, first_import, reimport};
use super::source::{Batch, FieldHash, Memory, Seen, memory_field};
use super::*;

fn author(now_ms: u64) -> Author {
    Author { now_ms, device: DeviceId([3; 16]) }
}

fn foreign(ms: u64) -> Stamp {
    Stamp::clamped(ms, 0, DeviceId::ZERO)
}

fn element(uri: &str, order: i64) -> Value {
    Value::map([("uri", uri.into()), ("order", order.into())])
}

fn origin(identity: &str) -> Origin {
    Origin { program: "other".to_owned(), identity: identity.to_owned(), revised_ms: 100 }
}

#[test]
fn inner_fields_are_those_of_sources_and_no_others() {
    for (field, inner) in
        [("source/x", true), ("source/x/rest", true), ("source", false), ("sources/x", false)]
    {
        assert_eq!(is_inner(field), inner, "{field}");
    }
    assert_eq!(memory_field("other"), "source/other");
}

#[test]
fn the_hash_of_a_list_element_does_not_depend_on_its_place() {
    let of = |key: &str, value: &Value| FieldHash::of(key, value);
    assert_eq!(of("uris/a", &element("x", 1)), of("uris/a", &element("x", 2)));
    assert_ne!(of("uris/a", &element("x", 1)), of("uris/a", &element("y", 1)));
    assert_ne!(of("passkey", &element("x", 1)), of("passkey", &element("x", 2)));
    assert_ne!(of("notes", &"1".into()), of("notes", &Value::Int(1)));
}

#[test]
fn what_a_document_says_lists_elements_in_their_order_and_the_trash_but_no_memory() {
    let draft =
        Draft::new("login", foreign(100)).set("uris/a", element("x", 2)).set("uris/b", element("y", 1));
    let draft = draft.set("source/other/rest", "r").set("uris/c", Value::Null);
    let mut document =
        first_import(&draft.build().unwrap(), &origin("1"), Batch::of("other", ["1"])).unwrap();
    let keys = |document: &Document| Seen::of(document).0.into_iter().map(|(key, _)| key).collect::<Vec<_>>();
    assert_eq!(keys(&document), ["kind", "source/other/rest", "uris/b", "uris/a"]);
    document.edit(author(200)).trash().apply().unwrap();
    assert_eq!(keys(&document).last().map(String::as_str), Some(TRASH));
}

#[test]
fn a_memory_survives_its_encoding_and_odd_ones_are_none() {
    let fresh = Draft::new("note", foreign(100)).set("notes", "n").build().unwrap();
    let batch = Batch::of("other", ["1", "2"]);
    let document = first_import(&fresh, &origin("1"), batch).unwrap();
    let read = Document::from_bytes(&document.to_bytes()).unwrap();
    let memory = Memory::of(&read, "other").unwrap();
    assert_eq!((memory.identity.as_str(), memory.batch, memory.revised_ms), ("1", batch, 100));
    assert_eq!(memory.seen, Seen::of(&fresh));
    assert_eq!(Memory::all(&read).map(|(program, _)| program).collect::<Vec<_>>(), ["other"]);
    assert!(Memory::of(&read, "another").is_none());
    for odd in [Value::Null, "text".into(), Value::map([("id", "1".into())])] {
        let document = Draft::new("note", foreign(1)).set("source/other", odd).build().unwrap();
        assert!(Memory::of(&document, "other").is_none() && Memory::all(&document).next().is_none());
    }
}

#[test]
fn a_batch_is_that_of_its_records_in_any_order() {
    assert_eq!(Batch::of("other", ["1", "2", "2"]), Batch::of("other", ["2", "1"]));
    assert_ne!(Batch::of("other", ["1", "2"]), Batch::of("other", ["12"]));
    assert_ne!(Batch::of("other", ["1"]), Batch::of("another", ["1"]));
}

#[test]
fn an_item_that_remembers_nothing_is_asked_about_where_it_says_otherwise() {
    let current =
        Draft::by("note", author(50)).unwrap().set("name", "mine").set("notes", "n").build().unwrap();
    let fresh = Draft::new("note", foreign(100)).set("name", "theirs").set("notes", "n").set("totp", "t");
    let (origin, batch) = (origin("1"), Batch::of("other", ["1"]));
    let done = reimport(&current, &fresh.build().unwrap(), &origin, &Base::Remembered, batch, author(200));
    let Reimported::Changed { document, conflicts, .. } = done.unwrap() else { panic!("it is news") };
    assert_eq!(conflicts, ["name"]);
    assert_eq!((document.notes(), document.text("totp")), (Some("n"), Some("t")));
}

#[test]
fn an_item_that_cannot_hold_its_memory_is_refused_and_stays() {
    let draft = |notes: usize| Draft::new("note", foreign(100)).set("notes", "x".repeat(notes)).build();
    let large = draft(MAX_LIVE_BYTES - 40).unwrap();
    let batch = Batch::of("other", ["1"]);
    let refused = first_import(&large, &origin("1"), batch);
    assert!(matches!(refused, Err(ItemError::TooLarge { .. })));
    let small = first_import(&draft(5).unwrap(), &origin("1"), batch).unwrap();
    let refused = reimport(&small, &large, &origin("1"), &Base::Remembered, batch, author(200));
    assert!(matches!(refused, Err(ItemError::TooLarge { .. })));
}

#[test]
fn what_is_written_beside_an_edit_replaces_what_its_source_said_and_nothing_else() {
    let at = |now_ms, record: u8| Author { now_ms, device: foreign_writer(&[record]) };
    let mut document = Draft::new("note", foreign(100)).set("notes", "imported").build().unwrap();
    document.edit(author(1_000)).set("notes", "mine").apply().unwrap();
    document.edit(author(1_001)).beside("notes", "theirs", at(50, 2)).apply().unwrap();
    let losers = |document: &Document| -> Vec<String> {
        let conflicts = document.conflicts();
        let losers = conflicts.iter().flat_map(|conflict| &conflict.losers);
        losers.map(|entry| entry.value().as_text().unwrap_or("-").to_owned()).collect()
    };
    assert_eq!((document.notes(), losers(&document)), (Some("mine"), vec!["theirs".to_owned()]));
    let written = document.conflicts()[0].losers[0].stamp();
    assert_eq!((written.ms(), written.counter(), written.device()), (100, 1, at(0, 2).device));
    document.edit(author(1_002)).beside("notes", "theirs, later", at(2_000, 3)).apply().unwrap();
    assert_eq!((document.notes(), losers(&document)), (Some("theirs, later"), vec!["mine".to_owned()]));
    let bytes = document.to_bytes();
    assert_eq!(merge(&document, &Document::from_bytes(&bytes).unwrap()).to_bytes(), bytes);
    assert!(!document.edit(author(1_003)).beside("never", "there", at(1, 4)).apply().unwrap());
}

#[test]
fn former_values_of_a_draft_are_a_chain() {
    let mut draft = Draft::new("login", foreign(100)).set("password", "now");
    draft.remember("password", foreign(20), "second");
    draft.remember("password", foreign(10), "first");
    draft.remember("password", foreign(200), "later than the record");
    let document = draft.build().unwrap();
    let entries = document.register("password").unwrap().entries();
    let replaces: Vec<_> =
        entries.iter().map(|entry| entry.replaces().iter().map(Stamp::ms).collect::<Vec<_>>()).collect();
    assert_eq!(replaces, [vec![20], vec![10], vec![]]);
    assert!(document.conflicts().is_empty());
}
