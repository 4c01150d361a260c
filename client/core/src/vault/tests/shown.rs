//! What is shown of a vault: the list, one item, and how many there are, whatever waits and whatever cannot be opened.

use std::collections::{BTreeMap, BTreeSet};

use lockstep_proto::ids::ItemId;
use proptest::prelude::*;

use super::super::records::item_key;
use super::super::{
    Edit, InFlight, LeafState, Mark, OpenVault, Outbox, OutboxEntry, Pending, Pin, QuarantineReason,
};
use crate::account::tests::device::account;
use crate::item::{Document, Saw};
use crate::ports::{Batch, Ports, Table};
use crate::sync::tests::fixture::{Make, World, document, item};
use crate::testing::block_on;

/// What became of an item, in this order; each may be left out.
#[derive(Debug, Clone, Copy)]
struct Fate {
    /// Written, then perhaps purged, by commits that are pinned.
    pinned: Option<bool>,
    /// The pinned version cannot be opened; what is there is the last good one.
    marked: bool,
    /// Written or purged by the commit in flight.
    sent: Option<bool>,
    /// Written or purged since.
    edited: Option<bool>,
}

fn fate() -> impl Strategy<Value = Fate> {
    let change = || prop::option::of(any::<bool>());
    (change(), prop::bool::weighted(0.2), change(), change())
        .prop_map(|(pinned, marked, sent, edited)| Fate { pinned, marked, sent, edited })
}

fn make(purge: bool, title: &str) -> Make {
    if purge { Make::Purge } else { Make::Write(document(title)) }
}

fn edit(purge: bool, title: &str) -> Edit {
    if purge { Edit::Purge(Saw::default()) } else { Edit::Write(document(title)) }
}

/// A vault with items of these fates, and its store.
fn vault(ports: &Ports, fates: &[Fate]) -> OpenVault {
    let mut world = World::new();
    let mut batch = Batch::new();
    let (mut blobs, mut marks) = (BTreeMap::new(), BTreeMap::new());
    for (number, fate) in fates.iter().enumerate() {
        let item_id = item(number as u8);
        let Some(purged) = fate.pinned else { continue };
        for purge in [false].into_iter().chain(purged.then_some(true)) {
            let (_, made) = world.commit(&[(item_id, make(purge, "pinned"))]);
            blobs.extend(made);
        }
        if fate.marked && !purged {
            let leaf = world.leaves.leaf(&item_id).unwrap().leaf;
            let reason = QuarantineReason::Sealed;
            marks.insert(item_id, Mark::new(leaf, world.device.device_id(), reason, vec![1]));
        }
    }
    let vault_id = world.vault_id();
    for (item_id, blob) in &blobs {
        batch.put(Table::Items, item_key(&vault_id, item_id), blob.clone());
    }
    block_on(ports.store.write(batch)).unwrap();
    let pin = Pin::new(world.state.clone(), world.device.device_id(), 1);
    let mut vault = OpenVault::empty(pin, world.keys());
    vault.leaves = world.leaves.clone();
    vault.quarantine = marks;
    let of = |which: fn(&Fate) -> Option<bool>, title: &str| -> Outbox {
        let chosen = fates.iter().enumerate().filter_map(|(number, fate)| Some((number, which(fate)?)));
        chosen
            .map(|(number, purge)| {
                let item_id = item(number as u8);
                let base = world.leaves.leaf(&item_id).map(|stored| stored.leaf);
                (item_id, OutboxEntry { base, base_document: None, edit: edit(purge, title) })
            })
            .collect()
    };
    let sent = of(|fate| fate.sent, "sent");
    if !sent.is_empty() {
        let makes: Vec<(ItemId, Make)> =
            sent.iter().map(|(item_id, entry)| (*item_id, make(entry.edit.is_purge(), "sent"))).collect();
        let (entry, blobs) = world.make(&makes);
        vault.in_flight = InFlight::new(entry, blobs.into_iter().collect(), sent);
        assert!(vault.in_flight.is_some());
    }
    vault.outbox = of(|fate| fate.edited, "edited");
    vault
}

/// What the rule says of an item: the newest of what was edited, sent and pinned.
fn expected(fate: &Fate) -> Option<(Option<Document>, Pending)> {
    let shown = |purge: bool, title: &str| (!purge).then(|| document(title));
    let newest = [
        fate.edited.map(|purge| (shown(purge, "edited"), Pending::Edited)),
        fate.sent.map(|purge| (shown(purge, "sent"), Pending::InFlight)),
        fate.pinned.map(|purge| (shown(purge, "pinned"), Pending::No)),
    ];
    newest.into_iter().flatten().next()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_list_an_item_and_the_count_say_the_same(fates in prop::collection::vec(fate(), 0..12)) {
        let ports = account().1.ports;
        let vault = vault(&ports, &fates);
        let mut listed = BTreeMap::new();
        let mut doubled = 0;
        block_on(vault.each_shown(&ports, |item_id, shown| {
            let shown = (shown.document.cloned(), shown.pending, shown.is_quarantined);
            doubled += usize::from(listed.insert(item_id, shown).is_some());
        })).unwrap();
        prop_assert_eq!(doubled, 0);
        for (number, fate) in fates.iter().enumerate() {
            let item_id = item(number as u8);
            let current = block_on(vault.current(&ports, &item_id)).unwrap();
            let (document, pending) = expected(fate).unwrap_or_default();
            let waits = fate.edited.or(fate.sent).is_some();
            let quarantined = fate.marked && fate.pinned == Some(false) && !waits;
            prop_assert_eq!((&current.document, current.pending), (&document, pending));
            prop_assert_eq!(current.is_quarantined, quarantined);
            let known = listed.get(&item_id).cloned();
            prop_assert_eq!(known, expected(fate).map(|_| (document, pending, quarantined)));
        }
        let there = |of: &BTreeMap<_, (Option<Document>, _, _)>| of.values().filter(|shown| shown.0.is_some()).count();
        prop_assert_eq!(vault.count_items(&BTreeSet::new()), there(&listed));
        let waiting = fates.iter().filter(|fate| fate.edited.or(fate.sent).is_some()).count();
        prop_assert_eq!(vault.pending(), waiting);
        // Names stand apart, whatever waits of them.
        let apart: BTreeSet<ItemId> = listed.keys().copied().filter(|item_id| item_id.as_bytes()[0] % 2 == 0).collect();
        listed.retain(|item_id, _| !apart.contains(item_id));
        prop_assert_eq!(vault.count_items(&apart), there(&listed));
    }
}

/// An item that never could be opened here is none that anybody sees, and its blob is not looked for.
#[test]
fn an_item_without_a_good_version_is_quarantined_and_shows_nothing() {
    let ports = account().1.ports;
    let mut world = World::new();
    world.commit(&[(item(1), Make::Write(document("pinned")))]);
    let pin = Pin::new(world.state.clone(), world.device.device_id(), 1);
    let mut vault = OpenVault::empty(pin, world.keys());
    vault.leaves = world.leaves.clone();
    assert!(block_on(vault.current(&ports, &item(1))).is_err(), "it is lost, not quarantined");
    let leaf = vault.leaf(&item(1)).unwrap();
    vault
        .quarantine
        .insert(item(1), Mark::new(leaf, world.device.device_id(), QuarantineReason::Header, Vec::new()));
    let current = block_on(vault.current(&ports, &item(1))).unwrap();
    assert_eq!((current.document, current.is_quarantined, current.base), (None, true, Some(leaf)));
    assert_eq!(vault.leaves.leaf(&item(1)).unwrap().state, LeafState::Live);
}
