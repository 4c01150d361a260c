//! What an import did, item by item.

use lockstep_client::client::Saved;
use lockstep_client::proto::ids::ItemId;
use lockstep_formats::bitwarden::ImportReport;
use serde::Serialize;

use super::sync::Synced;
use crate::exit::Exit;
use crate::output::{clean_line, sentence};

/// Remarks, folders and members that a person is shown; the JSON lists all.
const SHOWN: usize = 20;

/// The result of `import`.
#[derive(Debug, Serialize)]
pub struct Imported {
    created: usize,
    changed: usize,
    unchanged: usize,
    left_out: usize,
    complete: bool,
    problems: Vec<ProblemLine>,
    remarks: Vec<RemarkLine>,
    empty_folders: Vec<String>,
    left_out_members: Vec<String>,
    sync: Synced,
}

/// What to tell about one record. `index` counts from 0 as the file does; `left_out` is the record, or the attachment
/// that the problem names.
#[derive(Debug, Serialize)]
struct ProblemLine {
    index: Option<usize>,
    title: Option<String>,
    problem: String,
    left_out: bool,
}

/// What to tell about the file.
#[derive(Debug, Serialize)]
struct RemarkLine {
    remark: String,
    line: Option<usize>,
    column: Option<usize>,
    left_out: bool,
}

impl Imported {
    /// The result of an import of which `too_large` did not fit beside what was there.
    pub fn new(report: &ImportReport, saved: Saved, too_large: &[ItemId], sync: Synced) -> Self {
        let told = report.problems.iter().map(|problem| ProblemLine {
            index: Some(problem.index),
            title: problem.name.clone(),
            problem: problem.problem.to_string(),
            left_out: problem.problem.leaves_out(),
        });
        let refused = too_large.iter().map(|item_id| ProblemLine {
            index: None,
            title: None,
            problem: format!(
                "item {item_id} would be too large with what it holds already; it was left as it was"
            ),
            left_out: true,
        });
        let remarks = report.remarks.iter().map(|remark| RemarkLine {
            remark: remark.to_string(),
            line: remark.at().map(|at| at.line),
            column: remark.at().map(|at| at.column),
            left_out: remark.leaves_out(),
        });
        let empty = report.folders.iter().filter(|folder| folder.items == 0);
        Self {
            created: saved.created,
            changed: saved.changed,
            unchanged: saved.unchanged,
            left_out: left_out(report, too_large),
            complete: report.is_complete() && too_large.is_empty(),
            problems: told.chain(refused).collect(),
            remarks: remarks.collect(),
            empty_folders: empty.map(|folder| folder.name.clone()).collect(),
            left_out_members: report.left_out.clone(),
            sync,
        }
    }

    /// What was done before a sync that failed.
    pub fn before_sync(report: &ImportReport, saved: Saved, too_large: &[ItemId]) -> String {
        let again = match report.is_complete() && too_large.is_empty() {
            true => "",
            false => " Not everything came in: import the file again to see what was left out, and keep it.",
        };
        format!("{}{again}", counts(saved, left_out(report, too_large)))
    }

    /// Whether everything came in.
    pub fn exit(&self) -> Exit {
        if self.complete { Exit::Done } else { Exit::Failed }
    }

    /// Counts, then what to look at, then what to do with the file.
    pub fn text(&self) -> String {
        let saved = Saved { created: self.created, changed: self.changed, unchanged: self.unchanged };
        let mut lines = vec![counts(saved, self.left_out)];
        // What was left out comes first, so that it is among those shown.
        let (lost, kept): (Vec<_>, Vec<_>) = self.problems.iter().partition(|problem| problem.left_out);
        lines.extend(shown(&[lost, kept].concat(), |problem| problem.text()));
        lines.extend(shown(&self.remarks, |remark| format!("  {}", sentence(&short(&remark.remark)))));
        if !self.empty_folders.is_empty() {
            lines.push(format!("Folders without items became no tags: {}.", listed(&self.empty_folders)));
        }
        if !self.left_out_members.is_empty() {
            let members = listed(&self.left_out_members);
            lines.push(format!("Parts of the file that are no items were left out: {members}."));
        }
        lines.push(self.sync.text());
        lines.push(self.last_line());
        lines.join("\n")
    }

