//! `kit`: the Emergency Kit once more, and another recovery sheet.

mod recovery;
mod told;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::shown_path;
use crate::papers::{Papers, Sheets};
use crate::session::{Session, read_password};

/// Options of `kit`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct KitArguments {
    #[command(subcommand)]
    what: Option<KitCommand>,
    /// Where the Emergency Kit is written; without it it is shown on the terminal.
    #[arg(long, value_name = "DIR")]
    kit_dir: Option<PathBuf>,
}

/// The other paper.
#[derive(Debug, Subcommand)]
pub enum KitCommand {
    /// Look whether a new Recovery Key is announced, or change the Recovery Key and its sheet.
    Recovery(recovery::RecoveryArguments),
}

/// Shows or writes the Emergency Kit, after the password was typed again. The Recovery Key is on no device: it can only
/// be changed.
///
/// # Errors
/// A [`Failure`]; nothing was shown.
pub async fn run(context: &Context, arguments: KitArguments) -> Result<Exit, Failure> {
    if let Some(KitCommand::Recovery(arguments)) = arguments.what {
        return Box::pin(recovery::run(context, arguments)).await;
    }
    let papers = Papers::ready(context, arguments.kit_dir, ("kit", Sheets::Kit))?;
    let session = Session::open_with(context, &read_password(context)?).await?;
    let kit = session.client.unlocked().emergency_kit()?;
    let written = papers.hand_out_kit(context, &kit)?;
    let text = match &written.emergency_kit {
        Some(path) => format!(
            "Your Emergency Kit: {}, readable by you alone. Print it, and delete the file.",
            shown_path(path)
        ),
        None => String::new(),
    };
    context.output.result(&text, &json!({ "emergency_kit": written.emergency_kit }));
    Ok(Exit::Done)
}
