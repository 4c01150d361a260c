//! Connections: TLS, session settings, and a pool that opens them in parallel.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use futures_util::future::join_all;
use lockstep_domain::store::StoreError;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::NoTls;
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::url::PostgresUrl;

/// Connections at most: the lanes' and the readers'.
pub(super) const CONNECTIONS: usize = 16;
/// Connections that are there from the start.
const WARM: usize = 4;
/// How long a connection may take to be made, or to become free.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a host that is reached no more is waited for.
const SILENCE: Duration = Duration::from_secs(30);
/// Every statement ends by itself, also when this process is gone; plans do not depend on the values.
const SETTINGS: &str = "-c statement_timeout=30s -c lock_timeout=10s -c idle_in_transaction_session_timeout=30s \
     -c plan_cache_mode=force_generic_plan -c default_transaction_isolation=read\\ committed \
     -c synchronous_commit=on -c client_min_messages=warning";

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A pool for this database. Makes no connection.
pub(super) fn pool(url: &PostgresUrl) -> Result<Pool, Failure> {
    let mut config = url.config().clone();
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(PATIENCE);
    }
    if config.get_tcp_user_timeout().is_none() {
        // A host that is gone without a word: what waits for it ends with an error, as if it had said so.
        config.tcp_user_timeout(SILENCE).keepalives_idle(SILENCE / 2).keepalives_interval(SILENCE / 6);
    }
    if config.get_application_name().is_none() {
        config.application_name("lockstep-server");
    }
    let given = config.get_options().map(|options| format!(" {options}")).unwrap_or_default();
    config.options(format!("{SETTINGS}{given}"));
    let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let manager = match config.get_ssl_mode() {
        SslMode::Disable => Manager::from_config(config, NoTls, recycling),
        _ => Manager::from_config(config, tls(url)?, recycling),
    };
    let pool = Pool::builder(manager)
        .max_size(CONNECTIONS)
        .runtime(Runtime::Tokio1)
        .wait_timeout(Some(PATIENCE))
        .create_timeout(Some(PATIENCE))
        .recycle_timeout(Some(PATIENCE))
        .build()?;
    Ok(pool)
}

/// Opens the first connections, in parallel; an error is the first one's.
pub(super) async fn warm(pool: &Pool) -> Result<(), Failure> {
    let opened = join_all((0..WARM).map(|_| pool.get())).await;
    opened.into_iter().collect::<Result<Vec<_>, _>>()?;
    Ok(())
}

/// A connection.
pub(super) async fn connection(pool: &Pool) -> Result<deadpool_postgres::Object, StoreError> {
    pool.get().await.map_err(|error| StoreError::Failed(Box::new(error)))
}

/// TLS with the server's name and certificate verified.
fn tls(url: &PostgresUrl) -> Result<MakeRustlsConnect, Failure> {
    let mut roots = RootCertStore::empty();
    match url.root() {
        Some(file) => {
            for certificate in CertificateDer::pem_file_iter(file)? {
                roots.add(certificate?)?;
            }
        }
        None => drop(roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs)),
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}
