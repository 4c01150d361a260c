//! `join`: this profile becomes a device of an account that another device lets it into.

use clap::Args;
use lockstep_client::account::{Admitted, PairingError, Stage, Unlocked, profile, start_join};
use lockstep_client::crypto::kit::ServerUrl;
use lockstep_client::crypto::pairing::{DeviceName, PairingCode, PairingLink};
use lockstep_client::ports::Ports;
use lockstep_native::open_profile;

use super::signin::{device_name, finish};
use crate::context::{Connection, Context};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::sentence;
use crate::questions::{check_somebody_looks, confirm_by_looking};
use crate::secrets::{self, Source};
use crate::session::{Session, read_password};

const QUESTION: &str = "Does the other device show the same account and the same four words?";

/// How often a wrong password may be typed again.
const PASSWORDS: usize = 3;

/// Options of `join`.
#[derive(Debug, Args)]
pub struct JoinArguments {
    /// A link that somebody gives as an argument all the same, to be told why not.
    #[arg(hide = true, conflicts_with = "server")]
    link: Option<String>,
    /// The server's address; then the pairing code is asked for instead of the link.
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// This device's name, for your other devices.
    #[arg(long, value_name = "NAME")]
    device_name: Option<String>,
}

/// Answers the other device, shows the words, and makes the profile.
///
/// # Errors
/// A [`Failure`]; without a profile nothing is left behind.
pub async fn run(context: &Context, arguments: JoinArguments) -> Result<Exit, Failure> {
    if context.connection == Connection::Offline {
        return Err(Failure::usage(
            "joining needs the server, and --offline forbids it; nothing was changed",
        ));
    }
    if arguments.link.is_some() {
        return Err(Failure::usage(
            "the pairing link is no argument, since everybody on this machine sees those: run `lockstep join` without it, \
             and give it when asked; nothing was changed",
        ));
    }
    check_somebody_looks(QUESTION, "nothing was changed")?;
    let owned = open_profile(context.place.folder())?;
    match profile(owned.store()).await?.map(|profile| profile.stage) {
        None => {}
        Some(Stage::Ready) => {
            let message = "this profile has an account already; name another profile with --profile to be another device";
            return Err(Failure::failed("account-exists", message));
        }
        Some(stage) => {
            let message =
                format!("a {stage} on this profile is not finished: finish it, or name another profile");
            return Err(Failure::failed("unfinished", message));
        }
    }
    let link = read_link(context, &arguments)?;
    let ports = owned.ports(link.server_url.as_str(), &context.http()?)?;
    let name = device_name(context, arguments.device_name.as_deref());
    let unlocked = Box::pin(joined(context, &ports, &link, &name)).await?;
    let session = Session::of(owned, ports, unlocked).await?;
    finish(context, session, arguments.device_name.as_deref()).await
}

async fn joined(
    context: &Context,
    ports: &Ports,
    link: &PairingLink,
    name: &str,
) -> Result<Unlocked, Failure> {
    let joining = Box::pin(start_join(ports, link, &DeviceName::new(name))).await?;
    context.output.note(&format!(
        "This device is about to join account {}.\nThe words here: {}\nThey must be the same as on the other device; \
         confirm there too.",
        joining.account_id(),
        joining.words()
    ));
    confirm_by_looking(QUESTION, "this device did not join; confirm nothing on the other one")?;
    let admitted = Box::pin(joining.confirm()).await?;
    opened(context, &admitted).await
}

/// Asks for the account's password until it is right, where there is somebody to ask.
async fn opened(context: &Context, admitted: &Admitted<'_>) -> Result<Unlocked, Failure> {
    let mut left = PASSWORDS;
    loop {
        left -= 1;
        match Box::pin(admitted.finish(&read_password(context)?)).await {
            Err(error @ PairingError::WrongPassword) if left > 0 && context.password == Source::Prompt => {
                context.output.note(&sentence(&error.to_string()));
            }
            other => return Ok(other?),
        }
    }
}

fn read_link(context: &Context, arguments: &JoinArguments) -> Result<PairingLink, Failure> {
    let unusable = |error: &dyn std::fmt::Display| Failure::usage(error);
    match &arguments.server {
        None => {
            let link = secrets::read_shown(context.password, "Pairing link")?;
            PairingLink::parse(&link).map_err(|error| unusable(&error))
        }
        Some(server) => {
            let server_url = ServerUrl::new(server).map_err(|error| unusable(&error))?;
            let code = secrets::read_shown(context.password, "Pairing code")?;
            let code = PairingCode::parse(&code).map_err(|error| unusable(&error))?;
            Ok(PairingLink { code, server_url })
        }
    }
}
