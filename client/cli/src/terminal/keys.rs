//! What a person types or pastes at a question, key by key; pure.
//!
//! The terminal hands over every byte as it comes: its own line editing would cut a line at 4,095 bytes without a word.
//! It is asked to mark what is pasted ("bracketed paste"): `ESC [ 200 ~ … ESC [ 201 ~`. So a pasted line break, or a
//! pasted line with a single dot, is never taken for the end of the answer.

use zeroize::{Zeroize as _, Zeroizing};

/// Asks a terminal to mark what is pasted.
pub(super) const MARK_PASTES: &str = "\x1b[?2004h";
/// Ends that.
pub(super) const LEAVE_PASTES: &str = "\x1b[?2004l";

/// No terminal sends a longer sequence for a key.
const LONGEST_SEQUENCE: usize = 16;

/// What ends an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// Enter.
    Enter,
    /// A typed line that holds a single dot, or Ctrl-D.
    Mark,
}

/// Where an answer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// It goes on.
    More,
    /// It is complete.
    Done,
    /// Ctrl-C, or the terminal went away before there was an answer.
    BrokenOff,
}

/// Why a complete answer is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unusable {
    /// Longer than the limit.
    TooLong,
    /// Several lines where one was asked for.
    SeveralLines,
    /// No UTF-8.
    NoText,
}

#[derive(Debug)]
enum Sequence {
    None,
    Escape,
    /// `ESC [` and what followed.
    Control(Vec<u8>),
    /// `ESC O`: one more byte.
    Function,
}

/// An answer while it is typed. Wiped when dropped.
pub(super) struct Typing {
    until: Until,
    limit: usize,
    text: Zeroizing<Vec<u8>>,
    is_too_long: bool,
    is_pasting: bool,
    /// Whether something of the current line was pasted.
    line_is_pasted: bool,
    after_return: bool,
    sequence: Sequence,
}

impl Typing {
    /// Nothing typed yet. At most `limit` bytes are kept.
    pub(super) fn new(until: Until, limit: usize) -> Self {
        Self {
            until,
            limit,
            // The buffer never moves, so it leaves no copies behind.
            text: Zeroizing::new(Vec::with_capacity(limit)),
            is_too_long: false,
            is_pasting: false,
            line_is_pasted: false,
            after_return: false,
            sequence: Sequence::None,
        }
    }

    /// Takes the next byte from the terminal.
    pub(super) fn take(&mut self, byte: u8) -> Progress {
        match std::mem::replace(&mut self.sequence, Sequence::None) {
            Sequence::None => self.take_key(byte),
            Sequence::Escape => match byte {
                b'[' => self.wait(Sequence::Control(Vec::new())),
                b'O' if !self.is_pasting => self.wait(Sequence::Function),
                _ => {
                    if self.is_pasting {
                        self.put(0x1b);
                    }
                    self.take_key(byte)
                }
            },
            Sequence::Function => Progress::More,
            // A sequence that another one breaks off was none: pasted text may end like the beginning of one.
            Sequence::Control(parameters) if byte == 0x1b => {
                self.put_pasted(&parameters);
                self.wait(Sequence::Escape)
            }
            Sequence::Control(mut parameters) => {
                parameters.push(byte);
                if !(0x40..=0x7e).contains(&byte) && parameters.len() < LONGEST_SEQUENCE {
                    return self.wait(Sequence::Control(parameters));
                }
                self.take_sequence(&parameters)
            }
        }
    }

    /// What was typed. One line break at the end is dropped.
    pub(super) fn finish(mut self) -> Result<Zeroizing<String>, Unusable> {
        if self.is_too_long {
            return Err(Unusable::TooLong);
        }
        if self.text.last() == Some(&b'\n') {
            self.text.pop();
        }
        if self.until == Until::Enter && self.text.contains(&b'\n') {
            return Err(Unusable::SeveralLines);
        }
        String::from_utf8(std::mem::take(&mut *self.text)).map(Zeroizing::new).map_err(|error| {
            error.into_bytes().zeroize();
            Unusable::NoText
        })
    }

    fn wait(&mut self, sequence: Sequence) -> Progress {
        self.sequence = sequence;
        Progress::More
    }

