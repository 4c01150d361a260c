//! `security`: what happened to the account and its server, as this device saw it.

use std::collections::BTreeMap;

use clap::Args;
use lockstep_client::account::{RecoveryGrounds, SecurityEvent, SecurityRecord};
use lockstep_client::proto::api::RECOVERY_WAIT_SECONDS;
use lockstep_client::proto::ids::DeviceId;
use lockstep_client::proto::log::{Enrolment, RekeyReason};
use serde_json::{Value, json};

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::clean_line;
use crate::session::Session;
use crate::when::rfc3339;

/// Options of `security`.
#[derive(Debug, Args)]
pub struct SecurityArguments {
    /// Mark all of them as seen.
    #[arg(long)]
    seen: bool,
}

/// Lists security events, oldest first. They stay on this device, whatever the server says.
///
/// # Errors
/// A [`Failure`].
pub async fn run(context: &Context, arguments: SecurityArguments) -> Result<Exit, Failure> {
    let mut session = Session::open(context).await?;
    let devices = session.client.devices().await?;
    let names: BTreeMap<DeviceId, String> =
        devices.into_iter().map(|device| (device.device_id, device.name)).collect();
    let records = session.client.security_events().await?;
    let lines: Vec<String> = records.iter().map(|record| line(record, &names)).collect();
    let json: Vec<Value> = records.iter().map(|record| object(record, &names)).collect();
    if arguments.seen {
        session.client.mark_events_seen().await?;
    }
    context.output.result(&lines.join("\n"), &json!({ "events": json }));
    Ok(Exit::Done)
}

fn name(device_id: DeviceId, names: &BTreeMap<DeviceId, String>) -> String {
    match names.get(&device_id).filter(|name| !name.is_empty()) {
        Some(name) => clean_line(name),
        None => device_id.to_string(),
    }
}

fn line(record: &SecurityRecord, names: &BTreeMap<DeviceId, String>) -> String {
    let new = if record.seen { " " } else { "*" };
    let by = record.by.map(|by| format!(" (by {})", name(by, names))).unwrap_or_default();
    let advice = advice(record).map(|advice| format!(". {advice}")).unwrap_or_default();
    format!("{new} {}  {}{by}{advice}", rfc3339(record.at_ms), sentence(&record.event, names))
}

fn sentence(event: &SecurityEvent, names: &BTreeMap<DeviceId, String>) -> String {
    match event {
        SecurityEvent::DeviceAdded { device_id, how } => {
            let how = match how {
                None => "made the account",
                Some(Enrolment::Kit) => "joined with Emergency Kit and password",
                Some(Enrolment::Pairing) => "was let in by another device",
                Some(Enrolment::Recovery) => "joined with the Recovery Key",
            };
            format!("{} {how}", name(*device_id, names))
        }
        SecurityEvent::DeviceRemoved { device_id, reason } => {
            let why = match reason {
                RekeyReason::Lost => "as lost",
                RekeyReason::Retired => "as retired",
                RekeyReason::Recovery => "during a recovery",
                RekeyReason::Rotation => "with a change of keys",
            };
            format!("{} was removed {why}", name(*device_id, names))
        }
        SecurityEvent::PasswordChanged => "the password was changed, or registered anew".to_owned(),
        SecurityEvent::SecretKeyChanged => {
            "the Secret Key was changed: earlier Emergency Kits no longer sign in".to_owned()
        }
        SecurityEvent::KeysChanged => "every key of the account was changed".to_owned(),
        SecurityEvent::KeysLost { device_id } => keys_lost(device_id.map(|id| name(id, names)).as_deref()),
        SecurityEvent::RecoveryKeyUsed => {
            "the Recovery Key was used to take the account back; there is a new one".to_owned()
        }
        SecurityEvent::RecoveryAnnounced => {
            "a new Recovery Key was announced: from a week later on it can take the place of the present one".to_owned()
        }
        SecurityEvent::RecoveryWaits => {
            "the Recovery Key that was announced still waits to take the place of the present one".to_owned()
        }
        SecurityEvent::RecoveryCancelled => {
            "the Recovery Key that was announced is cancelled, and its sheet is void".to_owned()
        }
        SecurityEvent::RecoveryKeyChanged { grounds } => recovery_key_changed(*grounds),
        SecurityEvent::ServerCaughtUp { vault_id } if vault_id.is_zero() => {
            "the server had lost part of the account's log, and this device brought it back; if the password was \
             changed meanwhile and new devices cannot sign in, run `lockstep password change` once"
                .to_owned()
        }
        SecurityEvent::ServerCaughtUp { .. } => {
            "the server had lost what it had acknowledged; this device brought it back".to_owned()
        }
        SecurityEvent::ServerKeepsLosing { .. } => {
            "the server keeps losing what it acknowledged: its operator should look at its disk and backups".to_owned()
        }
        SecurityEvent::Fork { .. } => {
            "the server showed another history than this device has seen".to_owned()
        }
        SecurityEvent::HistoryAccepted { .. } => {
            "a vault went on from another history of the server: on one of your devices somebody said that it had been \
             restored from a backup"
                .to_owned()
        }
        _ => "something that this version of the program does not know".to_owned(),
    }
}

