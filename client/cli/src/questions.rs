//! Questions that only a person, or `--yes`, may answer.

use crate::failure::Failure;
use crate::output::Reader;
use crate::terminal;

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
    if !terminal::is_there() {
        let message = format!("{question} Nobody can be asked here, so {kept}; pass --yes if you are sure");
        return Err(Failure::usage(message));
    }
    let answer = terminal::ask_shown(&format!("{question} [y/N] "));
    let answer =
        answer.map_err(|failure| Failure { message: format!("{}; {kept}", failure.message), ..failure })?;
    match answer.to_lowercase().as_str() {
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
    if reader == Reader::Program || !terminal::is_there() {
        return Err(Failure::usage(unasked));
    }
    let mut text = format!("{question}\n");
    for Choice { key, text: meaning } in choices {
        text.push_str(&format!("  {key}  {meaning}\n"));
    }
    let answer = terminal::ask_shown(&format!("{text}> "))?.to_lowercase();
    choices.iter().position(|choice| choice.key == answer).ok_or_else(|| Failure::usage(unasked))
}
