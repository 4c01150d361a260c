//! One device of a person: a profile in memory, a clock, a network.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::Context as _;
use lockstep_client::account::{self, NewAccount, SignInError, Stage};
use lockstep_client::client::{Client, SyncReport};
use lockstep_client::item::{Document, Draft};
use lockstep_client::ports::{InlineStretcher, MemoryKeychain, MemoryLocalStore, Ports};
use lockstep_client::sync::SyncError;
use lockstep_crypto::kit::{EmergencyKit, RecoverySheet, ServerUrl};
use lockstep_crypto::password::Password;
use lockstep_crypto::recovery_key::RecoveryKey;
use lockstep_crypto::secret_key::SecretKey;
use lockstep_crypto::stretch::CheapStretch;
use lockstep_native::{HttpOptions, HttpTransport, OsRandom};
use lockstep_proto::ids::{DeviceId, ItemId, VaultId};
use lockstep_proto::log::LogHead;

use crate::clock::TestClock;
use crate::kill::KillSwitch;
use crate::net::FaultyNet;
use crate::server::TestServer;
use crate::store::RecordingStore;
use crate::tamper::Tamper;

/// The password of every account that a story makes.
pub const PASSWORD: &str = "correct horse battery staple";

/// What signing in on another device, and taking the account back, needs.
pub struct Papers {
    kit: EmergencyKit,
    sheet: Option<RecoverySheet>,
    password: String,
}

impl Papers {
    /// The same papers, with another password.
    pub fn with_password(self, password: &str) -> Self {
        Self { password: password.to_owned(), ..self }
    }

    /// The same papers with a Secret Key that somebody made up.
    pub fn with_other_secret_key(self) -> Self {
        let secret_key = SecretKey::make(&OsRandom);
        Self { kit: EmergencyKit { secret_key, ..self.kit }, ..self }
    }

    /// The Recovery Key, where the sheet is there.
    pub fn recovery_key(&self) -> Option<RecoveryKey> {
        self.sheet.as_ref().map(|sheet| RecoveryKey::from_bytes(*sheet.recovery_key.expose_bytes()))
    }

    /// The password and, as printed and as bytes, the Secret Key and the Recovery Key: what must never leave a device.
    pub fn expose_secrets(&self) -> Vec<Vec<u8>> {
        let key = &self.kit.secret_key;
        let printed = key.expose_text().as_bytes().to_vec();
        let mut secrets = vec![self.password.clone().into(), printed, key.expose_bytes().to_vec()];
        if let Some(RecoverySheet { recovery_key, .. }) = &self.sheet {
            secrets.push(recovery_key.expose_text().as_bytes().to_vec());
            secrets.push(recovery_key.expose_bytes().to_vec());
        }
        secrets
    }
}

/// What came of a sign-in up to the point where a person confirms it.
pub struct SignInProbe {
    /// The head of the account's log that would be shown, or why it was refused.
    pub outcome: Result<LogHead, SignInError>,
    /// What is on the device.
    pub records: MemoryLocalStore,
    /// What was sent.
    pub net: Arc<FaultyNet>,
}

/// A device with an unlocked profile.
pub struct TestDevice {
    /// What an app works with.
    pub client: Box<Client>,
    /// The way to the server.
    pub net: Arc<FaultyNet>,
    /// The device's clock.
    pub clock: Arc<TestClock>,
    /// The device's records.
    pub store: Arc<RecordingStore>,
    /// When it dies.
    pub switch: Arc<KillSwitch>,
    pub(crate) ports: Ports,
    keychain: Arc<MemoryKeychain>,
    url: String,
}

pub(crate) struct Parts {
    pub(crate) ports: Ports,
    pub(crate) net: Arc<FaultyNet>,
    clock: Arc<TestClock>,
    pub(crate) store: Arc<RecordingStore>,
    pub(crate) switch: Arc<KillSwitch>,
    keychain: Arc<MemoryKeychain>,
}

impl Parts {
    pub(crate) fn new(
        url: &str,
        records: MemoryLocalStore,
        keychain: Arc<MemoryKeychain>,
    ) -> anyhow::Result<Self> {
        let switch = Arc::new(KillSwitch::default());
        let transport = HttpTransport::new(url, &HttpOptions::default())?;
        let net = Arc::new(FaultyNet::new(transport, switch.clone()));
        let clock = Arc::new(TestClock::default());
        let store = Arc::new(RecordingStore::new(records, switch.clone()));
        let ports = Ports {
            clock: clock.clone(),
            random: Arc::new(OsRandom),
            stretcher: Arc::new(InlineStretcher(Arc::new(CheapStretch))),
            store: store.clone(),
            keychain: keychain.clone(),
            transport: net.clone(),
        };
        Ok(Self { ports, net, clock, store, switch, keychain })
    }
}

