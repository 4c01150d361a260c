//! From a configuration to a running server, and what it says to its operator.

use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use lockstep_domain::ServerSecrets;
use lockstep_domain::services::{
    Admissions, FirstAccount, Ports, Restored, Retention, SignupRule, setup_token,
};
use lockstep_domain::store::Store;
use lockstep_store::Inspection;
use rustix::process::Signal;
use tokio::signal::unix::{SignalKind, signal};

use crate::app::App;
use crate::config::Config;
use crate::history;
use crate::secrets_file;
use crate::serve::serve;
use crate::storage;
use crate::system::{SystemClock, SystemRandom};
use crate::tls;

/// Runs the server until SIGTERM or SIGINT; requests under way are finished.
///
/// # Errors
/// Says what keeps the server from starting and what to do.
pub async fn run(config: &Config) -> anyhow::Result<()> {
    let (app, store, token) = open(config).await?;
    let tls = config.tls.as_ref().map(|(certificate, key)| tls::load(certificate, key)).transpose()?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    // Before anybody hears of the server: from then on, whoever stops it stops it in an orderly way.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    // A limit on the size of files, as a supervisor may set one, is an error of a write and not the end of the server.
    let _file_size = signal(SignalKind::from_raw(Signal::XFSZ.as_raw()))?;
    let listener = TcpListener::bind(config.listen)
        .with_context(|| format!("cannot listen on {}. Is another server running there?", config.listen))?;
    let url = format!("{scheme}://{}", listener.local_addr()?);
    storage::look(&config.storage, &*store, &app).await;
    let running = serve(&app, listener, tls)?;
    if let Some(file) = &config.address_file {
        write_address(file, &url)?;
    }
    announce(config, &*store, &url, &token).await?;
    let retention = Retention::new(store.clone(), Arc::new(SystemClock), config.history);
    let history = actix_web::rt::spawn(history::look_after(retention, app.clone()));
    let storage =
        actix_web::rt::spawn(storage::look_after(config.storage.clone(), store.clone(), app.clone()));
    let server = running.stopper();
    let stopper = actix_web::rt::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping: requests under way are finished first");
        server.finish().await;
    });
    running.run().await?;
    stopper.abort();
    storage.abort();
    history.abort();
    // Its end is waited for: no step of it runs beside the closing of the store.
    drop((history.await, storage.await));
    if let Err(error) = store.settle().await {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "the database's log stays beside it, and is needed"
        );
    }
    tracing::info!("stopped");
    Ok(())
}

/// Makes an invitation and prints its code.
///
/// # Errors
/// As [`run`].
pub async fn make_invite(config: &Config) -> anyhow::Result<()> {
    let (app, ..) = open(config).await?;
    let code = app.make_invite().await?;
    writeln!(std::io::stdout(), "{code}")?;
    Ok(())
}

/// Prints the set-up token of a server that was started once and has no account. Makes nothing.
///
/// # Errors
/// As [`run`]; where there is no such server, or it needs no token.
pub async fn print_setup_token(config: &Config) -> anyhow::Result<()> {
    let found = match lockstep_store::inspect(&config.database).await? {
        Inspection::Found(found) => found,
        Inspection::Absent => {
            bail!("the server has not run yet: start it first, with the same configuration")
        }
    };
    if found.has_accounts {
        bail!(
            "the server has an account: the set-up token is spent. `lockstep-server invite` makes an invitation"
        );
    }
    if !config.admissions.needs_token() {
        bail!("this server needs no set-up token: whoever comes first may sign up");
    }
    let path = &config.secrets_file;
    let secrets = secrets_file::read(path)?.filter(|secrets| found.server_id == Some(secrets.server_id()));
    let secrets =
        secrets.with_context(|| format!("{} does not hold the secrets of this database", path.display()))?;
    writeln!(std::io::stdout(), "{}", setup_token(&secrets))?;
    Ok(())
}

