//! The one commit on its way (R-ONCE).

use std::collections::BTreeMap;

use lockstep_proto::ids::{Hash, Seq};
use lockstep_proto::log::LogHead;

use super::super::{Edit, Fate, InFlight, Outbox, OutboxEntry};
use crate::item::Saw;
use crate::sync::tests::fixture::{Make, World, item};

fn entry(edit: Edit) -> OutboxEntry {
    OutboxEntry { base: None, base_document: None, edit }
}

fn in_flight(world: &World) -> InFlight {
    let document = world.document("sent");
    let (commit, blobs) = world.make(&[(item(1), Make::Write(document.clone()))]);
    let edits = Outbox::from([(item(1), entry(Edit::Write(document)))]);
    InFlight::new(commit, blobs.into_iter().collect(), edits).unwrap()
}

#[test]
fn the_same_bytes_are_sent_every_time() {
    let own = in_flight(&World::new());
    assert_eq!(own.to_request(), own.clone().to_request());
    assert_eq!(own.to_request().blobs.len(), 1);
}

#[test]
fn parts_that_do_not_belong_together_are_no_commit() {
    let world = World::new();
    let (commit, blobs) = world.make(&[(item(1), Make::Write(world.document("sent")))]);
    let edits = Outbox::from([(item(2), entry(Edit::Purge(Saw::default())))]);
    assert!(InFlight::new(commit.clone(), blobs.into_iter().collect(), edits).is_none());
    assert!(InFlight::new(commit, BTreeMap::new(), Outbox::new()).is_none());
}

#[test]
fn its_fate_is_read_from_the_verified_chain() {
    let own = in_flight(&World::new());
    let other = LogHead { seq: own.head().seq, hash: Hash([9; 32]) };
    assert_eq!(own.fate(Seq(0), None), Fate::Waiting);
    assert_eq!(own.fate(Seq(1), Some(&own.head())), Fate::Acknowledged);
    assert_eq!(own.fate(Seq(7), Some(&own.head())), Fate::Acknowledged);
    assert_eq!(own.fate(Seq(1), Some(&other)), Fate::Overtaken);
    assert_eq!(own.fate(Seq(7), None), Fate::Overtaken);
}

#[test]
fn its_edits_return_below_those_made_meanwhile() {
    let world = World::new();
    let own = in_flight(&world);
    let mut outbox = Outbox::new();
    own.return_to(&mut outbox);
    assert_eq!(outbox, *own.edits());

    let later = world.document("later");
    let on_it = OutboxEntry {
        base: own.leaf(&item(1)),
        base_document: own.edits()[&item(1)].edit.document().cloned(),
        edit: Edit::Write(later.clone()),
    };
    let mut outbox = Outbox::from([(item(1), on_it), (item(2), entry(Edit::Write(later.clone())))]);
    own.return_to(&mut outbox);
    assert_eq!(outbox[&item(1)], entry(Edit::Write(later)));
    assert_eq!(outbox.len(), 2);
}

#[test]
fn a_new_item_that_was_purged_meanwhile_needs_no_commit() {
    let own = in_flight(&World::new());
    let purge =
        OutboxEntry { base: own.leaf(&item(1)), base_document: None, edit: Edit::Purge(Saw::default()) };
    let mut outbox = Outbox::from([(item(1), purge)]);
    own.return_to(&mut outbox);
    assert!(outbox.is_empty());
}
