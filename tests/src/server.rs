//! The server that ships, in a thread of this process, on a port of the system's choosing.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;

use anyhow::Context as _;
use lockstep_domain::limits::RequestRates;
use lockstep_domain::services::{Admissions, Ports, Restored, SignupRule};
use lockstep_domain::store::{MemoryStore, RetentionRule, Store};
use lockstep_domain::{Clock, ServerSecrets};
use lockstep_proto::ids::VaultId;
use lockstep_server::{App, Front, Stopper, SystemClock, SystemRandom, block_on, serve};

use crate::place::Place;

/// How often a stopped server's store is looked at until it is closed.
const CLOSING: usize = 10_000_000;

/// A running server. Dropping it stops it.
pub struct TestServer {
    address: SocketAddr,
    place: Place,
    secrets: Arc<ServerSecrets>,
    clock: Arc<dyn Clock>,
    running: Option<(Stopper, JoinHandle<()>)>,
    restored: Restored,
}

/// What a server in memory holds, apart from its process.
#[derive(Clone)]
pub struct ServerState {
    store: Arc<MemoryStore>,
    secrets: Arc<ServerSecrets>,
    clock: Arc<dyn Clock>,
}

impl ServerState {
    /// What it holds now; it changes no more.
    pub fn copy(&self) -> Self {
        Self { store: Arc::new(self.store.copy()), ..self.clone() }
    }

    /// What it holds now, for a server at this clock's time.
    pub fn copy_at(&self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self.copy() }
    }

    /// What it holds now, for a server at the time of another one.
    pub fn copy_in(&self, other: &Self) -> Self {
        self.copy_at(other.clock.clone())
    }

    /// A server on it.
    ///
    /// # Errors
    /// When the system gives no port or no thread.
    pub fn start(&self) -> anyhow::Result<TestServer> {
        TestServer::start_on(Place::Memory(self.store.clone()), self.secrets.clone(), self.clock.clone())
    }

    /// All links, slots, records, commits and blobs in it, for tests that look for plaintext.
    pub fn values(&self) -> Vec<Vec<u8>> {
        self.store.values()
    }
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

    /// The same, at this clock's time.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_at(clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        Self::start_on(
            Place::Memory(Arc::default()),
            Arc::new(ServerSecrets::make(&SystemRandom::new()?)),
            clock,
        )
    }

    /// What it holds, as it changes.
    ///
    /// # Errors
    /// When the store is not in memory.
    pub fn state(&self) -> anyhow::Result<ServerState> {
        let Place::Memory(store) = &self.place else { anyhow::bail!("the store is not in memory") };
        Ok(ServerState { store: store.clone(), secrets: self.secrets.clone(), clock: self.clock.clone() })
    }

    /// Another server with the same secrets that holds what this one holds now.
    ///
    /// # Errors
    /// When the store is not in memory.
    pub fn copy(&self) -> anyhow::Result<Self> {
        self.state()?.copy().start()
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
        Self::start_on(place, Arc::new(ServerSecrets::make(&SystemRandom::new()?)), Arc::new(SystemClock))
    }

    fn start_on(place: Place, secrets: Arc<ServerSecrets>, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let running = run(listener, place.open()?, secrets.clone(), clock.clone(), Restored::No)?;
        Ok(Self { address, place, secrets, clock, running: Some(running), restored: Restored::No })
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
        let (secrets, clock) = (self.secrets.clone(), self.clock.clone());
        self.running = Some(run(listener, self.place.open()?, secrets, clock, self.restored)?);
        Ok(())
    }

    /// Backs up what the server keeps into a new folder: the embedded store's file, or a dump. The server restarts around
    /// it.
    ///
    /// # Errors
    /// When the store is in memory, or cannot be copied.
    pub fn back_up(&mut self, to: &Path) -> anyhow::Result<()> {
        self.stop();
        match &self.place {
            Place::Folder(folder) => copy(folder, to)?,
            Place::Temporary(folder) => copy(folder.path(), to)?,
            Place::Database(database) => dump(&database.url(), to)?,
            Place::Memory(_) => anyhow::bail!("the store is in memory: copy it"),
        }
        self.restart()
    }

    /// Puts a backup in the place of what the server keeps, as an operator would, who says so from then on.
    ///
    /// # Errors
    /// As [`Self::back_up`].
    pub fn restore(&mut self, from: &Path) -> anyhow::Result<()> {
        self.stop();
        match &self.place {
            Place::Folder(folder) => put_back(from, folder)?,
            Place::Temporary(folder) => put_back(from, folder.path())?,
            Place::Database(database) => load(&database.url(), from)?,
            Place::Memory(_) => anyhow::bail!("the store is in memory: copy it"),
        }
        self.say_restored()
    }

    /// From now on its operator says that the database was restored from a backup.
    ///
    /// # Errors
    /// As [`Self::restart`].
    pub fn say_restored(&mut self) -> anyhow::Result<()> {
        self.restored = Restored::Yes;
        self.restart()
    }

    /// A second server with the same secrets, on a backup: a fork of this one.
    ///
    /// # Errors
    /// As [`Self::start_in`].
    pub fn fork(&self, backup: &Path) -> anyhow::Result<Self> {
        Self::start_on(Place::Folder(backup.to_owned()), self.secrets.clone(), self.clock.clone())
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

fn put_back(from: &Path, folder: &Path) -> anyhow::Result<()> {
    closed(folder)?;
    for name in ["lockstep.db", "lockstep.db-wal", "lockstep.db-shm"] {
        match fs::remove_file(folder.join(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    copy(from, folder)
}

/// A PostgreSQL program of the newest version that is installed.
fn postgres_program(name: &str) -> anyhow::Result<Command> {
    let versions =
        fs::read_dir("/usr/lib/postgresql")?.flatten().map(|entry| entry.path().join("bin").join(name));
    let found = versions.filter(|path| path.is_file()).max().context("no PostgreSQL programs")?;
    Ok(Command::new(found))
}

/// A dump as `pg_dump` makes it.
fn dump(url: &str, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    let mut program = postgres_program("pg_dump")?;
    let done = program.args(["--format=custom", "--file"]).arg(to.join("dump")).arg(url).status()?;
    anyhow::ensure!(done.success(), "pg_dump failed");
    Ok(())
}

/// The database as the dump has it, and nothing else.
fn load(url: &str, from: &Path) -> anyhow::Result<()> {
    let mut program = postgres_program("pg_restore")?;
    let arguments = ["--clean", "--if-exists", "--single-transaction", "--exit-on-error", "--dbname", url];
    let done = program.args(arguments).arg(from.join("dump")).status()?;
    anyhow::ensure!(done.success(), "pg_restore failed");
    Ok(())
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
    clock: Arc<dyn Clock>,
    restored: Restored,
) -> anyhow::Result<(Stopper, JoinHandle<()>)> {
    let (ready, started) = mpsc::channel();
    let thread = std::thread::Builder::new().name("server".to_owned()).spawn(move || {
        let outcome = block_on(async move {
            store.bind_server(secrets.server_id()).await?;
            let ports = Ports { store, clock, random: Arc::new(SystemRandom::new()?) };
            let admissions = Admissions { restored, ..Admissions::unguarded(SignupRule::Open) };
            // Where a test holds the clock, no minute passes after which there would be more.
            let front = Front { rates: RequestRates::UNLIMITED, ..Front::default() };
            let app = App::new(ports, &secrets, admissions, front)?;
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
