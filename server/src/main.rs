//! The server's program.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use lockstep_server::config::{Arguments, Command, Config, ConfigCommand};

/// The configuration cannot be used: nothing was tried.
const MISCONFIGURED: u8 = 2;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let config = match Config::load(&arguments) {
        Ok(config) => config,
        Err(error) => {
            lockstep_server::start_logging(Default::default());
            tracing::error!("the configuration cannot be used: {error}");
            return ExitCode::from(MISCONFIGURED);
        }
    };
    lockstep_server::start_logging(config.log);
    match done(&arguments, &config) {
        Ok(code) => code,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn done(arguments: &Arguments, config: &Config) -> anyhow::Result<ExitCode> {
    use lockstep_server::block_on;
    match &arguments.command {
        None => block_on(lockstep_server::run(config))?,
        Some(Command::Invite) => block_on(lockstep_server::make_invite(config))?,
        Some(Command::SetupToken) => block_on(lockstep_server::print_setup_token(config))?,
        Some(Command::Health) => lockstep_server::health(config)?,
        Some(Command::Quota(whose)) => block_on(lockstep_server::quota(config, whose))?,
        Some(Command::Doctor) => {
            let fine = block_on(lockstep_server::doctor(config))?;
            return Ok(if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Some(Command::Config(ConfigCommand::Check)) => {
            writeln!(
                std::io::stdout(),
                "The configuration can be used. `lockstep-server doctor` looks at what it names."
            )?;
        }
        Some(Command::Config(ConfigCommand::Print)) => {
            write!(std::io::stdout(), "{}", Config::print(arguments)?)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
