//! Passwords and other secrets on their way in: from a prompt without echo, an editor or a file descriptor, never from
//! the command line or the environment. What is too long is refused, never cut.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::{self, IsTerminal as _, Read as _};
use std::sync::{Mutex, PoisonError};

use lockstep_client::item::MAX_LIVE_BYTES;
use zeroize::Zeroizing;

use crate::editor;
use crate::failure::Failure;
use crate::output::clean_line;
use crate::terminal;

/// The longest password, in bytes.
const PASSWORD_LIMIT: usize = 16 * 1024;
/// The longest secret of an item, in bytes: no item holds more.
const VALUE_LIMIT: usize = MAX_LIVE_BYTES;

/// Where a secret comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A question on the terminal.
    Prompt,
    /// A file descriptor.
    Descriptor(u32),
}

impl Source {
    /// The descriptor, where one was given.
    pub fn of(descriptor: Option<u32>) -> Self {
        descriptor.map_or(Self::Prompt, Self::Descriptor)
    }
}

/// How many lines a value may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lines {
    /// One.
    One,
    /// Any number.
    Many,
}

/// A password: the answer to a question, or the next line of a file descriptor.
///
/// # Errors
/// A [`Failure`] where there is no terminal to ask on, or the descriptor cannot be read. Nothing was changed.
pub fn read(source: Source, question: &str) -> Result<Zeroizing<String>, Failure> {
    match source {
        Source::Descriptor(number) => from_descriptor(number),
        Source::Prompt => {
            check_terminal(question, "--password-fd N")?;
            terminal::ask_hidden(question, PASSWORD_LIMIT)
        }
    }
}

/// One secret that is shown while it is typed, since it is copied from another screen and good for minutes.
///
/// # Errors
/// As [`read`].
pub fn read_shown(source: Source, question: &str) -> Result<Zeroizing<String>, Failure> {
    match source {
        Source::Descriptor(number) => from_descriptor(number),
        Source::Prompt => {
            check_terminal(question, "--password-fd N")?;
            terminal::ask_shown(&format!("{question}: "))
        }
    }
}

/// A new password: asked for twice on a terminal, read once from a descriptor. Never empty.
///
/// # Errors
/// A [`Failure`]; also when the two answers differ.
pub fn read_new(source: Source, question: &str) -> Result<Zeroizing<String>, Failure> {
    let first = read(source, question)?;
    if first.is_empty() {
        return Err(Failure::usage("an empty password protects nothing; nothing was changed"));
    }
    if source == Source::Prompt && *read(source, &format!("{question} (again)"))? != *first {
        return Err(Failure::usage("the two passwords differ; nothing was changed: try again"));
    }
    Ok(first)
}

/// The value of an item's field, byte for byte: all that is left of a descriptor, or the answer to a question, which for
/// values of many lines is given in an editor, where there is one. One line break at the end is no part of it. `before` is
/// what the editor starts with. May be empty.
///
/// # Errors
/// As [`read`]; also for a value that is longer than an item can hold.
pub fn read_value(
    source: Source,
    field: &str,
    lines: Lines,
    before: &str,
) -> Result<Zeroizing<String>, Failure> {
    if let Source::Descriptor(number) = source {
        return rest_of_descriptor(number);
    }
    let field = clean_line(field);
    let question = format!("Value of {field}");
    check_terminal(&question, &format!("--secret {field}=N"))?;
    match (lines, editor::command()) {
        (Lines::One, _) => terminal::ask_hidden(&question, VALUE_LIMIT),
        (Lines::Many, Some(command)) => editor::edit(&command, before, VALUE_LIMIT),
        (Lines::Many, None) => terminal::ask_lines(&question, VALUE_LIMIT),
    }
}

/// What `bytes` say as a value: without one line break at the end, else as they are. `what` tells where they come from.
///
/// # Errors
/// A [`Failure`] where they are more than `limit` or no text.
pub(crate) fn whole_value(bytes: &[u8], limit: usize, what: &str) -> Result<Zeroizing<String>, Failure> {
    let bytes = bytes.strip_suffix(b"\n").map_or(bytes, |line| line.strip_suffix(b"\r").unwrap_or(line));
    if bytes.len() > limit {
        return Err(Failure::usage(format!(
            "{what} is longer than {limit} bytes, the most that is taken; nothing was changed"
        )));
    }
    let text = std::str::from_utf8(bytes);
    text.map(|text| Zeroizing::new(text.to_owned()))
        .map_err(|_| Failure::usage(format!("{what} is no text in UTF-8; nothing was changed")))
}

