//! One device with one vault and no way to the server, and a store that is watched.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use lockstep_proto::ids::{Epoch, ItemId, VaultId};
use lockstep_proto::log::{AccountLink, LinkBody, Signer, VaultCreate};
use lockstep_proto::wrap::slot_hash;

use super::super::*;
use crate::account::tests::device::{PASSWORD, account, password};
use crate::account::{LinkParts, append_link, make_vault_key_slot, unlock};
use crate::item::{Document, Draft};
use crate::ports::{
    Batch, LocalStore, LocalStoreError, MemoryLocalStore, Request, Response, Table, Transport, TransportError,
};
use crate::testing::block_on;
use crate::vault::Creation;

pub(super) const VAULT_NAME: &str = "canary-of-a-vault-name";

/// A store that counts writes, keeps what was there before the last one, can be full, and can keep to itself that it
/// has written.
#[derive(Default)]
pub(super) struct Watched {
    pub(super) inner: MemoryLocalStore,
    pub(super) stall: AtomicBool,
    writes: AtomicUsize,
    full: AtomicBool,
}

#[async_trait::async_trait]
impl LocalStore for Watched {
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
        if self.full.load(Ordering::Relaxed) {
            return Err(LocalStoreError::Full);
        }
        self.writes.fetch_add(1, Ordering::Relaxed);
        self.inner.write(batch).await?;
        if self.stall.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        Ok(())
    }
}

/// Cables are unplugged.
struct Unplugged;

#[async_trait::async_trait]
impl Transport for Unplugged {
    async fn send(&self, _: Request) -> Result<Response, TransportError> {
        panic!("an offline operation talks to the server")
    }
}

/// Everything that the facade shows: vaults, items, conflicts, status.
pub(super) type Shown = (Vec<VaultInfo>, Vec<(ItemSummary, OpenItem)>, Vec<ConflictInfo>, Status);

pub(super) struct Desk {
    pub(super) store: Arc<Watched>,
    pub(super) client: Client,
    pub(super) vault_id: VaultId,
    ports: Ports,
}

impl Desk {
    pub(super) fn new() -> Self {
        let (_server, device, signed_up) = account();
        let store = Arc::new(Watched { inner: device.store.snapshot(), ..Watched::default() });
        let online = Ports { store: store.clone(), ..device.ports.clone() };
        let mut unlocked = signed_up.unlocked;
        let vault_id = block_on(make_vault(&online, &device.api(), &mut unlocked));
        let ports = Ports { transport: Arc::new(Unplugged), ..online };
        let client = block_on(Client::open(ports.clone(), unlocked)).unwrap();
        Self { store, client, vault_id, ports }
    }

    /// What a power cut now, a restart and the password give.
    pub(super) fn restarted(&self) -> Self {
        self.started_from(self.store.inner.snapshot())
    }

    /// What a restart from these records gives.
    pub(super) fn started_from(&self, records: MemoryLocalStore) -> Self {
        let store = Arc::new(Watched { inner: records, ..Watched::default() });
        let ports = Ports { store: store.clone(), ..self.ports.clone() };
        let client = start(&ports).unwrap();
        Self { store, client, vault_id: self.vault_id, ports }
    }

    /// Why these records cannot be opened.
    pub(super) fn refusal(&self, records: MemoryLocalStore) -> ClientError {
        let ports = Ports { store: Arc::new(records), ..self.ports.clone() };
        start(&ports).err().unwrap()
    }

    pub(super) fn writes(&self) -> usize {
        self.store.writes.load(Ordering::Relaxed)
    }

    /// Fills the disk, or frees it.
    pub(super) fn fill(&self, full: bool) {
        self.store.full.store(full, Ordering::Relaxed);
    }

    pub(super) fn login(&self, title: &str) -> Document {
        Draft::by("login", self.client.author())
            .unwrap()
            .set("name", title)
            .set("password", "one")
            .build()
            .unwrap()
    }

    pub(super) fn add(&mut self, title: &str) -> ItemId {
        let (item_id, document) = (self.client.make_item_id(), self.login(title));
        block_on(self.client.save(self.vault_id, item_id, document)).unwrap();
        item_id
    }

    pub(super) fn open(&self, item_id: ItemId) -> Option<OpenItem> {
        block_on(self.client.item(self.vault_id, item_id)).unwrap()
    }

    pub(super) fn titles(&self) -> Vec<String> {
        let items = block_on(self.client.items(self.vault_id)).unwrap();
        let mut titles: Vec<String> = items.into_iter().map(|item| item.title).collect();
        titles.sort();
        titles
    }

    pub(super) fn everything(&self) -> Shown {
        let items = block_on(self.client.items(self.vault_id)).unwrap().into_iter();
        let items = items.map(|item| (item.clone(), self.open(item.item_id).unwrap())).collect();
        let client = &self.client;
        let (vaults, conflicts) = (block_on(client.vaults()).unwrap(), block_on(client.conflicts()).unwrap());
        (vaults, items, conflicts, block_on(client.status()).unwrap())
    }
}

fn start(ports: &Ports) -> Result<Client, ClientError> {
    let unlocked = block_on(unlock(ports, &password(PASSWORD))).unwrap();
    block_on(Client::open(ports.clone(), unlocked))
}

/// Makes a vault as a sync does, but for the server's part in it.
async fn make_vault(ports: &Ports, api: &Api, unlocked: &mut Unlocked) -> VaultId {
    let now_ms = ports.clock.now_ms();
    let creation = Creation::make(unlocked, VAULT_NAME, now_ms);
    let vault_id = creation.vault_id();
    creation.store(ports, unlocked).await.unwrap();
    let slot = make_vault_key_slot(unlocked, vault_id, Epoch(1), creation.key()).unwrap();
    let body = LinkBody::VaultCreate(VaultCreate { vault_id, slot: slot_hash(&slot) });
    let state = unlocked.state();
    let signer = Signer::Device(unlocked.device_id());
    let link = AccountLink::after(state.account_id(), &state.head(), signer, 0, Vec::new(), body);
    let (link, session) = (unlocked.sign_link(link), unlocked.session(api));
    append_link(ports, api, unlocked, &session, link, LinkParts::of_slots(vec![slot])).await.unwrap();
    let author = Author { now_ms, device: unlocked.device_id() };
    let (_, batch) = creation.adopt(unlocked, unlocked.state(), author).unwrap();
    ports.store.write(batch).await.unwrap();
    vault_id
}
