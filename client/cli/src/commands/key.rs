//! `key`: fresh keys for the account, though no device goes.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use lockstep_client::account::KeyChange;
use lockstep_client::sync::Passwords;
use serde_json::json;

use crate::context::{Connection, Context};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::papers::{Papers, Sheets, Written};
use crate::questions::confirm;
use crate::session::{Session, read_password};
use crate::show::sync::Synced;

/// What to do with the keys.
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Change every key of the account and of its vaults.
    Rotate(RotateArguments),
}

/// Options of `key rotate`.
#[derive(Debug, Args)]
pub struct RotateArguments {
    /// Change the Secret Key, too: the Emergency Kit is a new one, and the old one no longer signs in.
    #[arg(long)]
    new_secret_key: bool,
    /// Where the new Emergency Kit is written; without it it is shown once.
    #[arg(long, value_name = "DIR", requires = "new_secret_key")]
    kit_dir: Option<PathBuf>,
}

/// A change of keys that did not come to its end, if it began.
pub(super) fn unfinished(failure: Failure) -> Failure {
    match failure.code {
        "not-the-password" | "devices-joined" | "device" => failure,
        _ => failure.after("What was begun is finished by the next `lockstep sync`."),
    }
}

/// Runs it.
///
/// # Errors
/// A [`Failure`]; one that says so is finished by the next sync.
pub async fn run(context: &Context, command: KeyCommand) -> Result<Exit, Failure> {
    let KeyCommand::Rotate(arguments) = command;
    if context.connection == Connection::Offline {
        let message = "changing keys needs the server, and --offline forbids it; nothing was changed";
        return Err(Failure::usage(message));
    }
    let new_secret_key = arguments.new_secret_key;
    let papers = match new_secret_key {
        true => Some(Papers::ready(context, arguments.kit_dir, ("kit", Sheets::Kit))?),
        false => None,
    };
    confirm(context.answers, "Change every key of the account?", "nothing was changed")?;
    let password = read_password(context)?;
    let mut session = Session::open_with(context, &password).await?;
    context.output.hint("Changing every key of your account; this takes a few seconds.");
    let change = KeyChange::Rotation { new_secret_key };
    let changed = session.client.change_keys(&change, Passwords::kept(&password)).await;
    let report = changed.map_err(|error| unfinished(error.into()))?;
    let written = match papers {
        Some(papers) => papers.hand_out_kit(context, &session.client.unlocked().emergency_kit()?)?,
        None => Written::default(),
    };
    let sync = Synced::Done(session.synced(report).await?);
    let text = format!("Every key of the account and of its vaults is a new one.\n{}", sync.text());
    let json = json!({ "emergency_kit": written.emergency_kit, "sync": sync });
    session.result(context, &text, &json, sync.notices()).await;
    Ok(Exit::Done)
}
