//! `device revoke`: devices go, and with them every key that they had.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use lockstep_client::account::KeyChange;
use lockstep_client::client::{ItemSummary, LifeCycleError};
use lockstep_client::sync::{Passwords, SyncError};
use serde_json::{Value, json};

use super::super::key::unfinished;
use super::{find, shown};
use crate::context::{Connection, Context};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{clean_line, shown_path};
use crate::papers::{Papers, Sheets, Written};
use crate::questions::{Choice, choose, confirm, confirm_ending};
use crate::session::{Session, read_new_password, read_password};
use crate::show::sync::Synced;

/// Why a device goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Reason {
    /// You wiped it, or are about to.
    Retired,
    /// It was lost or stolen: the Secret Key changes, too, and you choose a new password.
    Lost,
}

/// Options of `device revoke`.
#[derive(Debug, Args)]
pub struct RevokeArguments {
    /// The devices: ids, starts of ids, or exact names.
    #[arg(required = true)]
    devices: Vec<String>,
    /// Why they go; asked for where it is not given.
    #[arg(long, value_enum)]
    reason: Option<Reason>,
    /// After a loss: where the new Emergency Kit is written; without it it is shown once.
    #[arg(long, value_name = "DIR")]
    kit_dir: Option<PathBuf>,
}

/// Removes devices.
///
/// # Errors
/// A [`Failure`]; one that says so is finished by the next sync.
pub async fn run(context: &Context, arguments: RevokeArguments) -> Result<Exit, Failure> {
    if context.connection == Connection::Offline {
        let message = "removing a device needs the server, and --offline forbids it; nothing was changed";
        return Err(Failure::usage(message));
    }
    let reason = match arguments.reason {
        Some(reason) => reason,
        None => asked(context)?,
    };
    let papers = match reason {
        Reason::Lost => Some(Papers::ready(context, arguments.kit_dir.clone(), ("kit", Sheets::Kit))?),
        Reason::Retired => None,
    };
    let password = read_password(context)?;
    let mut session = Session::open_with(context, &password).await?;
    // The device may have come, or got its name, since the last sync. What it has signed may let that sync fail, and
    // is no reason to keep it.
    if let Err(failure) = session.sync(context).await {
        if failure.exit == Exit::Unreachable {
            return Err(failure);
        }
        context.output.hint(&format!("Not everything is in step: {}. The removal goes on.", failure.message));
    }
    let mut devices = BTreeSet::new();
    let mut names = Vec::new();
    for text in &arguments.devices {
        let device = find(&session, text).await?;
        devices.insert(device.device_id);
        names.push(shown(&device));
    }
    let stay = session.client.devices().await?;
    let stay = stay.iter().filter(|device| device.active && !devices.contains(&device.device_id));
    let stay: Vec<String> = stay.map(|device| format!("  {}  {}", device.device_id, shown(device))).collect();
    context.output.hint(&format!("These devices stay, and get the new keys:\n{}", stay.join("\n")));
    let question = format!("Remove {} from the account? This cannot be undone.", names.join(", "));
    confirm(context.answers, &question, "nothing was changed")?;
    let (change, new) = match reason {
        Reason::Retired => (KeyChange::Retired(devices), None),
        Reason::Lost => {
            context.output.hint("The lost device may have seen your password: choose a new one.");
            (KeyChange::Lost(devices), Some(read_new_password(context)?))
        }
    };
    let passwords = Passwords { current: &password, new: new.as_ref().unwrap_or(&password) };
    context.output.hint("Changing every key of your account; this takes a few seconds.");
    let changed = match session.client.change_keys(&change, passwords).await {
        Err(LifeCycleError::Sync(SyncError::VaultsWouldEnd { vaults })) => {
            confirm_ending(&vaults)?;
            session.client.change_keys_ending(&change, passwords, &vaults).await
        }
        changed => changed,
    };
    let report = changed.map_err(|error| unfinished(error.into()))?;
    let written = match papers {
        Some(papers) => papers.hand_out_kit(context, &session.client.unlocked().emergency_kit()?)?,
        None => Written::default(),
    };
    let exposed = session.client.exposed_items().await?;
    let sync = Synced::Done(session.synced(report).await?);
    let told = Told { names, reason, written, exposed, sync };
    session.result(context, &told.text(), &told.json(), told.sync.notices()).await;
    Ok(Exit::Done)
}

fn asked(context: &Context) -> Result<Reason, Failure> {
    let choices = [
        Choice { key: "r", text: "retired: you wiped it, or are about to" },
        Choice { key: "l", text: "lost: somebody else may have it" },
    ];
    let unasked = "say with --reason retired or --reason lost why the device goes; nothing was changed";
    let chosen = choose(context.output.reader(), "Why does the device go?", &choices, unasked)?;
    Ok(if chosen == 0 { Reason::Retired } else { Reason::Lost })
}

struct Told {
    names: Vec<String>,
    reason: Reason,
    written: Written,
    exposed: Vec<ItemSummary>,
    sync: Synced,
}

impl Told {
    fn text(&self) -> String {
        let Self { names, reason, written, exposed, sync } = self;
        let mut lines = vec![format!(
            "Removed {}. It gets nothing further, and every key is a new one.",
            names.join(", ")
        )];
        lines.push(sync.text());
        if *reason == Reason::Lost {
            match &written.emergency_kit {
                Some(path) => lines.push(format!(
                    "Your new Emergency Kit: {}. The old one no longer signs in.",
                    shown_path(path)
                )),
                None => {
                    lines.push("Your Emergency Kit is a new one; the old one no longer signs in.".to_owned())
                }
            }
            lines.push(format!(
            "What the device had it may still show to whoever holds it. Change these {} where they are used:",
            exposed.len()
        ));
            lines.extend(exposed.iter().map(|item| {
                let user = item.username.as_deref().map(|user| format!(" ({})", clean_line(user)));
                format!("  {}{}", clean_line(&item.title), user.unwrap_or_default())
            }));
        }
        lines.join("\n")
    }

    fn json(&self) -> Value {
        let Self { names, reason, written, exposed, sync } = self;
        json!({
            "removed": names,
            "reason": match reason { Reason::Retired => "retired", Reason::Lost => "lost" },
            "emergency_kit": written.emergency_kit,
            "exposed": exposed.iter().map(|item| json!({
                "id": item.item_id.to_string(), "title": item.title, "username": item.username,
            })).collect::<Vec<_>>(),
            "sync": sync,
        })
    }
}
