//! What every [`LocalStore`] must do: the suite that the memory version and the adapters run in their tests.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::Arc;

use super::{Batch, LocalStore, MaybeSend, Table};

/// A store that can be closed, opened again, and cut off from power.
#[cfg_attr(not(target_arch = "wasm32"), async_trait::async_trait)]
#[cfg_attr(target_arch = "wasm32", async_trait::async_trait(?Send))]
pub trait Fixture: MaybeSend {
    /// The store, opened; again and again it is the same one. The one opened before was dropped.
    async fn open(&self) -> Arc<dyn LocalStore>;

    /// Another store that holds what a power cut at this moment would leave of this one, which stays open.
    async fn power_cut(&self) -> Arc<dyn LocalStore>;
}

/// Runs every case, each on an empty store of its own.
///
/// # Panics
/// Where the store does not do what [`LocalStore`] promises.
pub async fn run<F: Fixture>(empty: impl Fn() -> F) {
    puts_replace_and_deletes_forget(&empty()).await;
    tables_are_apart(&empty()).await;
    keys_and_values_are_any_bytes(&empty()).await;
    scans_are_ordered_and_stay_inside_their_prefix(&empty()).await;
    scans_page_without_gap_or_repetition(&empty()).await;
    deleting_a_prefix_spares_its_neighbours(&empty()).await;
    a_batch_is_applied_in_order(&empty()).await;
    what_was_written_survives_closing(&empty()).await;
    what_was_written_survives_a_power_cut(&empty()).await;
}

async fn put(store: &dyn LocalStore, table: Table, records: &[(&[u8], &[u8])]) {
    let mut batch = Batch::new();
    for (key, value) in records {
        batch.put(table, *key, *value);
    }
    store.write(batch).await.unwrap();
}

async fn keys(store: &dyn LocalStore, table: Table, prefix: &[u8]) -> Vec<Vec<u8>> {
    let records = store.scan(table, prefix, None, usize::MAX).await.unwrap();
    records.into_iter().map(|(key, _)| key).collect()
}

async fn puts_replace_and_deletes_forget(fixture: &impl Fixture) {
    let store = fixture.open().await;
    assert_eq!(store.read(Table::Items, b"a").await.unwrap(), None);
    put(&*store, Table::Items, &[(b"a", b"1")]).await;
    put(&*store, Table::Items, &[(b"a", b"2")]).await;
    assert_eq!(store.read(Table::Items, b"a").await.unwrap(), Some(b"2".to_vec()));
    let mut batch = Batch::new();
    batch.delete(Table::Items, b"a".to_vec()).delete(Table::Items, b"not there".to_vec());
    store.write(batch).await.unwrap();
    assert_eq!(store.read(Table::Items, b"a").await.unwrap(), None);
    store.write(Batch::new()).await.unwrap();
}

async fn tables_are_apart(fixture: &impl Fixture) {
    let store = fixture.open().await;
    for table in Table::ALL {
        put(&*store, table, &[(b"key", &[table as u8])]).await;
    }
    for table in Table::ALL {
        assert_eq!(store.read(table, b"key").await.unwrap(), Some(vec![table as u8]));
        assert_eq!(keys(&*store, table, b"").await, [b"key".to_vec()]);
    }
    let mut batch = Batch::new();
    batch.delete_prefix(Table::Staging, Vec::new());
    store.write(batch).await.unwrap();
    for table in Table::ALL {
        assert_eq!(keys(&*store, table, b"").await.is_empty(), table == Table::Staging);
    }
}

async fn keys_and_values_are_any_bytes(fixture: &impl Fixture) {
    let store = fixture.open().await;
    let large = vec![7; 3 << 20];
    let records: [(&[u8], &[u8]); 5] = [
        (b"", b"empty key"),
        (b"\0", b""),
        (b"\xff\xff", b"\0"),
        (&[0xc3, 0x28], b"\xff"),
        (b"large", &large),
    ];
    put(&*store, Table::Slots, &records).await;
    for (key, value) in records {
        assert_eq!(store.read(Table::Slots, key).await.unwrap().as_deref(), Some(value));
    }
    assert_eq!(keys(&*store, Table::Slots, b"").await.len(), records.len());
}

async fn scans_are_ordered_and_stay_inside_their_prefix(fixture: &impl Fixture) {
    let store = fixture.open().await;
    let all: [&[u8]; 8] = [b"\xff\xff", b"b", b"a\xff", b"a\xff\xff", b"a", b"\xff", b"ab", b"a\0"];
    let records: Vec<(&[u8], &[u8])> = all.iter().map(|key| (*key, *key)).collect();
    put(&*store, Table::Leaves, &records).await;
    let mut sorted = all.to_vec();
    sorted.sort_unstable();
    assert_eq!(keys(&*store, Table::Leaves, b"").await, sorted);
    let inside: [&[u8]; 5] = [b"a", b"a\0", b"ab", b"a\xff", b"a\xff\xff"];
    assert_eq!(keys(&*store, Table::Leaves, b"a").await, inside);
    assert_eq!(keys(&*store, Table::Leaves, b"a\xff").await, inside[3..]);
    assert_eq!(keys(&*store, Table::Leaves, b"\xff").await, [&b"\xff"[..], b"\xff\xff"]);
    assert!(keys(&*store, Table::Leaves, b"c").await.is_empty());
}

