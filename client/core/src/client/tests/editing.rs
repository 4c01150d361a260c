//! What edits do, and what they refuse.

use lockstep_crypto::keys::SourceRecord;
use lockstep_proto::ids::{DeviceId, ItemId, VaultId};

use super::super::*;
use super::desk::{Desk, VAULT_NAME};
use crate::item::{Author, Draft, TrashState, Value};
use crate::testing::block_on;
use crate::tools::{Query, search};

#[test]
fn a_new_vault_has_its_name_waiting_and_no_items() {
    let desk = Desk::new();
    let vaults = block_on(desk.client.vaults()).unwrap();
    assert_eq!((vaults.len(), vaults[0].name.as_str(), vaults[0].items), (1, VAULT_NAME, 0));
    assert_eq!(block_on(desk.client.status()).unwrap().pending, 1);
    assert!(desk.titles().is_empty() && desk.client.quarantined().is_empty());
}

#[test]
fn an_item_is_saved_edited_trashed_restored_and_purged() {
    let mut desk = Desk::new();
    let (vault_id, item_id) = (desk.vault_id, desk.add("Bank"));
    let open = desk.open(item_id).unwrap();
    assert_eq!(
        (open.document.text("password"), open.leaf, open.pending),
        (Some("one"), None, Pending::Edited)
    );
    let mut document = open.document;
    document.edit(desk.client.author()).set("password", "two").set("name", "Post").apply().unwrap();
    block_on(desk.client.save(vault_id, item_id, document)).unwrap();
    let password = desk.open(item_id).unwrap().document.register("password").unwrap().clone();
    assert_eq!((password.winner().value(), password.history().len()), (&Value::from("two"), 1));
    assert!(
        matches!(block_on(desk.client.purge(vault_id, item_id)), Err(ClientError::NotInTrash(id)) if id == item_id)
    );
    block_on(desk.client.trash(vault_id, item_id)).unwrap();
    assert!(matches!(desk.open(item_id).unwrap().trash_state(), TrashState::Trashed { .. }));
    assert!(block_on(desk.client.items(vault_id)).unwrap()[0].trashed);
    block_on(desk.client.restore(vault_id, item_id)).unwrap();
    assert_eq!(desk.open(item_id).unwrap().trash_state(), TrashState::Live);
    block_on(desk.client.trash(vault_id, item_id)).unwrap();
    block_on(desk.client.purge(vault_id, item_id)).unwrap();
    assert!(desk.open(item_id).is_none() && desk.titles().is_empty());
    assert!(
        matches!(block_on(desk.client.trash(vault_id, item_id)), Err(ClientError::NoItem(id)) if id == item_id)
    );
}

#[test]
fn what_is_not_there_is_refused_by_name_and_nothing_is_written() {
    let mut desk = Desk::new();
    let (vault_id, nowhere, nobody) = (desk.vault_id, VaultId([9; 32]), ItemId::from_random([9; 16]));
    let (before, document) = (desk.writes(), desk.login("x"));
    let client = &mut desk.client;
    let no_item = [
        block_on(client.trash(vault_id, nobody)),
        block_on(client.restore(vault_id, nobody)),
        block_on(client.purge(vault_id, nobody)),
        block_on(client.resolve(vault_id, nobody, "name", "x".into())),
    ];
    assert!(no_item.iter().all(|result| matches!(result, Err(ClientError::NoItem(id)) if *id == nobody)));
    let no_vault = [
        block_on(client.trash(nowhere, nobody)),
        block_on(client.save(nowhere, nobody, document)),
        block_on(client.rename_vault(nowhere, "x")),
        block_on(client.items(nowhere)).map(drop),
        block_on(client.item(nowhere, nobody)).map(drop),
        client.derive_import_id(nowhere, "bitwarden", SourceRecord::Id(b"1")).map(drop),
    ];
    assert!(no_vault.iter().all(|result| matches!(result, Err(ClientError::NoVault(id)) if *id == nowhere)));
    assert!(block_on(client.item(vault_id, nobody)).unwrap().is_none());
    assert_eq!(desk.writes(), before);
}

#[test]
fn saving_an_older_copy_loses_no_newer_edit() {
    let mut desk = Desk::new();
    let (vault_id, item_id) = (desk.vault_id, desk.add("Bank"));
    let mut stale = desk.open(item_id).unwrap().document;
    let mut fresh = stale.clone();
    fresh.edit(desk.client.author()).set("password", "newer").apply().unwrap();
    block_on(desk.client.save(vault_id, item_id, fresh)).unwrap();
    stale.edit(desk.client.author()).set("notes", "from a window left open").apply().unwrap();
    block_on(desk.client.save(vault_id, item_id, stale)).unwrap();
    let document = desk.open(item_id).unwrap().document;
    assert_eq!(
        (document.text("password"), document.notes()),
        (Some("newer"), Some("from a window left open"))
    );
}

