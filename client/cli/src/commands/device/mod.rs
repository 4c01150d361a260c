//! `device`: the devices of the account.

pub mod pair;

use clap::{Args, Subcommand};

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Options of `device`.
#[derive(Debug, Args)]
pub struct DeviceArguments {
    #[command(subcommand)]
    action: DeviceAction,
}

/// What to do about devices.
#[derive(Debug, Subcommand)]
enum DeviceAction {
    /// Let a new device in: shows a code for `lockstep join` there.
    Pair,
}

/// Runs the action.
///
/// # Errors
/// A [`Failure`].
pub async fn run(context: &Context, arguments: DeviceArguments) -> Result<Exit, Failure> {
    match arguments.action {
        DeviceAction::Pair => Box::pin(pair::run(context)).await,
    }
}
