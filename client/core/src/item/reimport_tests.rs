//! Importing again: the table of what becomes of a field, and its laws over random histories.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;

use lockstep_proto::ids::DeviceId;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use super::merge::merge;
use super::reimport::{Base, Origin, Reimported, first_import, reimport};
use super::source::{Batch, Memory, Seen};
use super::*;

const HERE: u8 = 5;

fn author(ms: u64, device: u8) -> Author {
    Author { now_ms: ms, device: DeviceId([device; 16]) }
}

fn origin(revised_ms: u64) -> Origin {
    Origin { program: "other".to_owned(), identity: "1".to_owned(), revised_ms }
}

fn batch() -> Batch {
    Batch::of("other", ["1"])
}

/// A record as its importer gives it: fields, former passwords, and whether it is in the trash.
fn record(
    revised_ms: u64,
    fields: &[(&str, Value)],
    former: &[(u64, &str)],
    trashed: Option<u64>,
) -> Document {
    let mut draft = Draft::new("login", Stamp::clamped(revised_ms, 0, DeviceId::ZERO));
    fields.iter().for_each(|(key, value)| draft.put(*key, value.clone()));
    for (ms, password) in former {
        draft.remember("password", Stamp::clamped(*ms, 0, DeviceId::ZERO), *password);
    }
    trashed.into_iter().for_each(|ms| draft.trashed_at(ms));
    draft.build().unwrap()
}

fn texts(revised_ms: u64, fields: &[(&str, &str)]) -> Document {
    let fields: Vec<_> = fields.iter().map(|(key, text)| (*key, Value::from(*text))).collect();
    record(revised_ms, &fields, &[], None)
}

fn first(fresh: &Document, revised_ms: u64) -> Document {
    first_import(fresh, &origin(revised_ms), batch()).unwrap()
}

fn again(current: &Document, fresh: &Document, revised_ms: u64) -> Reimported {
    reimport(current, fresh, &origin(revised_ms), &Base::Remembered, batch(), author(5_000, HERE)).unwrap()
}

fn changed(reimported: Reimported) -> (Document, Vec<String>) {
    let Reimported::Changed { document, conflicts, .. } = reimported else { panic!("{reimported:?}") };
    (document, conflicts)
}

fn edited(document: &Document, field: &str, value: impl Into<Value>) -> Document {
    let mut document = document.clone();
    document.edit(author(2_000, HERE)).set(field, value).apply().unwrap();
    document
}

#[test]
fn each_row_of_the_table_is_as_it_says() {
    let (old, new) = (texts(100, &[("notes", "old")]), texts(200, &[("notes", "new")]));
    let imported = first(&old, 100);
    assert_eq!(again(&imported, &old, 100), Reimported::Unchanged);
    let (document, conflicts) = changed(again(&imported, &new, 200));
    assert_eq!((document.notes(), conflicts.len(), document.conflicts().len()), (Some("new"), 0, 0));
    let mine = edited(&imported, "notes", "mine");
    assert_eq!(again(&mine, &old, 100), Reimported::Unchanged);
    let (same, conflicts) = changed(again(&edited(&imported, "notes", "new"), &new, 200));
    assert_eq!((same.notes(), conflicts.len(), same.conflicts().len()), (Some("new"), 0, 0));
    let (both, conflicts) = changed(again(&mine, &new, 200));
    assert_eq!((both.notes(), conflicts), (Some("mine"), vec!["notes".to_owned()]));
    assert_eq!(both.conflicts()[0].losers[0].value(), &Value::from("new"));
    assert_eq!(both.conflicts()[0].losers[0].stamp().ms(), 200);
    assert_eq!(again(&both, &new, 200), Reimported::Unchanged);
}

#[test]
fn what_the_source_removed_goes_into_history_unless_it_was_edited_here() {
    let (old, new) = (texts(100, &[("totp", "seed"), ("notes", "n")]), texts(200, &[("notes", "n")]));
    let imported = first(&old, 100);
    let (document, _) = changed(again(&imported, &new, 200));
    assert!(document.value("totp").is_none());
    assert_eq!(document.register("totp").unwrap().history()[0].value(), &Value::from("seed"));
    let (kept, conflicts) =
        changed(again(&edited(&imported, "totp", "mine"), &texts(9_000, &[("notes", "n")]), 9_000));
    assert_eq!((kept.text("totp"), conflicts), (Some("mine"), vec!["totp".to_owned()]));
    assert!(kept.conflicts()[0].losers[0].value().is_null());
}

#[test]
fn an_older_record_changes_nothing_and_an_equal_one_is_no_news() {
    let imported = first(&texts(200, &[("notes", "new")]), 200);
    assert_eq!(again(&imported, &texts(100, &[("notes", "old")]), 100), Reimported::Older);
    assert_eq!(again(&imported, &texts(100, &[("notes", "new")]), 100), Reimported::Unchanged);
}

