//! What was measured: a row for each step, a column for each kind of figure.

use std::fmt;

/// The kinds, in the order of [`Figures`]' columns.
pub(crate) const COLUMNS: [&str; 6] =
    ["s", "s of processor", "client MiB", "server MiB", "KiB sent", "KiB received"];

/// Figures of every run, by step, in the order in which the steps first came.
#[derive(Default)]
pub(crate) struct Figures(Vec<(String, Vec<[f64; COLUMNS.len()]>)>);

impl Figures {
    /// Adds what a step cost in one run; what was not measured is not a number.
    pub(crate) fn add(&mut self, step: &str, figures: [f64; COLUMNS.len()]) {
        match self.0.iter_mut().find(|(known, _)| known == step) {
            Some((_, runs)) => runs.push(figures),
            None => self.0.push((step.to_owned(), vec![figures])),
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| step | {} |\n|---|{}", COLUMNS.join(" | "), "---:|".repeat(COLUMNS.len()))?;
        for (step, runs) in &self.0 {
            write!(f, "| {step} |")?;
            for column in 0..COLUMNS.len() {
                write!(f, " {} |", spread(runs.iter().map(|run| run[column]).collect()))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

/// The median, then the least and the most where they differ from it.
fn spread(mut values: Vec<f64>) -> String {
    values.sort_by(f64::total_cmp);
    let (least, median, most) =
        (rounded(values[0]), rounded(values[values.len() / 2]), rounded(values[values.len() - 1]));
    if least == most { median } else { format!("{median} ({least} – {most})") }
}

/// Three digits that count.
fn rounded(value: f64) -> String {
    match value {
        _ if value.is_nan() => String::new(),
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
