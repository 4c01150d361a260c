//! The one place that writes to the terminal.
//!
//! **Invariants:** standard output carries results alone (with `--json` exactly one JSON object); notes, questions and
//! errors for people go to standard error. Text from vaults reaches a terminal without control characters.

use std::io::{self, IsTerminal as _, Write as _};

use serde::Serialize;
use serde_json::json;

use crate::failure::Failure;

/// Who reads the results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// A person: sentences and columns.
    Person,
    /// A program: one JSON object.
    Program,
}

/// Writes results, notes and failures.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    reader: Reader,
}

impl Output {
    /// Output for this reader.
    pub fn new(reader: Reader) -> Self {
        Self { reader }
    }

    /// Who reads.
    pub fn reader(&self) -> Reader {
        self.reader
    }

    /// A command's result: `text` for a person, `json` for a program. A closed pipe is no failure.
    pub fn result(&self, text: &str, json: &impl Serialize) {
        match self.reader {
            Reader::Person if text.is_empty() => {}
            Reader::Person => self.line(text),
            Reader::Program => self.line(&serde_json::to_string(json).unwrap_or_default()),
        }
    }

    /// One value, alone on its line: cleaned of control characters on a terminal, byte for byte otherwise.
    pub fn value(&self, value: &str) {
        if io::stdout().is_terminal() { self.line(&clean(value)) } else { self.line(value) }
    }

    /// Bytes, as they are.
    ///
    /// # Errors
    /// When they cannot all be written.
    pub fn bytes(&self, bytes: &[u8]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(bytes)?;
        out.flush()
    }

    /// A remark that is no result; for people, on standard error.
    pub fn note(&self, text: &str) {
        // Nobody can be told that standard error is closed.
        let _ = writeln!(io::stderr().lock(), "{text}");
    }

    /// A remark that only a waiting person needs.
    pub fn hint(&self, text: &str) {
        if self.reader == Reader::Person {
            self.note(text);
        }
    }

    /// A failure: a sentence on standard error, or with `--json` `{"error":{"code","message"}}` on standard output.
    pub fn failure(&self, failure: &Failure) {
        match self.reader {
            Reader::Person => self.note(&format!("lockstep: {}", sentence(&failure.message))),
            Reader::Program => {
                let error =
                    json!({ "error": { "code": failure.code, "message": sentence(&failure.message) } });
                self.line(&error.to_string());
            }
        }
    }

    fn line(&self, text: &str) {
        let mut out = io::stdout().lock();
        // A reader that went away wants no more; that is not this command's failure.
        let _ = writeln!(out, "{text}").and_then(|()| out.flush());
    }
}

/// `text` with control characters and direction overrides made visible, so that what a vault holds cannot steer a
/// terminal. Line breaks and tabs stay.
pub fn clean(text: &str) -> String {
    let hidden = |character: char| {
        (character.is_control() && !matches!(character, '\n' | '\t'))
            || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|character| if hidden(character) { '\u{fffd}' } else { character }).collect()
}

/// [`clean`], on one line.
pub fn clean_line(text: &str) -> String {
    clean(text).replace(['\n', '\t'], " ")
}

/// A message as a sentence: capital first, full stop last.
pub fn sentence(message: &str) -> String {
    let mut characters = clean(message).trim().chars().collect::<Vec<_>>();
    if let Some(first) = characters.first_mut() {
        *first = first.to_uppercase().next().unwrap_or(*first);
    }
    if !characters.last().is_none_or(|last| matches!(last, '.' | '?' | '!')) {
        characters.push('.');
    }
    characters.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_a_vault_cannot_steer_a_terminal() {
        assert_eq!(clean("a\u{1b}[2Jb\u{7}\r\u{202e}c\n"), "a\u{fffd}[2Jb\u{fffd}\u{fffd}\u{fffd}c\n");
        assert_eq!(clean_line("two\nlines"), "two lines");
        assert_eq!(clean("日本語 🙂"), "日本語 🙂");
    }

    #[test]
    fn messages_are_sentences() {
        assert_eq!(
            sentence("the password is wrong; nothing was changed"),
            "The password is wrong; nothing was changed."
        );
        assert_eq!(sentence("is this yours?"), "Is this yours?");
        assert_eq!(sentence(""), "");
    }
}
