//! The devices, the server, and how each step is done.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use lockstep_client::client::{Client, ClientError};
use lockstep_client::item::{Bounds, Document, Draft, Stamp};
use lockstep_client::sync::SyncError;
use lockstep_crypto::keys::SourceRecord;
use lockstep_proto::ids::{DeviceId, VaultId};
use lockstep_tests::{End, Fault, FaultyNet, TestDevice, TestServer};

use super::ledger::{Ledger, Moved, Place, held, seen};
use super::step::{DEVICES, FIELDS, How, RECORDS, Step};

const NOW_MS: i64 = 1_800_000_000_000;
const DAY_MS: i64 = 86_400_000;
/// Syncs of every device until all are in step.
const ROUNDS: usize = 4;

pub(crate) struct World {
    _server: TestServer,
    pub(crate) devices: Vec<TestDevice>,
    /// The networks of devices that died.
    pub(crate) nets: Vec<Arc<FaultyNet>>,
    /// Syncs for which a device is offline still.
    offline: Vec<usize>,
    pub(crate) vaults: Vec<VaultId>,
    pub(crate) ledger: Ledger,
}

type Outcome = Result<(), String>;

impl World {
    /// Devices of one account that are in step, with two vaults.
    pub(crate) async fn start() -> Self {
        let server = TestServer::start().unwrap();
        let (mut first, papers) = TestDevice::sign_up(&server).await.unwrap();
        let vaults = vec![
            first.client.create_vault("Home").await.unwrap(),
            first.client.create_vault("Work").await.unwrap(),
        ];
        first.sync().await.unwrap();
        let mut devices = vec![first];
        while devices.len() < DEVICES {
            let mut device = TestDevice::sign_in(&server, &papers).await.unwrap();
            device.sync().await.unwrap();
            devices.push(device);
        }
        let (offline, ledger) = (vec![0; DEVICES], Ledger::default());
        Self { _server: server, devices, nets: Vec::new(), offline, vaults, ledger }
    }

    pub(crate) async fn act(&mut self, step: &Step) -> Outcome {
        match *step {
            Step::Add { device, vault } => self.add(device, vault).await,
            Step::Set { device, item, field } => self.set(device, item, &[FIELDS[field]]).await,
            Step::SetOften { device, item, field } => {
                for _ in 0..=Bounds::PROTOCOL.history_count {
                    self.set(device, item, &[FIELDS[field]]).await?;
                }
                Ok(())
            }
            Step::SetAll { device, item } => self.set(device, item, &FIELDS).await,
            Step::Resolve { device, item, field, choice } => {
                self.resolve(device, item, FIELDS[field], choice).await
            }
            Step::Trash { device, item } => self.trash(device, item, true).await,
            Step::Restore { device, item } => self.trash(device, item, false).await,
            Step::Purge { device, item } => self.purge(device, item).await,
            Step::Move { device, item } => self.move_away(device, item).await,
            Step::Import { device, vault, file } => self.import(device, vault, file).await,
            Step::Sync { device } => self.sync(device).await,
            Step::Together { one, other } => self.together(one, other).await,
            Step::Offline { device, syncs } => {
                self.offline[device] = syncs;
                self.devices[device].net.cut();
                Ok(())
            }
            Step::Fault { device, how, after, times } => {
                self.fault(device, how, after, times);
                Ok(())
            }
            Step::Late { device } => {
                self.devices[device].net.deliver_late().await;
                Ok(())
            }
            Step::Kill { device, moment } => self.end(device, moment, End::Kill).await,
            Step::Full { device, moment } => self.end(device, moment, End::Fail).await,
            Step::Restart { device } => self.restart(device).await,
            Step::Clock { device, days } => {
                self.devices[device].clock.set((NOW_MS + days * DAY_MS).unsigned_abs());
                Ok(())
            }
        }
    }

    /// Everything is mended, everything late arrives, and all sync until nothing is left to say.
    pub(crate) async fn settle(&mut self) -> Outcome {
        for device in 0..DEVICES {
            self.devices[device].net.mend();
            self.devices[device].switch.disarm();
        }
        for net in self.nets.iter().chain(self.devices.iter().map(|device| &device.net)) {
            net.deliver_late().await;
        }
        for _ in 0..ROUNDS {
            for device in &mut self.devices {
                device.sync().await.map_err(|error| format!("the last syncs: {error}"))?;
            }
        }
        for device in 0..DEVICES {
            self.restart(device).await?;
        }
        Ok(())
    }

    async fn document(&self, device: usize, place: Place) -> Option<Document> {
        self.devices[device].client.item(place.0, place.1).await.unwrap().map(|open| open.document)
    }