    fn take_sequence(&mut self, parameters: &[u8]) -> Progress {
        match parameters {
            b"200~" => self.is_pasting = true,
            b"201~" => {
                self.is_pasting = false;
                // Several lines pasted for one are refused at once: nobody has to find out that Enter is missing.
                let inner = self.text.strip_suffix(b"\n").unwrap_or(&self.text);
                if self.until == Until::Enter && inner.contains(&b'\n') {
                    return Progress::Done;
                }
            }
            _ => self.put_pasted(parameters),
        }
        Progress::More
    }

    /// A sequence that means nothing here: an arrow or another key, or text that was pasted.
    fn put_pasted(&mut self, parameters: &[u8]) {
        if self.is_pasting {
            [&[0x1b, b'['], parameters].concat().into_iter().for_each(|byte| self.put(byte));
        }
    }

    fn take_key(&mut self, byte: u8) -> Progress {
        let after_return = std::mem::replace(&mut self.after_return, byte == b'\r');
        match byte {
            0x1b => return self.wait(Sequence::Escape),
            // Windows' line break is one.
            b'\n' if after_return => {}
            b'\r' | b'\n' => return self.end_line(),
            _ if self.is_pasting => self.put(byte),
            // Ctrl-C.
            0x03 => return Progress::BrokenOff,
            // Ctrl-D.
            0x04 if self.until == Until::Mark => return Progress::Done,
            0x04 if self.text.is_empty() => return Progress::BrokenOff,
            // Backspace.
            0x08 | 0x7f => self.drop_character(),
            // Ctrl-U.
            0x15 => self.drop_line(),
            b'\t' | 0x20.. => self.put(byte),
            // No other control character is part of what somebody means to type.
            _ => {}
        }
        Progress::More
    }

    fn end_line(&mut self) -> Progress {
        if !self.is_pasting {
            if self.until == Until::Enter {
                return Progress::Done;
            }
            if !self.line_is_pasted && self.line() == b"." {
                self.drop_line();
                return Progress::Done;
            }
        }
        self.put(b'\n');
        Progress::More
    }

    fn line(&self) -> &[u8] {
        self.text.rsplit(|byte| *byte == b'\n').next().unwrap_or_default()
    }

    fn put(&mut self, byte: u8) {
        self.line_is_pasted = byte != b'\n' && (self.line_is_pasted || self.is_pasting);
        if self.text.len() < self.limit {
            self.text.push(byte);
        } else {
            self.is_too_long = true;
        }
    }

    fn drop_character(&mut self) {
        // Up to the first byte of the last character of this line.
        while let Some(byte) = self.text.pop_if(|byte| *byte != b'\n') {
            if !(0x80..0xc0).contains(&byte) {
                return;
            }
        }
    }

