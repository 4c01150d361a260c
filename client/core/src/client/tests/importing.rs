//! Importing through the facade: which item a record meets, and what is told of those that are missing.

use lockstep_crypto::keys::SourceRecord;
use lockstep_proto::ids::{DeviceId, ItemId};

use super::super::*;
use super::desk::Desk;
use crate::item::reimport::Origin;
use crate::item::source::Seen;
use crate::item::{Document, Draft, ItemError, MAX_LIVE_BYTES, Stamp};
use crate::testing::block_on;

fn document(title: &str, notes: &str, revised_ms: u64) -> Document {
    let draft = Draft::new("note", Stamp::clamped(revised_ms, 0, DeviceId::ZERO));
    draft.set("name", title).set("notes", notes).build().unwrap()
}

/// A record of a program whose every record has its title as identity.
fn record(title: &str, notes: &str, revised_ms: u64) -> ImportItem {
    let origin = Origin { program: "other".to_owned(), identity: title.to_owned(), revised_ms };
    ImportItem { origin, document: document(title, notes, revised_ms), own: None }
}

fn import(desk: &mut Desk, items: Vec<ImportItem>) -> ImportedItems {
    block_on(desk.client.import_many(desk.vault_id, items)).unwrap()
}

fn outcomes(done: &ImportedItems) -> Vec<&ImportOutcome> {
    done.outcomes.iter().map(|(_, outcome)| outcome).collect()
}

#[test]
fn a_file_is_one_write_and_the_same_file_again_is_none() {
    let mut desk = Desk::new();
    let before = desk.writes();
    let file = || vec![record("a", "1", 100), record("b", "1", 100), record("b", "2", 200)];
    let done = import(&mut desk, file());
    let changed =
        ImportOutcome::Changed { conflicts: Vec::new(), kept_from_trash: false, moved_to_trash: false };
    assert_eq!(outcomes(&done), [&ImportOutcome::Created, &ImportOutcome::Created, &changed]);
    assert_eq!(done.outcomes[1].0, done.outcomes[2].0);
    assert_eq!((desk.writes(), desk.titles()), (before + 1, vec!["a".to_owned(), "b".to_owned()]));
    assert_eq!(desk.open(done.outcomes[1].0).unwrap().document.notes(), Some("2"));
    let everything = desk.everything();
    let again = import(&mut desk, vec![record("a", "1", 100), record("b", "2", 200)]);
    assert_eq!(outcomes(&again), [&ImportOutcome::Unchanged, &ImportOutcome::Unchanged]);
    assert_eq!(desk.everything(), everything);
    assert_eq!(desk.restarted().everything(), everything);
}

#[test]
fn records_that_are_missing_from_a_newer_file_of_the_same_place_are_named_and_stay() {
    let mut desk = Desk::new();
    import(&mut desk, vec![record("a", "1", 100), record("b", "1", 100), record("c", "1", 100)]);
    let newer =
        import(&mut desk, vec![record("a", "2", 200), record("b", "1", 100), record("new", "1", 200)]);
    let titles =
        |done: &ImportedItems| -> Vec<_> { done.absent.iter().map(|(_, title)| title.clone()).collect() };
    assert_eq!(titles(&newer), ["c"]);
    let newest = import(&mut desk, vec![record("a", "2", 200), record("b", "1", 100)]);
    assert_eq!(titles(&newest).len(), 2, "what came later from the same place is of the same batch");
    let somebody_elses = import(&mut desk, vec![record("a", "2", 200), record("x", "1", 100)]);
    assert!(titles(&somebody_elses).is_empty());
    let older =
        import(&mut desk, vec![record("a", "1", 100), record("b", "1", 100), record("new", "1", 200)]);
    assert_eq!((outcomes(&older)[0], titles(&older).len()), (&ImportOutcome::Older, 0));
    assert_eq!(desk.titles().len(), 5);
}

#[test]
fn a_record_that_an_item_cannot_hold_is_left_out_and_no_other() {
    let mut desk = Desk::new();
    let large = Draft::new("note", Stamp::clamped(1, 0, DeviceId::ZERO));
    let large = large.set("notes", "x".repeat(MAX_LIVE_BYTES - 40)).build().unwrap();
    let large = ImportItem { document: large, ..record("large", "", 1) };
    let done = import(&mut desk, vec![record("a", "1", 100), large]);
    assert!(matches!(outcomes(&done)[1], ImportOutcome::Refused(ItemError::TooLarge { .. })));
    assert_eq!(desk.titles(), ["a"]);
}

