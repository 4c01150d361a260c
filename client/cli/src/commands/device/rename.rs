//! `device rename`.

use clap::Args;
use serde_json::json;

use super::find;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::clean_line;
use crate::session::Session;

/// Options of `device rename`.
#[derive(Debug, Args)]
pub struct RenameArguments {
    /// The device: its id, the start of its id, or its exact name.
    device: String,
    /// Its new name.
    name: String,
}

/// Names a device, for all devices of the account.
///
/// # Errors
/// A [`Failure`]; nothing was changed unless it says so.
pub async fn run(context: &Context, arguments: RenameArguments) -> Result<Exit, Failure> {
    let mut session = Session::open(context).await?;
    let device = find(&session, &arguments.device).await?;
    session.client.rename_device(device.device_id, &arguments.name).await?;
    let sync = session.sync_saved(context).await?;
    let text = format!("The device is now called \"{}\".\n{}", clean_line(&arguments.name), sync.text());
    let json = json!({ "id": device.device_id.to_string(), "name": arguments.name, "sync": sync });
    session.result(context, &text, &json, sync.notices()).await;
    Ok(Exit::Done)
}
