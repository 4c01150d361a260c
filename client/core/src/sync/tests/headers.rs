//! A first sync's items, held against the commits that wrote them when these come.

use std::collections::BTreeMap;

use lockstep_proto::ids::{DeviceId, Epoch, ItemId};
use lockstep_proto::log::{Commit, CommitBody, Entry};

use super::fixture::{Make, World, document, item};
use crate::account::tests::device::account;
use crate::ports::{Batch, Ports, Table};
use crate::sync::headers::{Headers, QUARANTINE_BYTES};
use crate::testing::block_on;
use crate::vault::{Mark, OpenVault, Pin, QuarantineReason};

const OTHER: DeviceId = DeviceId([9; 16]);

struct Scene {
    ports: Ports,
    vault: OpenVault,
    entry: Entry,
    blobs: BTreeMap<ItemId, Vec<u8>>,
}

impl Scene {
    /// Items one and two, fetched before the commit that wrote both.
    fn new() -> Self {
        let ports = account().1.ports;
        let mut world = World::new();
        let makes = [1, 2].map(|number| (item(number), Make::Write(document("text"))));
        let (entry, blobs) = world.commit(&makes);
        let pin = Pin::new(world.state.clone(), world.device.device_id(), 1);
        let mut vault = OpenVault::empty(pin, world.keys());
        vault.leaves = world.leaves.clone();
        let mut batch = Batch::new();
        for (item_id, blob) in &blobs {
            let key = [vault.vault_id().as_bytes().as_slice(), item_id.as_bytes()].concat();
            batch.put(Table::Items, key, blob.clone());
        }
        block_on(ports.store.write(batch)).unwrap();
        Self { ports, vault, entry, blobs: blobs.into_iter().collect() }
    }

    /// What is put aside when the commit turns out to be this.
    fn marks(&self, change: impl FnOnce(&mut Commit)) -> BTreeMap<ItemId, Mark> {
        let mut commit = self.entry.commit.value().clone();
        change(&mut commit);
        let CommitBody::Content(body) = &self.entry.body else { panic!("content") };
        let mut headers = Headers::new(&self.vault);
        headers.note(&commit, &body.changes);
        block_on(headers.read(&*self.ports.store)).unwrap();
        headers.into_marks()
    }

    fn mark(&self, number: u8, author: DeviceId, reason: QuarantineReason) -> Mark {
        let item_id = item(number);
        Mark::new(self.vault.leaf(&item_id).unwrap(), author, reason, self.blobs[&item_id].clone())
    }
}

#[test]
fn a_header_that_says_another_author_or_epoch_than_its_commit_is_put_aside_as_the_commits() {
    let scene = Scene::new();
    assert!(scene.marks(|_| {}).is_empty());
    let author = scene.entry.commit.value().author_device;
    for (marks, author) in [
        (scene.marks(|commit| commit.author_device = OTHER), OTHER),
        (scene.marks(|commit| commit.author_account.0[0] ^= 1), author),
        (scene.marks(|commit| commit.epoch = Epoch(2)), author),
    ] {
        let both = [1, 2].map(|number| (item(number), scene.mark(number, author, QuarantineReason::Header)));
        assert_eq!(marks, BTreeMap::from(both));
    }
}

/// Whoever put a version aside before named the author that its header claims: the commit's word takes its place.
#[test]
fn a_mark_that_is_there_is_corrected_by_the_commit_and_one_that_is_right_stays() {
    let mut scene = Scene::new();
    let author = scene.entry.commit.value().author_device;
    let claimed = scene.mark(1, author, QuarantineReason::Header);
    scene.vault.quarantine.insert(item(1), claimed);
    let marks = scene.marks(|commit| commit.author_device = OTHER);
    assert_eq!(marks.get(&item(1)), Some(&scene.mark(1, OTHER, QuarantineReason::Header)));
    scene.vault.quarantine.extend(marks);
    assert!(scene.marks(|commit| commit.author_device = OTHER).is_empty());
    // It was too large to be kept: it stays aside, under its author.
    let lost = Mark { blob: Vec::new(), ..scene.mark(1, author, QuarantineReason::Document) };
    scene.vault.quarantine.insert(item(1), lost.clone());
    let marks = scene.marks(|commit| commit.author_device = OTHER);
    assert_eq!(marks.get(&item(1)), Some(&Mark { author: OTHER, ..lost }));
}

/// A server can fill no disk with versions that nobody can open.
#[test]
fn beyond_a_bound_versions_are_put_aside_without_their_bytes() {
    let mut scene = Scene::new();
    let own = scene.blobs[&item(1)].len();
    let leaf = scene.vault.leaf(&item(1)).unwrap();
    for (spare, kept) in [(2 * own, 2), (2 * own - 1, 1), (own - 1, 0)] {
        let mut left = QUARANTINE_BYTES - spare;
        let mut number = 100;
        while left > 0 {
            let blob = vec![0; left.min(1 << 20)];
            left -= blob.len();
            let mark = Mark { leaf, author: OTHER, reason: QuarantineReason::Sealed, blob };
            scene.vault.quarantine.insert(item(number), mark);
            number += 1;
        }
        let marks = scene.marks(|commit| commit.author_device = OTHER);
        let with_bytes = marks.values().filter(|mark| !mark.blob.is_empty()).count();
        assert_eq!((marks.len(), with_bytes), (2, kept), "{spare}");
        scene.vault.quarantine.clear();
    }
}

/// A later commit wrote the version that is pinned: an earlier one says nothing about it.
#[test]
fn a_commit_speaks_only_of_the_versions_that_it_wrote() {
    let mut scene = Scene::new();
    let mut leaf = *scene.vault.leaves.leaf(&item(1)).unwrap();
    leaf.leaf.version = leaf.leaf.version.next();
    scene.vault.leaves.extend([(item(1), leaf)]);
    let marks = scene.marks(|commit| commit.author_device = OTHER);
    assert_eq!(marks.keys().collect::<Vec<_>>(), [&item(2)]);
}
