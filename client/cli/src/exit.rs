//! Exit codes: what a script learns without reading a word.

use std::process::ExitCode;

/// How a command ended. The numbers are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// It did not work, or an import left something out; the message says what was kept.
    Failed = 1,
    /// The command line cannot be understood.
    Usage = 2,
    /// The password or the Kit is wrong, or this device may not sign in.
    Locked = 3,
    /// The server gave no usable answer; work on this device is kept and waits.
    Unreachable = 4,
    /// Everything was kept, and a person has to look: values of two writers wait for a choice, or an export lacks something.
    Attention = 5,
    /// What the server sent breaks a rule; nothing of it was taken.
    Refused = 6,
}

/// The exit codes as `--help` prints them.
pub const EXIT_CODES: &str = "\
Exit codes:
  0  done (also when the server is away and an edit was saved on this device)
  1  it did not work, or an import left something out; the message says what was kept and what to do
  2  the command line cannot be understood
  3  wrong password, passphrase, Secret Key or account, a session that the server does not take, or a removed device
  4  the server gave no usable answer; your work waits on this device
  5  all was kept, but something wants a look: two values of a field (`lockstep conflicts`), what an export left behind
  6  what the server sent breaks a rule; nothing of it was taken";

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