fn check_terminal(question: &str, instead: &str) -> Result<(), Failure> {
    if terminal::is_there() {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "there is no terminal to ask for \"{question}\": give it on a file descriptor ({instead})"
    )))
}

/// The next line behind descriptor `number`, without its line break.
fn from_descriptor(number: u32) -> Result<Zeroizing<String>, Failure> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(PASSWORD_LIMIT + 2));
    let read = match number {
        0 => read_line(&mut Unbuffered, &mut bytes, PASSWORD_LIMIT + 2),
        _ => with_descriptor(number, |file| read_line(file, &mut bytes, PASSWORD_LIMIT + 2)),
    };
    if !read.map_err(|error| unreadable(number, &error))? {
        return Err(ended(number));
    }
    whole_value(&bytes, PASSWORD_LIMIT, &format!("the line on file descriptor {number}"))
}

/// All that is left behind descriptor `number`, without the last line break.
fn rest_of_descriptor(number: u32) -> Result<Zeroizing<String>, Failure> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(VALUE_LIMIT + 3));
    let read = match number {
        0 if terminal::is_there() => Err(echoing()),
        0 => read_rest(&mut Unbuffered, &mut bytes),
        _ => with_descriptor(number, |file| {
            if file.is_terminal() { Err(echoing()) } else { read_rest(file, &mut bytes) }
        }),
    };
    read.map_err(|error| unreadable(number, &error))?;
    if bytes.is_empty() {
        return Err(ended(number));
    }
    whole_value(&bytes, VALUE_LIMIT, &format!("the value on file descriptor {number}"))
}

/// Standard input without the standard library's buffer, in which a secret would stay until the program ends. Whatever reads a
/// secret from there reads it by this, since what is in that buffer does not come here.
pub(crate) struct Unbuffered;

impl io::Read for Unbuffered {
    #[cfg(unix)]
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        Ok(rustix::io::read(io::stdin(), into)?)
    }

    #[cfg(not(unix))]
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        io::stdin().lock().read(into)
    }
}

fn echoing() -> io::Error {
    io::Error::other("it is a terminal, which shows what is typed: leave =N away to be asked")
}

fn unreadable(number: u32, error: &io::Error) -> Failure {
    Failure::usage(format!("file descriptor {number} cannot be read ({error}); nothing was changed"))
}

fn ended(number: u32) -> Failure {
    Failure::usage(format!("file descriptor {number} has ended without a secret; nothing was changed"))
}

/// The longest value, its line break, and one byte that tells that there is more.
fn read_rest(from: &mut dyn io::Read, into: &mut Vec<u8>) -> io::Result<()> {
    let most = u64::try_from(VALUE_LIMIT).unwrap_or(u64::MAX).saturating_add(3);
    from.take(most).read_to_end(into).map(drop)
}