#[test]
fn an_exported_record_meets_its_item_here_and_makes_one_elsewhere() {
    let mut desk = Desk::new();
    let item_id = desk.add("Bank");
    let current = desk.open(item_id).unwrap().document;
    let exported = |item_id: ItemId, document: &Document| {
        let origin = Origin { program: "lockstep".to_owned(), identity: item_id.to_string(), revised_ms: 1 };
        ImportItem { origin, document: document.clone(), own: Some((item_id, Seen::of(&current))) }
    };
    let everything = desk.everything();
    let here = import(&mut desk, vec![exported(item_id, &current)]);
    assert_eq!(here.outcomes, [(item_id, ImportOutcome::Unchanged)]);
    assert_eq!(desk.everything(), everything);
    let foreign = exported(ItemId::from_random([3; 16]), &document("Foreign", "n", 100));
    let there = import(&mut desk, vec![foreign.clone()]);
    let identity = foreign.origin.identity.as_bytes();
    let derived =
        desk.client.derive_import_id(desk.vault_id, "lockstep", SourceRecord::Id(identity)).unwrap();
    assert_eq!(there.outcomes, [(derived, ImportOutcome::Created)]);
    assert_eq!(import(&mut desk, vec![foreign]).outcomes, [(derived, ImportOutcome::Unchanged)]);
}

#[test]
fn what_was_changed_on_both_sides_is_told_and_waits_for_a_choice() {
    let mut desk = Desk::new();
    let item_id = import(&mut desk, vec![record("a", "1", 100)]).outcomes[0].0;
    let mut mine = desk.open(item_id).unwrap().document;
    mine.edit(desk.client.author()).set("notes", "mine").apply().unwrap();
    block_on(desk.client.save(desk.vault_id, item_id, mine)).unwrap();
    let done = import(&mut desk, vec![record("a", "2", 200)]);
    let conflicts = vec!["notes".to_owned()];
    assert_eq!(
        outcomes(&done),
        [&ImportOutcome::Changed { conflicts, kept_from_trash: false, moved_to_trash: false }]
    );
    let open = block_on(desk.client.conflicts()).unwrap();
    assert_eq!(
        (open.len(), &open[0].winner.value, &open[0].losers[0].value),
        (1, &"mine".into(), &"2".into())
    );
}

#[test]
fn no_record_makes_an_item_a_name_that_no_list_shows() {
    let mut desk = Desk::new();
    let item_id = desk.add("Bank");
    let current = desk.open(item_id).unwrap().document;
    // A file that somebody forged: the item's kind as this program has it for names, and the hash of what it is.
    let stamp = Stamp::clamped(900, 0, DeviceId::ZERO);
    let hidden = Draft::new("name", stamp).set("name", "Bank").build().unwrap();
    let origin = Origin { program: "lockstep".to_owned(), identity: item_id.to_string(), revised_ms: 900 };
    let forged = ImportItem { origin, document: hidden, own: Some((item_id, Seen::of(&current))) };
    let everything = desk.everything();
    let done = import(&mut desk, vec![forged.clone(), ImportItem { own: None, ..forged }]);
    assert_eq!(outcomes(&done), [&ImportOutcome::ReservedKind, &ImportOutcome::ReservedKind]);
    assert_eq!((desk.everything(), desk.titles()), (everything, vec!["Bank".to_owned()]));
}

#[test]
fn an_import_that_moves_an_item_into_the_trash_is_told() {
    let mut desk = Desk::new();
    import(&mut desk, vec![record("a", "1", 100)]);
    let mut trashed =
        Draft::new("note", Stamp::clamped(200, 0, DeviceId::ZERO)).set("name", "a").set("notes", "1");
    trashed.trashed_at(150);
    let done =
        import(&mut desk, vec![ImportItem { document: trashed.build().unwrap(), ..record("a", "1", 200) }]);
    let told = ImportOutcome::Changed { conflicts: Vec::new(), kept_from_trash: false, moved_to_trash: true };
    assert_eq!(outcomes(&done), [&told]);
}
