//! `status`: where this device stands.

use lockstep_client::client::{DeviceInfo, VaultInfo, VaultStatus};
use lockstep_client::proto::log::Enrolment;
use serde::Serialize;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::clean_line;
use crate::session::Session;
use crate::when::rfc3339;

/// The result of `status`.
#[derive(Debug, Serialize)]
struct Status {
    profile: String,
    server: String,
    account_id: String,
    device_id: String,
    account_seq: u64,
    pending: usize,
    conflicts: usize,
    vaults_in_creation: usize,
    vaults_missing: usize,
    vaults: Vec<Vault>,
    devices: Vec<Device>,
    recovery_key_announced: Option<AnnouncedKey>,
}

#[derive(Debug, Serialize)]
struct AnnouncedKey {
    known: String,
    due: String,
}

#[derive(Debug, Serialize)]
struct Vault {
    id: String,
    name: String,
    items: usize,
    seq: u64,
    epoch: u32,
    pending: usize,
    in_flight: bool,
    history_checked: bool,
    quarantined: usize,
    confirmed: Option<String>,
}

#[derive(Debug, Serialize)]
struct Device {
    id: String,
    name: String,
    how: &'static str,
    active: bool,
    this: bool,
}

/// Shows where this device stands. Asks nobody: what the server has may be newer.
///
/// # Errors
/// A [`Failure`].
pub async fn run(context: &Context) -> Result<Exit, Failure> {
    let session = Session::open(context).await?;
    let client = &session.client;
    let status = client.status().await?;
    let vaults = client.vaults().await?;
    let devices = client.devices().await?;
    let shown = Status {
        profile: context.profile.to_string(),
        server: client.unlocked().server_url().to_owned(),
        account_id: client.account_id().to_string(),
        device_id: status.device_id.to_string(),
        account_seq: status.account_head.seq.0,
        pending: status.pending,
        conflicts: client.conflicts().await?.len(),
        vaults_in_creation: status.vaults_in_creation,
        vaults_missing: status.vaults_missing,
        vaults: vaults.iter().filter_map(|info| vault(info, &status.vaults)).collect(),
        devices: devices.iter().map(device).collect(),
        recovery_key_announced: client
            .waiting_recovery_key()
            .await?
            .map(|waiting| AnnouncedKey { known: rfc3339(waiting.known_ms), due: rfc3339(waiting.due_ms) }),
    };
    context.output.result(&shown.text(&context.option()), &shown);
    Ok(Exit::Done)
}

fn vault(info: &VaultInfo, statuses: &[VaultStatus]) -> Option<Vault> {
    let status = statuses.iter().find(|status| status.vault_id == info.vault_id)?;
    Some(Vault {
        id: info.vault_id.to_string(),
        name: info.name.clone(),
        items: info.items,
        seq: info.head.seq.0,
        epoch: info.epoch.0,
        pending: info.pending,
        in_flight: status.in_flight,
        history_checked: status.history_checked,
        quarantined: info.quarantined,
        confirmed: (status.confirmed_ms > 0).then(|| rfc3339(status.confirmed_ms)),
    })
}

fn device(info: &DeviceInfo) -> Device {
    Device {
        id: info.device_id.to_string(),
        name: info.name.clone(),
        how: how(info.how),
        active: info.active,
        this: info.this,
    }
}

/// How a device came in, in a word.
pub(super) fn how(how: Option<Enrolment>) -> &'static str {
    match how {
        None => "signup",
        Some(Enrolment::Kit) => "kit",
        Some(Enrolment::Pairing) => "pairing",
        Some(Enrolment::Recovery) => "recovery",
    }
}