/// What to do about it, for whoever did not do it; once.
fn advice(record: &SecurityRecord) -> Option<&'static str> {
    match &record.event {
        _ if record.seen => None,
        SecurityEvent::RecoveryAnnounced | SecurityEvent::RecoveryWaits => Some(
            "If you did not announce it, somebody knows your password: `lockstep password change` cancels it; then \
             remove the device that did it. `lockstep kit recovery` says how long it still waits",
        ),
        SecurityEvent::RecoveryKeyChanged { grounds: RecoveryGrounds::Present } => Some(
            "If this was not you, somebody had your recovery sheet, and can take the account over: export what you have",
        ),
        SecurityEvent::RecoveryKeyChanged { .. } => Some(
            "If this was not you, somebody knows your password, and can take the account over: run `lockstep password \
             change`, remove the device that did it, and announce another with `lockstep kit recovery --new --lost`",
        ),
        _ => None,
    }
}

/// By which device it was that a recovery could not open what is newest.
pub(super) fn keys_lost(by: Option<&str>) -> String {
    let by = by.map(|by| format!(" by {by}")).unwrap_or_default();
    format!(
        "every key of the account had been changed{by} in a way that the recovery could not open: what was saved with those \
         keys is lost, what was there before is not"
    )
}

fn recovery_key_changed(grounds: RecoveryGrounds) -> String {
    const CHANGED: &str = "there is a new Recovery Key, and earlier recovery sheets are void";
    match grounds {
        RecoveryGrounds::Present => format!("{CHANGED}: the one before has signed it"),
        RecoveryGrounds::Announced { known_ms } if known_ms >= u64::from(RECOVERY_WAIT_SECONDS) * 1_000 => {
            format!("{CHANGED}: it had been announced")
        }
        RecoveryGrounds::Announced { known_ms } => format!(
            "{CHANGED}: it had been announced, but this device had known of that for {} hours only, less than a week",
            known_ms / (60 * 60 * 1_000)
        ),
        RecoveryGrounds::Unseen => format!(
            "{CHANGED}: it had been announced; this device learned of both at once and cannot tell how long others knew"
        ),
    }
}

fn object(record: &SecurityRecord, names: &BTreeMap<DeviceId, String>) -> Value {
    let (what, device, vault) = match &record.event {
        SecurityEvent::DeviceAdded { device_id, .. } => ("device-added", Some(device_id.to_string()), None),
        SecurityEvent::DeviceRemoved { device_id, .. } => {
            ("device-removed", Some(device_id.to_string()), None)
        }
        SecurityEvent::PasswordChanged => ("password-changed", None, None),
        SecurityEvent::SecretKeyChanged => ("secret-key-changed", None, None),
        SecurityEvent::KeysChanged => ("keys-changed", None, None),
        SecurityEvent::KeysLost { device_id } => ("keys-lost", device_id.map(|id| id.to_string()), None),
        SecurityEvent::RecoveryKeyUsed => ("recovery-key-used", None, None),
        SecurityEvent::RecoveryAnnounced => ("recovery-announced", None, None),
        SecurityEvent::RecoveryWaits => ("recovery-waits", None, None),
        SecurityEvent::RecoveryCancelled => ("recovery-cancelled", None, None),
        SecurityEvent::RecoveryKeyChanged { .. } => ("recovery-key-changed", None, None),
        SecurityEvent::ServerCaughtUp { vault_id } => ("server-caught-up", None, Some(vault_id.to_string())),
        SecurityEvent::ServerKeepsLosing { vault_id } => {
            ("server-keeps-losing", None, Some(vault_id.to_string()))
        }
        SecurityEvent::Fork { vault_id } => ("fork", None, Some(vault_id.to_string())),
        SecurityEvent::HistoryAccepted { vault_id } => ("history-accepted", None, Some(vault_id.to_string())),
        _ => ("unknown", None, None),
    };
    json!({
        "at": rfc3339(record.at_ms),
        "what": what,
        "device_id": device,
        "vault_id": vault,
        "by": record.by.map(|by| by.to_string()),
        "seen": record.seen,
        "text": match advice(record) {
            Some(advice) => format!("{}. {advice}", sentence(&record.event, names)),
            None => sentence(&record.event, names),
        },
    })
}