/// A device without an account.
pub struct Blank {
    parts: Parts,
    url: String,
    /// When it dies.
    pub switch: Arc<KillSwitch>,
    store: Arc<RecordingStore>,
    keychain: Arc<MemoryKeychain>,
}

/// What a device that is gone has left.
pub struct Remains {
    url: String,
    store: Arc<RecordingStore>,
    keychain: Arc<MemoryKeychain>,
}

impl Remains {
    /// The same device after a power cut that left what its store holds now.
    ///
    /// # Errors
    /// When there is no network.
    pub fn restarted(&self) -> anyhow::Result<Blank> {
        Blank::with(&self.url, self.store.snapshot(), self.keychain.clone())
    }
}

impl Blank {
    /// A new one.
    ///
    /// # Errors
    /// When there is no network.
    pub fn new(server: &TestServer) -> anyhow::Result<Self> {
        Self::with(&server.url(), MemoryLocalStore::new(), Arc::default())
    }

    /// The way to the server.
    pub fn net(&self) -> &FaultyNet {
        &self.parts.net
    }

    /// A handle on what this device has stored, for after its end.
    pub fn aside(&self) -> Remains {
        Remains { url: self.url.clone(), store: self.store.clone(), keychain: self.keychain.clone() }
    }

    fn with(url: &str, records: MemoryLocalStore, keychain: Arc<MemoryKeychain>) -> anyhow::Result<Self> {
        let parts = Parts::new(url, records, keychain)?;
        let (switch, store, keychain) = (parts.switch.clone(), parts.store.clone(), parts.keychain.clone());
        Ok(Self { parts, url: url.to_owned(), switch, store, keychain })
    }

    /// Takes an account back, or goes on with that; all devices but `stay` go.
    ///
    /// # Errors
    /// What the recovery says.
    pub async fn recover(
        self,
        papers: &Papers,
        stay: &[DeviceId],
        password: &str,
    ) -> anyhow::Result<TestDevice> {
        let sheet = papers.sheet.as_ref().context("no recovery sheet")?;
        let password = Password::new(password)?;
        let ports = &self.parts.ports;
        let unlocked = match account::profile(&*ports.store).await?.map(|profile| profile.stage) {
            Some(Stage::Recovering) => Box::pin(account::resume_recovery(ports, &password)).await?,
            Some(_) => {
                let unlocked = Box::pin(account::unlock(ports, &password)).await?;
                return TestDevice::with(self.parts, unlocked, self.url).await;
            }
            None => {
                let pending = Box::pin(account::start_recovery(ports, sheet)).await?;
                let stay = stay.iter().copied().collect();
                Box::pin(pending.confirm(&stay, &password)).await?
            }
        };
        let mut device = TestDevice::with(self.parts, unlocked, self.url).await?;
        Box::pin(device.client.recover(&password)).await?;
        Ok(device)
    }

    /// Goes on with a recovery, and ends these vaults.
    ///
    /// # Errors
    /// What the recovery says.
    pub async fn recover_ending(
        self,
        password: &str,
        ending: &BTreeSet<VaultId>,
    ) -> anyhow::Result<TestDevice> {
        let (mut device, password) = self.recovering(password).await?;
        Box::pin(device.client.recover_ending(&password, ending)).await?;
        Ok(device)
    }

    /// Goes on with a recovery, without the keys that the server does not give.
    ///
    /// # Errors
    /// What the recovery says.
    pub async fn recover_without_keys(self, password: &str) -> anyhow::Result<TestDevice> {
        let (mut device, password) = self.recovering(password).await?;
        device.client.give_up_keys().await?;
        Box::pin(device.client.recover(&password)).await?;
        Ok(device)
    }
}

impl Blank {
    async fn recovering(self, password: &str) -> anyhow::Result<(TestDevice, Password)> {
        let password = Password::new(password)?;
        let unlocked = Box::pin(account::resume_recovery(&self.parts.ports, &password)).await?;
        Ok((TestDevice::with(self.parts, unlocked, self.url).await?, password))
    }
}

impl TestDevice {
    /// Makes an account on `server`, with this device as its first.
    ///
    /// # Errors
    /// What the sign-up says.
    pub async fn sign_up(server: &TestServer) -> anyhow::Result<(Self, Papers)> {
        Self::sign_up_at(&server.url()).await
    }

    /// The same on a server of which only the address is known.
    ///
    /// # Errors
    /// As [`Self::sign_up`].
    pub async fn sign_up_at(url: &str) -> anyhow::Result<(Self, Papers)> {
        Self::sign_up_through(url, |_| ()).await
    }

