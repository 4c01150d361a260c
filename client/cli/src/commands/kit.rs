//! `kit`: the Emergency Kit once more.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::shown_path;
use crate::papers::Papers;
use crate::session::{Session, read_password};

/// Options of `kit`.
#[derive(Debug, Args)]
pub struct KitArguments {
    /// Where the Emergency Kit is written; without it it is shown on the terminal.
    #[arg(long, value_name = "DIR")]
    kit_dir: Option<PathBuf>,
}

/// Shows or writes the Emergency Kit, after the password was typed again. The Recovery Key is on no device.
///
/// # Errors
/// A [`Failure`]; nothing was shown.
pub async fn run(context: &Context, arguments: KitArguments) -> Result<Exit, Failure> {
    let papers = Papers::ready(context, arguments.kit_dir)?;
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
