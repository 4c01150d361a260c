//! What becomes of a device's own branch once a heal has joined it to another one.

use std::collections::{BTreeMap, BTreeSet};

use lockstep_proto::digest::Leaf;
use lockstep_proto::ids::{DeviceId, ItemId, Seq, Version};
use lockstep_proto::log::{
    Commit, CommitBody, CommitKind, Entry, HealBody, Line, LogHead, Sides, VaultState,
};
use lockstep_proto::sign::Signed;

use super::fixture::{Make, World, item};
use crate::item::{Document, Saw};
use crate::sync::apply::{Ground, Step, step};
use crate::sync::beginning::Beginning;
use crate::sync::heal::next_request;
use crate::sync::rejoin::{Own, Rejoined, needed, rejoin};
use crate::sync::staging::Staged;
use crate::vault::{Edit, Notice, OpenVault, Outbox, OutboxEntry, Pin};

type Makes = Vec<(ItemId, Make)>;

/// A device on one branch, and the chain of the other one with the heal.
struct Scene {
    world: World,
    vault: OpenVault,
    own: Vec<Entry>,
    chain: Vec<Entry>,
    line: Line,
    blobs: BTreeMap<ItemId, Vec<u8>>,
    documents: BTreeMap<ItemId, Document>,
}

fn write(number: u8, title: &str) -> (ItemId, Make) {
    (item(number), Make::Write(super::fixture::document(title)))
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
    let (state, leaves) = (world.state.clone(), world.leaves.clone());
    let own_entries: Vec<Entry> = own.iter().map(|makes| world.commit(makes).0).collect();
    for (item_id, make) in common.iter().chain(own.iter().flatten()) {
        match make {
            Make::Write(document) => documents.insert(*item_id, document.clone()),
            Make::Purge => documents.remove(item_id),
        };
    }
    let side = (world.state.clone(), world.leaves.clone());
    (world.state, world.leaves) = (state.clone(), leaves);
    for makes in &served {
        let (entry, sealed) = world.commit(makes);
        chain.push(entry);
        blobs.extend(sealed);
    }
    chain.push(heal(&world, &state, &side.0));
    let line = Line::verify(&chain, &Sides::new(own_entries.clone()), &world.account).unwrap();
    (world.state, world.leaves) = side;
    let pin = Pin::new(world.state.clone(), world.device.device_id(), 1);
    let mut vault = OpenVault::empty(pin, world.keys());
    vault.leaves = world.leaves.clone();
    Scene { world, vault, own: own_entries, chain, line, blobs, documents }
}

fn heal(world: &World, fork: &VaultState, side: &VaultState) -> Entry {
    let (before, _) = world.make(&[write(200, "only its fields are used")]);
    let control = side.control().hash;
    let body =
        CommitBody::Heal(HealBody { fork: fork.head(), side: side.head(), side_control_hash: control });
    let commit = Commit {
        kind: CommitKind::Heal,
        seq: world.state.head().seq.max(side.head().seq).next(),
        control_hash: control,
        digest: world.state.digest(),
        live: world.state.live(),
        tombstones: world.state.tombstones(),
        body_hash: body.hash(),
        ..before.commit.value().clone()
    };
    Entry { commit: Signed::sign(commit, world.device.signing()), body }
}

impl Scene {
    fn rejoin(&self) -> Rejoined {
        self.rejoin_but(BTreeSet::new())
    }

    /// The same where these items are finished.
    fn rejoin_but(&self, finished: BTreeSet<ItemId>) -> Rejoined {
        let common = self.chain[..2].to_vec();
        let own = Own::of(&[common, self.own.clone()].concat(), Seq(1), &self.line, finished);
        let ids = needed(&self.vault, &self.line, &own);
        let found = ids.into_iter().filter_map(|id| Some((id, self.documents.get(&id)?.clone())));
        rejoin(&self.vault, &self.line, &own, self.vault.outbox.clone(), (&found.collect(), &BTreeMap::new()))
    }

    /// What the one local write holds.
    fn step(&self) -> (Rejoined, Step) {
        let after = self.rejoin();
        let mut blobs = self.blobs.clone();
        blobs.retain(|item_id, _| after.changed.contains_key(item_id));
        let state = self.line.state().clone();
        let staged = Staged::healed(self.vault.pin.state().clone(), state, Vec::new(), after.changed.clone());
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
        self.line.items().get(&item(number)).map(|last| last.leaf)
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
    let after = scene.rejoin();
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
        vec![vec![write(2, "still wanted"), purge(3)]],
    );
    let again = scene.rejoin().outbox;
    let expected =
        OutboxEntry { base: scene.served(1), base_document: None, edit: Edit::Purge(Saw::default()) };
    assert_eq!(again.get(&item(1)), Some(&expected));
    let (_, step) = scene.step();
    assert_eq!(step.outbox.keys().copied().collect::<Vec<_>>(), [item(1)]);
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
    let after = scene.rejoin();
    assert_eq!(title(&after.outbox, 1).as_deref(), Some("one, waiting"));
    assert_eq!(after.outbox.get(&item(2)).map(|entry| entry.base), Some(None));
    assert_eq!(title(&after.outbox, 2).as_deref(), Some("new, waiting"));
    assert_eq!(after.outbox.get(&item(3)), None, "there is nothing to purge");
    assert_eq!(after.touched.len(), 3);
}

#[test]
fn a_catch_up_sends_a_heal_together_with_what_it_writes_over() {
    let many = |number: u8| vec![write(number % 5 + 1, &format!("there {number}"))];
    let scene = scene(vec![write(1, "one")], vec![vec![write(1, "here")]], (0..=255).map(many).collect());
    let sent = next_request(&scene.chain);
    assert_eq!(sent.len(), scene.chain.len(), "256 commits would be enough without a heal");
    let last: LogHead = scene.line.state().head();
    assert_eq!(scene.chain.last().map(|entry| entry.commit.hash()), Some(last.hash));
    assert_eq!(next_request(&scene.chain[..257]).len(), 256);
}

#[test]
fn a_first_sync_begins_with_the_heals_of_the_chain() {
    let scene = scene(vec![write(1, "one")], vec![vec![write(1, "here")]], vec![vec![write(1, "there")]]);
    let (genesis, heal) = (scene.chain[0].clone(), scene.chain.last().unwrap().clone());
    let begun = |entries| Beginning::verify(scene.world.vault_id(), entries, &scene.world.account);
    let beginning = begun(vec![genesis.clone(), heal.clone()]).unwrap();
    assert_eq!(beginning.target(), scene.line.state().head());
    assert_eq!(beginning.state().digest(), scene.line.state().digest());
    assert_eq!(beginning.on_chain().count(), 2);
    // What a heal's side brought between fork and heal is not on the chain.
    let beside = begun(vec![genesis, scene.own[0].clone(), heal]).unwrap();
    assert_eq!((beside.entries().len(), beside.on_chain().count()), (3, 2));
}

#[test]
fn what_another_device_of_the_branch_has_brought_back_is_not_brought_back_again() {
    let scene = scene(
        vec![write(1, "one"), write(2, "two")],
        vec![vec![write(1, "one, here"), purge(2)]],
        vec![vec![write(1, "one, there")]],
    );
    assert_eq!(scene.rejoin().outbox.len(), 2);
    let after = scene.rejoin_but(BTreeSet::from([item(1), item(2)]));
    assert!(after.outbox.is_empty(), "neither the document nor the purge");
    assert_eq!(after.changed.len(), 2);
}
