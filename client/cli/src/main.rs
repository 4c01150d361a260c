//! The `lockstep` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    lockstep_cli::run::run(std::env::args_os()).into()
}
