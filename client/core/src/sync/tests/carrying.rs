//! What a device brings along of its own history once another one is accepted.

use std::collections::BTreeMap;

use lockstep_proto::digest::Leaf;
use lockstep_proto::ids::{DeviceId, ItemId, Seq, Version};
use lockstep_proto::log::Entry;

use super::fixture::{Make, World, item};
use crate::item::{Author, Document, Saw};
use crate::sync::apply::{Ground, Step, step};
use crate::sync::carry::{Carried, Own, carry, needed, purged};
use crate::sync::staging::Staged;
use crate::sync::whole::Whole;
use crate::vault::{Edit, Notice, OpenVault, Outbox, OutboxEntry, Pin};

type Makes = Vec<(ItemId, Make)>;

/// A device on one branch, and the chain of the other one.
struct Scene {
    world: World,
    vault: OpenVault,
    own: Vec<Entry>,
    chain: Vec<Entry>,
    whole: Whole,
    blobs: BTreeMap<ItemId, Vec<u8>>,
    documents: BTreeMap<ItemId, Document>,
    /// What purges had seen.
    seen: Saw,
}

fn write(number: u8, title: &str) -> (ItemId, Make) {
    (item(number), Make::Write(super::fixture::document(title)))
}

/// The same by another device, later.
fn edited(number: u8, title: &str) -> (ItemId, Make) {
    let mut document = super::fixture::document("before");
    let author = Author { now_ms: 2_000, device: DeviceId([2; 16]) };
    document.edit(author).set("title", title).apply().unwrap();
    (item(number), Make::Write(document))
}

fn purge(number: u8) -> (ItemId, Make) {
    (item(number), Make::Purge)
}

/// What both have, what the device has written since, and what the server has.
fn scene(common: Makes, own: Vec<Makes>, served: Vec<Makes>) -> Scene {
    let mut world = World::new();
    let mut chain = vec![world.genesis.clone()];
    let mut documents = BTreeMap::new();
    let (entry, sealed) = world.commit(&common);
    let mut blobs: BTreeMap<ItemId, Vec<u8>> = sealed.into_iter().collect();
    chain.push(entry);
    let common_state = (world.state.clone(), world.leaves.clone());
    let own_entries: Vec<Entry> = own.iter().map(|makes| world.commit(makes).0).collect();
    for (item_id, make) in common.iter().chain(own.iter().flatten()) {
        match make {
            Make::Write(document) => documents.insert(*item_id, document.clone()),
            Make::Purge => documents.remove(item_id),
        };
    }
    let seen = common.iter().filter_map(|(_, make)| match make {
        Make::Write(document) => Some(Saw::of(document)),
        Make::Purge => None,
    });
    let seen = seen.reduce(|one, other| one.union(&other)).unwrap_or_default();
    let side = (world.state.clone(), world.leaves.clone());
    (world.state, world.leaves) = common_state;
    for makes in &served {
        let (entry, sealed) = world.commit(makes);
        chain.push(entry);
        blobs.extend(sealed);
    }
    let whole = Whole::verify(&chain, &world.account).unwrap();
    (world.state, world.leaves) = side;
    let pin = Pin::new(world.state.clone(), world.device.device_id(), 1);
    let mut vault = OpenVault::empty(pin, world.keys());
    vault.leaves = world.leaves.clone();
    Scene { world, vault, own: own_entries, chain, whole, blobs, documents, seen }
}

impl Scene {
    fn carry(&self) -> Carried {
        let common = self.chain[..2].to_vec();
        let own = Own::of(&[common, self.own.clone()].concat(), Seq(1), &self.world.account);
        let ids = needed(&self.vault, &self.whole, &own);
        let found = ids.into_iter().filter_map(|id| Some((id, self.documents.get(&id)?.clone())));
        let purged = purged(&self.vault, &own).into_iter().map(|id| (id, self.seen.clone()));
        let known = (&found.collect(), &purged.collect());
        carry(&self.vault, &self.whole, &own, self.vault.outbox.clone(), known)
    }

    /// What the one local write holds.
    fn step(&self) -> (Carried, Step) {
        let after = self.carry();
        let mut blobs = self.blobs.clone();
        blobs.retain(|item_id, _| after.changed.contains_key(item_id));
        let state = self.whole.state().clone();
        let staged = Staged::whole(self.vault.pin.state().clone(), state, Vec::new(), after.changed.clone());
        let keys = self.world.keys();
        let ground = Ground {
            vault_id: self.world.vault_id(),
            leaves: &self.vault.leaves,
            live: after.live,
            outbox: &after.outbox,
            in_flight: None,
            keys: &keys,
        };
        let step = step(ground, DeviceId([9; 16]), &staged, blobs).unwrap();
        (after, step)
    }

