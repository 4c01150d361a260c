//! `recover`: the recovery sheet takes the account back.

mod here;
mod lost;

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;
use lockstep_client::account::{
    AccountError, Stage, Unlocked, forget_recovery_key, profile, resume_recovery, start_recovery,
    unshown_papers,
};
use lockstep_client::crypto::kit::RecoverySheet;
use lockstep_client::crypto::password::Password;
use lockstep_client::ports::Ports;
use lockstep_client::proto::ids::DeviceId;
use lockstep_client::sync::SyncError;
use lockstep_native::open_profile;
use serde_json::json;

use super::sheet::read_sheet;
use super::signin::{device_name, listed};
use crate::context::{Connection, Context};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::shown_path;
use crate::papers::{Papers, Sheets, Written};
use crate::questions::{confirm, confirm_ending};
use crate::session::{Session, open_existing, read_new_password, read_password};

/// Options of `recover`.
#[derive(Debug, Args)]
pub struct RecoverArguments {
    /// The recovery sheet as text; - reads it from standard input, as typed from paper.
    #[arg(long, value_name = "FILE")]
    sheet: Option<PathBuf>,
    /// A device that stays in the account besides this one; all others are removed.
    #[arg(long, value_name = "DEVICE")]
    keep: Vec<String>,
    /// Where the new Emergency Kit and recovery sheet are written; without it they are shown once.
    #[arg(long, value_name = "DIR")]
    kit_dir: Option<PathBuf>,
    /// This device's name, for your other devices.
    #[arg(long, value_name = "NAME")]
    device_name: Option<String>,
}

/// Takes the account back, on this device as a new one or, where it is one of the account, as what it is; or finishes
/// what an earlier `recover` began.
///
/// # Errors
/// A [`Failure`] that says what is there and how to go on.
pub async fn run(context: &Context, arguments: RecoverArguments) -> Result<Exit, Failure> {
    if context.connection == Connection::Offline {
        let message = "a recovery needs the server, and --offline forbids it; nothing was changed";
        return Err(Failure::usage(message));
    }
    let papers = Papers::ready(context, arguments.kit_dir.clone(), ("recover", Sheets::Both))?;
    let owned = open_profile(context.place.folder())?;
    let stage = profile(owned.store()).await?.map(|profile| profile.stage);
    let (owned, ports, unlocked, password) = match stage {
        None => {
            let sheet = read_sheet(arguments.sheet.as_deref())?;
            let ports = owned.ports(sheet.server_url.as_str(), &context.http()?)?;
            let (unlocked, password) = Box::pin(begun(context, &ports, &sheet, &arguments)).await?;
            (owned, ports, unlocked, password)
        }
        Some(Stage::Ready) => {
            drop(owned);
            return Box::pin(here::run(context, &papers, &arguments)).await;
        }
        Some(_) => {
            drop(owned);
            let (owned, ports) = open_existing(context).await?;
            let password = read_password(context)?;
            let unlocked = Box::pin(resume_recovery(&ports, &password)).await?;
            (owned, ports, unlocked, password)
        }
    };
    let mut session = Session::of(owned, ports, unlocked).await?;
    context.output.hint("Fetching and checking your vaults, and changing every key.");
    let waits = |failure: Failure| {
        let option = context.option();
        failure.after(&format!("The recovery waits: run `lockstep recover{option}` again."))
    };
    let recovered = match session.client.recover(&password).await {
        Err(SyncError::Account(AccountError::KeysMovedOn)) => {
            lost::confirm_missing().map_err(waits)?;
            session.client.give_up_keys().await?;
            session.client.recover(&password).await
        }
        recovered => recovered,
    };
    let recovered = match recovered {
        Err(SyncError::VaultsWouldEnd { vaults }) => {
            confirm_ending(&vaults).map_err(waits)?;
            session.client.recover_ending(&password, &vaults).await
        }
        recovered => recovered,
    };
    recovered.map_err(|error| waits(error.into()))?;
    let written = hand_out(context, &papers, &session).await?;
    let name = device_name(context, arguments.device_name.as_deref());
    finish(context, session, Some(&name), &written).await
}

/// The new papers, which are kept until they are out.
async fn hand_out(context: &Context, papers: &Papers, session: &Session) -> Result<Written, Failure> {
    let written = match unshown_papers(&session.ports, session.client.unlocked()).await? {
        Some((kit, sheet)) => papers.hand_out(context, &kit, &sheet)?,
        None => Written::default(),
    };
    forget_recovery_key(&session.ports).await?;
    Ok(written)
}

async fn begun(
    context: &Context,
    ports: &Ports,
    sheet: &RecoverySheet,
    arguments: &RecoverArguments,
) -> Result<(Unlocked, Password), Failure> {
    let pending = Box::pin(start_recovery(ports, sheet)).await?;
    let devices = pending.devices();
    context.output.note(&listed(&devices, pending.state()));
    lost::tell(context, pending.lost())?;
    let mut stay = BTreeSet::<DeviceId>::new();
    for text in &arguments.keep {
        let mut found = devices.iter().filter(|device| device.device_id.to_string().starts_with(text));
        match (found.next(), found.next()) {
            (Some(device), None) => stay.insert(device.device_id),
            _ => {
                let message =
                    format!("no device, or more than one, begins with \"{text}\"; nothing was changed");
                return Err(Failure::usage(message));
            }
        };
    }
    let going = devices.len() - stay.len();
    let question = format!("Take the account back on this device, and remove {going} of these?");
    confirm(context.answers, &question, "nothing was changed")?;
    let password = read_new_password(context)?;
    let unlocked = Box::pin(pending.confirm(&stay, &password)).await?;
    Ok((unlocked, password))
}

async fn finish(
    context: &Context,
    mut session: Session,
    name: Option<&str>,
    written: &Written,
) -> Result<Exit, Failure> {
    let has_vaults = !session.client.vaults().await?.is_empty();
    if let Some(name) = name.filter(|_| has_vaults) {
        session.client.name_device(name).await?;
    }
    let sync = session.sync_saved(context).await?;
    let items: usize = session.client.vaults().await?.iter().map(|vault| vault.items).sum();
    let mut text = format!(
        "The account is yours on this device, with {items} items. Password, Secret Key and Recovery Key are new ones."
    );
    if let (Some(kit), Some(sheet)) = (&written.emergency_kit, &written.recovery_sheet) {
        text.push_str(&format!(
            "\nNew papers: {} and {}. Print them, keep them apart, and delete the files.",
            shown_path(kit),
            shown_path(sheet)
        ));
    }
    let lost = lost::of(&session).await?;
    text.extend(lost.iter().map(|line| format!("\n{line}")));
    text.push_str(&format!("\n{}", sync.text()));
    let json = json!({
        "account_id": session.client.account_id().to_string(),
        "device_id": session.client.device_id().to_string(),
        "items": items,
        "emergency_kit": written.emergency_kit,
        "recovery_sheet": written.recovery_sheet,
        "lost": lost,
        "sync": sync,
    });
    session.result(context, &text, &json, sync.notices()).await;
    Ok(Exit::Done)
}
