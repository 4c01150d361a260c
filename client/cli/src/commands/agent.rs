//! `agent`: the process that `unlock` starts; nobody types it.

use clap::Args;

use crate::agent;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::secrets::Unbuffered;

/// Options of `agent`.
#[derive(Debug, Args)]
pub struct AgentArguments {
    /// Ends after so many minutes without a request.
    #[arg(long)]
    minutes: u32,
}

/// Keeps the key that arrives on standard input until told to forget it.
///
/// # Errors
/// A [`Failure`] when it cannot be kept.
pub async fn run(context: &Context, arguments: AgentArguments) -> Result<Exit, Failure> {
    agent::keep(&context.place, arguments.minutes, &mut Unbuffered).await?;
    Ok(Exit::Done)
}
