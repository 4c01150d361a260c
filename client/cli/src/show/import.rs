//! What an import did, item by item.

use lockstep_client::client::{ImportOutcome, ImportedItems};
use lockstep_client::proto::ids::ItemId;
use lockstep_formats::bitwarden::{ImportReport, ImportedRecord};
use serde::Serialize;

use super::sync::Synced;
use crate::exit::Exit;
use crate::output::{clean_line, sentence};

/// The result of `import`.
#[derive(Debug, Serialize)]
pub struct Imported {
    created: usize,
    changed: usize,
    unchanged: usize,
    left_out: usize,
    problems: Vec<ProblemLine>,
    conflicts: Vec<ConflictLine>,
    absent: Vec<Named>,
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

/// Fields that the file and somebody here changed differently.
#[derive(Debug, Serialize)]
struct ConflictLine {
    #[serde(flatten)]
    item: Named,
    fields: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Named {
    id: String,
    title: String,
}

impl Named {
    fn new(item_id: ItemId, title: &str) -> Self {
        Self { id: item_id.to_string(), title: title.to_owned() }
    }

    fn text(&self) -> String {
        let title = clean_line(&self.title);
        format!("{}  {}", &self.id[..8], if title.is_empty() { "(no title)" } else { &title })
    }
}

impl Imported {
    /// The result of an import, of which `done` says what each record of the report did.
    pub fn new(report: &ImportReport, done: &ImportedItems, sync: Synced) -> Self {
        let told = report.problems.iter().map(|problem| ProblemLine {
            index: Some(problem.index),
            title: problem.name.clone(),
            problem: problem.problem.to_string(),
            left_out: problem.problem.is_skipped(),
        });
        let each = || report.records.iter().zip(&done.outcomes);
        let mut problems: Vec<_> =
            told.chain(each().filter_map(|(record, (_, outcome))| remark(record, outcome))).collect();
        problems.sort_by_key(|problem| problem.index);
        let conflicts = each().filter_map(|(record, (item_id, outcome))| match outcome {
            ImportOutcome::Changed { conflicts, .. } if !conflicts.is_empty() => {
                let item = Named::new(*item_id, record.document.name());
                Some(ConflictLine { item, fields: conflicts.clone() })
            }
            _ => None,
        });
        let count = |counts: fn(&ImportOutcome) -> bool| {
            done.outcomes.iter().filter(|(_, outcome)| counts(outcome)).count()
        };
        let empty = report.folders.iter().filter(|folder| folder.items == 0);
        Self {
            created: count(|outcome| matches!(outcome, ImportOutcome::Created)),
            changed: count(|outcome| matches!(outcome, ImportOutcome::Changed { .. })),
            unchanged: count(|outcome| matches!(outcome, ImportOutcome::Unchanged | ImportOutcome::Older)),
            left_out: problems.iter().filter(|problem| problem.left_out).count(),
            conflicts: conflicts.collect(),
            absent: done.absent.iter().map(|(item_id, title)| Named::new(*item_id, title)).collect(),
            problems,
            empty_folders: empty.map(|folder| folder.name.clone()).collect(),
            left_out_members: report.left_out.clone(),
            sync,
        }
    }

    /// What a script learns.
    pub fn exit(&self) -> Exit {
        if self.conflicts.is_empty() { Exit::Done } else { Exit::Attention }
    }

    /// Counts, then what to look at.
    pub fn text(&self) -> String {
        const SHOWN: usize = 20;
        let mut lines = vec![format!(
            "Imported {} items: {} new, {} changed, {} as they were; {} left out.",
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
        self.tell_of_items(&mut lines);
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
    fn tell_of_items(&self, lines: &mut Vec<String>) {
        if !self.conflicts.is_empty() {
            lines.push(
                "These fields were changed in the file and here; both values are kept, and `lockstep conflicts` shows them:"
                    .to_owned(),
            );
            lines.extend(self.conflicts.iter().map(|line| {
                let fields: Vec<_> = line.fields.iter().map(|field| clean_line(field)).collect();
                format!("  {}: {}", line.item.text(), fields.join(", "))
            }));
        }
        if !self.absent.is_empty() {
            lines.push(
                "These came from the same place earlier and are not in this file; they stay as they are:"
                    .to_owned(),
            );
            lines.extend(self.absent.iter().map(|item| format!("  {}", item.text())));
        }
    }
}

/// What there is to tell of a record beside what the file itself says.
fn remark(record: &ImportedRecord, outcome: &ImportOutcome) -> Option<ProblemLine> {
    let (problem, left_out) = match outcome {
        ImportOutcome::Refused(error) => {
            (format!("this item could not be imported and was left out: {error}"), true)
        }
        ImportOutcome::TooLarge { length } => (
            format!(
                "with what it holds already this item would take {length} bytes, more than one can; it was left as it was"
            ),
            true,
        ),
        ImportOutcome::Older => {
            ("this is older than what was imported before; the item was left as it is".to_owned(), false)
        }
        ImportOutcome::Changed { kept_from_trash: true, .. } => (
            "it is in the trash in this file, but was edited here; it stays out of the trash".to_owned(),
            false,
        ),
        ImportOutcome::Created | ImportOutcome::Changed { .. } | ImportOutcome::Unchanged => return None,
    };
    let title = Some(record.document.name().to_owned());
    Some(ProblemLine { index: Some(record.index), title, problem, left_out })
}

#[cfg(test)]
mod tests {
    use lockstep_formats::bitwarden::{ImportContext, import_bitwarden_json};

    use super::*;

    fn sample() -> Imported {
        let file = br#"{"encrypted":false,"folders":[{"id":"f","name":"Empty"}],"items":[
            {"id":"a","type":99,"name":"Odd"}, 7, {"id":"b","type":2,"name":"Fine","secureNote":{"type":0}}]}"#;
        let report = import_bitwarden_json(file, &ImportContext { now_ms: 1_700_000_000_000 }).unwrap();
        let id = |number| ItemId::from_random([number; 16]);
        let conflicts = vec!["notes".to_owned(), "password".to_owned()];
        let changed = ImportOutcome::Changed { conflicts, kept_from_trash: false };
        let outcomes = vec![(id(1), ImportOutcome::Created), (id(2), changed)];
        let done = ImportedItems { outcomes, absent: vec![(id(3), "Gone".to_owned())] };
        Imported::new(&report, &done, Synced::Skipped)
    }

    #[test]
    fn an_import_tells_of_each_item_that_needs_a_look() {
        insta::assert_snapshot!(sample().text(), @r#"
        Imported 2 items: 1 new, 1 changed, 0 as they were; 1 left out.
          1. Odd: Lockstep does not know items of kind 99; everything in it is kept and exported again.
          2. (no title): This entry is no item; it was left out.
        These fields were changed in the file and here; both values are kept, and `lockstep conflicts` shows them:
          02020202  Fine: notes, password
        These came from the same place earlier and are not in this file; they stay as they are:
          03030303  Gone
        Folders without items became no tags: Empty.
        Saved on this device; the next sync sends it.
        The file still holds everything in the clear: delete it when you have looked around.
        "#);
    }

    #[test]
    fn an_import_has_a_stable_shape() {
        insta::assert_json_snapshot!(sample(), @r#"
        {
          "created": 1,
          "changed": 1,
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
          "conflicts": [
            {
              "id": "02020202-0202-8202-8202-020202020202",
              "title": "Fine",
              "fields": [
                "notes",
                "password"
              ]
            }
          ],
          "absent": [
            {
              "id": "03030303-0303-8303-8303-030303030303",
              "title": "Gone"
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
