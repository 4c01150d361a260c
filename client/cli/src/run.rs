//! From the command line to an exit code.

use std::ffi::OsString;
use std::io::{self, Write as _};

use clap::Parser as _;
use clap::error::ContextValue;

use crate::arguments::{Arguments, Command};
use crate::commands::{
    add, agent, code, conflicts, device, edit, evidence, export, get, heal, history, import, join, key, kit,
    list, lock, password, recover, rm, security, signin, signup, status, sync, unlock,
};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Output, Reader, clean_line, unwritten};

/// Runs one command and tells its result.
pub fn run(arguments: impl Iterator<Item = OsString>) -> Exit {
    #[cfg(unix)]
    crate::agent::memory::leave_no_core();
    let arguments: Vec<OsString> = arguments.collect();
    let parsed = match Arguments::try_parse_from(&arguments) {
        Ok(parsed) => parsed,
        Err(error) => return misunderstood(repeating_text_alone(error), &arguments),
    };
    let output = Output::new(if parsed.global.json { Reader::Program } else { Reader::Person });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = runtime
        .map_err(|error| Failure::failed("runtime", format!("the program cannot start: {error}")))
        .and_then(|runtime| runtime.block_on(Box::pin(dispatch(parsed, output.clone()))));
    match (outcome, output.lost()) {
        (Ok(exit), None) => exit,
        // Nothing more goes to where the result could not go.
        (Ok(_), Some(lost)) => {
            Output::new(Reader::Person).failure(&lost);
            lost.exit
        }
        (Err(failure), _) => {
            output.failure(&failure);
            failure.exit
        }
    }
}

async fn dispatch(arguments: Arguments, output: Output) -> Result<Exit, Failure> {
    let context = Context::of(arguments.global, output)?;
    match arguments.command {
        Command::Signup(arguments) => Box::pin(signup::run(&context, arguments)).await,
        Command::Signin(arguments) => Box::pin(signin::run(&context, arguments)).await,
        Command::Join(arguments) => Box::pin(join::run(&context, arguments)).await,
        Command::Unlock(arguments) => Box::pin(unlock::run(&context, arguments)).await,
        Command::Lock(arguments) => Box::pin(lock::run(&context, arguments)).await,
        Command::Add(arguments) => Box::pin(add::run(&context, arguments)).await,
        Command::Edit(arguments) => Box::pin(edit::run(&context, arguments)).await,
        Command::Get(arguments) => Box::pin(get::run(&context, arguments)).await,
        Command::Code(arguments) => Box::pin(code::run(&context, arguments)).await,
        Command::List(arguments) => Box::pin(list::run(&context, arguments)).await,
        Command::Rm(arguments) => Box::pin(rm::run(&context, arguments)).await,
        Command::Restore(arguments) => Box::pin(rm::run_restore(&context, arguments)).await,
        Command::Import(arguments) => Box::pin(import::run(&context, arguments)).await,
        Command::Export(arguments) => Box::pin(export::run(&context, arguments)).await,
        Command::Sync => Box::pin(sync::run(&context)).await,
        Command::Status => Box::pin(status::run(&context)).await,
        Command::History(arguments) => Box::pin(history::run(&context, arguments)).await,
        Command::Conflicts(arguments) => Box::pin(conflicts::run(&context, arguments)).await,
        Command::Device(command) => Box::pin(device::run(&context, command)).await,
        Command::Password(command) => Box::pin(password::run(&context, command)).await,
        Command::Key(command) => Box::pin(key::run(&context, command)).await,
        Command::Kit(arguments) => Box::pin(kit::run(&context, arguments)).await,
        Command::Recover(arguments) => Box::pin(recover::run(&context, arguments)).await,
        Command::Security(arguments) => Box::pin(security::run(&context, arguments)).await,
        Command::Heal(arguments) => Box::pin(heal::run(&context, arguments)).await,
        Command::Evidence(command) => Box::pin(evidence::run(&context, command)).await,
        Command::Agent(arguments) => Box::pin(agent::run(&context, arguments)).await,
    }
}

/// The same error: what it repeats of the arguments, which may be text of others, on one line that steers no terminal.
fn repeating_text_alone(mut error: clap::Error) -> clap::Error {
    let context: Vec<_> = error.context().map(|(kind, value)| (kind, value.clone())).collect();
    for (kind, value) in context {
        let value = match value {
            ContextValue::String(text) => ContextValue::String(clean_line(&text)),
            ContextValue::Strings(texts) => {
                ContextValue::Strings(texts.iter().map(|text| clean_line(text)).collect())
            }
            other => other,
        };
        error.insert(kind, value);
    }
    error
}

/// Help and version are answers; anything else is a mistake, told as `--json` asks.
fn misunderstood(error: clap::Error, arguments: &[OsString]) -> Exit {
    if !error.use_stderr() {
        return match error.print().and_then(|()| io::stdout().flush()) {
            Ok(()) => Exit::Done,
            Err(error) => {
                let lost = unwritten(&error);
                Output::new(Reader::Person).failure(&lost);
                lost.exit
            }
        };
    }
    if arguments.iter().any(|argument| argument == "--json") {
        let message = error.render().to_string();
        let message = message.strip_prefix("error: ").unwrap_or(&message);
        Output::new(Reader::Program).failure(&Failure::usage(message.trim()));
    } else {
        Output::new(Reader::Person).note(error.render().to_string().trim_end());
    }
    Exit::Usage
}