    /// What to do with the file: to delete it is said only if all of it came in.
    fn last_line(&self) -> String {
        if self.complete {
            return "The file still holds everything in the clear: delete it when you have looked around."
                .to_owned();
        }
        let of_entries = self.problems.iter().filter(|problem| problem.left_out).count() - self.left_out;
        let of_file =
            self.remarks.iter().filter(|remark| remark.left_out).count() + self.left_out_members.len();
        let counted = [
            (self.left_out, "entry", "entries"),
            (of_entries, "attachment", "attachments"),
            (of_file, "part of the file", "parts of the file"),
        ];
        let counted = counted.into_iter().filter(|(count, ..)| *count > 0);
        let counted: Vec<String> = counted
            .map(|(count, one, more)| format!("{count} {}", if count == 1 { one } else { more }))
            .collect();
        format!(
            "Not everything came in; left out: {}. Keep the file until nothing is missing here.",
            counted.join(", ")
        )
    }
}

impl ProblemLine {
    fn text(&self) -> String {
        let number = self.index.map_or_else(|| "-".to_owned(), |index| (index + 1).to_string());
        let title = self.title.as_deref().map(short).unwrap_or_default();
        let title = if title.is_empty() { "(no title)" } else { &title };
        format!("  {number}. {title}: {}", sentence(&short(&self.problem)))
    }
}

fn left_out(report: &ImportReport, too_large: &[ItemId]) -> usize {
    report.problems.iter().filter(|told| told.problem.is_skipped()).count() + too_large.len()
}

fn counts(saved: Saved, left_out: usize) -> String {
    let Saved { created, changed, unchanged } = saved;
    format!(
        "Imported {} items: {created} new, {changed} changed, {unchanged} held all of it already; {left_out} left out.",
        created + changed + unchanged
    )
}

/// The first lines of a list, and how many more there are.
fn shown<T>(list: &[T], text: impl Fn(&T) -> String) -> impl Iterator<Item = String> {
    let more =
        (list.len() > SHOWN).then(|| format!("  and {} more remarks; --json lists all", list.len() - SHOWN));
    list.iter().take(SHOWN).map(text).chain(more)
}

/// A text on one line of bounded length.
fn short(text: &str) -> String {
    const CHARACTERS: usize = 250;
    match text.char_indices().nth(CHARACTERS) {
        Some((end, _)) => format!("{}…", clean_line(&text[..end])),
        None => clean_line(text),
    }
}

fn listed(names: &[String]) -> String {
    let mut shown: Vec<String> = names.iter().take(SHOWN).map(|name| short(name)).collect();
    if names.len() > SHOWN {
        shown.push(format!("and {} more (--json lists all)", names.len() - SHOWN));
    }
    shown.join(", ")
}

#[cfg(test)]
mod tests {
    use lockstep_formats::bitwarden::{ImportContext, import_bitwarden_json};

    use super::*;

