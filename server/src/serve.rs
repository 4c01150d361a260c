//! The HTTP server itself: a listener, workers, and an orderly end.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::{Server, ServerHandle, ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::middleware::from_fn;
use actix_web::rt::System;
use actix_web::{App as HttpApp, HttpServer};
use rustls::ServerConfig;

use crate::app::App;
use crate::error::write_problems;
use crate::routes::configure;
use crate::telemetry::log_request;
use crate::visitor::judge;

/// How many connections each worker holds at once.
const CONNECTIONS: usize = 4_096;
/// How long requests under way may take when the server stops, in seconds.
const DRAIN_SECONDS: u64 = 20;
/// How long a client may take to send a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);

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
/// When the listener cannot be used.
pub fn serve(app: &Arc<App>, listener: TcpListener, tls: Option<ServerConfig>) -> io::Result<Running> {
    let app = app.clone();
    let workers = std::thread::available_parallelism().map_or(2, usize::from).clamp(2, 16);
    let http = HttpServer::new(move || http_app(app.clone()))
        .workers(workers)
        .disable_signals()
        .max_connections(CONNECTIONS)
        .client_request_timeout(HEAD_TIMEOUT)
        .shutdown_timeout(DRAIN_SECONDS);
    let bound = match tls {
        None => http.listen(listener)?,
        Some(tls) => http.listen_rustls_0_23(listener, tls)?,
    };
    Ok(Running { server: bound.run() })
}

/// The whole HTTP application, as each worker has it.
pub fn http_app(
    app: Arc<App>,
) -> HttpApp<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody>,
        Error = actix_web::Error,
        InitError = (),
    >,
> {
    HttpApp::new()
        .wrap(from_fn(judge))
        .wrap(from_fn(write_problems))
        .wrap(from_fn(log_request))
        .configure(configure(app))
}
