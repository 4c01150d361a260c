//! A vault is read from its records as it was written, or is damaged.

use std::sync::atomic::{AtomicUsize, Ordering};

use lockstep_proto::ids::{ItemId, Seq, VaultId};
use lockstep_proto::log::Entry;

use super::super::loading::{has_history, keep_history, read_history};
use super::super::{
    Edit, InFlight, Mark, Notice, OpenVault, Outbox, OutboxEntry, Pin, QuarantineReason, Records, Untold,
    open_pinned, read_chain, read_commit,
};
use crate::account::tests::device::{Device, account};
use crate::account::{AccountError, RecordError, Unlocked};
use crate::item::{Saw, Stamp};
use crate::ports::{Batch, LocalStore, LocalStoreError, MemoryLocalStore, Ports, Table};
use crate::sync::tests::fixture::{Make, World, document, item};
use crate::testing::block_on;

/// More than are read at once.
const MANY: u16 = 700;

#[derive(Debug)]
enum Refused {
    Record(RecordError),
    Account(#[expect(dead_code, reason = "shown where a test fails")] AccountError),
}

impl From<RecordError> for Refused {
    fn from(error: RecordError) -> Self {
        Self::Record(error)
    }
}

impl From<AccountError> for Refused {
    fn from(error: AccountError) -> Self {
        Self::Account(error)
    }
}

fn numbered(number: u16) -> ItemId {
    let mut bytes = [0xee; 16];
    bytes[..2].copy_from_slice(&number.to_be_bytes());
    ItemId::from_random(bytes)
}

struct Scene {
    device: Device,
    unlocked: Unlocked,
    vault: OpenVault,
}

impl Scene {
    /// A vault with something of everything and so many items that wait, written as syncs and saves write it.
    fn new(waiting: u16) -> Self {
        let (_, device, signed_up) = account();
        let unlocked = signed_up.unlocked;
        let mut world = World::new();
        world.commit(&[(item(1), Make::Write(document("one"))), (item(2), Make::Write(document("two")))]);
        world.commit(&[(item(2), Make::Purge)]);
        let own = world.device.device_id();
        let mut vault = OpenVault::empty(Pin::new(world.state.clone(), own, 1), world.keys());
        vault.leaves = world.leaves.clone();
        let (entry, blobs) = world.make(&[(item(1), Make::Write(document("sent")))]);
        let sent = OutboxEntry {
            base: vault.leaf(&item(1)),
            base_document: Some(document("one")),
            edit: Edit::Write(document("sent")),
        };
        vault.in_flight = InFlight::new(entry, blobs.into_iter().collect(), Outbox::from([(item(1), sent)]));
        for number in 0..waiting {
            let edit = Edit::Write(document(&number.to_string()));
            let entry = OutboxEntry { base: None, base_document: None, edit };
            vault.outbox.insert(numbered(number), entry);
        }
        let purge = OutboxEntry {
            base: vault.leaf(&item(1)),
            base_document: None,
            edit: Edit::Purge(Saw::of(&document("one"))),
        };
        vault.outbox.insert(item(1), purge);
        let leaf = vault.leaf(&item(1)).unwrap();
        vault.quarantine.insert(item(1), Mark::new(leaf, own, QuarantineReason::Removed, vec![7; 9]));
        vault.past.insert(item(2), Stamp::new(77, 3, own).unwrap());
        vault.untold = Untold::default().with(&[(item(1), Notice::Conflict), (item(1), Notice::BroughtBack)]);
        let scene = Self { device, unlocked, vault };
        scene.write();
        scene
    }

    fn write(&self) {
        let Self { vault, unlocked, .. } = self;
        let records = vault.records(unlocked);
        let mut batch = Batch::new();
        records.put_pin(&mut batch, &vault.pin).unwrap();
        records.put_keys(&mut batch, &vault.keys).unwrap();
        records.put_in_flight(&mut batch, vault.in_flight.as_ref().unwrap()).unwrap();
        records.put_past(&mut batch, &vault.past).unwrap();
        records.put_untold(&mut batch, &vault.untold).unwrap();
        for (item_id, leaf) in vault.leaves.iter() {
            records.put_leaf(&mut batch, item_id, leaf).unwrap();
        }
        for (item_id, entry) in &vault.outbox {
            records.put_outbox(&mut batch, item_id, entry).unwrap();
        }
        for (item_id, mark) in &vault.quarantine {
            records.put_mark(&mut batch, item_id, mark);
        }
        block_on(self.device.ports.store.write(batch)).unwrap();
    }

    fn open(&self) -> Result<OpenVault, RecordError> {
        let opened =
            block_on(open_pinned::<Refused>(&self.device.ports, &self.unlocked, &self.vault.vault_id()));
        match opened {
            Ok(vault) => Ok(vault.unwrap()),
            Err(Refused::Record(error)) => Err(error),
            Err(other) => panic!("{other:?}"),
        }
    }

