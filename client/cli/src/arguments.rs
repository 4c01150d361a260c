//! The command line: options that every command takes, and the commands.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::commands::{
    add, agent, code, conflicts, device, edit, evidence, export, get, heal, history, import, join, key, kit,
    list, lock, password, recover, rm, security, signin, signup, unlock,
};
use crate::exit::EXIT_CODES;
use crate::place::ProfileName;

/// Lockstep keeps a password vault in step across your devices, through a server that cannot read it.
///
/// Everything that reads and writes items works without the server: edits are saved on this device and sent when it
/// is there again.
#[derive(Debug, Parser)]
#[command(name = "lockstep", version, after_help = EXIT_CODES)]
pub struct Arguments {
    #[command(flatten)]
    #[allow(missing_docs, reason = "the text would be printed as the program's description")]
    pub global: Global,
    #[command(subcommand)]
    #[allow(missing_docs, reason = "the text would be printed as the program's description")]
    pub command: Command,
}

/// Options of every command.
#[derive(Debug, Args)]
pub struct Global {
    /// Which profile: each is a device of its own [default: default].
    #[arg(
        long,
        global = true,
        env = "LOCKSTEP_PROFILE",
        hide_env_values = true,
        default_value = "default",
        hide_default_value = true,
        value_name = "NAME"
    )]
    pub profile: ProfileName,
    /// Write one JSON object to standard output, errors too.
    #[arg(long, global = true)]
    pub json: bool,
    /// Do not talk to the server; what is changed waits for the next sync.
    #[arg(long, global = true)]
    pub offline: bool,
    /// Answer yes to every question about what the command does; never to one for which you have to look elsewhere.
    #[arg(long, global = true)]
    pub yes: bool,
    /// Read the account's password from this file descriptor instead of asking.
    #[arg(long, global = true, env = "LOCKSTEP_PASSWORD_FD", hide_env_values = true, value_name = "N")]
    pub password_fd: Option<u32>,
    /// Trust the certificates of this PEM file too, for a server with a certificate of its own.
    #[arg(long, global = true, env = "LOCKSTEP_CA", hide_env_values = true, value_name = "FILE")]
    pub ca: Option<PathBuf>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make an account, its Emergency Kit and its first vault.
    Signup(signup::SignupArguments),
    /// Make this profile a device of your account, with Emergency Kit and password.
    Signin(signin::SigninArguments),
    /// Make this profile a device of your account, let in by another of your devices.
    Join(join::JoinArguments),
    /// Keep this profile unlocked for a while, so that commands ask for no password.
    Unlock(unlock::UnlockArguments),
    /// End what unlock started.
    Lock(lock::LockArguments),
    /// Add an item.
    Add(add::AddArguments),
    /// Change an item.
    Edit(edit::EditArguments),
    /// Show an item, or one of its fields.
    Get(get::GetArguments),
    /// Show an item's one-time password.
    Code(code::CodeArguments),
    /// List items.
    List(list::ListArguments),
    /// Put an item into the trash.
    Rm(rm::RmArguments),
    /// Take an item out of the trash.
    Restore(rm::RestoreArguments),
    /// Import another program's export, or an archive.
    Import(import::ImportArguments),
    /// Export a vault for another program, or everything into a sealed archive.
    Export(export::ExportArguments),
    /// Bring this device and the server in step.
    Sync,
    /// Show where this device stands.
    Status,
    /// Show what the fields of an item held before, and take a value back.
    History(history::HistoryArguments),
    /// List fields that two devices wrote, and choose.
    Conflicts(conflicts::ConflictsArguments),
    /// The devices of the account: let one in, list, rename, remove.
    #[command(subcommand)]
    Device(device::DeviceCommand),
    /// The account's password: change it, or confirm a change on this device.
    #[command(subcommand)]
    Password(password::PasswordCommand),
    /// The account's keys: change them all.
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Show or write the Emergency Kit again, or change the recovery sheet.
    Kit(kit::KitArguments),
    /// Take the account back with the recovery sheet.
    Recover(recover::RecoverArguments),
    /// List what happened to the account and its server.
    Security(security::SecurityArguments),
    /// Join two histories of a vault, after the server was restored from a backup.
    Heal(heal::HealArguments),
    /// Evidence that a server showed two histories: export it, check it.
    #[command(subcommand)]
    Evidence(evidence::EvidenceCommand),
    /// Keep a profile unlocked; started by unlock.
    #[command(hide = true)]
    Agent(agent::AgentArguments),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn help_says_what_there_is_and_what_the_exit_codes_mean() {
        insta::assert_snapshot!(Arguments::command().render_help(), @r#"
        Lockstep keeps a password vault in step across your devices, through a server that cannot read it

        Usage: lockstep [OPTIONS] <COMMAND>

        Commands:
          signup     Make an account, its Emergency Kit and its first vault
          signin     Make this profile a device of your account, with Emergency Kit and password
          join       Make this profile a device of your account, let in by another of your devices
          unlock     Keep this profile unlocked for a while, so that commands ask for no password
          lock       End what unlock started
          add        Add an item
          edit       Change an item
          get        Show an item, or one of its fields
          code       Show an item's one-time password
          list       List items
          rm         Put an item into the trash
          restore    Take an item out of the trash
          import     Import another program's export, or an archive
          export     Export a vault for another program, or everything into a sealed archive
          sync       Bring this device and the server in step
          status     Show where this device stands
          history    Show what the fields of an item held before, and take a value back
          conflicts  List fields that two devices wrote, and choose
          device     The devices of the account: let one in, list, rename, remove
          password   The account's password: change it, or confirm a change on this device
          key        The account's keys: change them all
          kit        Show or write the Emergency Kit again, or change the recovery sheet
          recover    Take the account back with the recovery sheet
          security   List what happened to the account and its server
          heal       Join two histories of a vault, after the server was restored from a backup
          evidence   Evidence that a server showed two histories: export it, check it
          help       Print this message or the help of the given subcommand(s)

        Options:
              --profile <NAME>   Which profile: each is a device of its own [default: default] [env: LOCKSTEP_PROFILE]
              --json             Write one JSON object to standard output, errors too
              --offline          Do not talk to the server; what is changed waits for the next sync
              --yes              Answer yes to every question about what the command does; never to one for which you have to look elsewhere
              --password-fd <N>  Read the account's password from this file descriptor instead of asking [env: LOCKSTEP_PASSWORD_FD]
              --ca <FILE>        Trust the certificates of this PEM file too, for a server with a certificate of its own [env: LOCKSTEP_CA]
          -h, --help             Print help (see more with '--help')
          -V, --version          Print version

        Exit codes:
          0  done (also when the server is away and an edit was saved on this device)
          1  it did not work, or an import left something out; the message says what was kept and what to do
          2  the command line cannot be understood
          3  wrong password, passphrase, Secret Key or account, a session that the server does not take, or a removed device
          4  the server gave no usable answer; your work waits on this device
          5  all was kept, but something wants a look: two values of a field (`lockstep conflicts`), what an export left behind
          6  what the server sent breaks a rule; nothing of it was taken
        "#);
    }

    #[test]
    fn no_command_takes_a_password_as_an_argument() {
        let mut command = Arguments::command();
        command.build();
        for sub in command.get_subcommands() {
            for argument in sub.get_arguments() {
                let id = argument.get_id().as_str();
                assert!(!id.contains("password") || id == "password_fd", "{} {id}", sub.get_name());
            }
        }
    }
}
