//! Logging: `tracing` events to standard error. Never a secret, a token, a body or an address of a vault.
//!
//! What is logged of those who ask is what `events.rs` and `limits.rs` write, at info: that something failed or changed, the
//! client's address (of IPv6 the /64), and ids of accounts and devices, which are hashes and random numbers and name nobody.
//! Everything else says nothing of who asked. No text of a client's gets into a line.

use std::io::IsTerminal as _;

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use serde::Deserialize;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::SubscriberBuilder;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Starts logging to standard error, filtered by `RUST_LOG` (default `info`). Only the first call has an effect.
pub fn start_logging(format: LogFormat) {
    // The HTTP library calls it an error whenever somebody sends nonsense, once for each time.
    let quiet = "info,actix_server=warn,actix_http=off";
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(quiet));
    let builder = SubscriberBuilder::default().with_env_filter(filter).with_target(false);
    let builder = builder.with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    let started = match format {
        LogFormat::Text => tracing::subscriber::set_global_default(builder.finish()),
        LogFormat::Json => tracing::subscriber::set_global_default(builder.json().finish()),
    };
    if started.is_err() {
        tracing::debug!("logging was started before");
    }
}

/// One line a request: route pattern, method and status; ids in paths are not logged.
pub(crate) async fn log_request(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let method = request.method().clone();
    let response = next.call(request).await?;
    let route = response.request().match_pattern().unwrap_or_else(|| "unmatched".to_owned());
    tracing::debug!(http.method = %method, http.route = %route, http.status = response.status().as_u16(), "answered");
    Ok(response)
}
