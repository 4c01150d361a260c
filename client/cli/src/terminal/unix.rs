//! Questions on a terminal of Unix.

use std::fs::File;
use std::io::{self, IsTerminal as _, Stdin, Write as _};
use std::os::fd::AsFd as _;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::termios::{
    InputModes, LocalModes, OptionalActions, QueueSelector, SpecialCodeIndex, Termios, tcflush, tcgetattr,
    tcsetattr,
};
use zeroize::Zeroizing;

use super::keys::{LEAVE_PASTES, MARK_PASTES, Progress, Typing, Until, Unusable};
use super::{broken_off, unreadable};
use crate::failure::Failure;
use crate::output::{clean, clean_line};
use crate::secrets::{Unbuffered, read_line};

/// The rest of a paste that the terminal does not mark follows within this time.
const PASTE_GAP: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
/// The kernel cuts a longer line that is shown while it is typed.
const LONGEST_SHOWN: usize = 4_094;

pub(super) fn ask_hidden(question: &str, limit: usize) -> Result<Zeroizing<String>, Failure> {
    ask(&format!("{question}: "), Until::Enter, limit)
}

pub(super) fn ask_lines(question: &str, limit: usize) -> Result<Zeroizing<String>, Failure> {
    let question = format!("{question}, not shown; it ends with a line that holds a single dot, or Ctrl-D: ");
    ask(&question, Until::Mark, limit)
}

pub(super) fn ask_shown(question: &str) -> Result<Zeroizing<String>, Failure> {
    let stdin = io::stdin();
    // What was typed before the question is no answer to it.
    tcflush(&stdin, QueueSelector::IFlush).map_err(unreadable)?;
    say(&clean(question)).map_err(unreadable)?;
    let mut answer = Zeroizing::new(Vec::with_capacity(LONGEST_SHOWN));
    let any = read_line(&mut Unbuffered, &mut answer, LONGEST_SHOWN).map_err(unreadable)?;
    let is_whole = answer.ends_with(b"\n") || answer.len() < LONGEST_SHOWN;
    let more = has_more(&stdin);
    tcflush(&stdin, QueueSelector::IFlush).map_err(unreadable)?;
    match std::str::from_utf8(&answer) {
        _ if !any => Err(broken_off(question)),
        _ if !is_whole || more => Err(several_lines(question)),
        Ok(answer) => Ok(Zeroizing::new(answer.to_owned())),
        Err(_) => Err(Failure::usage("the answer is no text in UTF-8; none of it was used")),
    }
}

fn ask(question: &str, until: Until, limit: usize) -> Result<Zeroizing<String>, Failure> {
    let stdin = io::stdin();
    let silent = Silent::new(&stdin).map_err(unreadable)?;
    say(&format!("{}{MARK_PASTES}", clean(question))).map_err(unreadable)?;
    let mut typing = Typing::new(until, limit);
    let (progress, surplus) = read_keys(&stdin, &mut typing).map_err(unreadable)?;
    let more = progress == Progress::Done && (surplus || has_more(&stdin));
    drop(silent);
    if progress == Progress::BrokenOff {
        return Err(broken_off(question));
    }
    match typing.finish() {
        Err(Unusable::TooLong) => Err(Failure::usage(format!(
            "the answer is longer than {limit} bytes, the most that is taken here; none of it was used"
        ))),
        Err(Unusable::NoText) => Err(Failure::usage("the answer is no text in UTF-8; none of it was used")),
        Err(Unusable::SeveralLines) => Err(several_lines(question)),
        Ok(_) if more && until == Until::Enter => Err(several_lines(question)),
        Ok(_) if more => Err(Failure::usage(
            "more followed on the line that ends the value; none of it was used: give the value by an editor \
             (VISUAL or EDITOR) or a file descriptor (=N)",
        )),
        Ok(answer) => Ok(answer),
    }
}

fn several_lines(question: &str) -> Failure {
    Failure::usage(format!(
        "several lines were typed or pasted at \"{}\", which takes one; none of them was used: try again",
        clean_line(question.trim_end_matches(": "))
    ))
}

/// Reads until the answer ends; returns also whether more had come with its end.
fn read_keys(stdin: &Stdin, typing: &mut Typing) -> io::Result<(Progress, bool)> {
    let mut buffer = Zeroizing::new([0; 1_024]);
    loop {
        let count = match rustix::io::read(stdin.as_fd(), &mut *buffer) {
            Err(Errno::INTR) => continue,
            read => read?,
        };
        if count == 0 {
            return Ok((Progress::BrokenOff, false));
        }
        for (index, byte) in buffer[..count].iter().enumerate() {
            let progress = typing.take(*byte);
            if progress != Progress::More {
                return Ok((progress, index + 1 < count));
            }
        }
    }
}

/// Whether more follows the answer. The rest is still there; whoever asks drops it.
fn has_more(stdin: &Stdin) -> bool {
    let mut ready = [PollFd::new(stdin, PollFlags::IN)];
    let mut more = false;
    // All of a paste is waited for, so that nothing of it comes after the rest was dropped.
    while poll(&mut ready, Some(&PASTE_GAP)).is_ok_and(|count| count > 0)
        && ready[0].revents().contains(PollFlags::IN)
        && tcflush(stdin, QueueSelector::IFlush).is_ok()
    {
        more = true;
    }
    more
}

/// A terminal that shows nothing and hands over each byte; as before once this is dropped, without what nobody read.
struct Silent<'t> {
    stdin: &'t Stdin,
    before: Termios,
}

impl<'t> Silent<'t> {
    fn new(stdin: &'t Stdin) -> io::Result<Self> {
        let before = tcgetattr(stdin)?;
        let mut silent = before.clone();
        silent.local_modes.remove(
            LocalModes::ECHO
                | LocalModes::ECHONL
                | LocalModes::ICANON
                | LocalModes::ISIG
                | LocalModes::IEXTEN,
        );
        silent
            .input_modes
            .remove(InputModes::ICRNL | InputModes::INLCR | InputModes::IGNCR | InputModes::IXON);
        silent.special_codes[SpecialCodeIndex::VMIN] = 1;
        silent.special_codes[SpecialCodeIndex::VTIME] = 0;
        // What was typed before the question is no answer to it.
        tcsetattr(stdin, OptionalActions::Flush, &silent)?;
        Ok(Self { stdin, before })
    }
}

impl Drop for Silent<'_> {
    fn drop(&mut self) {
        // A terminal that went away needs no mending.
        let _ = say(&format!("{LEAVE_PASTES}\n"));
        let _ = tcsetattr(self.stdin, OptionalActions::Flush, &self.before);
    }
}

/// Says something on the terminal, also where standard error goes elsewhere.
fn say(text: &str) -> io::Result<()> {
    if !io::stderr().is_terminal()
        && let Ok(mut terminal) = File::options().write(true).open("/dev/tty")
    {
        return terminal.write_all(text.as_bytes());
    }
    let mut err = io::stderr().lock();
    err.write_all(text.as_bytes()).and_then(|()| err.flush())
}
