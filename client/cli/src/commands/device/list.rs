//! `device list`.

use lockstep_client::client::DeviceInfo;
use serde::Serialize;

use super::shown;
use crate::commands::status::how;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::Session;

#[derive(Debug, Serialize)]
struct Line {
    id: String,
    name: String,
    how: &'static str,
    active: bool,
    this: bool,
}

impl Line {
    fn of(device: &DeviceInfo) -> Self {
        Self {
            id: device.device_id.to_string(),
            name: device.name.clone(),
            how: how(device.how),
            active: device.active,
            this: device.this,
        }
    }
}

/// Lists the devices of the account as this device knows them.
///
/// # Errors
/// A [`Failure`].
pub async fn run(context: &Context) -> Result<Exit, Failure> {
    let session = Session::open(context).await?;
    let devices = session.client.devices().await?;
    let lines: Vec<String> = devices.iter().map(line).collect();
    let listed: Vec<Line> = devices.iter().map(Line::of).collect();
    context.output.result(&lines.join("\n"), &serde_json::json!({ "devices": listed }));
    Ok(Exit::Done)
}

fn line(device: &DeviceInfo) -> String {
    let this = if device.this { ", this one" } else { "" };
    let active = if device.active { "" } else { ", removed" };
    format!("{}  {} ({}{this}{active})", device.device_id, shown(device), how(device.how))
}
