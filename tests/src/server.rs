//! The server that ships, in a thread of this process, on a port of the system's choosing.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;

use actix_web::dev::ServerHandle;
use anyhow::Context as _;
use lockstep_domain::ServerSecrets;
use lockstep_domain::services::{Ports, SignupRule};
use lockstep_domain::store::{MemoryStore, Store};
use lockstep_server::{App, SystemClock, SystemRandom, serve};

/// A running server. Dropping it stops it.
pub struct TestServer {
    address: SocketAddr,
    store: Arc<dyn Store>,
    secrets: Arc<ServerSecrets>,
    running: Option<(ServerHandle, JoinHandle<()>)>,
}

impl TestServer {
    /// A new server whose sign-up is open, with a store in memory.
    ///
    /// # Errors
    /// When the system gives no port or no thread.
    pub fn start() -> anyhow::Result<Self> {
        Self::start_on(Arc::new(MemoryStore::new()))
    }

    /// A new server on this store.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_on(store: Arc<dyn Store>) -> anyhow::Result<Self> {
        let secrets = Arc::new(ServerSecrets::make(&SystemRandom::new()?));
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let running = Some(run(listener, store.clone(), secrets.clone())?);
        Ok(Self { address, store, secrets, running })
    }

    /// Stops the server and starts it again, on the same address, store and secrets.
    ///
    /// # Errors
    /// When the port was taken meanwhile.
    pub fn restart(&mut self) -> anyhow::Result<()> {
        self.stop();
        let listener = TcpListener::bind(self.address)?;
        self.running = Some(run(listener, self.store.clone(), self.secrets.clone())?);
        Ok(())
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it keeps.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    fn stop(&mut self) {
        if let Some((handle, thread)) = self.running.take() {
            drop(handle.stop(false));
            drop(thread.join());
        }
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.stop();
    }
}

fn run(
    listener: TcpListener,
    store: Arc<dyn Store>,
    secrets: Arc<ServerSecrets>,
) -> anyhow::Result<(ServerHandle, JoinHandle<()>)> {
    let (ready, started) = mpsc::channel();
    let thread = std::thread::Builder::new().name("server".to_owned()).spawn(move || {
        let outcome = actix_web::rt::System::new().block_on(async move {
            store.bind_server(secrets.server_id()).await?;
            let ports = Ports { store, clock: Arc::new(SystemClock), random: Arc::new(SystemRandom::new()?) };
            let app = App::new(ports, &secrets, SignupRule::Open)?;
            let running = serve(&app, listener, None)?;
            ready.send(running.handle())?;
            running.run().await?;
            anyhow::Ok(())
        });
        if let Err(error) = outcome {
            std::panic::panic_any(format!("the server failed: {error:#}"));
        }
    })?;
    let handle = started.recv().context("the server did not start")?;
    Ok((handle, thread))
}