#[test]
fn importing_twice_creates_once_and_writes_once() {
    let mut desk = Desk::new();
    let vault_id = desk.vault_id;
    let stamp = crate::item::Stamp::new(5, 0, DeviceId::ZERO).unwrap();
    let items = |desk: &Desk| -> Vec<_> {
        let item = |number: u8| {
            let id =
                desk.client.derive_import_id(vault_id, "bitwarden", SourceRecord::Id(&[number])).unwrap();
            (id, Draft::new("note", stamp).set("name", format!("{number}")).build().unwrap())
        };
        (0..50).map(item).collect()
    };
    let before = desk.writes();
    let first = block_on(desk.client.save_many(vault_id, items(&desk))).unwrap();
    assert_eq!((first, desk.writes()), (Saved { created: 50, changed: 0, unchanged: 0 }, before + 1));
    let edited = items(&desk)[7].0;
    let mut document = desk.open(edited).unwrap().document;
    document.edit(desk.client.author()).set("name", "by hand").apply().unwrap();
    block_on(desk.client.save(vault_id, edited, document)).unwrap();
    let second = block_on(desk.client.save_many(vault_id, items(&desk))).unwrap();
    assert_eq!((second, desk.writes()), (Saved { created: 0, changed: 0, unchanged: 50 }, before + 2));
    assert_eq!(desk.open(edited).unwrap().document.name(), "by hand");
    assert_eq!(block_on(desk.client.vaults()).unwrap()[0].items, 50);
}

#[test]
fn a_conflict_is_listed_until_it_is_resolved() {
    let mut desk = Desk::new();
    let (vault_id, item_id) = (desk.vault_id, desk.add("Bank"));
    let (mut mine, mut theirs) = (desk.open(item_id).unwrap().document, desk.open(item_id).unwrap().document);
    mine.edit(desk.client.author()).set("password", "mine").apply().unwrap();
    let other = Author { now_ms: desk.client.author().now_ms + 5, device: DeviceId([9; 16]) };
    theirs.edit(other).set("password", "theirs").apply().unwrap();
    block_on(desk.client.save(vault_id, item_id, mine)).unwrap();
    block_on(desk.client.save(vault_id, item_id, theirs)).unwrap();
    let conflicts = block_on(desk.client.conflicts()).unwrap();
    let [conflict] = conflicts.as_slice() else { panic!("one conflict") };
    assert_eq!(
        (conflict.item_id, conflict.title.as_str(), conflict.field.as_str()),
        (item_id, "Bank", "password")
    );
    assert_eq!((&conflict.winner.value, conflict.winner.stamp.device()), (&"theirs".into(), other.device));
    assert_eq!(conflict.losers.iter().map(|loser| &loser.value).collect::<Vec<_>>(), [&Value::from("mine")]);
    assert!(block_on(desk.client.items(vault_id)).unwrap()[0].conflict);
    block_on(desk.client.resolve(vault_id, item_id, "password", "third".into())).unwrap();
    assert!(block_on(desk.client.conflicts()).unwrap().is_empty());
    assert_eq!(desk.open(item_id).unwrap().document.text("password"), Some("third"));
}

#[test]
fn names_of_vaults_and_devices_are_kept_and_are_no_items() {
    let mut desk = Desk::new();
    block_on(desk.client.rename_vault(desk.vault_id, "Family")).unwrap();
    block_on(desk.client.name_device("Laptop")).unwrap();
    let desk = desk.restarted();
    assert_eq!(block_on(desk.client.vaults()).unwrap()[0].name, "Family");
    let devices = block_on(desk.client.devices()).unwrap();
    assert_eq!((devices.len(), devices[0].name.as_str(), devices[0].this), (1, "Laptop", true));
    assert!(desk.titles().is_empty());
    assert_eq!(block_on(desk.client.vaults()).unwrap()[0].items, 0);
}

#[test]
fn what_is_saved_is_found() {
    let mut desk = Desk::new();
    for title in ["Bank", "Post bank", "Mail"] {
        desk.add(title);
    }
    let items = block_on(desk.client.items(desk.vault_id)).unwrap();
    let documents: Vec<_> =
        items.iter().map(|item| (item.item_id, desk.open(item.item_id).unwrap().document)).collect();
    let found = search(&Query::parse("bank"), documents.iter().map(|(id, document)| (*id, document)));
    assert_eq!(found.len(), 2);
    assert!(search(&Query::parse("one"), documents.iter().map(|(id, document)| (*id, document))).is_empty());
}

#[test]
fn import_ids_differ_between_sources_and_records_and_survive_a_restart() {
    let desk = Desk::new();
    let derive = |desk: &Desk| {
        [("bitwarden", b"1"), ("bitwarden", b"2"), ("other", b"1")].map(|(kind, id)| {
            desk.client.derive_import_id(desk.vault_id, kind, SourceRecord::Id(id)).unwrap()
        })
    };
    let ids = derive(&desk);
    assert_eq!(derive(&desk.restarted()), ids);
    assert_eq!(std::collections::BTreeSet::from(ids).len(), 3);
}
