//! One write for each edit; sealed; whole or not at all; the same after a restart.

use super::super::*;
use super::desk::{Desk, VAULT_NAME};
use crate::account::tests::device::contains;
use crate::item::{MAX_DOCUMENT_BYTES, merge::merge};
use crate::ports::{Batch, LocalStore as _, LocalStoreError, Table};
use crate::testing::block_on;

const CANARY: &str = "canary-7f3a9c-in-the-mine";

type Operation = fn(&mut Desk, ItemId) -> Result<(), ClientError>;

/// Every edit that the facade knows, on an item that is in the trash.
fn operations() -> [(&'static str, Operation); 8] {
    [
        ("save a new item", |desk, _| {
            let (item_id, document) = (desk.client.make_item_id(), desk.login(CANARY));
            block_on(desk.client.save(desk.vault_id, item_id, document))
        }),
        ("save an edit", |desk, item_id| {
            let mut document = desk.open(item_id).unwrap().document;
            document.edit(desk.client.author()).set("password", CANARY).apply().unwrap();
            block_on(desk.client.save(desk.vault_id, item_id, document))
        }),
        ("save many", |desk, item_id| {
            let mut edited = desk.open(item_id).unwrap().document;
            edited.edit(desk.client.author()).set("notes", CANARY).apply().unwrap();
            let mut items = vec![(item_id, edited)];
            items.extend((0..20).map(|_| (desk.client.make_item_id(), desk.login(CANARY))));
            block_on(desk.client.save_many(desk.vault_id, items)).map(drop)
        }),
        ("restore", |desk, item_id| block_on(desk.client.restore(desk.vault_id, item_id))),
        ("purge", |desk, item_id| block_on(desk.client.purge(desk.vault_id, item_id))),
        ("resolve", |desk, item_id| {
            block_on(desk.client.resolve(desk.vault_id, item_id, "password", CANARY.into()))
        }),
        ("rename the vault", |desk, _| block_on(desk.client.rename_vault(desk.vault_id, CANARY))),
        ("name the device", |desk, _| block_on(desk.client.name_device(CANARY))),
    ]
}

fn with_trash() -> (Desk, ItemId) {
    let mut desk = Desk::new();
    let item_id = desk.add(CANARY);
    let before = desk.writes();
    block_on(desk.client.trash(desk.vault_id, item_id)).unwrap();
    assert_eq!(desk.writes(), before + 1);
    (desk, item_id)
}

#[test]
fn every_edit_is_one_write_that_a_restart_finds_whole_or_not_at_all() {
    let (desk, item_id) = with_trash();
    for (name, operation) in operations() {
        let mut desk = desk.restarted();
        let (before, shown) = (desk.store.inner.snapshot(), desk.everything());
        operation(&mut desk, item_id).unwrap();
        assert_eq!(desk.writes(), 1, "{name}");
        let after = desk.everything();
        let names = |desk: &Desk| block_on(desk.client.devices()).unwrap();
        assert!(after != shown || names(&desk) != names(&desk.started_from(before.snapshot())), "{name}");
        assert_eq!(desk.restarted().everything(), after, "{name}");
        assert_eq!(names(&desk.restarted()), names(&desk), "{name}");
        assert_eq!(desk.started_from(before).everything(), shown, "{name}");
    }
}

#[test]
fn a_full_disk_refuses_an_edit_and_changes_neither_memory_nor_disk() {
    let (desk, item_id) = with_trash();
    for (name, operation) in operations() {
        let mut desk = desk.restarted();
        let shown = desk.everything();
        desk.fill(true);
        let refused = operation(&mut desk, item_id);
        assert!(matches!(refused, Err(ClientError::Store(LocalStoreError::Full))), "{name}");
        assert_eq!(desk.everything(), shown, "{name}");
        assert_eq!(desk.restarted().everything(), shown, "{name}");
        desk.fill(false);
        operation(&mut desk, item_id).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[test]
fn no_record_on_disk_shows_what_was_typed() {
    let (desk, item_id) = with_trash();
    for (name, operation) in operations() {
        let mut desk = desk.restarted();
        operation(&mut desk, item_id).unwrap();
        let values = desk.store.inner.values();
        for secret in [CANARY, VAULT_NAME, "password", "login"] {
            assert!(!values.iter().any(|value| contains(value, secret.as_bytes())), "{name}: {secret}");
        }
    }
}

#[test]
fn one_item_too_large_stops_all_that_were_to_be_saved_with_it() {
    let mut desk = Desk::new();
    let large = (1..=5_u8).map(|device| {
        let author = Author { now_ms: 5, device: DeviceId([device; 16]) };
        let draft = crate::item::Draft::by("note", author).unwrap();
        draft.set(format!("f{device}"), "x".repeat(250_000)).build().unwrap()
    });
    let large = large.reduce(|a, b| merge(&a, &b)).unwrap();
    let item_id = desk.client.make_item_id();
    let items = vec![(desk.client.make_item_id(), desk.login("small")), (item_id, large)];
    let (shown, before) = (desk.everything(), desk.writes());
    let refused = block_on(desk.client.save_many(desk.vault_id, items)).unwrap_err();
    assert!(
        matches!(refused, ClientError::ItemTooLarge { item_id: id, length } if id == item_id && length > MAX_DOCUMENT_BYTES)
    );
    assert!(refused.to_string().contains("nothing was changed"));
    assert_eq!((desk.everything(), desk.writes()), (shown, before));
}

#[test]
fn an_edit_that_changes_nothing_is_not_written() {
    let mut desk = Desk::new();
    let item_id = desk.add("Bank");
    let (document, before) = (desk.open(item_id).unwrap().document, desk.writes());
    block_on(desk.client.save(desk.vault_id, item_id, document)).unwrap();
    assert_eq!(block_on(desk.client.save_many(desk.vault_id, Vec::new())).unwrap(), Saved::default());
    block_on(desk.client.rename_vault(desk.vault_id, VAULT_NAME)).unwrap();
    assert_eq!(desk.writes(), before);
}

#[test]
fn a_record_changed_moved_or_lost_on_disk_is_refused_when_the_vault_is_opened() {
    let mut desk = Desk::new();
    desk.add("Bank");
    for table in [Table::Pins, Table::Outbox] {
        let records = block_on(desk.store.inner.scan(table, &[], None, 9)).unwrap();
        let (key, value) = records[0].clone();
        let mut flipped = value.clone();
        *flipped.last_mut().unwrap() ^= 1;
        let other = records.get(1).map_or_else(Vec::new, |(_, other)| other.clone());
        for (what, damaged) in
            [("changed", flipped), ("cut", value[..value.len() - 1].to_vec()), ("swapped", other)]
        {
            let store = desk.store.inner.snapshot();
            let mut batch = Batch::new();
            batch.put(table, key.clone(), damaged);
            block_on(store.write(batch)).unwrap();
            let error = desk.refusal(store);
            assert!(matches!(error, ClientError::Record(_)), "{table:?} {what}: {error}");
            assert!(error.to_string().contains("damaged"), "{error}");
        }
    }
}