    /// The same, with a server that was prepared.
    ///
    /// # Errors
    /// As [`Self::sign_up`].
    pub async fn sign_up_through(url: &str, prepare: impl FnOnce(&Tamper)) -> anyhow::Result<(Self, Papers)> {
        let parts = Parts::new(url, MemoryLocalStore::new(), Arc::default())?;
        prepare(parts.net.server());
        let password = Password::new(PASSWORD)?;
        let new = NewAccount { server_url: ServerUrl::new(url)?, password: &password, invite: None };
        let made = Box::pin(account::sign_up(&parts.ports, new)).await?;
        account::forget_recovery_key(&parts.ports).await?;
        let papers = Papers { kit: made.kit, sheet: Some(made.recovery), password: PASSWORD.to_owned() };
        Ok((Self::with(parts, made.unlocked, url.to_owned()).await?, papers))
    }

    /// Adds a new device to the account.
    ///
    /// # Errors
    /// What the sign-in says.
    pub async fn sign_in(server: &TestServer, papers: &Papers) -> anyhow::Result<Self> {
        Self::sign_in_at(&server.url(), papers).await
    }

    /// The same on a server of which only the address is known.
    ///
    /// # Errors
    /// As [`Self::sign_in`].
    pub async fn sign_in_at(url: &str, papers: &Papers) -> anyhow::Result<Self> {
        Self::sign_in_through(url, papers, |_| ()).await
    }

    /// The same, with a server that was prepared.
    ///
    /// # Errors
    /// As [`Self::sign_in`].
    pub async fn sign_in_through(
        url: &str,
        papers: &Papers,
        prepare: impl FnOnce(&Tamper),
    ) -> anyhow::Result<Self> {
        let parts = Parts::new(url, MemoryLocalStore::new(), Arc::default())?;
        prepare(parts.net.server());
        let password = Password::new(&papers.password)?;
        let unlocked = {
            let pending = Box::pin(account::start_sign_in(&parts.ports, &papers.kit, &password)).await?;
            Box::pin(pending.confirm()).await?
        };
        Self::with(parts, unlocked, url.to_owned()).await
    }

    /// Takes the account back on a new device; all devices but `stay` go.
    ///
    /// # Errors
    /// What the recovery says.
    pub async fn recover(
        server: &TestServer,
        papers: &Papers,
        stay: &[DeviceId],
        password: &str,
    ) -> anyhow::Result<Self> {
        Box::pin(Blank::new(server)?.recover(papers, stay, password)).await
    }

