//! Questions that only a person, or `--yes`, may answer.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use crate::failure::Failure;
use crate::output::Reader;

/// Who answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answers {
    /// A person at the terminal.
    Person,
    /// `--yes` said so before.
    Yes,
}

/// Asks a yes-or-no question; no is the default.
///
/// # Errors
/// A [`Failure`] when the answer is no, or when nobody can be asked. `kept` says what then is as it was.
pub(crate) fn confirm(answers: Answers, question: &str, kept: &str) -> Result<(), Failure> {
    if answers == Answers::Yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        let message = format!("{question} Nobody can be asked here, so {kept}; pass --yes if you are sure");
        return Err(Failure::usage(message));
    }
    let failed = |error| Failure::failed("terminal", format!("the terminal cannot be read: {error}"));
    let mut err = io::stderr().lock();
    write!(err, "{question} [y/N] ").and_then(|()| err.flush()).map_err(failed)?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).map_err(failed)?;
    match answer.trim().to_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(Failure::failed("declined", format!("you said no, so {kept}"))),
    }
}

/// One of several answers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Choice {
    /// What is typed.
    pub(crate) key: &'static str,
    /// What it means.
    pub(crate) text: &'static str,
}

/// Asks which one; its number.
///
/// # Errors
/// A [`Failure`] with `unasked` where nobody can be asked, or when the answer is none of them.
pub(crate) fn choose(
    reader: Reader,
    question: &str,
    choices: &[Choice],
    unasked: &str,
) -> Result<usize, Failure> {
    if reader == Reader::Program || !io::stdin().is_terminal() {
        return Err(Failure::usage(unasked));
    }
    let failed = |error| Failure::failed("terminal", format!("the terminal cannot be read: {error}"));
    let mut err = io::stderr().lock();
    let mut text = format!("{question}\n");
    for Choice { key, text: meaning } in choices {
        text.push_str(&format!("  {key}  {meaning}\n"));
    }
    write!(err, "{text}> ").and_then(|()| err.flush()).map_err(failed)?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).map_err(failed)?;
    let answer = answer.trim().to_lowercase();
    choices.iter().position(|choice| choice.key == answer).ok_or_else(|| Failure::usage(unasked))
}