/// The application, its store, and the set-up token.
async fn open(config: &Config) -> anyhow::Result<(Arc<App>, Arc<dyn Store>, String)> {
    let random = SystemRandom::new().context("the operating system gives no randomness")?;
    make_folder(&config.data_dir)?;
    let store = lockstep_store::open(&config.database)?;
    let secrets = secrets(config, &*store, &random).await?;
    let ports = Ports { store: store.clone(), clock: Arc::new(SystemClock), random: Arc::new(random) };
    Ok((App::new(ports, &secrets, config.admissions, config.front.clone())?, store, setup_token(&secrets)))
}

/// The kept secrets, or fresh ones on the first start. A database and its secrets belong together.
async fn secrets(config: &Config, store: &dyn Store, random: &SystemRandom) -> anyhow::Result<ServerSecrets> {
    let path = &config.secrets_file;
    let secrets = match secrets_file::read(path)? {
        Some(secrets) => secrets,
        None if !store.is_empty().await? => bail!(
            "the database has accounts but {} is missing. Without it nobody can sign in: put it back from your \
             backup. Nothing was changed",
            path.display()
        ),
        None => {
            let secrets = ServerSecrets::make(random);
            secrets_file::create(path, &secrets)?;
            secrets
        }
    };
    let bound = store.bind_server(secrets.server_id()).await?;
    if bound != secrets.server_id() {
        bail!(
            "the database belongs to server {bound}, but {} holds the secrets of server {}. Put the right file \
             back from your backup. Nothing was changed",
            path.display(),
            secrets.server_id()
        );
    }
    Ok(secrets)
}

fn make_folder(path: &Path) -> anyhow::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).with_context(|| format!("the folder {} cannot be made", path.display()))
}

/// Whole or not at all: whoever waits for the file never reads half of it.
fn write_address(path: &Path, url: &str) -> anyhow::Result<()> {
    let temporary = path.with_extension("new");
    fs::write(&temporary, format!("{url}\n"))
        .and_then(|()| fs::rename(&temporary, path))
        .with_context(|| format!("the address cannot be written to {}", path.display()))
}

async fn announce(config: &Config, store: &dyn Store, url: &str, token: &str) -> anyhow::Result<()> {
    tracing::info!("Lockstep server {} listens on {url}", env!("CARGO_PKG_VERSION"));
    tracing::info!(
        "data: {}; secrets: {} (back up both, apart from each other)",
        config.database,
        config.secrets_file.display()
    );
    if config.has_unnamed_proxy() {
        tracing::warn!(
            "devices come through a proxy, which speaks TLS for public_url, and trusted_proxies does not name it: the limits for \
             one address hold for all devices together"
        );
    }
    let Admissions { first, rule, restored } = config.admissions;
    if restored == Restored::Yes {
        tracing::warn!(
            "restored: devices may give back accounts that the database lacks, and nobody can tell those that were made up. \
             Start without it once all are back"
        );
    }
    if !store.is_empty().await? {
        return Ok(());
    }
    tracing::info!(
        "There is no account yet: {} On your device, type:",
        match first {
            _ if rule == SignupRule::Open => "anybody may sign up.",
            FirstAccount::SetupToken => "whoever knows this set-up token may make the first.",
            FirstAccount::Anyone =>
                "whoever comes first may sign up, through a proxy on this machine, too, unless public_url is set.",
        }
    );
    let everywhere = config.listen.ip().is_unspecified();
    let address = match &config.public_url {
        Some(url) => url.to_string(),
        None if everywhere => "ADDRESS".to_owned(),
        None => url.to_owned(),
    };
    let invite = if config.admissions.needs_token() { format!(" --invite {token}") } else { String::new() };
    tracing::info!("    lockstep signup --server {address}{invite}");
    if config.public_url.is_none() && everywhere {
        tracing::info!(
            "with the address under which that device reaches this server, https://… (public_url, if set, stands here)"
        );
    }
    Ok(())
}
