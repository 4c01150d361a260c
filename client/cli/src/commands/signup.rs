//! `signup`: a new account, its papers, its first vault.

use std::path::PathBuf;

use clap::Args;
use lockstep_client::account::{
    NewAccount, SheetStanding, SignedUp, Stage, Unlocked, forget_recovery_key, profile, resume_sign_up,
    sign_up, unlock, unshown_papers, unshown_sheet,
};
use lockstep_client::crypto::kit::{EmergencyKit, RecoverySheet, ServerUrl};
use lockstep_client::ports::Ports;
use lockstep_native::open_profile;
use serde_json::json;

use super::signin::device_name;
use crate::context::{Connection, Context};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::shown_path;
use crate::papers::{Papers, Sheets, Written};
use crate::session::{Session, open_existing, read_new_password, read_password};

/// The first vault's name.
const FIRST_VAULT: &str = "Personal";

/// Options of `signup`.
#[derive(Debug, Args)]
pub struct SignupArguments {
    /// The server's address, such as `https://vault.example.org`.
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// The invitation, where the server wants one; on a new server, the set-up token from its log.
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    invite: Option<String>,
    /// Where the Emergency Kit and the recovery sheet are written; without it they are shown once.
    #[arg(long, value_name = "DIR")]
    kit_dir: Option<PathBuf>,
    /// This device's name, for your other devices.
    #[arg(long, value_name = "NAME")]
    device_name: Option<String>,
}

/// Makes an account, or finishes what an earlier `signup` began.
///
/// # Errors
/// A [`Failure`] that says what is there and how to go on.
pub async fn run(context: &Context, arguments: SignupArguments) -> Result<Exit, Failure> {
    if context.connection == Connection::Offline {
        return Err(Failure::usage(
            "signing up needs the server, and --offline forbids it; nothing was made",
        ));
    }
    let papers = Papers::ready(context, arguments.kit_dir.clone(), ("signup", Sheets::Both))?;
    let owned = open_profile(context.place.folder())?;
    let stage = profile(owned.store()).await?.map(|profile| profile.stage);
    let (owned, ports, account) = match stage {
        None => {
            let server = arguments
                .server
                .as_deref()
                .ok_or_else(|| Failure::usage("say which server with --server URL"))?;
            let server_url = ServerUrl::new(server).map_err(Failure::usage)?;
            let ports = owned.ports(server, &context.http()?)?;
            let password = read_new_password(context)?;
            let new = NewAccount { server_url, password: &password, invite: arguments.invite.clone() };
            context.output.hint("Making your keys; this takes a few seconds.");
            let signed_up =
                Box::pin(sign_up(&ports, new)).await.map_err(|error| unfinished(context, error.into()))?;
            (owned, ports, Account::from(signed_up))
        }
        Some(_) => {
            drop(owned);
            let (owned, ports) = open_existing(context).await?;
            let account = Box::pin(resumed(context, &ports, stage)).await?;
            (owned, ports, account)
        }
    };
    let written = match &account.papers {
        Some((kit, recovery)) => papers.hand_out(context, kit, recovery)?,
        None => Written::default(),
    };
    forget_recovery_key(&ports).await?;
    let session = Session::of(owned, ports, account.unlocked).await?;
    finish(context, session, &arguments, &written).await
}

struct Account {
    unlocked: Unlocked,
    papers: Option<(EmergencyKit, RecoverySheet)>,
}

impl From<SignedUp> for Account {
    fn from(signed_up: SignedUp) -> Self {
        Self { unlocked: signed_up.unlocked, papers: Some((signed_up.kit, signed_up.recovery)) }
    }
}

/// Goes on where an earlier sign-up was interrupted.
async fn resumed(context: &Context, ports: &Ports, stage: Option<Stage>) -> Result<Account, Failure> {
    let password = read_password(context)?;
    if stage == Some(Stage::SigningUp) {
        return Ok(Box::pin(resume_sign_up(ports, &password)).await?.into());
    }
    let unlocked = unlock(ports, &password).await?;
    // The sheet of a Recovery Key that is announced is handed out by `kit recovery`.
    let papers = match unshown_sheet(&*ports.store, &unlocked).await? {
        Some((_, SheetStanding::Present)) => unshown_papers(ports, &unlocked).await?,
        _ => None,
    };
    if papers.is_none() && !unlocked.state().vaults().is_empty() {
        let message =
            "this profile has an account already; name another profile with --profile for another account";
        return Err(Failure::failed("account-exists", message));
    }
    Ok(Account { unlocked, papers })
}

fn unfinished(context: &Context, failure: Failure) -> Failure {
    if !failure.is_temporary() {
        return failure;
    }
    let option = context.option();
    failure.after(&format!("The sign-up is not finished; run `lockstep signup{option}` again to go on."))
}

async fn finish(
    context: &Context,
    mut session: Session,
    arguments: &SignupArguments,
    written: &Written,
) -> Result<Exit, Failure> {
    let option = context.option();
    let made = "Your account is made and your papers are out.";
    let go_on = format!("{made} Run `lockstep signup{option}` again to make its first vault.");
    Box::pin(first_vault(context, &mut session)).await.map_err(|failure| failure.after(&go_on))?;
    session.client.name_device(&device_name(context, arguments.device_name.as_deref())).await?;
    let sync = session.sync_saved(context).await?;
    let account_id = session.client.account_id().to_string();
    let mut lines = vec![format!("Your account is ready, with the vault \"{FIRST_VAULT}\".")];
    if let (Some(kit), Some(recovery)) = (&written.emergency_kit, &written.recovery_sheet) {
        lines.push(format!("  Emergency Kit:  {}", shown_path(kit)));
        lines.push(format!("  Recovery sheet: {}", shown_path(recovery)));
        lines.push(
            "Print both (there is an .svg beside each), keep them apart, then delete the files.".to_owned(),
        );
    }
    lines.push("Nobody can give you a forgotten password back. The Kit and the password open the vault on a new device;".to_owned());
    lines.push(
        "the recovery sheet is for the day both are lost: `lockstep recover` takes the account back with it."
            .to_owned(),
    );
    let json = json!({
        "account_id": account_id,
        "device_id": session.client.device_id().to_string(),
        "vault": FIRST_VAULT,
        "emergency_kit": written.emergency_kit,
        "recovery_sheet": written.recovery_sheet,
        "sync": sync,
    });
    context.output.result(&lines.join("\n"), &json);
    Ok(Exit::Done)
}

/// Makes the first vault, or goes on with one that an earlier sign-up began to make.
async fn first_vault(context: &Context, session: &mut Session) -> Result<(), Failure> {
    let status = session.client.status().await?;
    if status.vaults_in_creation + status.vaults_missing > 0 {
        session.sync(context).await?;
    }
    if session.client.vaults().await?.is_empty() {
        session.client.create_vault(FIRST_VAULT).await?;
    }
    Ok(())
}