    /// The item, if this device has it now.
    async fn chosen(&self, device: usize, item: usize) -> Option<(Place, Document)> {
        let place = self.ledger.item(item)?;
        Some((place, self.document(device, place).await?))
    }

    async fn save(
        &mut self,
        device: usize,
        place: Place,
        document: Document,
        values: &[(&str, String)],
        replaced: &BTreeMap<String, BTreeSet<Stamp>>,
    ) -> Outcome {
        let saved = self.devices[device].client.save(place.0, place.1, document).await;
        saved.map_err(|error| format!("a save: {error}"))?;
        let now = self.document(device, place).await.ok_or("what was saved is not there")?;
        self.ledger.note(place, &now, values, replaced);
        Ok(())
    }

    async fn add(&mut self, device: usize, vault: usize) -> Outcome {
        self.devices[device].clock.advance(1);
        let values: Vec<_> = FIELDS.iter().map(|field| (*field, self.ledger.make_value())).collect();
        let client = &self.devices[device].client;
        let mut draft = Draft::by("login", client.author()).unwrap();
        for (field, value) in &values {
            draft.put(*field, value.as_str());
        }
        let place = (self.vaults[vault], client.make_item_id());
        self.save(device, place, draft.build().unwrap(), &values, &BTreeMap::new()).await
    }

