//! `signin`: this profile becomes a device of an account.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;
use lockstep_client::account::{KnownDevice, Stage, Unlocked, profile, resume_sign_in, start_sign_in};
use lockstep_client::crypto::kit::EmergencyKit;
use lockstep_client::ports::Ports;
use lockstep_client::proto::log::{AccountState, Enrolment};
use lockstep_native::open_profile;
use serde_json::json;
use zeroize::Zeroizing;

use crate::context::{Connection, Context};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::sentence;
use crate::questions::confirm;
use crate::secrets::Unbuffered;
use crate::session::{Session, open_existing, read_password, saved};
use crate::show::dates;
use crate::show::sync::Synced;
use crate::when::rfc3339;

/// No Kit is longer.
const KIT_LIMIT: usize = 64 * 1024;

/// Options of `signin`.
#[derive(Debug, Args)]
pub struct SigninArguments {
    /// The Emergency Kit as text; - reads it from standard input, as typed from paper.
    #[arg(long, value_name = "FILE")]
    kit: Option<PathBuf>,
    /// This device's name, for your other devices.
    #[arg(long, value_name = "NAME")]
    device_name: Option<String>,
}

/// Signs in, or finishes what an earlier `signin` began.
///
/// # Errors
/// A [`Failure`] that says what is there and how to go on.
pub async fn run(context: &Context, arguments: SigninArguments) -> Result<Exit, Failure> {
    if context.connection == Connection::Offline {
        return Err(Failure::usage(
            "signing in needs the server, and --offline forbids it; nothing was changed",
        ));
    }
    let owned = open_profile(context.place.folder())?;
    let stage = profile(owned.store()).await?.map(|profile| profile.stage);
    let session = match stage {
        None => {
            let kit = read_kit(arguments.kit.as_deref())?;
            let ports = owned.ports(kit.server_url.as_str(), &context.http()?)?;
            let unlocked = Box::pin(signed_in(context, &ports, &kit)).await?;
            Session::of(owned, ports, unlocked).await?
        }
        Some(_) => {
            drop(owned);
            let (owned, ports) = open_existing(context).await?;
            if stage == Some(Stage::Ready) {
                let message = "this profile has an account already; name another profile with --profile to be another device";
                return Err(Failure::failed("account-exists", message));
            }
            let unlocked = Box::pin(resume_sign_in(&ports, &read_password(context)?)).await?;
            Session::of(owned, ports, unlocked).await?
        }
    };
    finish(context, session, arguments.device_name.as_deref()).await
}

async fn signed_in(context: &Context, ports: &Ports, kit: &EmergencyKit) -> Result<Unlocked, Failure> {
    let password = read_password(context)?;
    let pending = Box::pin(start_sign_in(ports, kit, &password)).await?;
    context.output.note(&listed(&pending.devices(), pending.state()));
    confirm(context.answers, "Are these all yours?", "this device did not join; tell no one your password")?;
    Ok(Box::pin(pending.confirm()).await?)
}

/// What a log that the server shows says of the account, for its owner to look at.
pub(super) fn listed(devices: &[KnownDevice], state: &AccountState) -> String {
    let mut lines =
        vec!["The server shows these devices of your account (freshness not confirmed):".to_owned()];
    lines.extend(devices.iter().map(|device| {
        format!("  {}  {}, on {}", device.device_id, came_in(device.how), rfc3339(device.added_ms))
    }));
    lines.push(dates::of_log(state));
    lines.join("\n")
}

fn came_in(how: Option<Enrolment>) -> &'static str {
    match how {
        None => "made the account",
        Some(Enrolment::Kit) => "signed in with the Emergency Kit",
        Some(Enrolment::Pairing) => "was let in by another device",
        Some(Enrolment::Recovery) => "took the account back with the recovery sheet",
    }
}

pub(super) async fn finish(
    context: &Context,
    mut session: Session,
    name: Option<&str>,
) -> Result<Exit, Failure> {
    let mut sync = saved(session.sync(context).await)?;
    if !session.client.vaults().await?.is_empty() {
        session.client.name_device(&device_name(context, name)).await?;
        // A server that has just failed to answer is not asked again: the name waits with everything else.
        if matches!(sync, Synced::Done(_)) {
            // What it says includes the sync before; where it fails, that one was done all the same.
            let named = session.sync_saved(context).await?;
            sync = if matches!(named, Synced::Done(_)) { named } else { sync };
        }
    }
    let items: usize = session.client.vaults().await?.iter().map(|vault| vault.items).sum();
    let text = format!("This profile is now a device of your account, with {items} items.\n{}", sync.text());
    let json = json!({
        "account_id": session.client.account_id().to_string(),
        "device_id": session.client.device_id().to_string(),
        "items": items,
        "sync": sync,
    });
    session.result(context, &text, &json, sync.notices()).await;
    Ok(Exit::Done)
}

fn read_kit(path: Option<&Path>) -> Result<EmergencyKit, Failure> {
    let text = read_paper(path, "Emergency Kit", "--kit")?;
    EmergencyKit::parse(&text).map_err(|error| {
        Failure::usage(format!("this is no Emergency Kit. {}", sentence(&error.to_string())))
    })
}

/// A sheet as text, from a file or from standard input.
pub(super) fn read_paper(
    path: Option<&Path>,
    what: &str,
    option: &str,
) -> Result<Zeroizing<String>, Failure> {
    let path = path.ok_or_else(|| {
        Failure::usage(format!("give the {what} with {option} FILE, or {option} - to type it"))
    })?;
    // It never grows, so it leaves no copies behind.
    let mut text = Zeroizing::new(String::with_capacity(KIT_LIMIT + 1));
    let limit = KIT_LIMIT as u64;
    let read = if path == Path::new("-") {
        Unbuffered.take(limit).read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(limit).read_to_string(&mut text))
    };
    read.map_err(|error| Failure::file(&format!("the {what}"), path, &error))?;
    Ok(text)
}

/// The name given, else the machine's with the profile's.
pub(super) fn device_name(context: &Context, given: Option<&str>) -> String {
    let machine = || {
        let name = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
        let name = name.trim();
        let name = if name.is_empty() { "computer" } else { name };
        match context.profile.as_str() {
            "default" => name.to_owned(),
            profile => format!("{name} ({profile})"),
        }
    };
    given.map_or_else(machine, str::to_owned)
}