    fn records(&self, table: Table) -> Vec<(Vec<u8>, Vec<u8>)> {
        let prefix = self.vault.vault_id();
        block_on(self.device.store.scan(table, prefix.as_bytes(), None, 10_000)).unwrap()
    }
}

#[test]
fn a_vault_is_read_as_it_was_written_however_much_waits_in_it() {
    let scene = Scene::new(MANY);
    let (was, is) = (&scene.vault, scene.open().unwrap());
    assert_eq!((&is.pin, &is.leaves, &is.in_flight), (&was.pin, &was.leaves, &was.in_flight));
    assert_eq!(is.outbox.len(), usize::from(MANY) + 1);
    assert!(is.outbox == was.outbox && is.quarantine == was.quarantine && is.past == was.past);
    assert!(is.untold == was.untold && is.keys.same_epochs(&was.keys));
    let nobodys = block_on(open_pinned::<Refused>(&scene.device.ports, &scene.unlocked, &VaultId([1; 32])));
    assert!(matches!(nobodys, Ok(None)));
}

/// Sealed or not, no record can be lost, changed, or put in another one's place without being noticed, where what
/// depends on it would be lost with it.
#[test]
fn a_record_that_is_lost_changed_or_moved_makes_the_vault_damaged() {
    for table in [Table::Pins, Table::Leaves, Table::Outbox, Table::InFlight] {
        let scene = Scene::new(2);
        let all = scene.records(table);
        for (key, record) in all.iter().take(4) {
            let other = all.iter().find(|(other, _)| other != key).map(|(_, record)| record.clone());
            let mut flipped = record.clone();
            *flipped.last_mut().unwrap() ^= 1;
            // An edit that is lost as a whole leaves no trace.
            let lost = (!matches!(table, Table::Outbox | Table::Pins)).then_some(None);
            let changes = lost.into_iter().chain([Some(flipped)]).chain(other.map(Some));
            for changed in changes {
                let is_commit_part = table == Table::InFlight && key[32] == 0;
                let is_past = table == Table::InFlight && key[32] == 4;
                if changed.is_none() && (is_commit_part || is_past) {
                    continue;
                }
                // A blob in flight is not sealed by this device: the commit names its hash.
                let is_blob = table == Table::InFlight && key[32] == 2;
                let mut batch = Batch::new();
                match &changed {
                    Some(record) => batch.put(table, key.clone(), record.clone()),
                    None => batch.delete(table, key.clone()),
                };
                block_on(scene.device.ports.store.write(batch)).unwrap();
                let opened = scene.open();
                let noticed = matches!(opened, Err(RecordError::Damaged { .. }));
                assert!(noticed || (is_blob && changed.is_some()), "{table:?} {:?}", &key[32..]);
                let mut batch = Batch::new();
                batch.put(table, key.clone(), record.clone());
                block_on(scene.device.ports.store.write(batch)).unwrap();
            }
        }
        assert!(scene.open().is_ok());
    }
}

/// A store that stops after so many writes.
struct Stops {
    inner: MemoryLocalStore,
    writes: AtomicUsize,
}

#[async_trait::async_trait]
impl LocalStore for Stops {
    async fn read(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, LocalStoreError> {
        self.inner.read(table, key).await
    }

    async fn scan(
        &self,
        table: Table,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Vec<u8>)>, LocalStoreError> {
        self.inner.scan(table, prefix, after, limit).await
    }

    async fn write(&self, batch: Batch) -> Result<(), LocalStoreError> {
        let left = |left: usize| left.checked_sub(1);
        let left = self.writes.fetch_update(Ordering::SeqCst, Ordering::SeqCst, left);
        left.map_err(|_| LocalStoreError::Full)?;
        self.inner.write(batch).await
    }
}

/// What a first sync has verified joins the chain in several writes: after each of them every commit is at one of both
/// places, and whoever goes on ends with all of them in the chain.
#[test]
fn a_history_that_moves_is_whole_after_every_write() {
    let (_, device, signed_up) = account();
    let mut world = World::new();
    let entries: Vec<Entry> =
        (0..150_u8).map(|number| world.commit(&[(item(number), Make::Purge)]).0).collect();
    let records = Records::new(&signed_up.unlocked, world.vault_id());
    let mut batch = Batch::new();
    entries.iter().for_each(|entry| records.put_history(&mut batch, entry));
    block_on(device.ports.store.write(batch)).unwrap();
    for writes in 0..5 {
        let store = std::sync::Arc::new(Stops { inner: device.store.snapshot(), writes: writes.into() });
        let ports = Ports { store: store.clone(), ..device.ports.clone() };
        let vault_id = world.vault_id();
        let moved = block_on(keep_history(&ports, &signed_up.unlocked, &vault_id));
        assert_eq!(moved.is_ok(), writes >= 3, "{writes}");
        for entry in &entries {
            let seq = entry.commit.value().seq;
            assert_eq!(block_on(read_history(&*store, &vault_id, seq)).unwrap().as_ref(), Some(entry));
        }
        assert_eq!(block_on(has_history(&*store, &vault_id)).unwrap(), writes < 3);
        store.writes.store(10, Ordering::SeqCst);
        block_on(keep_history(&ports, &signed_up.unlocked, &vault_id)).unwrap();
        assert_eq!(block_on(read_chain(&*store, &vault_id)).unwrap(), entries);
        assert_eq!(block_on(read_commit(&*store, &vault_id, Seq(151))).unwrap(), None);
    }
}
