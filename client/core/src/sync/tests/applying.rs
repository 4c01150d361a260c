//! What the one local write of a pull holds.

use std::collections::BTreeMap;

use lockstep_proto::blob::{BLOB_LIMIT, Blob, blob_hash};
use lockstep_proto::ids::{DeviceId, ItemId};
use lockstep_proto::log::{Change, Commit, CommitBody, ContentBody, Entry, change_digest};
use lockstep_proto::sign::Signed;

use super::fixture::{Make, World, item};
use crate::sync::apply::{Ground, LiveCount, Step, StepError, step};
use crate::sync::staging::{Known, Staged};
use crate::vault::{Edit, Fate, InFlight, LeafState, Mark, Notice, Outbox, OutboxEntry, Pin};

type Blobs = BTreeMap<ItemId, Vec<u8>>;

/// A device that has pinned what `world` holds, with this outbox and this commit in flight, pulls `chain`.
fn pull(
    world: &World,
    pinned: &Pin,
    outbox: &Outbox,
    in_flight: Option<&InFlight>,
    chain: Vec<Entry>,
    blobs: Blobs,
) -> Result<Step, StepError> {
    let mut staged = Staged::new(pinned.state().clone(), Known::Whole);
    for entry in chain {
        staged.push(entry, &world.leaves, &world.account).unwrap();
    }
    let ground = Ground {
        vault_id: world.vault_id(),
        leaves: &world.leaves,
        live: LiveCount::pinned(pinned.state().live()),
        outbox,
        in_flight,
        keys: &world.keys(),
    };
    step(ground, DeviceId([9; 16]), &staged, blobs)
}

fn pin(world: &World) -> Pin {
    Pin::new(world.state.clone(), world.device.device_id(), 1)
}

fn own_commit(world: &World, number: u8, title: &str) -> InFlight {
    let document = world.document(title);
    let (entry, blobs) = world.make(&[(item(number), Make::Write(document.clone()))]);
    let base = world.leaves.leaf(&item(number)).map(|stored| stored.leaf);
    let edits = Outbox::from([(
        item(number),
        OutboxEntry { base, base_document: None, edit: Edit::Write(document) },
    )]);
    InFlight::new(entry, blobs.into_iter().collect(), edits).unwrap()
}

#[test]
fn new_versions_become_leaves_and_blobs() {
    let world = World::new();
    let (entry, blobs) = world.make(&[(item(1), Make::Write(world.document("one")))]);
    let step =
        pull(&world, &pin(&world), &Outbox::new(), None, vec![entry], blobs.into_iter().collect()).unwrap();
    assert_eq!((step.leaves.len(), step.blobs.len(), step.pulled), (1, 1, 1));
    assert_eq!(step.leaves[0].1.state, LeafState::Live);
    assert!(step.touched.is_empty() && step.fate.is_none());
}

#[test]
fn a_commit_of_ones_own_in_the_chain_is_acknowledged() {
    let world = World::new();
    let own = own_commit(&world, 1, "one");
    let chain = vec![own.entry().clone()];
    let step = pull(&world, &pin(&world), &Outbox::new(), Some(&own), chain, own.blobs().clone()).unwrap();
    assert_eq!((step.fate, step.pulled, step.merged), (Some(Fate::Acknowledged), 0, 0));
    assert!(step.outbox.is_empty() && step.notices.is_empty());
}

#[test]
fn an_overtaken_commit_returns_to_the_outbox_and_merges() {
    let mut world = World::new();
    let base = world.document("base");
    world.commit(&[(item(1), Make::Write(base))]);
    let own = own_commit(&world, 1, "ours");
    let (entry, blobs) = world.make(&[(item(1), Make::Write(world.document("theirs")))]);
    let step =
        pull(&world, &pin(&world), &Outbox::new(), Some(&own), vec![entry], blobs.into_iter().collect())
            .unwrap();
    assert_eq!((step.fate, step.merged), (Some(Fate::Overtaken), 1));
    assert!(step.touched.contains(&item(1)));
    let ends_on_new_version =
        step.outbox.get(&item(1)).is_none_or(|entry| entry.base == Some(step.leaves[0].1.leaf));
    assert!(ends_on_new_version);
}

#[test]
fn an_overtaken_commit_of_another_item_returns_unchanged() {
    let world = World::new();
    let own = own_commit(&world, 2, "ours");
    let (entry, blobs) = world.make(&[(item(1), Make::Write(world.document("theirs")))]);
    let step =
        pull(&world, &pin(&world), &Outbox::new(), Some(&own), vec![entry], blobs.into_iter().collect())
            .unwrap();
    assert_eq!(step.outbox, *own.edits());
    assert_eq!(step.merged, 0);
}

