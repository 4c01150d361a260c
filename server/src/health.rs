//! Whether the server of a configuration is well: for containers and supervisors, which ask by this same program.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use ureq::Agent;
use ureq::tls::TlsConfig;

use crate::config::Config;

/// How long an answer may take. Less than what containers wait for this program.
const PATIENCE: Duration = Duration::from_secs(4);
/// Upper bound of an answer's length in bytes.
const ANSWER_LIMIT: u64 = 4_096;

/// Asks the server that listens where this configuration says whether it can answer requests, its database included.
///
/// # Errors
/// Says what kept it from answering, or what it answered.
pub fn health(config: &Config) -> anyhow::Result<()> {
    let url = format!("{}/readyz", own_url(config)?);
    let mut answer = agent().get(&url).call().with_context(|| format!("nobody answers at {url}"))?;
    if answer.status() == 200 {
        return Ok(());
    }
    let body = answer.body_mut().with_config().limit(ANSWER_LIMIT).read_to_string().unwrap_or_default();
    bail!("{url} answers {}: {}", answer.status(), body.trim())
}

/// Where this machine reaches the server.
fn own_url(config: &Config) -> anyhow::Result<String> {
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    let mut address = config.listen;
    if address.port() == 0 {
        let file = config.address_file.as_ref();
        let file = file.context("the system chose the port: with address_file the server would say which")?;
        let url = std::fs::read_to_string(file)
            .with_context(|| format!("the server does not run, or {} is gone", file.display()))?;
        let told = url.trim().rsplit('/').next().and_then(|told| told.parse().ok());
        address = told.with_context(|| format!("{} holds no address", file.display()))?;
    }
    Ok(format!("{scheme}://{}", SocketAddr::new(reachable(address.ip()), address.port())))
}

/// A server that listens everywhere listens on loopback, too.
fn reachable(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(address) if address.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(address) if address.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        other => other,
    }
}

/// Sends nothing secret and believes nothing but "ready", so it need not know whom it talks to: the certificate is for the
/// name that devices use, not for this address.
fn agent() -> Agent {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls =
        TlsConfig::builder().unversioned_rustls_crypto_provider(provider).disable_verification(true).build();
    Agent::config_builder()
        .tls_config(tls)
        .timeout_global(Some(PATIENCE))
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None)
        .build()
        .into()
}