impl Status {
    fn text(&self, option: &str) -> String {
        let mut lines = vec![
            format!("Profile {} is a device of account {}.", self.profile, self.account_id),
            format!("  server: {}", clean_line(&self.server)),
        ];
        for vault in &self.vaults {
            let confirmed = vault.confirmed.as_deref().unwrap_or("never");
            lines.push(format!(
                "  vault {}: {} items, commit {}, last confirmed by the server: {confirmed}",
                clean_line(&vault.name),
                vault.items,
                vault.seq
            ));
            if !vault.history_checked {
                lines.push("    its history is not checked yet: the next sync does it".to_owned());
            }
            if vault.pending > 0 {
                lines.push(format!("    {} edited here and not yet on the server", vault.pending));
            }
            if vault.quarantined > 0 {
                lines.push(format!("    {} cannot be opened in their current version", vault.quarantined));
            }
        }
        for device in &self.devices {
            let name = if device.name.is_empty() { "(no name)" } else { &device.name };
            let this = if device.this { ", this one" } else { "" };
            let active = if device.active { "" } else { ", removed" };
            lines.push(format!(
                "  device {}: {} ({}{this}{active})",
                clean_line(name),
                device.id,
                device.how
            ));
        }
        if let Some(AnnouncedKey { due, .. }) = &self.recovery_key_announced {
            lines.push(waiting_key(due, option));
        }
        lines.push(match (self.pending, self.conflicts) {
            (0, 0) => "Nothing waits.".to_owned(),
            (1, 0) => "1 edit waits for the next sync.".to_owned(),
            (pending, 0) => format!("{pending} edits wait for the next sync."),
            (_, 1) => "1 field waits for your choice: see `lockstep conflicts`.".to_owned(),
            (_, conflicts) => format!("{conflicts} fields wait for your choice: see `lockstep conflicts`."),
        });
        lines.join("\n")
    }
}

/// What a person is told of a Recovery Key that waits, who may not have announced it.
pub(super) fn waiting_key(due: &str, option: &str) -> String {
    format!(
        "A new Recovery Key is announced, and can be confirmed from {due} on. If you did not announce it, somebody \
         knows your password: `lockstep password change{option}` cancels it. See `lockstep kit recovery{option}`."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Status {
        Status {
            profile: "phone".into(),
            server: "http://127.0.0.1:7733".into(),
            account_id: "A".into(),
            device_id: "D".into(),
            account_seq: 3,
            pending: 2,
            conflicts: 0,
            vaults_in_creation: 0,
            vaults_missing: 0,
            vaults: vec![Vault {
                id: "V".into(),
                name: "Personal".into(),
                items: 1_000,
                seq: 9,
                epoch: 1,
                pending: 2,
                in_flight: false,
                history_checked: false,
                quarantined: 0,
                confirmed: Some(rfc3339(1_700_000_000_000)),
            }],
            devices: vec![Device {
                id: "D".into(),
                name: "phone".into(),
                how: "kit",
                active: true,
                this: true,
            }],
            recovery_key_announced: None,
        }
    }

    #[test]
    fn a_status_says_what_waits() {
        insta::assert_snapshot!(sample().text(" --profile phone"), @r"
        Profile phone is a device of account A.
          server: http://127.0.0.1:7733
          vault Personal: 1000 items, commit 9, last confirmed by the server: 2023-11-14T22:13:20Z
            its history is not checked yet: the next sync does it
            2 edited here and not yet on the server
          device phone: D (kit, this one)
        2 edits wait for the next sync.
        ");
    }

    #[test]
    fn a_status_says_that_a_recovery_key_waits() {
        let (known, due) = (rfc3339(1_700_000_000_000), rfc3339(1_700_604_800_000));
        let announced = Status { recovery_key_announced: Some(AnnouncedKey { known, due }), ..sample() };
        let text = announced.text(" --profile phone");
        assert!(text.contains("can be confirmed from 2023-11-21T22:13:20Z on"), "{text}");
        assert!(text.contains("`lockstep password change --profile phone` cancels it"), "{text}");
    }

    #[test]
    fn a_status_has_a_stable_shape() {
        insta::assert_json_snapshot!(sample(), @r#"
        {
          "profile": "phone",
          "server": "http://127.0.0.1:7733",
          "account_id": "A",
          "device_id": "D",
          "account_seq": 3,
          "pending": 2,
          "conflicts": 0,
          "vaults_in_creation": 0,
          "vaults_missing": 0,
          "vaults": [
            {
              "id": "V",
              "name": "Personal",
              "items": 1000,
              "seq": 9,
              "epoch": 1,
              "pending": 2,
              "in_flight": false,
              "history_checked": false,
              "quarantined": 0,
              "confirmed": "2023-11-14T22:13:20Z"
            }
          ],
          "devices": [
            {
              "id": "D",
              "name": "phone",
              "how": "kit",
              "active": true,
              "this": true
            }
          ],
          "recovery_key_announced": null
        }
        "#);
    }
}
