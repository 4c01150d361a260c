//! `kit recovery`: another Recovery Key, at once with the sheet of the present one, else after a week.
//!
//! **Invariants:** a new sheet is kept on this device until it is on paper, whatever breaks off in between, and the
//! next run hands it out; nothing is confirmed whose sheet waits here.

use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args};
use lockstep_client::account::{
    AccountError, SheetStanding, forget_recovery_key, keeps_unshown, unshown_sheet,
};
use lockstep_client::crypto::kit::RecoverySheet;
use lockstep_client::crypto::password::Password;
use lockstep_client::sync::SyncError;

use super::super::sheet::{key_of_sheet, present_key};
use super::told::{Done, Told};
use crate::context::{Connection, Context};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::papers::{Papers, Sheets, Written};
use crate::questions::confirm as confirm_question;
use crate::session::{Session, open_existing, read_password};
use crate::terminal;
use crate::when::rfc3339;

/// What runs again where the sheet was not handed out.
const COMMAND: (&str, Sheets) = ("kit recovery", Sheets::Recovery);
/// Nobody can be asked for the sheet of the present key.
const UNASKED: &str = "say with --sheet FILE, or --sheet - for standard input, where the present recovery sheet is, or \
                       with --lost that it is lost; nothing was changed";
/// Nobody can be asked for the sheet of the announced key.
const UNASKED_NEW: &str = "say with --sheet FILE, or --sheet - for standard input, where the sheet of the announced \
                           key is; nothing was changed";

/// Options of `kit recovery`.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("change").args(["new", "confirm"])))]
pub struct RecoveryArguments {
    /// Change the Recovery Key: at once with the present recovery sheet; with --lost it is announced, and counts once
    /// it is confirmed a week later.
    #[arg(long)]
    new: bool,
    /// The present recovery sheet as text, with --confirm the one of the announced key; - reads it from standard input.
    #[arg(long, value_name = "FILE", requires = "change")]
    sheet: Option<PathBuf>,
    /// The present recovery sheet is lost.
    #[arg(long, requires = "new", conflicts_with = "sheet")]
    lost: bool,
    /// Make the announced Recovery Key the account's, a week after it was announced; earlier sheets are void then.
    #[arg(long)]
    confirm: bool,
    /// Where the new recovery sheet is written; without it it is shown once.
    #[arg(long, value_name = "DIR")]
    kit_dir: Option<PathBuf>,
}

/// Runs it.
///
/// # Errors
/// A [`Failure`] that says what was changed.
pub(super) async fn run(context: &Context, arguments: RecoveryArguments) -> Result<Exit, Failure> {
    let changes = arguments.new || arguments.confirm;
    if changes && context.connection == Connection::Offline {
        let message =
            "changing the Recovery Key needs the server, and --offline forbids it; nothing was changed";
        return Err(Failure::usage(message));
    }
    let told = match (arguments.new, arguments.confirm) {
        (true, _) => Box::pin(new(context, arguments)).await?,
        (_, true) => Box::pin(confirm(context, arguments.sheet.as_deref())).await?,
        _ => Box::pin(look(context, arguments.kit_dir)).await?,
    };
    context.output.result(&told.text(&context.option()), &told);
    Ok(Exit::Done)
}

/// Tells what is announced, and hands out a sheet that an earlier run could not.
async fn look(context: &Context, folder: Option<PathBuf>) -> Result<Told, Failure> {
    let mut session = match keeps_sheet(context).await? {
        true => Session::open_asking(context).await?,
        false => Session::open(context).await?,
    };
    let away = match context.connection {
        Connection::Offline => Some(Failure::usage("the server was not asked, since --offline forbids it")),
        Connection::Online => match session.client.sync_account().await.map_err(Failure::from) {
            Ok(()) => None,
            Err(failure) if failure.is_temporary() => Some(failure),
            Err(failure) => return Err(failure),
        },
    };
    if let Some((sheet, standing)) = kept_sheet(context, &session, away.as_ref()).await? {
        let papers = Papers::ready(context, folder, COMMAND).map_err(|failure| {
            failure
                .after("The sheet of a new Recovery Key is kept on this device, and waits to be handed out.")
        })?;
        return handed_out(context, &session, &papers, (sheet, standing)).await;
    }
    let mut told = Told::now(&session, Done::Looked).await?;
    told.in_step = away.is_none();
    Ok(told)
}

