//! What was written into an archive, and what became of one that was read.

mod left_out;
mod restored;
mod written;

pub(crate) use left_out::{LeftOut, Why};
pub(crate) use restored::{Restored, RestoredPlace, RestoredVault};
pub(crate) use written::{Unopened, Written};

use crate::output::clean_line;

/// `1 item`, `2 items`.
fn counted(count: usize, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}

/// A name or title on one line, or a word for its absence.
fn titled(text: &str) -> String {
    let line = clean_line(text);
    if line.is_empty() { "(no name)".to_owned() } else { line }
}
