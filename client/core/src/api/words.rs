//! What a server says in words of its own. It may be anything, so it is shown as a quotation and never as ours.

use std::fmt;

use lockstep_proto::seeded;

use crate::tools::cleaned;

/// What is shown of it at most, in characters.
const LIMIT: usize = 200;

/// What a server said, fit to be shown: one line of at most 200 characters, without anything that steers a terminal or hides,
/// without quotation marks, so that the quotation ends where we end it, and without runs of blanks, so that nothing is moved to
/// where it looks like a line of its own. Displayed as `The server says: "…"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerWords {
    text: String,
    is_cut: bool,
}

impl ServerWords {
    /// What `text` says, if it says anything. Takes time for the whole of it and memory for what is kept.
    pub fn new(text: &str) -> Option<Self> {
        let mut words = Self { text: String::new(), is_cut: false };
        let (mut length, mut blank) = (0, false);
        let blanks = text.chars().map(|character| if character.is_whitespace() { ' ' } else { character });
        for character in cleaned(blanks) {
            let says_nothing = words.text.is_empty() && character == char::REPLACEMENT_CHARACTER;
            if character == ' ' || says_nothing {
                blank = !words.text.is_empty();
                continue;
            }
            if length + usize::from(blank) >= LIMIT {
                words.is_cut = true;
                break;
            }
            if std::mem::take(&mut blank) {
                words.text.push(' ');
                length += 1;
            }
            words.text.push(if is_quotation_mark(character) && !seeded!("server-ends-its-quotation") {
                '\''
            } else {
                character
            });
            length += 1;
        }
        (!words.text.is_empty()).then_some(words)
    }

    /// What `error`, or what caused it, was told by a server.
    pub fn of<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(words) = error.downcast_ref() {
                return Some(words);
            }
            next = error.source();
        }
        None
    }

    /// The words alone, for programs; what was cut ends with "…".
    pub fn as_text(&self) -> String {
        let end = if self.is_cut { "…" } else { "" };
        format!("{}{end}", self.text)
    }
}

impl fmt::Display for ServerWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cut = if self.is_cut { " (cut after 200 characters)" } else { "" };
        write!(f, "The server says: \"{}\"{cut}", self.as_text())
    }
}

/// The cause of a refusal is what the server gives for one.
impl std::error::Error for ServerWords {}

/// Whatever looks as if it ended a quotation.
fn is_quotation_mark(character: char) -> bool {
    matches!(
        character,
        '"' | '\u{201c}'..='\u{201f}' | '\u{2033}' | '\u{2036}' | '\u{2ba}' | '\u{2dd}' | '\u{2ee}' | '\u{5f4}'
        | '\u{275d}' | '\u{275e}' | '\u{301d}'..='\u{301f}' | '\u{ff02}' | '«' | '»'
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(text: &str) -> String {
        ServerWords::new(text).map_or_else(String::new, |words| words.to_string())
    }

    #[test]
    fn a_servers_words_are_a_quotation_on_one_line() {
        assert_eq!(shown("Try later."), "The server says: \"Try later.\"");
        assert_eq!(shown(" two\r\n\n\tlines "), "The server says: \"two lines\"");
        assert_eq!(
            shown("x\". Error: run \u{201d}this\u{ff02}"),
            "The server says: \"x'. Error: run 'this'\""
        );
        assert_eq!(shown("\u{1b}]0;title\u{7}x"), "The server says: \"]0;title\u{fffd}x\"");
        assert_eq!(shown(&format!("a{}b\u{3000}\u{2003}c", " ".repeat(500))), "The server says: \"a b c\"");
        for nothing in ["", " \n", "\u{7}\u{200b}\u{202e}"] {
            assert_eq!(ServerWords::new(nothing), None, "{nothing:?}");
        }
    }

    #[test]
    fn what_is_longer_is_cut_between_characters_and_says_so() {
        let exact = ServerWords::new(&"é".repeat(LIMIT)).unwrap();
        assert_eq!(exact.as_text(), "é".repeat(LIMIT));
        let longer = ServerWords::new(&"é".repeat(LIMIT + 1)).unwrap();
        assert_eq!(longer.as_text(), format!("{}…", "é".repeat(LIMIT)));
        assert!(longer.to_string().ends_with("…\" (cut after 200 characters)"), "{longer}");
        let blank_at_the_end = ServerWords::new(&format!("{} x", "y".repeat(LIMIT - 1))).unwrap();
        assert_eq!(blank_at_the_end.as_text(), format!("{}…", "y".repeat(LIMIT - 1)));
        let trailing = ServerWords::new(&format!("{} \n", "y".repeat(LIMIT))).unwrap();
        assert_eq!(trailing.as_text(), "y".repeat(LIMIT));
    }

    proptest! {
        #[test]
        fn no_text_leaves_its_quotation(text: String) {
            let shown = shown(&text);
            prop_assert!(shown.is_empty() || shown.matches('"').count() == 2);
            prop_assert!(!shown.chars().any(|character| character.is_control()));
            prop_assert!(shown.chars().count() <= 250);
        }
    }
}
