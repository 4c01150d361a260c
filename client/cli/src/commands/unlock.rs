//! `unlock`: no password for a while.

use clap::Args;
use lockstep_client::account;
use lockstep_client::crypto::secret_bytes::SecretBytes;
use serde_json::json;

use crate::agent;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::{ask_for_changed_password, open_existing, read_password};

/// Options of `unlock`.
#[derive(Debug, Args)]
pub struct UnlockArguments {
    /// Lock again after so many minutes without a command.
    #[arg(long, value_name = "MINUTES", default_value_t = agent::IDLE_MINUTES, value_parser = clap::value_parser!(u32).range(1..=1440))]
    minutes: u32,
}

/// Keeps the profile unlocked in the background.
///
/// # Errors
/// A [`Failure`]; the profile is then locked.
pub async fn run(context: &Context, arguments: UnlockArguments) -> Result<Exit, Failure> {
    let (_owned, ports) = open_existing(context).await?;
    let mut unlocked = account::unlock(&ports, &read_password(context)?).await?;
    ask_for_changed_password(context, &ports, &mut unlocked).await?;
    let key = SecretBytes::copy_of(unlocked.expose_lrk());
    agent::start(&context.place, context.profile.as_str(), &key, arguments.minutes).await?;
    let minutes = arguments.minutes;
    let option = context.option();
    let text = format!(
        "Unlocked until `lockstep lock{option}`, or {minutes} minutes without a command. An export asks for the password \
         all the same."
    );
    context.output.result(&text, &json!({ "unlocked": true, "idle_minutes": minutes }));
    Ok(Exit::Done)
}
