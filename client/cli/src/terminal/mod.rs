//! Questions on a terminal. What was pasted beyond an answer goes nowhere: not to the next question, not to the shell.

#[cfg(any(unix, test))]
mod keys;
#[cfg(not(unix))]
mod other;
#[cfg(unix)]
mod unix;

use std::io::{self, IsTerminal as _};

use zeroize::Zeroizing;

#[cfg(not(unix))]
use other as system;
#[cfg(unix)]
use unix as system;

use crate::failure::Failure;
use crate::output::clean_line;

/// One line that is not shown while it is typed, of at most `limit` bytes.
///
/// # Errors
/// A [`Failure`] where nobody can be asked, the person broke off, or the answer is longer, has several lines or is no text.
pub(crate) fn ask_hidden(question: &str, limit: usize) -> Result<Zeroizing<String>, Failure> {
    system::ask_hidden(question, limit)
}

/// Lines that are not shown while they are typed, up to a line with a single dot or Ctrl-D; at most `limit` bytes. The last
/// line break is dropped.
///
/// # Errors
/// As [`ask_hidden`].
pub(crate) fn ask_lines(question: &str, limit: usize) -> Result<Zeroizing<String>, Failure> {
    system::ask_lines(question, limit)
}

/// One line that is shown while it is typed, without blanks at its ends.
///
/// # Errors
/// As [`ask_hidden`].
pub(crate) fn ask_shown(question: &str) -> Result<Zeroizing<String>, Failure> {
    system::ask_shown(question).map(|answer| Zeroizing::new(answer.trim().to_owned()))
}

/// Whether there is somebody to ask.
pub(crate) fn is_there() -> bool {
    io::stdin().is_terminal()
}

fn unreadable(error: impl std::fmt::Display) -> Failure {
    Failure::failed("terminal", format!("the terminal cannot be read: {error}"))
}

fn broken_off(question: &str) -> Failure {
    Failure::failed(
        "declined",
        format!("you broke off at \"{}\"", clean_line(question.trim_end_matches(": "))),
    )
}
