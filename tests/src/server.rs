//! The server that ships, in a thread of this process, on a port of the system's choosing.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;

use anyhow::Context as _;
use lockstep_domain::ServerSecrets;
use lockstep_domain::services::{Ports, SignupRule};
use lockstep_domain::store::{RetentionRule, Store};
use lockstep_proto::ids::VaultId;
use lockstep_server::{App, Stopper, SystemClock, SystemRandom, block_on, serve};

use crate::place::Place;

/// How often a stopped server's store is looked at until it is closed.
const CLOSING: usize = 10_000_000;

/// A running server. Dropping it stops it.
pub struct TestServer {
    address: SocketAddr,
    place: Place,
    secrets: Arc<ServerSecrets>,
    running: Option<(Stopper, JoinHandle<()>)>,
}

impl TestServer {
    /// A new server whose sign-up is open, with a store in memory, or of the kind that `LOCKSTEP_TEST_STORE` names.
    ///
    /// # Errors
    /// When the system gives no port, no thread or no folder.
    pub fn start() -> anyhow::Result<Self> {
        Self::start_with(Place::new()?)
    }

    /// A new server with a store in memory, whatever `LOCKSTEP_TEST_STORE` names: one that can be copied.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_in_memory() -> anyhow::Result<Self> {
        Self::start_with(Place::Memory(Arc::default()))
    }

    /// Another server with the same secrets that holds what this one holds now.
    ///
    /// # Errors
    /// When the store is not in memory.
    pub fn copy(&self) -> anyhow::Result<Self> {
        let Place::Memory(store) = &self.place else { anyhow::bail!("the store is not in memory") };
        Self::start_on(Place::Memory(Arc::new(store.copy())), self.secrets.clone())
    }

    /// A new server on the embedded store, in this folder.
    ///
    /// # Errors
    /// As [`Self::start`], or when the folder cannot be used.
    pub fn start_in(folder: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(folder)?;
        Self::start_with(Place::Folder(folder.to_owned()))
    }

    fn start_with(place: Place) -> anyhow::Result<Self> {
        Self::start_on(place, Arc::new(ServerSecrets::make(&SystemRandom::new()?)))
    }

    fn start_on(place: Place, secrets: Arc<ServerSecrets>) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let running = Some(run(listener, place.open()?, secrets.clone())?);
        Ok(Self { address, place, secrets, running })
    }

    /// Removes every version of a vault's items that was replaced, as if more than a day had passed.
    ///
    /// # Errors
    /// When the store cannot be opened beside the server, or fails.
    pub async fn prune(&self, vault_id: VaultId) -> anyhow::Result<u32> {
        let store = self.place.open()?;
        let rule = RetentionRule { now_ms: u64::MAX >> 1, keep_ms: 0, keep_versions: 0, purged_ms: 0 };
        let mut pruned = 0;
        loop {
            let batch = store.prune(vault_id, rule, 64).await?.versions;
            pruned += batch;
            if batch == 0 {
                return Ok(pruned);
            }
        }
    }

    /// Stops the server and starts it again, on the same address, store and secrets.
    ///
    /// # Errors
    /// When the port was taken meanwhile.
    pub fn restart(&mut self) -> anyhow::Result<()> {
        self.stop();
        let listener = TcpListener::bind(self.address)?;
        self.running = Some(run(listener, self.place.open()?, self.secrets.clone())?);
        Ok(())
    }

    /// Copies the embedded store into a new folder; the server restarts around it.
    ///
    /// # Errors
    /// When the server keeps nothing in files, or these cannot be copied.
    pub fn back_up(&mut self, to: &Path) -> anyhow::Result<()> {
        self.stop();
        let Place::Folder(folder) = &self.place else { anyhow::bail!("the store is not in a folder") };
        copy(folder, to)?;
        self.restart()
    }

    /// Puts a backup in the place of the embedded store, as an operator would.
    ///
    /// # Errors
    /// As [`Self::back_up`].
    pub fn restore(&mut self, from: &Path) -> anyhow::Result<()> {
        self.stop();
        let Place::Folder(folder) = &self.place else { anyhow::bail!("the store is not in a folder") };
        closed(folder)?;
        fs::remove_dir_all(folder)?;
        copy(from, folder)?;
        self.restart()
    }

    /// A second server with the same secrets, on a backup: a fork of this one.
    ///
    /// # Errors
    /// As [`Self::start_in`].
    pub fn fork(&self, backup: &Path) -> anyhow::Result<Self> {
        Self::start_on(Place::Folder(backup.to_owned()), self.secrets.clone())
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn stop(&mut self) {
        if let Some((stopper, thread)) = self.running.take() {
            stopper.abandon();
            drop(thread.join());
        }
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Waits until nobody has the store open: its last connection closes on another thread, and takes its log with it.
fn closed(folder: &Path) -> anyhow::Result<()> {
    for _ in 0..CLOSING {
        if !folder.join("lockstep.db-wal").exists() {
            return Ok(());
        }
        std::thread::yield_now();
    }
    anyhow::bail!("the store is still open")
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    closed(from)?;
    fs::create_dir_all(to)?;
    fs::copy(from.join("lockstep.db"), to.join("lockstep.db"))?;
    Ok(())
}

fn run(
    listener: TcpListener,
    store: Arc<dyn Store>,
    secrets: Arc<ServerSecrets>,
) -> anyhow::Result<(Stopper, JoinHandle<()>)> {
    let (ready, started) = mpsc::channel();
    let thread = std::thread::Builder::new().name("server".to_owned()).spawn(move || {
        let outcome = block_on(async move {
            store.bind_server(secrets.server_id()).await?;
            let ports = Ports { store, clock: Arc::new(SystemClock), random: Arc::new(SystemRandom::new()?) };
            let app = App::new(ports, &secrets, SignupRule::Open)?;
            let running = serve(&app, listener, None)?;
            ready.send(running.stopper())?;
            running.run().await?;
            anyhow::Ok(())
        });
        if let Err(error) = outcome {
            std::panic::panic_any(format!("the server failed: {error:#}"));
        }
    })?;
    let stopper = started.recv().context("the server did not start")?;
    Ok((stopper, thread))
}