#[test]
fn the_trash_follows_the_source_only_where_that_moved_the_item() {
    let fields = [("notes", Value::from("n"))];
    let (live, trashed) = (record(100, &fields, &[], None), record(200, &fields, &[], Some(150)));
    let (document, _) = changed(again(&first(&live, 100), &trashed, 200));
    assert_eq!(document.trash_state(), TrashState::Trashed { since_ms: 150 });
    let (back, _) = changed(again(&document, &live, 300));
    assert_eq!(back.trash_state(), TrashState::Live);
    let mut restored = first(&trashed, 200);
    restored.edit(author(2_000, HERE)).restore().apply().unwrap();
    assert_eq!(again(&restored, &trashed, 200), Reimported::Unchanged);
    let mut thrown = first(&live, 100);
    thrown.edit(author(2_000, HERE)).trash().apply().unwrap();
    let (still, _) = changed(again(&thrown, &texts(200, &[("notes", "newer")]), 200));
    assert_eq!(
        (still.notes(), still.trash_state()),
        (Some("newer"), TrashState::Trashed { since_ms: 2_000 })
    );
}

#[test]
fn an_item_that_was_edited_here_is_not_thrown_away_by_the_source() {
    let fields = [("notes", Value::from("n"))];
    let mine = edited(&first(&record(100, &fields, &[], None), 100), "username", "mine");
    let reimported = again(&mine, &record(200, &fields, &[], Some(150)), 200);
    let Reimported::Changed { document, kept_from_trash, .. } = reimported else { panic!("{reimported:?}") };
    assert!(kept_from_trash && document.trash_state() == TrashState::Live);
    assert_eq!(again(&document, &record(200, &fields, &[], Some(150)), 200), Reimported::Unchanged);
}

#[test]
fn passwords_between_two_imports_become_history_once() {
    let password = |text: &str| [("password", Value::from(text))];
    let imported = first(&record(100, &password("a"), &[(50, "before")], None), 100);
    let newer = record(300, &password("c"), &[(50, "before"), (150, "a"), (200, "b")], None);
    let (document, _) = changed(again(&imported, &newer, 300));
    let held: Vec<_> = document.register("password").unwrap().entries().iter().map(Entry::value).collect();
    assert_eq!(held, ["c", "b", "a", "before"].map(Value::from).iter().collect::<Vec<_>>());
    assert!(document.conflicts().is_empty());
}

fn elements(revised_ms: u64, names: &[&str]) -> Document {
    let mut draft = Draft::new("login", Stamp::clamped(revised_ms, 0, DeviceId::ZERO));
    for (order, name) in (0_i64..).zip(names) {
        draft.put(format!("uris/{name}"), Value::map([("uri", (*name).into()), ("order", order.into())]));
    }
    draft.build().unwrap()
}

fn in_order(document: &Document) -> Vec<String> {
    views::Login::of(document).uris().into_iter().map(|(id, _)| id.to_owned()).collect()
}

#[test]
fn elements_are_known_by_what_they_are_and_not_by_where_they_stand() {
    for (before, after, moves) in [
        (vec!["a", "b"], vec!["b"], 0),
        (vec!["a", "b", "c"], vec!["c", "a"], 2),
        (vec!["a"], vec!["a", "b", "c"], 0),
        (vec!["b", "c"], vec!["a", "b", "c"], 2),
        (vec!["a", "b"], vec!["b", "c"], 0),
        (vec![], vec!["a", "b"], 0),
    ] {
        let imported = first(&elements(100, &before), 100);
        let fresh = elements(200, &after);
        let (document, conflicts) = changed(again(&imported, &fresh, 200));
        assert_eq!(
            (in_order(&document), conflicts.len()),
            (after.iter().map(ToString::to_string).collect(), 0)
        );
        let kept = after.iter().filter(|name| before.contains(name)).map(|name| format!("uris/{name}"));
        let moved = kept.filter(|key| document.register(key) != imported.register(key)).count();
        assert_eq!(moved, moves, "{before:?} {after:?}");
        assert_eq!(again(&document, &fresh, 200), Reimported::Unchanged);
    }
}

#[test]
fn an_export_is_compared_with_what_the_item_said_then_and_comes_in_once() {
    let item = edited(&texts(100, &[("notes", "n"), ("username", "u")]), "created", 5_i64);
    let base = Base::Exported(Seen::of(&item));
    let import = |current: &Document, fresh: &Document| {
        reimport(current, fresh, &origin(0), &base, batch(), author(9_000, HERE)).unwrap()
    };
    assert_eq!(import(&edited(&item, "notes", "later"), &item), Reimported::Unchanged);
    let file = edited(&item, "username", "from the file");
    let (document, conflicts) = changed(import(&edited(&item, "notes", "later"), &file));
    assert_eq!((document.notes(), document.text("username")), (Some("later"), Some("from the file")));
    assert!(conflicts.is_empty());
    let mine = edited(&document, "username", "mine");
    assert_eq!(import(&mine, &file), Reimported::Unchanged);
    let (both, conflicts) = changed(import(&edited(&item, "username", "mine"), &file));
    assert_eq!((both.text("username"), conflicts.len()), (Some("mine"), 1));
}

