//! The HTTP server itself: a listener, workers, and an orderly end.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;

use actix_tls::accept::max_concurrent_tls_connect;
use actix_web::dev::{Server, ServerHandle};
use actix_web::rt::System;
use rustls::ServerConfig;

use crate::app::App;
use crate::connections::Connections;
use crate::descriptors::{self, Room};
use crate::entrance::Entrance;
use crate::front::ConnectionRules;

/// What the HTTP library calls the listener.
const NAME: &str = "lockstep";
/// How many connections wait to be accepted.
const BACKLOG: i32 = 1_024;
/// How many threads of all workers verify and wait for disks: far fewer than a unit or a container lets a process have.
const BLOCKING_THREADS: usize = 64;
/// How long requests under way may take when the server stops, in seconds.
const DRAIN_SECONDS: u64 = 20;

/// A server that listens. It works while [`Running::run`] is polled.
pub struct Running {
    server: Server,
}

impl Running {
    /// What stops the server from elsewhere.
    pub fn stopper(&self) -> Stopper {
        Stopper(self.server.handle())
    }

    /// Serves until stopped by [`Self::stopper`].
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn run(self) -> io::Result<()> {
        self.server.await
    }
}

/// Stops a server, from any thread.
#[derive(Debug, Clone)]
pub struct Stopper(ServerHandle);

impl Stopper {
    /// Takes no new connection, finishes the requests under way, and completes when the server has ended.
    pub async fn finish(&self) {
        self.0.stop(true).await;
    }

    /// Drops every connection where it is, as a crash would. Does not wait.
    pub fn abandon(&self) {
        drop(self.0.stop(false));
    }
}

/// Runs a future that serves, on this thread: for programs and tests that bring no runtime of their own.
pub fn block_on<F: Future>(future: F) -> F::Output {
    System::new().block_on(future)
}

/// Serves `app` on `listener`, with TLS if given. Signals are the caller's business.
///
/// # Errors
/// When the listener cannot be used, or the process may not have enough files open.
pub fn serve(app: &Arc<App>, listener: TcpListener, tls: Option<ServerConfig>) -> io::Result<Running> {
    let workers = std::thread::available_parallelism().map_or(2, usize::from).clamp(2, 16);
    let (rules, accepted) = fitting(app.front.connections)?;
    // Whoever waits here is not yet counted, and whoever finds no place here tries again after a second.
    rustix::net::listen(&listener, BACKLOG)?;
    let accepted = accepted.div_ceil(workers);
    max_concurrent_tls_connect(accepted);
    let server = Server::build()
        .workers(workers)
        .disable_signals()
        .max_concurrent_connections(accepted)
        .worker_max_blocking_threads((BLOCKING_THREADS / workers).max(4))
        .shutdown_timeout(DRAIN_SECONDS);
    let signal = server.graceful_shutdown_signal();
    let entrance = Entrance { app: app.clone(), connections: Connections::new(app.clone(), rules), signal };
    let bound = match tls {
        None => server.listen(NAME, listener, move || entrance.plain())?,
        Some(tls) => server.listen(NAME, listener, move || entrance.tls(tls.clone()))?,
    };
    Ok(Running { server: bound.run() })
}

/// The rules with as many connections as the process may have open, and how many are accepted for that.
fn fitting(rules: ConnectionRules) -> io::Result<(ConnectionRules, usize)> {
    let Room { places, accepted } = descriptors::room(rules.all, descriptors::raise());
    if places < ConnectionRules::LEAST.min(rules.all) {
        return Err(io::Error::other(
            "the process may have too few files open: give it 256 at least (`ulimit -n`, LimitNOFILE)",
        ));
    }
    if places < rules.all {
        tracing::warn!(
            "the process may have so few files open that there are {places} connections at most, not {}: raise `ulimit -n` or \
             LimitNOFILE",
            rules.all
        );
    }
    Ok((ConnectionRules { all: places, ..rules }, accepted))
}
