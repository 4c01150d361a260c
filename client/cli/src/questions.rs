//! Questions that a person answers: those about what a command does also by `--yes`, those for which somebody has to look
//! at something else than this screen by that person alone.

use std::collections::BTreeSet;

use lockstep_client::proto::ids::VaultId;

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
    ask(question, kept)
}

/// Asks a yes-or-no question that compares something with the world outside: words on another screen, what became of a server.
/// An answer that was given before anybody could look is none, so `--yes` does not answer it.
///
/// # Errors
/// As [`confirm`].
pub(crate) fn confirm_by_looking(question: &str, kept: &str) -> Result<(), Failure> {
    check_somebody_looks(question, kept)?;
    ask(question, kept)
}

/// Asks whether vaults end with the device that had added them: nobody but their owner knows whether there was anything in
/// them.
///
/// # Errors
/// As [`confirm`].
pub(crate) fn confirm_ending(vaults: &BTreeSet<VaultId>) -> Result<(), Failure> {
    let listed: Vec<String> = vaults.iter().map(ToString::to_string).collect();
    let question = format!(
        "A device that goes has added vaults that the server does not have, or whose keys do not open: {}. If one of them is \
         yours and another device of yours shows it, or the server is being restored from a backup, say no, and sync that \
         device first. Take them out of the account for good?",
        listed.join(", ")
    );
    confirm_by_looking(&question, "nothing was removed")
}

/// Whether there will be somebody to look; before a command begins what it could not finish without.
///
/// # Errors
/// A [`Failure`] that says what to do.
pub(crate) fn check_somebody_looks(question: &str, kept: &str) -> Result<(), Failure> {
    if terminal::is_there() {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "{question} Only a person who looks can tell, so --yes is no answer to this, and nobody can be asked here: run the \
         command at a terminal, with nothing else on its standard input; {kept}"
    )))
}

fn ask(question: &str, kept: &str) -> Result<(), Failure> {
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