    /// The papers of the account as this device can print them: the Emergency Kit, and the recovery sheet while it was not
    /// forgotten.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn papers(&self, password: &str) -> anyhow::Result<Papers> {
        let unshown = account::unshown_papers(&self.ports, self.client.unlocked()).await?;
        let kit = self.client.unlocked().emergency_kit()?;
        Ok(Papers { kit, sheet: unshown.map(|(_, sheet)| sheet), password: password.to_owned() })
    }

    /// Begins a sign-in on a new device where the server's answers are changed; nobody confirms it.
    ///
    /// # Errors
    /// When there is no network.
    pub async fn probe_sign_in(
        server: &TestServer,
        papers: &Papers,
        prepare: impl FnOnce(&Tamper),
    ) -> anyhow::Result<SignInProbe> {
        let parts = Parts::new(&server.url(), MemoryLocalStore::new(), Arc::default())?;
        prepare(parts.net.server());
        let password = Password::new(&papers.password)?;
        let outcome = Box::pin(account::start_sign_in(&parts.ports, &papers.kit, &password)).await;
        let outcome = outcome.map(|pending| pending.state().head());
        Ok(SignInProbe { outcome, records: parts.store.snapshot(), net: parts.net.clone() })
    }

    /// The same device after a power cut that left these records: unlocked offline.
    ///
    /// # Errors
    /// When the records cannot be unlocked.
    pub async fn restarted(&self, records: MemoryLocalStore) -> anyhow::Result<Self> {
        self.restarted_with(records, PASSWORD).await
    }

    /// The same, unlocked with this password.
    ///
    /// # Errors
    /// As [`Self::restarted`].
    pub async fn restarted_with(&self, records: MemoryLocalStore, password: &str) -> anyhow::Result<Self> {
        let parts = Parts::new(&self.url, records, self.keychain.clone())?;
        let unlocked = Box::pin(account::unlock(&parts.ports, &Password::new(password)?)).await?;
        Self::with(parts, unlocked, self.url.clone()).await
    }

    /// The same device with the records it has now, and a way to this server.
    ///
    /// # Errors
    /// As [`Self::restarted`].
    pub async fn copy(&self, server: &TestServer) -> anyhow::Result<Self> {
        let mut copy = self.restarted(self.store.snapshot()).await?;
        copy.url = server.url();
        copy.net.server().switch_to(server)?;
        Ok(copy)
    }

    pub(crate) async fn with(parts: Parts, unlocked: account::Unlocked, url: String) -> anyhow::Result<Self> {
        let Parts { ports, net, clock, store, switch, keychain } = parts;
        let client = Box::new(Client::open(ports.clone(), unlocked).await?);
        Ok(Self { client, net, clock, store, switch, ports, keychain, url })
    }

    /// The account's only vault.
    ///
    /// # Errors
    /// When there is none, or more than one.
    pub async fn vault(&self) -> anyhow::Result<VaultId> {
        let vaults = self.client.vaults().await?;
        anyhow::ensure!(vaults.len() == 1, "{} vaults", vaults.len());
        Ok(vaults[0].vault_id)
    }

    /// Syncs, and shows its user what happened.
    ///
    /// # Errors
    /// [`SyncError`].
    pub async fn sync(&mut self) -> Result<SyncReport, SyncError> {
        let report = self.sync_unseen().await?;
        self.client.mark_told(&report.notices).await?;
        Ok(report)
    }

    /// Syncs, and is stopped before it shows anything.
    ///
    /// # Errors
    /// [`SyncError`].
    pub async fn sync_unseen(&mut self) -> Result<SyncReport, SyncError> {
        self.clock.advance(1_000);
        Box::pin(self.client.sync()).await
    }

    /// Goes on from the server's histories of all vaults that have two: the owner says that the server was restored.
    ///
    /// # Errors
    /// What keeps it from that, or when there are no two histories.
    pub async fn accept_histories(&mut self) -> anyhow::Result<SyncReport> {
        self.accept_histories_with(PASSWORD).await
    }

    /// The same with this password.
    ///
    /// # Errors
    /// As [`Self::accept_histories`].
    pub async fn accept_histories_with(&mut self, password: &str) -> anyhow::Result<SyncReport> {
        self.clock.advance(1_000);
        let log = Box::pin(self.client.two_logs()).await?;
        let found = match &log {
            Some(_) => Vec::new(),
            None => Box::pin(self.client.two_histories()).await?,
        };
        anyhow::ensure!(log.is_some() || !found.is_empty(), "there are no two histories");
        let password = Password::new(password)?;
        Ok(Box::pin(self.client.accept_histories(log.as_ref(), &found, &password)).await?)
    }

    /// Adds a login to the only vault.
    ///
    /// # Errors
    /// When it cannot be saved.
    pub async fn add(&mut self, title: &str) -> anyhow::Result<ItemId> {
        let (vault, item) = (self.vault().await?, self.client.make_item_id());
        self.clock.advance(1_000);
        self.client.save(vault, item, login(&self.client, title)?).await?;
        Ok(item)
    }

    /// Sets one field of an item.
    ///
    /// # Errors
    /// When there is no such item, or it cannot be saved.
    pub async fn set(&mut self, item: ItemId, field: &str, value: &str) -> anyhow::Result<()> {
        let vault = self.vault().await?;
        self.clock.advance(1_000);
        let mut document = self.document(item).await?;
        document.edit(self.client.author()).set(field, value).apply()?;
        Ok(self.client.save(vault, item, document).await?)
    }

    /// An item's document.
    ///
    /// # Errors
    /// When there is no such item.
    pub async fn document(&self, item: ItemId) -> anyhow::Result<Document> {
        let open = self.client.item(self.vault().await?, item).await?;
        Ok(open.context("no such item")?.document)
    }

    /// One field of an item; empty where it is not there.
    ///
    /// # Errors
    /// When there is no such item.
    pub async fn field(&self, item: ItemId, field: &str) -> anyhow::Result<String> {
        Ok(self.document(item).await?.text(field).unwrap_or_default().to_owned())
    }

    /// Every item of the only vault as bytes: equal on devices that are in step.
    ///
    /// # Errors
    /// When an item cannot be read.
    pub async fn everything(&self) -> anyhow::Result<Vec<(ItemId, Vec<u8>)>> {
        let vault = self.vault().await?;
        let mut all = Vec::new();
        for summary in self.client.items(vault).await? {
            let open = self.client.item(vault, summary.item_id).await?;
            all.push((summary.item_id, open.context("no such item")?.document.to_bytes()));
        }
        Ok(all)
    }
}

/// A login with this title.
///
/// # Errors
/// Never for a title of reasonable length.
pub fn login(client: &Client, title: &str) -> anyhow::Result<Document> {
    let draft = Draft::by("login", client.author())?;
    Ok(draft.set("title", title).set("username", "ann").set("password", "first").build()?)
}