    fn sample() -> Imported {
        let file = br#"{"encrypted":false,"folders":[{"id":"f","name":"Empty"}],"items":[
            {"id":"a","type":99,"name":"Odd"}, 7, {"id":"b","type":2,"name":"Fine","secureNote":{"type":0}}]}"#;
        of(file, &[])
    }

    fn of(file: &[u8], too_large: &[ItemId]) -> Imported {
        let report = import_bitwarden_json(file, &ImportContext { now_ms: 1_700_000_000_000 }).unwrap();
        let saved = Saved { created: report.records.len(), changed: 0, unchanged: 0 };
        Imported::new(&report, saved, too_large, Synced::Skipped)
    }

    #[test]
    fn an_import_tells_of_each_item_that_needs_a_look() {
        insta::assert_snapshot!(sample().text(), @r#"
        Imported 2 items: 2 new, 0 changed, 0 held all of it already; 1 left out.
          2. (no title): This entry is no item; it was left out.
          1. Odd: Lockstep does not know items of kind 99; everything in it is kept and exported again.
        Folders without items became no tags: Empty.
        Saved on this device; the next sync sends it.
        Not everything came in; left out: 1 entry. Keep the file until nothing is missing here.
        "#);
        assert_eq!(sample().exit(), Exit::Failed);
    }

    #[test]
    fn the_file_may_be_deleted_only_when_all_of_it_came_in() {
        let whole = of(br#"{"items":[{"id":"a","type":2,"name":"x"}]} and a signature"#, &[]);
        assert_eq!(whole.exit(), Exit::Done);
        insta::assert_snapshot!(whole.text(), @r#"
        Imported 1 items: 1 new, 0 changed, 0 held all of it already; 0 left out.
          The export ends before line 1, column 44; what stands there is no part of it and was ignored.
        Saved on this device; the next sync sends it.
        The file still holds everything in the clear: delete it when you have looked around.
        "#);
        let cut = of(
            b"{\"new\":[1],\"items\":[{\"id\":\"a\",\"type\":2,\"name\":\"x\"},\n{\"name\":\"Bank\",",
            &[],
        );
        assert_eq!(cut.exit(), Exit::Failed);
        insta::assert_snapshot!(cut.text(), @r#"
        Imported 1 items: 1 new, 0 changed, 0 held all of it already; 1 left out.
          2. Bank: The file ends within this entry, which begins at line 2, column 1; it was left out.
          The file ends early, at line 2, column 16: what is complete before it was read, the rest is not in the file.
        Parts of the file that are no items were left out: new.
        Saved on this device; the next sync sends it.
        Not everything came in; left out: 1 entry, 2 parts of the file. Keep the file until nothing is missing here.
        "#);
        let too_large = of(br#"{"items":[]}"#, &[ItemId::from_random([1; 16])]);
        assert_eq!(too_large.exit(), Exit::Failed);
        assert!(
            too_large
                .text()
                .lines()
                .last()
                .unwrap()
                .starts_with("Not everything came in; left out: 1 entry.")
        );
    }

    #[test]
    fn what_is_shown_is_bounded_and_the_json_is_not() {
        let odd = (0..1_000).map(|number| format!(r#"{{"id":"{number}","type":99}}"#));
        let items: Vec<String> = odd.chain(["7".to_owned()]).collect();
        let title = "x".repeat(10_000);
        let file = format!(r#"{{"items":[{},{{"type":99,"name":"{title}"}}]}}"#, items.join(","));
        let imported = of(file.as_bytes(), &[]);
        let text = imported.text();
        assert!(text.lines().count() < 26 && text.len() < 5_000, "{text}");
        assert!(text.lines().nth(1).unwrap().contains("1001. (no title): This entry is no item"), "{text}");
        assert!(text.contains("and 982 more remarks; --json lists all"), "{text}");
        let json = serde_json::to_value(&imported).unwrap();
        assert_eq!(json["problems"].as_array().unwrap().len(), 1_002);
        assert_eq!(json["problems"][1_001]["title"].as_str().unwrap().len(), 10_000);
    }

    #[test]
    fn before_a_sync_that_failed_it_is_said_what_was_saved() {
        let saved = Saved { created: 2, changed: 0, unchanged: 0 };
        let report = |file: &[u8]| import_bitwarden_json(file, &ImportContext { now_ms: 0 }).unwrap();
        let whole = Imported::before_sync(&report(br#"{"items":[]}"#), saved, &[]);
        assert_eq!(whole, "Imported 2 items: 2 new, 0 changed, 0 held all of it already; 0 left out.");
        let odd = Imported::before_sync(&report(br#"{"items":[7]}"#), saved, &[]);
        assert!(odd.contains("1 left out. Not everything came in"), "{odd}");
    }

    #[test]
    fn an_import_has_a_stable_shape() {
        insta::assert_json_snapshot!(sample(), @r#"
        {
          "created": 2,
          "changed": 0,
          "unchanged": 0,
          "left_out": 1,
          "complete": false,
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
          "remarks": [],
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
