//! Edits that wait on a version which is not the pinned one, and items of the store that are not what they should be.

use lockstep_proto::digest::Leaf;
use lockstep_proto::ids::{DeviceId, Hash, ItemId, Version};

use super::fixture::{Make, World, item};
use crate::account::tests::device::account;
use crate::item::{Author, Document, Saw};
use crate::ports::{Batch, Ports, Table};
use crate::sync::apply::{Ground, LiveCount, Step, put_outcome};
use crate::sync::merge::Outcome;
use crate::sync::rebase::rebased;
use crate::testing::block_on;
use crate::vault::{Edit, Notice, OpenVault, Outbox, OutboxEntry, Pin};

const OLD: Leaf = Leaf { version: Version(7), blob_hash: Hash([7; 32]) };

/// A device that has pinned one item, `document`, and its store.
fn device(world: &mut World, document: &Document) -> (Ports, OpenVault, Vec<u8>) {
    let (_, blobs) = world.commit(&[(item(1), Make::Write(document.clone()))]);
    let pin = Pin::new(world.state.clone(), world.device.device_id(), 1);
    let mut vault = OpenVault::empty(pin, world.keys());
    vault.leaves = world.leaves.clone();
    let ports = account().1.ports;
    put(&ports, &vault, item(1), &blobs[0].1);
    (ports, vault, blobs[0].1.clone())
}

fn put(ports: &Ports, vault: &OpenVault, item_id: ItemId, blob: &[u8]) {
    let mut batch = Batch::new();
    let key = [vault.vault_id().as_bytes().as_slice(), item_id.as_bytes()].concat();
    batch.put(Table::Items, key, blob);
    block_on(ports.store.write(batch)).unwrap();
}

fn edited(document: &Document, field: &str, value: &str) -> Document {
    let mut document = document.clone();
    let author = Author { now_ms: 2_000, device: DeviceId([2; 16]) };
    document.edit(author).set(field, value).apply().unwrap();
    document
}

fn on_old(edit: Edit) -> OutboxEntry {
    OutboxEntry { base: Some(OLD), base_document: None, edit }
}

#[test]
fn an_edit_on_another_version_is_merged_with_the_pinned_one_and_waits_on_it() {
    let mut world = World::new();
    let first = world.document("title");
    let (ports, mut vault, _) = device(&mut world, &edited(&first, "username", "pinned"));
    let own = edited(&first, "notes", "own");
    for base in [Some(OLD), None] {
        let entry = OutboxEntry { base, ..on_old(Edit::Write(own.clone())) };
        vault.outbox = Outbox::from([(item(1), entry)]);
        let step = block_on(rebased(&ports, &vault, DeviceId([1; 16]))).unwrap().unwrap();
        let entry = &step.outbox[&item(1)];
        assert_eq!(entry.base, vault.leaf(&item(1)));
        let document = entry.edit.document().unwrap();
        assert_eq!((document.text("username"), document.text("notes")), (Some("pinned"), Some("own")));
        vault.outbox = step.outbox;
        assert!(block_on(rebased(&ports, &vault, DeviceId([1; 16]))).unwrap().is_none());
    }
}

#[test]
fn a_purge_of_another_version_is_dropped_and_told() {
    let mut world = World::new();
    let document = world.document("title");
    let (ports, mut vault, _) = device(&mut world, &document);
    vault.outbox = Outbox::from([(item(1), on_old(Edit::Purge(Saw::default())))]);
    let step = block_on(rebased(&ports, &vault, DeviceId([1; 16]))).unwrap().unwrap();
    assert!(step.outbox.is_empty() && step.touched.contains(&item(1)));
    assert_eq!(step.notices, [(item(1), Notice::PurgeDropped)]);
}

#[test]
fn an_edit_of_an_item_that_no_commit_names_waits_as_a_new_one() {
    let mut world = World::new();
    let document = world.document("title");
    let (ports, mut vault, _) = device(&mut world, &document);
    let write = on_old(Edit::Write(document.clone()));
    vault.outbox = Outbox::from([(item(2), write), (item(3), on_old(Edit::Purge(Saw::default())))]);
    let step = block_on(rebased(&ports, &vault, DeviceId([1; 16]))).unwrap().unwrap();
    let new = OutboxEntry { base: None, base_document: None, edit: Edit::Write(document) };
    assert_eq!(step.outbox, Outbox::from([(item(2), new)]));
}

#[test]
fn what_parts_from_an_item_joins_what_waits_under_its_id() {
    let world = World::new();
    let first = world.document("title");
    let (apart, own) = (edited(&first, "username", "apart"), edited(&first, "notes", "own"));
    let apart_id =
        world.keys().item_ids(&world.vault_id()).unwrap().derive_apart(&item(1), &apart.to_bytes());
    let outbox = Outbox::from([(apart_id, on_old(Edit::Write(own)))]);
    let ground = Ground {
        vault_id: world.vault_id(),
        leaves: &world.leaves,
        live: LiveCount::pinned(0),
        outbox: &outbox,
        in_flight: None,
        keys: &world.keys(),
    };
    let mut step = Step { outbox: outbox.clone(), ..Step::default() };
    put_outcome(&mut step, &ground, item(1), Outcome::Split { stays: None, apart }).unwrap();
    let entry = &step.outbox[&apart_id];
    let document = entry.edit.document().unwrap();
    assert_eq!(entry.base, Some(OLD));
    assert_eq!((document.text("username"), document.text("notes")), (Some("apart"), Some("own")));
}

#[test]
fn a_stored_item_that_is_not_the_one_its_leaf_names_is_refused() {
    let mut world = World::new();
    let document = world.document("title");
    let (ports, mut vault, first) = device(&mut world, &document);
    let (_, blobs) = world.commit(&[
        (item(1), Make::Write(edited(&document, "notes", "newer"))),
        (item(2), Make::Write(document.clone())),
    ]);
    vault.leaves = world.leaves.clone();
    for other in [&first, &blobs[1].1] {
        put(&ports, &vault, item(1), other);
        let error = block_on(vault.below(&ports, &item(1))).unwrap_err();
        assert!(error.to_string().contains("an item is another one"), "{error}");
    }
    put(&ports, &vault, item(1), &blobs[0].1);
    assert!(block_on(vault.below(&ports, &item(1))).unwrap().document.is_some());
}
