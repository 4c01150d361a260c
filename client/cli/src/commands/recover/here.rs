//! Taking the account back on a device of it: for a person who has forgotten the password, and has the sheet and a
//! profile that is still unlocked.

use std::collections::BTreeSet;

use lockstep_client::account::{AccountError, SheetStanding, keeps_unshown, reauthenticate, unshown_sheet};
use lockstep_client::client::{DeviceInfo, TakeBack};
use lockstep_client::crypto::recovery_key::RecoveryKey;
use lockstep_client::proto::ids::DeviceId;
use lockstep_client::sync::SyncError;

use super::super::device::{find, shown};
use super::super::sheet::present_key;
use super::lost::confirm_missing;
use super::{RecoverArguments, finish, hand_out};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::papers::Papers;
use crate::questions::{confirm, confirm_ending};
use crate::session::{Session, open_existing, read_new_password, read_password};

const UNASKED: &str = "this profile has the account already, and is unlocked: to take the account back from here, say \
                       with --sheet FILE, or --sheet - for standard input, where the sheet is; nothing was changed";

/// Takes the account back from the unlocked profile, or hands out the papers of an earlier run.
pub(super) async fn run(
    context: &Context,
    papers: &Papers,
    arguments: &RecoverArguments,
) -> Result<Exit, Failure> {
    let keeps_papers = keeps_papers(context).await?;
    let (mut session, known) = match Session::open_unlocked(context).await? {
        Some(session) => (session, Known::NotAsked),
        None if keeps_papers => (Session::open_asking(context).await?, Known::Typed),
        None => return Err(locked(context)),
    };
    in_step(context, &mut session).await?;
    let name = arguments.device_name.as_deref();
    let kept = unshown_sheet(&*session.ports.store, session.client.unlocked()).await?;
    if kept.is_some_and(|(_, standing)| standing == SheetStanding::Present) {
        context.output.hint("The papers of an earlier run were not handed out: here they are.");
        if known == Known::NotAsked {
            // Whoever passes by an unlocked device must not get them.
            reauthenticate(&session.ports, session.client.unlocked(), &read_password(context)?).await?;
        }
        let written = hand_out(context, papers, &session).await?;
        return finish(context, session, name, &written).await;
    }
    let key = present_key(&session, arguments.sheet.as_deref(), UNASKED)?;
    let stay = chosen(context, &session, &arguments.keep).await?;
    let someone_stays = !stay.is_empty();
    recovered(context, &mut session, &key, stay).await?;
    if someone_stays {
        context.output.note(
            "The devices that stay unlock with the password that they know. Where one is still unlocked, `lockstep \
             password confirm` there makes the new one open it.",
        );
    }
    let written = hand_out(context, papers, &session).await?;
    finish(context, session, name, &written).await
}

/// Whether the password that opens this device was typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    Typed,
    NotAsked,
}

/// Whether there are papers to hand out, before anything is unlocked.
async fn keeps_papers(context: &Context) -> Result<bool, Failure> {
    let (_owned, ports) = open_existing(context).await?;
    Ok(keeps_unshown(&*ports.store).await?)
}

fn locked(context: &Context) -> Failure {
    let option = context.option();
    let message = format!(
        "this profile has an account already, and is locked. If you know its password, choose another with `lockstep \
         password change{option}`. If you have forgotten it, nobody can unlock this profile: take the account back in \
         a new one, by `lockstep recover --profile NAME --sheet FILE` with a name that you have not used; this device \
         is removed then unless you --keep it, and the folder of its profile may go"
    );
    Failure::failed("account-exists", message)
}

/// What a device has signed may let a sync fail, and is no reason not to remove it.
async fn in_step(context: &Context, session: &mut Session) -> Result<(), Failure> {
    match session.sync(context).await {
        Err(failure) if failure.exit == Exit::Unreachable || failure.code == "device-revoked" => Err(failure),
        Err(failure) => {
            let message = format!("Not everything is in step: {}. The recovery goes on.", failure.message);
            context.output.hint(&message);
            Ok(())
        }
        Ok(_) => Ok(()),
    }
}

/// The devices that stay besides this one, once their owner has said so.
async fn chosen(
    context: &Context,
    session: &Session,
    keep: &[String],
) -> Result<BTreeSet<DeviceId>, Failure> {
    let mut stay = BTreeSet::new();
    for text in keep {
        let device = find(session, text).await?;
        if !device.active {
            let message =
                format!("{} was removed before, so it cannot stay; nothing was changed", shown(&device));
            return Err(Failure::usage(message));
        }
        stay.insert(device.device_id);
    }
    let devices = session.client.devices().await?;
    let active: Vec<&DeviceInfo> = devices.iter().filter(|device| device.active).collect();
    let line = |device: &&DeviceInfo| {
        let what = match (device.this, stay.contains(&device.device_id)) {
            (true, _) => "this one",
            (_, true) => "stays",
            _ => "is removed",
        };
        format!("  {}  {} ({what})", device.device_id, shown(device))
    };
    let lines: Vec<String> = active.iter().map(line).collect();
    context.output.note(&format!("The devices of your account:\n{}", lines.join("\n")));
    let going = active.iter().filter(|device| !device.this && !stay.contains(&device.device_id)).count();
    let question = match going {
        0 => "Take the account back on this device, and remove none?".to_owned(),
        going => format!("Take the account back on this device, and remove {going} of these?"),
    };
    confirm(context.answers, &question, "nothing was changed")?;
    Ok(stay)
}

async fn recovered(
    context: &Context,
    session: &mut Session,
    key: &RecoveryKey,
    stay: BTreeSet<DeviceId>,
) -> Result<(), Failure> {
    let password = read_new_password(context)?;
    context.output.hint("Fetching and checking your vaults, and changing every key.");
    let mut chosen = TakeBack { stay, ..TakeBack::default() };
    let mut recovered = session.client.recover_here(key, &password, &chosen).await;
    if let Err(SyncError::Account(AccountError::KeysMovedOn)) = recovered {
        confirm_missing()?;
        chosen.without_keys = true;
        recovered = session.client.recover_here(key, &password, &chosen).await;
    }
    if let Err(SyncError::VaultsWouldEnd { vaults }) = recovered {
        confirm_ending(&vaults)?;
        chosen.ending = vaults;
        recovered = session.client.recover_here(key, &password, &chosen).await;
    }
    let Err(error) = recovered else { return Ok(()) };
    let option = context.option();
    Err(match session.client.recovery_waits().await? {
        true => Failure::from(error).after(&format!(
            "The recovery waits, and the new password opens this device already: run `lockstep recover{option}` again."
        )),
        false => error.into(),
    })
}