    fn served(&self, number: u8) -> Option<Leaf> {
        self.whole.items().get(&item(number)).map(|last| last.leaf)
    }

    fn waits(&mut self, number: u8, edit: Edit) {
        let base = self.vault.leaf(&item(number));
        let entry = OutboxEntry { base, base_document: None, edit };
        self.vault.outbox.insert(item(number), entry);
    }
}

fn title(outbox: &Outbox, number: u8) -> Option<String> {
    let document = outbox.get(&item(number))?.edit.document()?;
    document.text("title").map(ToOwned::to_owned)
}

#[test]
fn what_only_this_branch_changed_waits_as_an_edit_on_what_is_there() {
    let scene = scene(
        vec![write(1, "one"), write(2, "two")],
        vec![vec![write(1, "one, here")], vec![write(1, "one, here again")]],
        vec![vec![write(2, "two, there")]],
    );
    let after = scene.carry();
    assert_eq!(after.changed.keys().copied().collect::<Vec<_>>(), [item(1), item(2)]);
    assert_eq!(title(&after.outbox, 1).as_deref(), Some("one, here again"));
    assert_eq!(after.outbox.get(&item(2)), None, "nothing of it is this branch's");
    assert_eq!(after.above, [(item(1), Version(3))]);
    let pin = scene.vault.pin.clone().above(after.above);
    assert_eq!(pin.next_version(&item(1), Version(1)), Version(4), "above both");
    assert_eq!(pin.next_version(&item(2), Version(2)), Version(3));
}

#[test]
fn what_both_branches_changed_meets() {
    let scene = scene(vec![write(1, "one")], vec![vec![write(1, "here")]], vec![vec![write(1, "there")]]);
    let (_, step) = scene.step();
    let waits = step.outbox.get(&item(1)).unwrap();
    assert_eq!(waits.base, scene.served(1), "it stands on the version that is there");
    assert_eq!(step.notices, [(item(1), Notice::Merged)]);
    let [(telling, now)] = step.telling.as_slice() else { panic!("{:?}", step.telling) };
    assert_eq!((*telling, now.conflicts().len()), (item(1), 1));
    assert_eq!(step.leaves.len(), 1);
}

#[test]
fn what_was_made_on_this_branch_is_made_anew() {
    let scene = scene(
        vec![write(1, "one")],
        vec![
            vec![write(2, "new here")],
            vec![write(2, "new here, edited"), write(3, "gone at once")],
            vec![purge(3)],
        ],
        vec![vec![write(1, "one, there")]],
    );
    let (after, step) = scene.step();
    assert_eq!(after.gone, [item(2), item(3)]);
    let waits = step.outbox.get(&item(2)).unwrap();
    assert_eq!((waits.base, title(&step.outbox, 2).as_deref()), (None, Some("new here, edited")));
    assert_eq!(step.outbox.get(&item(3)), None);
    assert!(after.above.contains(&(item(2), Version(2))), "{:?}", after.above);
}

#[test]
fn a_purge_is_done_again_unless_the_item_was_changed_there() {
    let scene = scene(
        vec![write(1, "one"), write(2, "two"), write(3, "three")],
        vec![vec![purge(1), purge(2), purge(3)]],
        vec![vec![edited(2, "still wanted"), purge(3)]],
    );
    let (_, step) = scene.step();
    let waits = step.outbox.get(&item(1)).unwrap();
    assert_eq!((waits.base, &waits.edit), (scene.served(1), &Edit::Purge(scene.seen.clone())));
    assert_eq!(step.outbox.get(&item(2)), None);
    assert_eq!(step.notices, [(item(2), Notice::PurgeDropped)]);
}

#[test]
fn an_edit_that_waits_goes_on_where_its_item_is() {
    let mut scene = scene(
        vec![write(1, "one")],
        vec![vec![write(1, "one, here"), write(2, "new here"), write(3, "new here, too")]],
        vec![vec![write(4, "new there")]],
    );
    scene.waits(1, Edit::Write(super::fixture::document("one, waiting")));
    scene.waits(2, Edit::Write(super::fixture::document("new, waiting")));
    scene.waits(3, Edit::Purge(Saw::default()));
    let after = scene.carry();
    assert_eq!(title(&after.outbox, 1).as_deref(), Some("one, waiting"));
    assert_eq!(after.outbox.get(&item(2)).map(|entry| entry.base), Some(None));
    assert_eq!(title(&after.outbox, 2).as_deref(), Some("new, waiting"));
    assert_eq!(after.outbox.get(&item(3)), None, "there is nothing to purge");
    assert_eq!(after.touched.len(), 3);
}
