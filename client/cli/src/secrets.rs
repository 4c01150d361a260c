//! Passwords and other secrets on their way in: from a prompt without echo or a file descriptor, never from the
//! command line or the environment.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::sync::{Mutex, PoisonError};

use zeroize::Zeroizing;

use crate::failure::Failure;

/// The longest secret taken, in bytes.
const LIMIT: usize = 64 * 1024;

/// Where a secret comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A question on the terminal.
    Prompt,
    /// The first line of a file descriptor.
    Descriptor(u32),
}

impl Source {
    /// The descriptor, where one was given.
    pub fn of(descriptor: Option<u32>) -> Self {
        descriptor.map_or(Self::Prompt, Self::Descriptor)
    }
}

/// One secret. `question` is asked on the terminal.
///
/// # Errors
/// A [`Failure`] where there is no terminal to ask on, or the descriptor cannot be read. Nothing was changed.
pub fn read(source: Source, question: &str) -> Result<Zeroizing<String>, Failure> {
    match source {
        Source::Descriptor(number) => from_descriptor(number),
        Source::Prompt => ask(question),
    }
}

/// One secret that is shown while it is typed, since it is copied from another screen and good for minutes.
///
/// # Errors
/// As [`read`].
pub fn read_shown(source: Source, question: &str) -> Result<Zeroizing<String>, Failure> {
    match source {
        Source::Descriptor(number) => from_descriptor(number),
        Source::Prompt => ask_shown(question),
    }
}

/// A new secret: asked for twice on a terminal, read once from a descriptor. Never empty.
///
/// # Errors
/// A [`Failure`]; also when the two answers differ.
pub fn read_new(source: Source, question: &str) -> Result<Zeroizing<String>, Failure> {
    let first = read(source, question)?;
    if first.is_empty() {
        return Err(Failure::usage("an empty password protects nothing; nothing was changed"));
    }
    if source == Source::Prompt && *ask(&format!("{question} (again)"))? != *first {
        return Err(Failure::usage("the two passwords differ; nothing was changed: try again"));
    }
    Ok(first)
}

fn ask(question: &str) -> Result<Zeroizing<String>, Failure> {
    check_terminal(question)?;
    let answer = rpassword::prompt_password(format!("{question}: "));
    answer.map(Zeroizing::new).map_err(unreadable_terminal)
}

fn ask_shown(question: &str) -> Result<Zeroizing<String>, Failure> {
    check_terminal(question)?;
    let mut err = io::stderr().lock();
    write!(err, "{question}: ").and_then(|()| err.flush()).map_err(unreadable_terminal)?;
    let mut answer = Zeroizing::new(String::new());
    io::stdin().lock().read_line(&mut answer).map_err(unreadable_terminal)?;
    Ok(Zeroizing::new(answer.trim().to_owned()))
}

fn check_terminal(question: &str) -> Result<(), Failure> {
    if io::stdin().is_terminal() {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "there is no terminal to ask for \"{question}\": give it on a file descriptor (--password-fd N)"
    )))
}

fn unreadable_terminal(error: io::Error) -> Failure {
    Failure::failed("terminal", format!("the terminal cannot be read: {error}"))
}

/// The first line behind descriptor `number`, without its line break.
fn from_descriptor(number: u32) -> Result<Zeroizing<String>, Failure> {
    let unreadable = |error: io::Error| {
        Failure::usage(format!("file descriptor {number} cannot be read ({error}); nothing was changed"))
    };
    let mut bytes = Zeroizing::new(Vec::with_capacity(256));
    let read = match number {
        0 => read_line(&mut io::stdin().lock(), &mut bytes),
        _ => read_descriptor(number, &mut bytes),
    };
    if !read.map_err(unreadable)? {
        return Err(Failure::usage(format!(
            "file descriptor {number} has ended without a secret; nothing was changed"
        )));
    }
    let text = std::str::from_utf8(&bytes);
    let text =
        text.map_err(|_| Failure::usage(format!("what file descriptor {number} holds is no text in UTF-8")))?;
    Ok(Zeroizing::new(text.strip_suffix('\r').unwrap_or(text).to_owned()))
}

/// One line, byte by byte, so that a second secret can follow on the next one. Returns whether there was anything.
fn read_line(from: &mut dyn io::Read, into: &mut Vec<u8>) -> io::Result<bool> {
    let mut byte = [0];
    while into.len() < LIMIT && from.read(&mut byte)? == 1 {
        if byte == *b"\n" {
            return Ok(true);
        }
        into.extend(byte);
    }
    Ok(!into.is_empty())
}

/// Descriptors that were read from: opening `/dev/fd/N` again would start a regular file at its beginning, and give the
/// first secret for the second.
static OPENED: Mutex<BTreeMap<u32, std::fs::File>> = Mutex::new(BTreeMap::new());

/// The next line of a descriptor.
fn read_descriptor(number: u32, into: &mut Vec<u8>) -> io::Result<bool> {
    let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
    let file = match opened.entry(number) {
        Entry::Occupied(known) => known.into_mut(),
        Entry::Vacant(new) => new.insert(open_descriptor(number)?),
    };
    read_line(file, into)
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

    #[test]
    fn a_descriptor_gives_one_line_and_leaves_the_next() {
        let mut input: &[u8] = b"first secret\nsecond\n";
        let mut line = Vec::new();
        assert!(read_line(&mut input, &mut line).unwrap());
        assert_eq!(line, b"first secret");
        assert_eq!(input, b"second\n");
    }

    #[cfg(unix)]
    #[test]
    fn a_descriptor_of_a_regular_file_gives_its_lines_one_after_the_other() {
        use std::os::fd::AsRawFd as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets");
        std::fs::write(&path, "the account's\nthe item's\n").unwrap();
        let file = std::fs::File::open(&path).unwrap();
        let number = u32::try_from(file.as_raw_fd()).unwrap();
        for expected in ["the account's", "the item's"] {
            let mut line = Vec::new();
            assert!(read_descriptor(number, &mut line).unwrap());
            assert_eq!(line, expected.as_bytes());
        }
        assert!(!read_descriptor(number, &mut Vec::new()).unwrap());
    }

    #[test]
    fn a_last_line_needs_no_line_break_and_spaces_count() {
        let mut line = Vec::new();
        assert!(read_line(&mut &b" a b "[..], &mut line).unwrap());
        assert_eq!(line, b" a b ");
        assert!(!read_line(&mut &b""[..], &mut Vec::new()).unwrap());
    }

    #[test]
    fn a_closed_descriptor_is_told() {
        let failure = from_descriptor(9_999).unwrap_err();
        assert!(failure.message.contains("9999"));
        assert_eq!(failure.exit, crate::exit::Exit::Usage);
    }
}