#[test]
fn without_news_the_commit_in_flight_waits() {
    let world = World::new();
    let own = own_commit(&world, 1, "ours");
    let step = pull(&world, &pin(&world), &Outbox::new(), Some(&own), Vec::new(), Blobs::new()).unwrap();
    assert_eq!(step.fate, Some(Fate::Waiting));
    assert!(step.outbox.is_empty());
}

#[test]
fn what_does_not_open_is_marked_and_the_last_good_version_stays() {
    let mut world = World::new();
    world.commit(&[(item(1), Make::Write(world.document("good")))]);
    let pinned = pin(&world);
    let (entry, blobs) = broken_commit(&world);
    let hash = blob_hash(&blobs[&item(1)]);
    let step = pull(&world, &pinned, &Outbox::new(), None, vec![entry], blobs).unwrap();
    assert_eq!(step.leaves[0].1.leaf.blob_hash, hash);
    assert!(step.blobs.is_empty());
    assert_eq!((step.marks.len(), step.marks[0].1.author), (1, world.device.device_id()));
    assert_eq!(step.notices, [(item(1), Notice::Quarantined)]);
}

#[test]
fn a_commit_whose_counts_do_not_agree_with_its_blobs_is_refused() {
    let mut world = World::new();
    world.commit(&[(item(1), Make::Write(world.document("one")))]);
    let pinned = pin(&world);
    let (entry, blobs) = world.make(&[(item(1), Make::Purge)]);
    let commit = Commit { live: 1, tombstones: 0, ..entry.commit.value().clone() };
    let lying = Entry { commit: Signed::sign(commit, world.device.signing()), body: entry.body };
    let refused = pull(&world, &pinned, &Outbox::new(), None, vec![lying], blobs.into_iter().collect());
    assert_eq!(refused.err(), Some(StepError::WrongCounts));
}

#[test]
fn the_mark_of_a_blob_above_every_limit_can_be_read_again() {
    let mut world = World::new();
    world.commit(&[(item(1), Make::Write(world.document("good")))]);
    for length in [BLOB_LIMIT, BLOB_LIMIT + 1] {
        let (entry, blobs) = commit_of_bytes(&world, vec![7; length]);
        let step = pull(&world, &pin(&world), &Outbox::new(), None, vec![entry], blobs).unwrap();
        let (_, mark) = &step.marks[0];
        let read = lockstep_proto::canon::from_bytes::<Mark>(&lockstep_proto::canon::to_bytes(mark));
        assert_eq!(read.as_ref(), Ok(mark), "{length}");
    }
}

/// A valid commit whose blob does not open: what a broken device would write.
fn broken_commit(world: &World) -> (Entry, Blobs) {
    let (_, blobs) = world.make(&[(item(1), Make::Write(world.document("broken")))]);
    let mut blob = Blob::from_bytes(&blobs[0].1).unwrap();
    blob.envelope[100] ^= 1;
    commit_of_bytes(world, blob.to_bytes())
}

/// A valid commit whose blob is these bytes.
fn commit_of_bytes(world: &World, bytes: Vec<u8>) -> (Entry, Blobs) {
    let (entry, _) = world.make(&[(item(1), Make::Write(world.document("any")))]);
    let CommitBody::Content(body) = entry.body else { panic!("content") };
    let changes = vec![Change { new_blob_hash: blob_hash(&bytes), ..body.changes[0] }];
    let digest = change_digest(&world.vault_id(), &world.state.digest(), &changes).unwrap();
    let body = CommitBody::Content(ContentBody { changes });
    let commit = Commit { digest, body_hash: body.hash(), ..entry.commit.value().clone() };
    let commit = Signed::sign(commit, world.device.signing());
    (Entry { commit, body }, Blobs::from([(item(1), bytes)]))
}

#[test]
fn a_pin_survives_its_record() {
    let mut world = World::new();
    world.commit(&[(item(1), Make::Write(world.document("one")))]);
    let room = lockstep_proto::api::vaults::Room { bytes: 1, commit_blob_bytes: 2, commit_changes: 3 };
    let seen = lockstep_proto::log::VaultHead { vault_id: world.vault_id(), head: world.state.head() };
    for pin in [pin(&world), pin(&world).confirmed(7, room).observing(&[seen])] {
        let bytes = lockstep_proto::canon::to_bytes(&pin);
        assert_eq!(lockstep_proto::canon::from_bytes::<Pin>(&bytes).unwrap(), pin);
    }
}