    async fn set(&mut self, device: usize, item: usize, fields: &[&'static str]) -> Outcome {
        self.devices[device].clock.advance(1);
        let Some((place, mut document)) = self.chosen(device, item).await else { return Ok(()) };
        let values: Vec<_> = fields.iter().map(|field| (*field, self.ledger.make_value())).collect();
        let shown = |field: &str| document.register(field).map(|register| register.winner().stamp());
        let replaced =
            fields.iter().map(|field| ((*field).to_owned(), shown(field).into_iter().collect())).collect();
        let mut edit = document.edit(self.devices[device].client.author());
        for (field, value) in &values {
            edit = edit.set(*field, value.as_str());
        }
        edit.apply().map_err(|error| format!("an edit: {error}"))?;
        self.save(device, place, document, &values, &replaced).await
    }

    async fn resolve(&mut self, device: usize, item: usize, field: &'static str, choice: usize) -> Outcome {
        self.devices[device].clock.advance(1);
        let Some((place, document)) = self.chosen(device, item).await else { return Ok(()) };
        let conflicts = document.conflicts();
        let Some(open) = conflicts.iter().find(|conflict| conflict.field == field) else { return Ok(()) };
        let text =
            |entry: &lockstep_client::item::Entry| entry.value().as_text().unwrap_or_default().to_owned();
        let shown: Vec<_> = std::iter::once(open.winner).chain(open.losers.iter().copied()).collect();
        let chosen = shown.get(choice).copied().map(text);
        let value = chosen.unwrap_or_else(|| self.ledger.make_value());
        let stamps = shown.iter().map(|entry| entry.stamp()).collect();
        let replaced = BTreeMap::from([(field.to_owned(), stamps)]);
        let client = &mut self.devices[device].client;
        let resolved = client.resolve(place.0, place.1, field, value.as_str().into()).await;
        resolved.map_err(|error| format!("a choice: {error}"))?;
        let now = self.document(device, place).await.ok_or("what was chosen is not there")?;
        self.ledger.note(place, &now, &[(field, value)], &replaced);
        Ok(())
    }

    async fn trash(&mut self, device: usize, item: usize, into: bool) -> Outcome {
        self.devices[device].clock.advance(1);
        let Some((place, before)) = self.chosen(device, item).await else { return Ok(()) };
        let client = &mut self.devices[device].client;
        let done = match into {
            true => client.trash(place.0, place.1).await,
            false => client.restore(place.0, place.1).await,
        };
        done.map_err(|error| format!("the trash: {error}"))?;
        let now = self.document(device, place).await.ok_or("what was trashed is not there")?;
        self.ledger.note_trash(place, &now, if into { Moved::In(seen(&before)) } else { Moved::Out });
        Ok(())
    }

    async fn purge(&mut self, device: usize, item: usize) -> Outcome {
        let Some((place, before)) = self.chosen(device, item).await else { return Ok(()) };
        match self.devices[device].client.purge(place.0, place.1).await {
            Ok(()) => self.ledger.note_purge(place, &before),
            Err(ClientError::NotInTrash(_)) => {}
            Err(error) => return Err(format!("a purge: {error}")),
        }
        Ok(())
    }

    async fn move_away(&mut self, device: usize, item: usize) -> Outcome {
        let Some((place, document)) = self.chosen(device, item).await else { return Ok(()) };
        let other = self.vaults.iter().copied().find(|vault| *vault != place.0).ok_or("one vault")?;
        let there = (other, self.devices[device].client.make_item_id());
        let saved = self.devices[device].client.save(there.0, there.1, document).await;
        saved.map_err(|error| format!("a move: {error}"))?;
        let now = self.document(device, there).await.ok_or("what was moved is not there")?;
        self.ledger.copy(place, there, &now);
        self.trash(device, item, true).await
    }

    async fn import(&mut self, device: usize, vault: usize, file: usize) -> Outcome {
        let vault_id = self.vaults[vault];
        let client = &self.devices[device].client;
        let mut items = Vec::new();
        for record in 0..RECORDS {
            let id = [file as u8, record];
            let item_id = client.derive_import_id(vault_id, "model", SourceRecord::Id(&id)).unwrap();
            items.push((item_id, imported(file, record)));
        }
        let saved = self.devices[device].client.save_many(vault_id, items.clone()).await;
        saved.map_err(|error| format!("an import: {error}"))?;
        for (item_id, document) in items {
            let place = (vault_id, item_id);
            let now = self.document(device, place).await.ok_or("what was imported is not there")?;
            let held = held(&document);
            let values: Vec<_> = held.iter().map(|(field, value)| (field.as_str(), value.clone())).collect();
            self.ledger.note(place, &now, &values, &BTreeMap::new());
        }
        Ok(())
    }

    async fn sync(&mut self, device: usize) -> Outcome {
        let outcome = self.devices[device].sync().await;
        self.came_back(device);
        honest(outcome)
    }

    async fn together(&mut self, one: usize, other: usize) -> Outcome {
        if one == other {
            return self.sync(one).await;
        }
        let (low, high) = (one.min(other), one.max(other));
        let (left, right) = self.devices.split_at_mut(high);
        let (first, second) = tokio::join!(left[low].sync(), right[0].sync());
        self.came_back(one);
        self.came_back(other);
        honest(first).and_then(|()| honest(second))
    }

    /// One sync less without a network.
    fn came_back(&mut self, device: usize) {
        self.offline[device] = self.offline[device].saturating_sub(1);
        if self.offline[device] == 0 {
            self.devices[device].net.mend();
        }
    }

    fn fault(&mut self, device: usize, how: How, after: usize, times: usize) {
        let net = &self.devices[device].net;
        let fault = match how {
            How::Unreachable => Fault::Unreachable,
            How::AnswerLost => Fault::AnswerLost,
            How::Doubled => Fault::Doubled,
            How::Late => Fault::Late,
            How::Garbage => Fault::Garbage(502),
        };
        net.let_through(after);
        net.fail(|_| true, fault, times);
    }

    /// A sync that ends at this moment, or before it.
    async fn end(&mut self, device: usize, moment: usize, end: End) -> Outcome {
        let switch = self.devices[device].switch.clone();
        switch.arm(moment, end);
        let ended = switch.survive(self.devices[device].sync()).await;
        switch.disarm();
        self.came_back(device);
        match ended {
            None => self.restart(device).await,
            Some(outcome) => honest(outcome),
        }
    }

    async fn restart(&mut self, device: usize) -> Outcome {
        let old = &self.devices[device];
        let records = old.store.snapshot();
        let again = old.restarted(records).await.map_err(|error| format!("a restart: {error:#}"))?;
        again.clock.set(lockstep_client::ports::Clock::now_ms(&*old.clock));
        self.nets.push(old.net.clone());
        self.devices[device] = again;
        self.offline[device] = 0;
        Ok(())
    }
}

/// A record of a file, the same for everybody who imports it.
fn imported(file: usize, record: u8) -> Document {
    let stamp = Stamp::clamped(1_500_000_000_000 + u64::from(record), 0, DeviceId([0; 16]));
    let mut draft = Draft::new("login", stamp);
    for field in FIELDS {
        draft.put(field, format!("file {file}, record {record}, {field}"));
    }
    draft.build().unwrap()
}

/// The server is honest: what a sync complains about is the network, a full disk, or that others were faster.
fn honest<T>(outcome: Result<T, SyncError>) -> Outcome {
    match outcome {
        Ok(_)
        | Err(SyncError::Api(_) | SyncError::Account(_) | SyncError::Store(_) | SyncError::Busy { .. }) => {
            Ok(())
        }
        Err(error) => Err(format!("a false alarm: {error}")),
    }
}

/// Every device's client.
pub(crate) fn clients(world: &World) -> impl Iterator<Item = &Client> {
    world.devices.iter().map(|device| &*device.client)
}
