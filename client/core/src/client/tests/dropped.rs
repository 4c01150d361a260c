//! Calls that were dropped while the store wrote.

use std::pin::pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Waker};

use super::super::*;
use super::desk::Desk;
use crate::testing::block_on;

/// Runs a call until the store has written, and drops it.
fn dropped<T>(desk: &mut Desk, call: impl AsyncFnOnce(&mut Client) -> T) {
    desk.store.stall.store(true, Ordering::Relaxed);
    let before = desk.writes();
    {
        let mut future = pin!(call(&mut desk.client));
        assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    desk.store.stall.store(false, Ordering::Relaxed);
    assert_eq!(desk.writes(), before + 1);
}

#[test]
fn an_edit_whose_future_was_dropped_while_the_store_wrote_is_not_lost_by_the_next_one() {
    let mut desk = Desk::new();
    let item_id = desk.add("Bank");
    let vault_id = desk.vault_id;
    let mut edited = desk.open(item_id).unwrap().document;
    let other = edited.clone();
    edited.edit(desk.client.author()).set("username", "first").apply().unwrap();
    dropped(&mut desk, async |client| client.save(vault_id, item_id, edited).await);

    let mut later = other;
    later.edit(desk.client.author()).set("notes", "second").apply().unwrap();
    block_on(desk.client.save(vault_id, item_id, later)).unwrap();
    let shown = desk.open(item_id).unwrap().document;
    assert_eq!((shown.text("username"), shown.text("notes")), (Some("first"), Some("second")));
    assert_eq!(desk.everything(), desk.restarted().everything());
}

#[test]
fn after_a_dropped_call_any_edit_makes_memory_and_disk_the_same() {
    let mut desk = Desk::new();
    let vault_id = desk.vault_id;
    let (new, document) = (desk.client.make_item_id(), desk.login("dropped"));
    dropped(&mut desk, async |client| client.save(vault_id, new, document).await);
    desk.add("later");
    assert_eq!(desk.titles(), ["dropped", "later"]);
    assert_eq!(desk.everything(), desk.restarted().everything());
}

#[test]
fn a_write_that_failed_leaves_memory_as_the_disk_is() {
    let mut desk = Desk::new();
    let document = desk.login("refused");
    let item_id = desk.client.make_item_id();
    desk.fill(true);
    block_on(desk.client.save(desk.vault_id, item_id, document)).unwrap_err();
    desk.fill(false);
    desk.add("later");
    assert_eq!(desk.titles(), ["later"]);
    assert_eq!(desk.everything(), desk.restarted().everything());
}
