//! Three devices, the server that ships, snapshots of its past, and what was written.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use lockstep_client::account::KeyChange;
use lockstep_proto::ids::VaultId;
use lockstep_proto::log::LogHead;
use lockstep_tests::{PASSWORD, Papers, TestDevice, TestServer, login, three_devices_on};

use super::adversary::Attack;
use super::script::{Act, DEVICES};

/// The device whose answers are changed.
pub(crate) const VICTIM: usize = 1;

/// What the oracles compare with.
pub(crate) struct World {
    pub(crate) server: TestServer,
    /// What the server was at the beginning.
    pub(crate) old: Arc<TestServer>,
    pub(crate) devices: Vec<TestDevice>,
    pub(crate) papers: Arc<Papers>,
    /// Passwords that were ever written, by title.
    pub(crate) written: BTreeMap<String, BTreeSet<String>>,
    /// Titles that a device may have purged.
    pub(crate) purged: BTreeSet<String>,
    /// Devices that may have been removed.
    pub(crate) removed: BTreeSet<usize>,
    /// The highest head of the account and of each vault that each device has shown.
    pub(crate) pins: Vec<(LogHead, BTreeMap<VaultId, LogHead>)>,
    counter: usize,
}

impl World {
    /// Three devices in step, with one item.
    pub(crate) async fn start() -> Self {
        let server = TestServer::start_in_memory().unwrap();
        let (server, devices, papers) = Box::pin(three_devices_on(server)).await;
        let old = Arc::new(server.copy().unwrap());
        let written = BTreeMap::from([("Bank".to_owned(), BTreeSet::from(["first".to_owned()]))]);
        Self {
            server,
            old,
            devices: devices.into(),
            papers: Arc::new(papers),
            written,
            purged: BTreeSet::new(),
            removed: BTreeSet::new(),
            pins: vec![Default::default(); DEVICES],
            counter: 0,
        }
    }

    /// The same world once more, apart from this one.
    pub(crate) async fn copy(&self) -> Self {
        let server = self.server.copy().unwrap();
        let mut devices = Vec::new();
        for device in &self.devices {
            devices.push(Box::pin(device.copy(&server)).await.unwrap());
        }
        Self {
            server,
            old: self.old.clone(),
            devices,
            papers: self.papers.clone(),
            written: self.written.clone(),
            purged: self.purged.clone(),
            removed: self.removed.clone(),
            pins: self.pins.clone(),
            counter: self.counter,
        }
    }

    /// Lets the attack loose on the victim; how many answers it got is counted in any case.
    pub(crate) fn attack(&self, attack: Option<Attack>) -> impl Fn() -> usize + use<> {
        let answered = Arc::new(AtomicUsize::new(0));
        let counted = answered.clone();
        let server = self.devices[VICTIM].net.server();
        let state = attack.map(|attack| attack.armed());
        if state.as_ref().is_some_and(|state| state.shows_the_past()) {
            let (from, seen) = (state.as_ref().unwrap().from(), counted.clone());
            // Reads come from the past, writes go to the present.
            let past = move |request: &lockstep_client::ports::Request| {
                request.body.is_empty() && seen.load(Ordering::SeqCst) >= from
            };
            server.answer_from(&self.old, past).unwrap();
        }
        server.answer(move |request, response| {
            let number = counted.fetch_add(1, Ordering::SeqCst);
            match &state {
                Some(state) => state.change(number, request, response),
                None => response,
            }
        });
        move || answered.load(Ordering::SeqCst)
    }

    pub(crate) fn be_honest(&mut self) {
        let server = self.devices[VICTIM].net.server();
        server.be_honest();
        server.answer_from(&self.server, |_| true).unwrap();
    }

    /// One act. Whatever the server answers, what was acknowledged is noted.
    pub(crate) async fn act(&mut self, act: Act) -> anyhow::Result<()> {
        match act {
            Act::Add(device) => self.add(device).await,
            Act::Edit(device) => self.edit(device).await,
            Act::Purge(device) => self.purge(device).await,
            Act::NewVault(device) => {
                self.counter += 1;
                let name = format!("vault {}", self.counter);
                Box::pin(self.devices[device].client.create_vault(&name)).await?;
                Ok(())
            }
            Act::Password(device) => Box::pin(self.devices[device].change_password(PASSWORD)).await,
            Act::Rotate(device) => {
                let change = KeyChange::Rotation { new_secret_key: false };
                Box::pin(self.devices[device].change_keys(&change, PASSWORD)).await?;
                Ok(())
            }
            Act::Remove(device, gone) => {
                let change = KeyChange::Retired(BTreeSet::from([self.devices[gone].client.device_id()]));
                self.removed.insert(gone);
                Box::pin(self.devices[device].change_keys(&change, PASSWORD)).await?;
                Ok(())
            }
            Act::Sync(device) => {
                self.devices[device].sync().await?;
                Ok(())
            }
            Act::SignIn => {
                let mut device = Box::pin(TestDevice::sign_in(&self.server, &self.papers)).await?;
                device.sync().await?;
                Ok(())
            }
        }
    }

    async fn add(&mut self, device: usize) -> anyhow::Result<()> {
        self.counter += 1;
        let title = format!("item {} of {device}", self.counter);
        self.written.entry(title.clone()).or_default().insert("first".to_owned());
        let device = &mut self.devices[device];
        device.clock.advance(1_000);
        let vault = device.client.vaults().await?.last().map(|vault| vault.vault_id);
        let vault = vault.ok_or_else(|| anyhow::anyhow!("no vault"))?;
        let (item, document) = (device.client.make_item_id(), login(&device.client, &title)?);
        Ok(device.client.save(vault, item, document).await?)
    }

    async fn edit(&mut self, number: usize) -> anyhow::Result<()> {
        self.counter += 1;
        let value = format!("edit {}", self.counter);
        let device = &mut self.devices[number];
        device.clock.advance(1_000);
        let Some((vault, item, title)) = newest(device).await? else { return Ok(()) };
        self.written.entry(title).or_default().insert(value.clone());
        let open = device.client.item(vault, item).await?;
        let mut document = open.ok_or_else(|| anyhow::anyhow!("no item"))?.document;
        document.edit(device.client.author()).set("password", value).apply()?;
        Ok(device.client.save(vault, item, document).await?)
    }

    async fn purge(&mut self, number: usize) -> anyhow::Result<()> {
        let device = &mut self.devices[number];
        device.clock.advance(1_000);
        let Some((vault, item, title)) = newest(device).await? else { return Ok(()) };
        self.purged.insert(title);
        device.client.trash(vault, item).await?;
        device.client.purge(vault, item).await?;
        Ok(())
    }
}

/// The item that stands last on the device.
async fn newest(
    device: &TestDevice,
) -> anyhow::Result<Option<(VaultId, lockstep_proto::ids::ItemId, String)>> {
    for vault in device.client.vaults().await?.iter().rev() {
        let Some(item) = device.client.items(vault.vault_id).await?.pop() else { continue };
        let open = device.client.item(vault.vault_id, item.item_id).await?;
        let title = open.and_then(|open| open.document.text("title").map(str::to_owned));
        return Ok(title.map(|title| (vault.vault_id, item.item_id, title)));
    }
    Ok(None)
}
