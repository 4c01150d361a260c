//! The server's program.

use std::process::ExitCode;

use clap::Parser as _;
use lockstep_server::config::{Arguments, Command, Config};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let config = match Config::load(&arguments) {
        Ok(config) => config,
        Err(error) => {
            lockstep_server::start_logging(Default::default());
            tracing::error!("the configuration cannot be used: {error}");
            return ExitCode::from(2);
        }
    };
    lockstep_server::start_logging(config.log);
    let done = lockstep_server::block_on(async {
        match arguments.command {
            None => lockstep_server::run(&config).await,
            Some(Command::Invite) => lockstep_server::make_invite(&config).await,
        }
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
