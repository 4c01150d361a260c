//! What was found, a line for each thing.

use std::io::{self, Write};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Fine,
    Note,
    Mend,
}

/// All findings, in the order in which they were made.
#[derive(Debug, Default)]
pub(super) struct Report(Vec<(Verdict, &'static str, String)>);

impl Report {
    /// As it should be.
    pub(super) fn fine(&mut self, what: &'static str, found: impl Into<String>) {
        self.0.push((Verdict::Fine, what, found.into()));
    }

    /// To be known, and nothing to do.
    pub(super) fn note(&mut self, what: &'static str, found: impl Into<String>) {
        self.0.push((Verdict::Note, what, found.into()));
    }

    /// Wrong; says what to do.
    pub(super) fn mend(&mut self, what: &'static str, found: impl Into<String>) {
        self.0.push((Verdict::Mend, what, found.into()));
    }

    /// Whether there is nothing to mend.
    pub(super) fn is_fine(&self) -> bool {
        self.0.iter().all(|(verdict, ..)| *verdict != Verdict::Mend)
    }

    /// Writes one line for each finding, and how many have to be mended.
    pub(super) fn print(&self, out: &mut impl Write) -> io::Result<()> {
        for (verdict, what, found) in &self.0 {
            let word = match verdict {
                Verdict::Fine => "ok",
                Verdict::Note => "note",
                Verdict::Mend => "MEND",
            };
            writeln!(out, "{word:<5} {what:<12} {found}")?;
        }
        match self.0.iter().filter(|(verdict, ..)| *verdict == Verdict::Mend).count() {
            0 => writeln!(out, "Nothing has to be mended."),
            1 => writeln!(out, "One thing has to be mended."),
            many => writeln!(out, "{many} things have to be mended."),
        }
    }
}