/// One line with its line break, byte by byte, so that more can follow on the next one; of a longer one `most` bytes. Returns
/// whether there was anything.
pub(crate) fn read_line(from: &mut dyn io::Read, into: &mut Vec<u8>, most: usize) -> io::Result<bool> {
    let mut byte = [0];
    while into.len() < most {
        match from.read(&mut byte) {
            Ok(0) => break,
            Ok(_) => into.extend(byte),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        if byte == *b"\n" {
            break;
        }
    }
    Ok(!into.is_empty())
}

/// Descriptors that were read from: opening `/dev/fd/N` again would start a regular file at its beginning, and give the
/// first secret for the second.
static OPENED: Mutex<BTreeMap<u32, std::fs::File>> = Mutex::new(BTreeMap::new());

fn with_descriptor<T>(number: u32, read: impl FnOnce(&mut std::fs::File) -> io::Result<T>) -> io::Result<T> {
    let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
    match opened.entry(number) {
        Entry::Occupied(mut known) => read(known.get_mut()),
        Entry::Vacant(new) => read(new.insert(open_descriptor(number)?)),
    }
}

#[cfg(unix)]
fn open_descriptor(number: u32) -> io::Result<std::fs::File> {
    std::fs::File::open(format!("/dev/fd/{number}"))
}

#[cfg(not(unix))]
fn open_descriptor(_: u32) -> io::Result<std::fs::File> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "only descriptor 0 works on this system"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(input: &mut &[u8]) -> Option<Vec<u8>> {
        let mut line = Vec::new();
        read_line(input, &mut line, PASSWORD_LIMIT + 2).unwrap().then_some(line)
    }

    #[test]
    fn a_descriptor_gives_one_line_and_leaves_the_next() {
        let mut input: &[u8] = b"first secret\nsecond\r\n a b ";
        assert_eq!(line(&mut input).unwrap(), b"first secret\n");
        assert_eq!(input, b"second\r\n a b ");
        assert_eq!(line(&mut input).unwrap(), b"second\r\n");
        assert_eq!(line(&mut input).unwrap(), b" a b ");
        assert_eq!(line(&mut input), None);
    }

    #[test]
    fn a_value_loses_one_line_break_and_nothing_else() {
        let value = |bytes: &[u8]| whole_value(bytes, 10, "it").map(|text| text.to_string());
        for (bytes, text) in [
            (&b"one\ntwo\n"[..], "one\ntwo"),
            (b"one\r\ntwo\r\n", "one\r\ntwo"),
            (b"one\n\n", "one\n"),
            (b" one\r", " one\r"),
            (b"\n", ""),
            (b"1234567890\r\n", "1234567890"),
        ] {
            assert_eq!(value(bytes).unwrap(), text);
        }
        for (bytes, told) in
            [(&b"12345678901"[..], "10 bytes"), (b"1234567890\n\n", "10 bytes"), (b"\xff", "UTF-8")]
        {
            let failure = value(bytes).unwrap_err();
            assert!(
                failure.message.contains(told) && failure.message.contains("nothing was changed"),
                "{failure}"
            );
        }
    }

    #[test]
    fn an_endless_descriptor_is_refused_and_never_cut() {
        let mut endless = io::repeat(b'x');
        let mut bytes = Vec::new();
        assert!(read_line(&mut endless, &mut bytes, PASSWORD_LIMIT + 2).unwrap());
        assert!(whole_value(&bytes, PASSWORD_LIMIT, "it").unwrap_err().message.contains("16384"));
        let mut bytes = Vec::new();
        read_rest(&mut endless, &mut bytes).unwrap();
        assert!(whole_value(&bytes, VALUE_LIMIT, "it").unwrap_err().message.contains("262144"));
        let mut longest = "x".repeat(PASSWORD_LIMIT);
        longest.push_str("\r\nnext");
        let (mut input, mut bytes) = (longest.as_bytes(), Vec::new());
        assert!(read_line(&mut input, &mut bytes, PASSWORD_LIMIT + 2).unwrap());
        assert_eq!(whole_value(&bytes, PASSWORD_LIMIT, "it").unwrap().len(), PASSWORD_LIMIT);
        assert_eq!(input, b"next");
    }

    #[cfg(unix)]
    #[test]
    fn a_descriptor_of_a_regular_file_gives_a_line_and_then_the_rest() {
        use std::os::fd::AsRawFd as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets");
        let key = "-----BEGIN KEY-----\nb64\n-----END KEY-----";
        std::fs::write(&path, format!("the account's\n{key}\n")).unwrap();
        let file = std::fs::File::open(&path).unwrap();
        let number = u32::try_from(file.as_raw_fd()).unwrap();
        assert_eq!(*from_descriptor(number).unwrap(), "the account's");
        assert_eq!(*rest_of_descriptor(number).unwrap(), key);
        assert!(rest_of_descriptor(number).unwrap_err().message.contains("ended"));
    }

    #[test]
    fn a_closed_descriptor_is_told() {
        for failure in [from_descriptor(9_999).unwrap_err(), rest_of_descriptor(9_999).unwrap_err()] {
            assert!(failure.message.contains("9999"));
            assert_eq!(failure.exit, crate::exit::Exit::Usage);
        }
    }
}
