//! The passphrase of an archive on its way in.

use std::io::{self, IsTerminal as _};

use lockstep_formats::archive::Passphrase;
use zeroize::Zeroizing;

use crate::context::Context;
use crate::failure::Failure;
use crate::secrets::{self, Source};

const QUESTION: &str = "Passphrase of the archive";
/// Fewer characters can be guessed by who has the file.
const SHORT: usize = 12;

/// A new passphrase, asked for twice on a terminal.
///
/// # Errors
/// A [`Failure`]; also for an empty one, and when the two answers differ.
pub(super) fn read_new(context: &Context, descriptor: Option<u32>) -> Result<Passphrase, Failure> {
    let source = Source::of(descriptor);
    let text = text(source, QUESTION)?;
    if source == Source::Prompt && *secrets::read(source, &format!("{QUESTION} (again)"))? != *text {
        return Err(Failure::usage("the two passphrases differ; nothing was written: try again"));
    }
    if text.chars().count() < SHORT {
        context.output.hint(
            "That passphrase is short. Whoever gets hold of the file can try any number of passphrases: five or more random words \
             are safe.",
        );
    }
    Passphrase::new(&text)
        .ok_or_else(|| Failure::usage("an empty passphrase protects nothing; nothing was written"))
}

/// The passphrase of a file that is to be opened.
///
/// # Errors
/// A [`Failure`].
pub(super) fn read(descriptor: Option<u32>) -> Result<Passphrase, Failure> {
    let text = text(Source::of(descriptor), QUESTION)?;
    Passphrase::new(&text)
        .ok_or_else(|| Failure::usage("no archive has an empty passphrase; nothing was imported"))
}

fn text(source: Source, question: &str) -> Result<Zeroizing<String>, Failure> {
    if source == Source::Prompt && !io::stdin().is_terminal() {
        return Err(Failure::usage(
            "there is no terminal to ask for the archive's passphrase: give it on a file descriptor (--passphrase-fd N)",
        ));
    }
    secrets::read(source, question)
}
