//! What the devices do when a script says so. Everything that is written holds a word that stands nowhere else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::Context as _;
use lockstep_client::account::KeyChange;
use lockstep_client::item::Draft;
use lockstep_client::ports::Clock as _;
use lockstep_proto::ids::{ItemId, VaultId};
use lockstep_tests::{Blank, NewDevice, PASSWORD, TestDevice};

use super::adversary::Ear;
use super::script::Act;
use super::world::{Account, World};

impl World {
    /// One act. Whatever the server answers, what was written is noted.
    pub(crate) async fn act(&mut self, act: Act) -> anyhow::Result<()> {
        let now = self.clock.now_ms();
        for player in &self.players {
            player.device.clock.set(now);
        }
        if let Some(witness) = &self.truth.witness {
            witness.clock.set(now);
        }
        let outcome = Box::pin(self.perform(act)).await;
        let latest = self.players.iter().map(|player| player.device.clock.now_ms()).max();
        self.clock.set(latest.unwrap_or(0).max(self.clock.now_ms()));
        self.remember();
        outcome
    }

    async fn perform(&mut self, act: Act) -> anyhow::Result<()> {
        match act {
            Act::Add(number) => self.add(number).await,
            Act::Edit(number) => self.edit(number).await,
            Act::Purge(number) => self.purge(number).await,
            Act::NewVault(number) => self.new_vault(number).await,
            Act::Rename(number) => self.rename(number).await,
            Act::Password(number) => Box::pin(self.device(number)?.change_password(PASSWORD)).await,
            Act::Rotate(number) => {
                let change = KeyChange::Rotation { new_secret_key: true };
                Box::pin(self.device(number)?.change_keys(&change, PASSWORD)).await?;
                Ok(())
            }
            Act::Remove(number, gone) => Box::pin(self.remove(number, gone, KeyChange::Retired)).await,
            Act::Lose(number, gone) => Box::pin(self.remove(number, gone, KeyChange::Lost)).await,
            Act::Sync(number) => {
                self.device(number)?.sync().await?;
                Ok(())
            }
            Act::SignIn(account) => Box::pin(self.sign_in(account)).await,
            Act::Pair(number) => Box::pin(self.pair(number)).await,
            Act::Recover(account) => Box::pin(self.recover(account)).await,
            Act::Wait(minutes) => {
                self.clock.advance(minutes * 60_000);
                Ok(())
            }
        }
    }

    fn device(&mut self, number: usize) -> anyhow::Result<&mut TestDevice> {
        Ok(&mut self.players.get_mut(number).context("it has not come")?.device)
    }

    /// A text that stands nowhere else, and that must not be readable anywhere.
    fn canary(&mut self, what: &str) -> String {
        self.counter += 1;
        let canary = format!("canary {what} {:03}", self.counter);
        self.needles.add(canary.as_bytes());
        canary
    }

    pub(crate) async fn new_vault(&mut self, number: usize) -> anyhow::Result<()> {
        let name = self.canary("vault");
        Box::pin(self.device(number)?.client.create_vault(&name)).await?;
        Ok(())
    }

    async fn rename(&mut self, number: usize) -> anyhow::Result<()> {
        let name = self.canary("vault");
        let device = self.device(number)?;
        let vault = newest_vault(device).await?;
        Ok(device.client.rename_vault(vault, &name).await?)
    }

    pub(crate) async fn add(&mut self, number: usize) -> anyhow::Result<()> {
        let [title, username, password, notes] =
            ["title", "username", "password", "notes"].map(|what| self.canary(what));
        let device = self.device(number)?;
        device.clock.advance(1_000);
        let vault = newest_vault(device).await?;
        let draft = Draft::by("login", device.client.author())?.set("title", title.as_str());
        let draft = draft.set("username", username).set("password", password.as_str()).set("notes", notes);
        let item = device.client.make_item_id();
        device.client.save(vault, item, draft.build()?).await?;
        let is_late = self.players[number].removed.1;
        let Account { written, too_late, .. } = self.account_of(number);
        written.insert(title.clone(), (number, BTreeMap::from([(password, number)])));
        if is_late {
            too_late.insert(title);
        }
        Ok(())
    }

