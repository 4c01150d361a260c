//! Progress on standard error, for people who watch.

use std::io::IsTerminal as _;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use lockstep_client::client::{Progress, ProgressSink};

use crate::output::{Output, Reader};

/// A bar on the terminal; silent where nobody watches or a program reads.
pub(crate) struct Bar {
    bar: ProgressBar,
}

impl Bar {
    /// A bar for this output.
    pub(crate) fn new(output: Output) -> Self {
        let watched = output.reader() == Reader::Person && std::io::stderr().is_terminal();
        let bar = if watched { ProgressBar::new(0) } else { ProgressBar::hidden() };
        if watched {
            bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len}") {
            bar.set_style(style);
        }
        Self { bar }
    }

    fn show(&self, what: &'static str, done: u64, total: u64) {
        if total == 0 {
            return;
        }
        self.bar.set_message(what);
        self.bar.set_length(total);
        self.bar.set_position(done);
    }
}

impl ProgressSink for Bar {
    fn progress(&self, progress: Progress) {
        match progress {
            Progress::Account => self.bar.set_message("account"),
            Progress::Commits { done, total, .. } => self.show("verifying", done, total),
            Progress::Items { done, total, .. } => self.show("receiving", done, total),
            Progress::Pushed { done, left, .. } => self.show("sending", done, done + left),
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
