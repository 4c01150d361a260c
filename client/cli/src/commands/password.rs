//! `password`: another password for the account, and its arrival on the other devices.

use clap::Subcommand;
use lockstep_client::sync::Passwords;
use serde_json::json;

use crate::context::{Connection, Context};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::{Session, read_new_password, read_password, read_second_password};

/// What to do with the password.
#[derive(Debug, Subcommand)]
pub enum PasswordCommand {
    /// Choose a new password for the account.
    Change,
    /// After a change on another device: make the new password the one that unlocks this device.
    Confirm,
}

/// Runs one of them.
///
/// # Errors
/// A [`Failure`]; unless it says otherwise the password is as it was.
pub async fn run(context: &Context, command: PasswordCommand) -> Result<Exit, Failure> {
    if context.connection == Connection::Offline {
        let message = "this needs the server, and --offline forbids it; nothing was changed";
        return Err(Failure::usage(message));
    }
    match command {
        PasswordCommand::Change => Box::pin(change(context)).await,
        PasswordCommand::Confirm => Box::pin(confirm(context)).await,
    }
}

async fn change(context: &Context) -> Result<Exit, Failure> {
    let current = read_password(context)?;
    let mut session = Session::open_with(context, &current).await?;
    let new = read_new_password(context)?;
    let passwords = Passwords { current: &current, new: &new };
    let waited = session.client.waiting_recovery_key().await?.is_some();
    session.client.change_password(passwords).await?;
    let cancelled = match waited {
        true => " The Recovery Key that was announced is cancelled, and its sheet is void.",
        false => "",
    };
    let text = format!(
        "The account has a new password. Your other devices stay signed in: they unlock with the old one until you \
         type the new one there.{cancelled}"
    );
    context.output.result(&text, &json!({ "changed": true }));
    Ok(Exit::Done)
}

async fn confirm(context: &Context) -> Result<Exit, Failure> {
    // The account's password is proved to the server: the one that opened this device may be forgotten.
    let mut session = match Session::open_unlocked(context).await? {
        Some(session) => session,
        None => Session::open_asking(context).await?,
    };
    session.sync(context).await?;
    if !session.client.password_is_outdated().await? {
        let text = "This device knows the account's password already.";
        context.output.result(text, &json!({ "changed": false }));
        return Ok(Exit::Done);
    }
    let new = read_second_password(context, "The account's password now")?;
    session.client.adopt_password(&new).await?;
    context
        .output
        .result("This device unlocks with the account's password now.", &json!({ "changed": true }));
    Ok(Exit::Done)
}