    async fn edit(&mut self, number: usize) -> anyhow::Result<()> {
        let value = self.canary("edit");
        let device = self.device(number)?;
        device.clock.advance(1_000);
        let Some((vault, item, title)) = newest(device).await? else { return Ok(()) };
        let mut document = device.client.item(vault, item).await?.context("no item")?.document;
        document.edit(device.client.author()).set("password", value.as_str()).apply()?;
        device.client.save(vault, item, document).await?;
        let entry = self.account_of(number).written.get_mut(&title).context("an item of nobody")?;
        entry.1.insert(value, number);
        Ok(())
    }

    async fn purge(&mut self, number: usize) -> anyhow::Result<()> {
        let device = self.device(number)?;
        device.clock.advance(1_000);
        let Some((vault, item, title)) = newest(device).await? else { return Ok(()) };
        device.client.trash(vault, item).await?;
        device.client.purge(vault, item).await?;
        self.account_of(number).purged.insert(title);
        Ok(())
    }

    async fn remove(
        &mut self,
        number: usize,
        gone: usize,
        how: fn(BTreeSet<lockstep_proto::ids::DeviceId>) -> KeyChange,
    ) -> anyhow::Result<()> {
        let device_id = self.device(gone)?.client.device_id();
        self.players[gone].removed.0 = true;
        let change = how(BTreeSet::from([device_id]));
        Box::pin(self.device(number)?.change_keys(&change, PASSWORD)).await?;
        self.players[gone].removed.1 = true;
        Ok(())
    }

    /// A new device signs in with the Kit that the account's first device prints.
    pub(crate) async fn sign_in(&mut self, account: usize) -> anyhow::Result<()> {
        let first = *self.staying(account).first().context("nobody is left")?;
        let papers = self.players[first].device.papers(PASSWORD).await?;
        let number = self.players.len();
        let ear = Ear::new(&self.plot, account, number, self.victim);
        let server = self.server.url();
        let device = TestDevice::sign_in_through(&server, &papers, |server| server.obey(ear));
        let device = Box::pin(device).await?;
        self.join(account, device);
        self.device(number)?.sync().await?;
        Ok(())
    }

    async fn pair(&mut self, old: usize) -> anyhow::Result<()> {
        let (account, number) = (self.players[old].account, self.players.len());
        let new = NewDevice::at(&self.server)?;
        new.net().server().obey(Ear::new(&self.plot, account, number, self.victim));
        let device = Box::pin(new.paired_with(self.device(old)?)).await?;
        self.join(account, device);
        self.device(number)?.sync().await?;
        Ok(())
    }

    async fn recover(&mut self, account: usize) -> anyhow::Result<()> {
        let device_id = |number: usize| self.players[number].device.client.device_id();
        let stay: Vec<_> = self.staying(account).into_iter().map(device_id).collect();
        let papers = self.accounts[account].papers.clone().context("no papers")?;
        let number = self.players.len();
        let blank = Blank::new(&self.server)?;
        blank.net().server().obey(Ear::new(&self.plot, account, number, self.victim));
        let device = Box::pin(blank.recover(&papers, &stay, PASSWORD)).await?;
        self.accounts[account].papers = Some(Arc::new(device.papers(PASSWORD).await?));
        self.join(account, device);
        self.device(number)?.sync().await?;
        Ok(())
    }

    fn account_of(&mut self, number: usize) -> &mut Account {
        &mut self.accounts[self.players[number].account]
    }
}

/// The vault that was named last.
async fn newest_vault(device: &TestDevice) -> anyhow::Result<VaultId> {
    let vaults = device.client.vaults().await?;
    Ok(vaults.into_iter().max_by_key(|vault| vault.name.clone()).context("no vault")?.vault_id)
}

/// The newest item that the device shows.
async fn newest(device: &TestDevice) -> anyhow::Result<Option<(VaultId, ItemId, String)>> {
    let mut found = None;
    for vault in device.client.vaults().await? {
        for item in device.client.items(vault.vault_id).await? {
            let open = device.client.item(vault.vault_id, item.item_id).await?.context("no item")?;
            let title = open.document.text("title").unwrap_or_default().to_owned();
            found = found.max(Some((title, vault.vault_id, item.item_id)));
        }
    }
    Ok(found.map(|(title, vault, item)| (vault, item, title)))
}