async fn scans_page_without_gap_or_repetition(fixture: &impl Fixture) {
    let store = fixture.open().await;
    let all: Vec<Vec<u8>> = (0_u8..100).map(|n| vec![n / 16, n]).collect();
    let records: Vec<(&[u8], &[u8])> = all.iter().map(|key| (&key[..], &key[..])).collect();
    put(&*store, Table::Commits, &records).await;
    for limit in [1, 7, 16, 99, 100, 101] {
        let mut found = Vec::new();
        loop {
            let after = found.last().map(|(key, _): &(Vec<u8>, Vec<u8>)| key.clone());
            let page = store.scan(Table::Commits, b"", after.as_deref(), limit).await.unwrap();
            assert!(page.len() <= limit);
            if page.is_empty() {
                break;
            }
            found.extend(page);
        }
        assert_eq!(found.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>(), all);
    }
    assert!(store.scan(Table::Commits, b"", None, 0).await.unwrap().is_empty());
    let behind = store.scan(Table::Commits, &[1], Some(&[0, 5]), usize::MAX).await.unwrap();
    assert_eq!(behind.len(), 16, "an `after` below the prefix starts at the prefix");
    assert!(store.scan(Table::Commits, &[1], Some(&[2]), usize::MAX).await.unwrap().is_empty());
}

async fn deleting_a_prefix_spares_its_neighbours(fixture: &impl Fixture) {
    let store = fixture.open().await;
    let all: [&[u8]; 6] = [b"a", b"b", b"b\0", b"b\xff\xff", b"c", b"\xff\xff"];
    let records: Vec<(&[u8], &[u8])> = all.iter().map(|key| (*key, *key)).collect();
    put(&*store, Table::Staging, &records).await;
    let mut batch = Batch::new();
    batch.delete_prefix(Table::Staging, b"b".to_vec()).delete_prefix(Table::Staging, b"nothing".to_vec());
    store.write(batch).await.unwrap();
    assert_eq!(keys(&*store, Table::Staging, b"").await, [&b"a"[..], b"c", b"\xff\xff"]);
    let mut batch = Batch::new();
    batch.delete_prefix(Table::Staging, vec![0xff]);
    store.write(batch).await.unwrap();
    assert_eq!(keys(&*store, Table::Staging, b"").await, [&b"a"[..], b"c"]);
}

async fn a_batch_is_applied_in_order(fixture: &impl Fixture) {
    let store = fixture.open().await;
    let mut batch = Batch::new();
    batch
        .put(Table::Outbox, b"a1".to_vec(), b"old".to_vec())
        .delete_prefix(Table::Outbox, b"a".to_vec())
        .put(Table::Outbox, b"a2".to_vec(), b"first".to_vec())
        .put(Table::Outbox, b"a2".to_vec(), b"second".to_vec())
        .put(Table::Outbox, b"a3".to_vec(), b"gone".to_vec())
        .delete(Table::Outbox, b"a3".to_vec());
    store.write(batch).await.unwrap();
    let records = store.scan(Table::Outbox, b"", None, usize::MAX).await.unwrap();
    assert_eq!(records, [(b"a2".to_vec(), b"second".to_vec())]);
}

async fn what_was_written_survives_closing(fixture: &impl Fixture) {
    let store = fixture.open().await;
    put(&*store, Table::Pins, &[(b"pin", b"1")]).await;
    drop(store);
    let store = fixture.open().await;
    assert_eq!(store.read(Table::Pins, b"pin").await.unwrap(), Some(b"1".to_vec()));
    put(&*store, Table::Pins, &[(b"pin", b"2")]).await;
    drop(store);
    assert_eq!(fixture.open().await.read(Table::Pins, b"pin").await.unwrap(), Some(b"2".to_vec()));
}

async fn what_was_written_survives_a_power_cut(fixture: &impl Fixture) {
    let store = fixture.open().await;
    for round in 0_u8..20 {
        put(&*store, Table::InFlight, &[(b"left", &[round]), (b"right", &[round])]).await;
        let after = fixture.power_cut().await;
        for side in [&b"left"[..], b"right"] {
            assert_eq!(after.read(Table::InFlight, side).await.unwrap(), Some(vec![round]));
        }
    }
}
