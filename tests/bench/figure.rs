//! What was measured, by name.

use std::fmt;

/// Measured values by name and unit, in the order in which they first came.
#[derive(Default)]
pub(crate) struct Figures(Vec<(String, &'static str, Vec<f64>)>);

impl Figures {
    /// Adds a value.
    pub(crate) fn add(&mut self, name: &str, unit: &'static str, value: f64) {
        match self.0.iter_mut().find(|(known, of, _)| known == name && *of == unit) {
            Some((_, _, values)) => values.push(value),
            None => self.0.push((name.to_owned(), unit, vec![value])),
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| what | unit | median | least | most |\n|---|---|---:|---:|---:|")?;
        for (name, unit, values) in &self.0 {
            let mut values = values.clone();
            values.sort_by(f64::total_cmp);
            let (least, most) = (values[0], values[values.len() - 1]);
            writeln!(f, "| {name} | {unit} | {:.3} | {least:.3} | {most:.3} |", values[values.len() / 2])?;
        }
        Ok(())
    }
}