#[test]
fn inner_fields_are_written_over_and_never_in_conflict() {
    let imported = first(&texts(100, &[("source/other/rest", "one")]), 100);
    let one = changed(again(&imported, &texts(200, &[("source/other/rest", "two")]), 200)).0;
    let fresh = texts(300, &[("source/other/rest", "three")]);
    let two =
        reimport(&imported, &fresh, &origin(300), &Base::Remembered, batch(), author(6_000, 6)).unwrap();
    let mut both = merge(&one, &changed(two).0);
    assert_eq!((both.text("source/other/rest"), both.conflicts().len()), (Some("three"), 0));
    both = changed(again(&both, &texts(400, &[("source/other/rest", "four")]), 400)).0;
    assert!(both.register("source/other/rest").unwrap().conflicts().is_empty());
    assert_eq!(Memory::of(&both, "other").unwrap().revised_ms, 400);
}

type State = BTreeMap<String, Value>;

fn state() -> impl Strategy<Value = State> {
    let place = |order: i64| Value::map([("value", "v".into()), ("order", order.into())]);
    let value = prop_oneof![3 => "[ab]".prop_map(Value::from), 1 => (0..3_i64).prop_map(place)];
    btree_map("(name|password|uris/[xyz]|custom/[xy]|source/other/rest)", value, 0..6)
}

fn fresh(revised_ms: u64, state: &State, trashed: bool) -> Document {
    let fields: Vec<_> = state.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
    record(revised_ms, &fields, &[], trashed.then_some(revised_ms))
}

fn hash_in(document: &Document, key: &str) -> Option<source::FieldHash> {
    document.value(key).map(|value| source::FieldHash::of(key, value))
}

proptest! {
    #[test]
    fn no_edit_is_lost_and_nothing_untouched_changes(
        sources in vec((state(), any::<bool>()), 1..4),
        edits in vec(state(), 3),
        cleared in "(name|password|uris/x)",
    ) {
        let mut before = fresh(100, &sources[0].0, sources[0].1);
        let mut current = first(&before, 100);
        for (round, ((state, trashed), edits)) in (1_u64..).zip(sources.iter().skip(1).zip(&edits)) {
            let mut edit = current.edit(author(1_000 * round, HERE)).clear(cleared.as_str());
            for (key, value) in edits.iter().filter(|(key, _)| !is_inner(key)) {
                edit = edit.set(key.as_str(), value.clone());
            }
            edit.apply().unwrap();
            let now = fresh(100 + round, state, *trashed);
            let after = match again(&current, &now, 100 + round) {
                Reimported::Unchanged => current.clone(),
                changed_now => changed(changed_now).0,
            };
            prop_assert_eq!(again(&after, &now, 100 + round), Reimported::Unchanged);
            let keys = current.registers().chain(now.registers()).map(|(key, _)| key);
            for key in keys.filter(|key| *key != TRASH && !is_inner(key)) {
                let (was, said, local) = (hash_in(&before, key), hash_in(&now, key), hash_in(&current, key));
                let held = hash_in(&after, key);
                if was == said {
                    prop_assert_eq!(held, local, "{}: untouched there", key);
                } else if local == was {
                    prop_assert_eq!(held, said, "{}: untouched here", key);
                }
                let register = after.register(key);
                let entries = register.map(Register::entries).unwrap_or_default();
                let hashes: Vec<_> = entries.iter().map(|entry| source::FieldHash::of(key, entry.value())).collect();
                prop_assert!(local.is_none_or(|local| hashes.contains(&local)), "{}: an edit is lost", key);
            }
            (before, current) = (now, after);
        }
    }

    #[test]
    fn two_devices_that_import_the_same_files_agree(one in state(), two in state()) {
        let imported = first(&fresh(100, &one, false), 100);
        let import = |device| {
            let newer = fresh(200, &two, false);
            let done = reimport(&imported, &newer, &origin(200), &Base::Remembered, batch(), author(5_000, device));
            match done.unwrap() {
                Reimported::Unchanged => imported.clone(),
                done => changed(done).0,
            }
        };
        let (here, there) = (import(1), import(2));
        let both = merge(&here, &there);
        prop_assert!(both.conflicts().is_empty());
        prop_assert_eq!(Seen::of(&both), Seen::of(&here));
    }
}
