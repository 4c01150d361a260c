//! Progress on standard error, for people who watch.

use std::io::IsTerminal as _;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use lockstep_client::client::{Progress, ProgressSink};

use crate::output::{Output, Reader};

/// What takes fewer steps is over before anybody reads it.
const WORTH_SHOWING: u64 = 64;

/// A bar on the terminal, once there is much to do; silent where nobody watches or a program reads.
pub(crate) struct Bar {
    bar: ProgressBar,
    is_watched: bool,
}

impl Bar {
    /// A bar for this output.
    pub(crate) fn new(output: &Output) -> Self {
        let is_watched = output.reader() == Reader::Person && std::io::stderr().is_terminal();
        let bar = ProgressBar::hidden();
        if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len}") {
            bar.set_style(style);
        }
        Self { bar, is_watched }
    }

    fn show(&self, what: &'static str, done: u64, total: u64) {
        if !self.is_watched || total < WORTH_SHOWING {
            return;
        }
        if self.bar.is_hidden() {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        self.bar.set_message(what);
        self.bar.set_length(total);
        self.bar.set_position(done);
    }
}

impl ProgressSink for Bar {
    fn progress(&self, progress: Progress) {
        match progress {
            Progress::Account => {}
            Progress::Commits { done, total, .. } => self.show("verifying", done, total),
            Progress::Items { done, total, .. } => self.show("receiving", done, total),
            Progress::History { done, total, .. } => self.show("checking history", done, total),
            Progress::Pushed { done, left, .. } => self.show("sending", done, done + left),
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
