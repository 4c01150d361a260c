//! What an import did, item by item.

use lockstep_client::client::Saved;
use lockstep_client::proto::ids::ItemId;
use lockstep_formats::bitwarden::ImportReport;
use serde::Serialize;

use super::sync::Synced;
use crate::output::{clean_line, sentence};

/// The result of `import`.
#[derive(Debug, Serialize)]
pub struct Imported {
    created: usize,
    changed: usize,
    unchanged: usize,
    left_out: usize,
    problems: Vec<ProblemLine>,
    empty_folders: Vec<String>,
    left_out_members: Vec<String>,
    sync: Synced,
}

/// What to tell about one record. `index` counts from 0 as the file does.
#[derive(Debug, Serialize)]
struct ProblemLine {
    index: Option<usize>,
    title: Option<String>,
    problem: String,
    left_out: bool,
}

impl Imported {
    /// The result of an import of which `too_large` did not fit beside what was there.
    pub fn new(report: &ImportReport, saved: Saved, too_large: &[ItemId], sync: Synced) -> Self {
        let told = report.problems.iter().map(|problem| ProblemLine {
            index: Some(problem.index),
            title: problem.name.clone(),
            problem: problem.problem.to_string(),
            left_out: problem.problem.is_skipped(),
        });
        let refused = too_large.iter().map(|item_id| ProblemLine {
            index: None,
            title: None,
            problem: format!(
                "item {item_id} would be too large with what it holds already; it was left as it was"
            ),
            left_out: true,
        });
        let problems: Vec<_> = told.chain(refused).collect();
        let empty = report.folders.iter().filter(|folder| folder.items == 0);
        Self {
            created: saved.created,
            changed: saved.changed,
            unchanged: saved.unchanged,
            left_out: problems.iter().filter(|problem| problem.left_out).count(),
            problems,
            empty_folders: empty.map(|folder| folder.name.clone()).collect(),
            left_out_members: report.left_out.clone(),
            sync,
        }
    }

    /// Counts, then what to look at.
    pub fn text(&self) -> String {
        const SHOWN: usize = 20;
        let mut lines = vec![format!(
            "Imported {} items: {} new, {} changed, {} held all of it already; {} left out.",
            self.created + self.changed + self.unchanged,
            self.created,
            self.changed,
            self.unchanged,
            self.left_out
        )];
        for problem in self.problems.iter().take(SHOWN) {
            let number = problem.index.map_or_else(|| "-".to_owned(), |index| (index + 1).to_string());
            let title = problem.title.as_deref().map(clean_line).unwrap_or_default();
            let title = if title.is_empty() { "(no title)" } else { &title };
            lines.push(format!("  {number}. {title}: {}", sentence(&problem.problem)));
        }
        if self.problems.len() > SHOWN {
            lines.push(format!("  and {} more remarks; --json lists all", self.problems.len() - SHOWN));
        }
        if !self.empty_folders.is_empty() {
            let folders: Vec<_> = self.empty_folders.iter().map(|name| clean_line(name)).collect();
            lines.push(format!("Folders without items became no tags: {}.", folders.join(", ")));
        }
        if !self.left_out_members.is_empty() {
            let members: Vec<_> = self.left_out_members.iter().map(|name| clean_line(name)).collect();
            lines
                .push(format!("Parts of the file that hold no items were left out: {}.", members.join(", ")));
        }
        lines.push(self.sync.text());
        lines.push(
            "The file still holds everything in the clear: delete it when you have looked around.".to_owned(),
        );
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use lockstep_formats::bitwarden::{ImportContext, import_bitwarden_json};

    use super::*;

    fn sample() -> Imported {
        let file = br#"{"encrypted":false,"folders":[{"id":"f","name":"Empty"}],"items":[
            {"id":"a","type":99,"name":"Odd"}, 7, {"id":"b","type":2,"name":"Fine","secureNote":{"type":0}}]}"#;
        let report = import_bitwarden_json(file, &ImportContext { now_ms: 1_700_000_000_000 }).unwrap();
        Imported::new(&report, Saved { created: 2, changed: 0, unchanged: 0 }, &[], Synced::Skipped)
    }

    #[test]
    fn an_import_tells_of_each_item_that_needs_a_look() {
        insta::assert_snapshot!(sample().text(), @r#"
        Imported 2 items: 2 new, 0 changed, 0 held all of it already; 1 left out.
          1. Odd: Lockstep does not know items of kind 99; everything in it is kept and exported again.
          2. (no title): This entry is no item; it was left out.
        Folders without items became no tags: Empty.
        Saved on this device; the next sync sends it.
        The file still holds everything in the clear: delete it when you have looked around.
        "#);
    }

    #[test]
    fn an_import_has_a_stable_shape() {
        insta::assert_json_snapshot!(sample(), @r#"
        {
          "created": 2,
          "changed": 0,
          "unchanged": 0,
          "left_out": 1,
          "problems": [
            {
              "index": 0,
              "title": "Odd",
              "problem": "Lockstep does not know items of kind 99; everything in it is kept and exported again",
              "left_out": false
            },
            {
              "index": 1,
              "title": null,
              "problem": "this entry is no item; it was left out",
              "left_out": true
            }
          ],
          "empty_folders": [
            "Empty"
          ],
          "left_out_members": [],
          "sync": {
            "state": "skipped"
          }
        }
        "#);
    }
}