async fn new(context: &Context, arguments: RecoveryArguments) -> Result<Told, Failure> {
    let keeps_sheet = keeps_sheet(context).await?;
    if !keeps_sheet && !arguments.lost && arguments.sheet.is_none() && !terminal::is_there() {
        return Err(Failure::usage(UNASKED));
    }
    let papers = Papers::ready(context, arguments.kit_dir, COMMAND)?;
    let password = match arguments.lost || keeps_sheet {
        true => Some(read_password(context)?),
        false => None,
    };
    let mut session = match &password {
        Some(password) => Session::open_with(context, password).await?,
        None => Session::open(context).await?,
    };
    session.client.sync_account().await?;
    match kept_sheet(context, &session, None).await? {
        // With the present sheet at hand nobody needs the one that waits for its week.
        Some((_, SheetStanding::Announced)) if arguments.sheet.is_some() => {}
        Some(kept) => return handed_out(context, &session, &papers, kept).await,
        None => {}
    }
    match password.filter(|_| arguments.lost) {
        Some(password) => announced(context, &mut session, &password).await?,
        None => {
            let present = present_key(&session, arguments.sheet.as_deref(), UNASKED)?;
            let changed = session.client.change_recovery_key(&present).await;
            changed.map_err(|error| unanswered(context, error, HANDS_OUT))?;
        }
    }
    match unshown_sheet(&*session.ports.store, session.client.unlocked()).await? {
        Some(kept) => handed_out(context, &session, &papers, kept).await,
        None => Err(Failure::failed("profile", "the new recovery sheet is not on this device")),
    }
}

/// Announces one. Who has announced one before is asked first: its week begins anew.
async fn announced(context: &Context, session: &mut Session, password: &Password) -> Result<(), Failure> {
    if let Some(waiting) = session.client.waiting_recovery_key().await? {
        let question = format!(
            "A new Recovery Key is announced already, and can be confirmed from {} on. Announcing another one makes \
             its sheet void, and begins the week anew. Do it?",
            rfc3339(waiting.due_ms)
        );
        confirm_question(context.answers, &question, "nothing was changed")?;
    }
    let announced = session.client.announce_recovery_key(password).await;
    announced.map_err(|error| unanswered(context, error, HANDS_OUT))
}

async fn confirm(context: &Context, sheet: Option<&Path>) -> Result<Told, Failure> {
    let password = read_password(context)?;
    let mut session = Session::open_with(context, &password).await?;
    session.client.sync_account().await?;
    if kept_sheet(context, &session, None).await?.is_some() {
        let option = context.option();
        let message = format!(
            "a recovery sheet is kept on this device and was never handed out; nothing was changed: run `lockstep kit \
             recovery{option}` to have it on paper, and confirm then"
        );
        return Err(Failure::failed("unfinished", message));
    }
    if session.client.waiting_recovery_key().await?.is_none() {
        return Err(AccountError::NoneAnnounced.into());
    }
    let new = key_of_sheet(&session, sheet, "new", UNASKED_NEW)?;
    let confirmed = session.client.confirm_recovery_key(&new, &password).await;
    confirmed.map_err(|error| unanswered(context, error, "finds out"))?;
    Told::now(&session, Done::Confirmed).await
}

/// Whether an earlier run left a sheet, so that the password is asked for.
async fn keeps_sheet(context: &Context) -> Result<bool, Failure> {
    let (_owned, ports) = open_existing(context).await?;
    Ok(keeps_unshown(&*ports.store).await?)
}

/// The sheet that an earlier run left, if it counts. One that never will is dropped; `away` says why the server could
/// not be asked.
async fn kept_sheet(
    context: &Context,
    session: &Session,
    away: Option<&Failure>,
) -> Result<Option<(RecoverySheet, SheetStanding)>, Failure> {
    let kept = unshown_sheet(&*session.ports.store, session.client.unlocked()).await?;
    match (kept, away) {
        (Some((_, SheetStanding::Unnamed)), Some(failure)) => Err(failure.clone().after(
            "It is not known yet whether the new Recovery Key of an earlier run counts: keep the sheet that you have, \
             and run this again when the server answers.",
        )),
        (Some((_, SheetStanding::Unnamed)), None) => {
            forget_recovery_key(&session.ports).await?;
            context.output.hint(
                "The new Recovery Key of an earlier run does not count: the account's log went on without it, or it \
                 was cancelled. Its sheet, which was never handed out, is dropped.",
            );
            Ok(None)
        }
        (kept, _) => Ok(kept),
    }
}

async fn handed_out(
    context: &Context,
    session: &Session,
    papers: &Papers,
    (sheet, standing): (RecoverySheet, SheetStanding),
) -> Result<Told, Failure> {
    let Written { recovery_sheet, .. } = papers.hand_out_sheet(context, &sheet)?;
    forget_recovery_key(&session.ports).await?;
    let done = if standing == SheetStanding::Present { Done::Changed } else { Done::Announced };
    let mut told = Told::now(session, done).await?;
    told.recovery_sheet = recovery_sheet;
    Ok(told)
}

const HANDS_OUT: &str = "finds out, and hands its sheet out then";

/// The answer may be lost: then nobody here knows which sheet counts.
fn unanswered(context: &Context, error: SyncError, finds_out: &str) -> Failure {
    let failure = Failure::from(error);
    if !failure.is_temporary() {
        return failure;
    }
    let option = context.option();
    failure.after(&format!(
        "Keep the sheets that you have: the server may have taken the new Recovery Key. `lockstep kit \
         recovery{option}` {finds_out}."
    ))
}
