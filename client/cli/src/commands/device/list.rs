//! `device list`.

use lockstep_client::client::DeviceInfo;
use serde::Serialize;

use super::shown;
use crate::commands::status::how;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::Session;
use crate::show::dates::Claimed;
use crate::when::rfc3339;

#[derive(Debug, Serialize)]
struct Line {
    id: String,
    name: String,
    how: &'static str,
    active: bool,
    this: bool,
    claimed: Dates,
}

/// The word of the devices that added and removed it.
#[derive(Debug, Serialize)]
struct Dates {
    added: String,
    removed: Option<String>,
}

impl Line {
    fn of(device: &DeviceInfo) -> Self {
        Self {
            id: device.device_id.to_string(),
            name: device.name.clone(),
            how: how(device.how),
            active: device.active,
            this: device.this,
            claimed: Dates { added: rfc3339(device.added_ms), removed: device.removed_ms.map(rfc3339) },
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
    let claimed = Claimed::of(session.client.dates());
    let mut lines: Vec<String> = devices.iter().map(line).collect();
    lines.push(claimed.text());
    let listed: Vec<Line> = devices.iter().map(Line::of).collect();
    context.output.result(&lines.join("\n"), &serde_json::json!({ "devices": listed, "claimed": claimed }));
    Ok(Exit::Done)
}

fn line(device: &DeviceInfo) -> String {
    let this = if device.this { ", this one" } else { "" };
    let removed = device.removed_ms.map(|ms| format!(", removed {}", rfc3339(ms))).unwrap_or_default();
    let added = rfc3339(device.added_ms);
    format!("{}  {} ({}{this}, added {added}{removed})", device.device_id, shown(device), how(device.how))
}
