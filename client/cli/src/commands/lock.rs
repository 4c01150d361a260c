//! `lock`: the password is asked for again.

use clap::Args;
use serde_json::json;

use crate::agent;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Options of `lock`.
#[derive(Debug, Args)]
pub struct LockArguments {}

/// Ends what `unlock` started.
///
/// # Errors
/// A [`Failure`] when what keeps the profile unlocked does not answer.
pub async fn run(context: &Context, _: LockArguments) -> Result<Exit, Failure> {
    let was_unlocked = agent::forget(&context.place).await?;
    let text = if was_unlocked { "Locked." } else { "It was locked already." };
    context.output.result(text, &json!({ "unlocked": false, "was_unlocked": was_unlocked }));
    Ok(Exit::Done)
}