    fn drop_line(&mut self) {
        let kept = self.text.len() - self.line().len();
        self.text.truncate(kept);
        self.line_is_pasted = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 64;

    /// The progress after these keys, the keys that were not taken, and the answer.
    fn typed(until: Until, keys: &str) -> (Progress, &str, Result<String, Unusable>) {
        let mut typing = Typing::new(until, LIMIT);
        for (index, byte) in keys.bytes().enumerate() {
            let progress = typing.take(byte);
            if progress != Progress::More {
                return (progress, &keys[index + 1..], typing.finish().map(|text| text.to_string()));
            }
        }
        (Progress::More, "", typing.finish().map(|text| text.to_string()))
    }

    fn line(keys: &str) -> Result<String, Unusable> {
        let (progress, _, answer) = typed(Until::Enter, keys);
        assert_eq!(progress, Progress::Done, "{keys:?}");
        answer
    }

    fn lines(keys: &str) -> String {
        let (progress, rest, answer) = typed(Until::Mark, keys);
        assert_eq!((progress, rest), (Progress::Done, ""), "{keys:?}");
        answer.unwrap()
    }

    #[test]
    fn a_line_ends_with_enter_and_is_edited_until_then() {
        for (keys, answer) in [
            ("secret\r", "secret"),
            ("secret\n", "secret"),
            (" two words \r", " two words "),
            ("secrex\u{7f}t\r", "secret"),
            ("größ\u{8}\u{8}\u{8}\u{8}\u{8}x\r", "x"),
            ("wrong\u{15}right\r", "right"),
            ("a\u{1b}[Ab\u{1b}[3~c\u{1b}OPd\r", "abcd"),
            ("a\u{17}\u{1a}\u{0}b\u{4}\r", "ab"),
            ("\r", ""),
        ] {
            assert_eq!(line(keys).unwrap(), answer, "{keys:?}");
        }
        assert_eq!(typed(Until::Enter, "one\rtwo\r"), (Progress::Done, "two\r", Ok("one".into())));
        assert_eq!(typed(Until::Enter, "hal\u{3}").0, Progress::BrokenOff);
        assert_eq!(typed(Until::Enter, "\u{4}").0, Progress::BrokenOff);
    }

    #[test]
    fn a_paste_of_several_lines_is_one_answer_that_is_refused() {
        assert_eq!(line("\u{1b}[200~secret\u{1b}[201~\r").unwrap(), "secret");
        assert_eq!(line("\u{1b}[200~secret\r\u{1b}[201~\r").unwrap(), "secret");
        assert_eq!(line("pre\u{1b}[200~fix\u{1b}[31m\t\u{1b}[201~ed\r").unwrap(), "prefix\u{1b}[31m\ted");
        let (progress, rest, answer) = typed(Until::Enter, "\u{1b}[200~one\rtouch x\r\u{1b}[201~");
        assert_eq!((progress, rest, answer), (Progress::Done, "", Err(Unusable::SeveralLines)));
    }

    #[test]
    fn a_paste_that_ends_like_the_beginning_of_a_key_ends() {
        for end in ["\u{1b}", "\u{1b}[", "\u{1b}[12", "\u{1b}\u{1b}[", "\u{1b}O"] {
            let keys = format!("\u{1b}[200~one{end}\u{1b}[201~two\r");
            assert_eq!(line(&keys).unwrap(), format!("one{end}two"), "{end:?}");
        }
        assert_eq!(line("one\u{1b}[\u{1b}[Atwo\r").unwrap(), "onetwo");
    }

    #[test]
    fn lines_end_with_a_typed_dot_or_ctrl_d_and_never_with_what_is_pasted() {
        for (keys, answer) in [
            ("one\rtwo\r.\r", "one\ntwo"),
            ("one\r\ntwo\n\u{4}", "one\ntwo"),
            ("one\rtwo\u{4}", "one\ntwo"),
            ("one\r\r.\r", "one\n"),
            ("..\r.x\r.\r", "..\n.x"),
            ("\u{1b}[200~a\r.\rb\r\u{1b}[201~.\r", "a\n.\nb"),
            ("\u{1b}[200~a\u{4}\u{3}b\u{1b}[201~\u{4}", "a\u{4}\u{3}b"),
            ("kept\rwrong\u{15}x\u{7f}\u{7f}\u{7f}\u{4}", "kept"),
            (".\r", ""),
        ] {
            let (progress, _, text) = typed(Until::Mark, keys);
            assert_eq!((progress, text), (Progress::Done, Ok(answer.to_owned())), "{keys:?}");
        }
        assert_eq!(lines("kept\r.\r"), "kept");
        assert_eq!(typed(Until::Mark, "one\r.\rmore"), (Progress::Done, "more", Ok("one".into())));
    }

    #[test]
    fn what_is_too_long_or_no_text_is_refused_and_never_cut() {
        let full = "x".repeat(LIMIT);
        assert_eq!(line(&format!("{full}\r")).unwrap(), full);
        assert_eq!(line(&format!("{full}x\r")), Err(Unusable::TooLong));
        assert_eq!(line(&format!("{full}x\u{7f}\r")), Err(Unusable::TooLong));
        let mut typing = Typing::new(Until::Enter, LIMIT);
        assert_eq!((typing.take(0xff), typing.take(b'\r')), (Progress::More, Progress::Done));
        assert_eq!(typing.finish().unwrap_err(), Unusable::NoText);
    }

    #[test]
    fn no_sequence_of_keys_is_waited_for_without_bound() {
        let mut typing = Typing::new(Until::Enter, LIMIT);
        let endless =
            std::iter::once(0x1b).chain(std::iter::repeat_n(b'[', 1)).chain(std::iter::repeat_n(b'1', 500));
        endless.for_each(|byte| assert_eq!(typing.take(byte), Progress::More));
        assert!(matches!(typing.sequence, Sequence::None));
    }
}
