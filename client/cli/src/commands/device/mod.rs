//! `device`: the devices of the account.

pub mod list;
pub mod pair;
pub mod rename;
pub mod revoke;

use clap::Subcommand;
use lockstep_client::client::DeviceInfo;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::clean_line;
use crate::session::Session;

/// What to do with devices.
#[derive(Debug, Subcommand)]
pub enum DeviceCommand {
    /// List the devices of the account.
    List,
    /// Let a new device in: shows a code for `lockstep join` there.
    Pair,
    /// Name a device.
    Rename(rename::RenameArguments),
    /// Remove devices from the account, and change every key that they had.
    Revoke(revoke::RevokeArguments),
}

/// Runs one of them.
///
/// # Errors
/// A [`Failure`].
pub async fn run(context: &Context, command: DeviceCommand) -> Result<Exit, Failure> {
    match command {
        DeviceCommand::List => Box::pin(list::run(context)).await,
        DeviceCommand::Pair => Box::pin(pair::run(context)).await,
        DeviceCommand::Rename(arguments) => Box::pin(rename::run(context, arguments)).await,
        DeviceCommand::Revoke(arguments) => Box::pin(revoke::run(context, arguments)).await,
    }
}

/// The device that `text` means: its id, the start of its id, or its exact name.
pub(super) async fn find(session: &Session, text: &str) -> Result<DeviceInfo, Failure> {
    let mut found: Vec<DeviceInfo> = session
        .client
        .devices()
        .await?
        .into_iter()
        .filter(|device| device.name == text || device.device_id.to_string().starts_with(text))
        .collect();
    let device = found.pop().ok_or_else(|| {
        Failure::failed(
            "no-device",
            format!("the account has no device \"{}\"; see `lockstep device list`", clean_line(text)),
        )
    })?;
    match found.is_empty() {
        true => Ok(device),
        false => {
            let text = clean_line(text);
            let message =
                format!("several devices are called \"{text}\": give the id, from `lockstep device list`");
            Err(Failure::failed("ambiguous", message))
        }
    }
}

/// A device's name for a person.
pub(super) fn shown(device: &DeviceInfo) -> String {
    if device.name.is_empty() { device.device_id.to_string() } else { clean_line(&device.name) }
}
