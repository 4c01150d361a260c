//! What an import did, item by item.

use lockstep_client::client::{ImportOutcome, ImportedItems};
use lockstep_client::proto::ids::ItemId;
use lockstep_formats::bitwarden::{ImportReport, ImportedRecord};
use serde::Serialize;

use super::sync::Synced;
use crate::exit::Exit;
use crate::output::{clean_line, sentence};

/// Remarks, folders and members that a person is shown; the JSON lists all.
const SHOWN: usize = 20;

/// The result of `import`.
#[derive(Debug, Serialize)]
pub struct Imported {
    #[serde(flatten)]
    counts: Counts,
    problems: Vec<ProblemLine>,
    conflicts: Vec<ConflictLine>,
    absent: Vec<Named>,
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

/// What to tell about the file.
#[derive(Debug, Serialize)]
struct RemarkLine {
    remark: String,
    line: Option<usize>,
    column: Option<usize>,
    left_out: bool,
}

impl Imported {
    /// The result of an import, of which `done` says what each record of the report did.
    pub fn new(report: &ImportReport, done: &ImportedItems, sync: Synced) -> Self {
        let told = report.problems.iter().map(|problem| ProblemLine {
            index: Some(problem.index),
            title: problem.name.clone(),
            problem: problem.problem.to_string(),
            left_out: problem.problem.leaves_out(),
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
        let remarks = report.remarks.iter().map(|remark| RemarkLine {
            remark: remark.to_string(),
            line: remark.at().map(|at| at.line),
            column: remark.at().map(|at| at.column),
            left_out: remark.leaves_out(),
        });
        let empty = report.folders.iter().filter(|folder| folder.items == 0);
        Self {
            counts: Counts::of(report, done),
            problems,
            remarks: remarks.collect(),
            conflicts: conflicts.collect(),
            absent: done.absent.iter().map(|(item_id, title)| Named::new(*item_id, title)).collect(),
            empty_folders: empty.map(|folder| folder.name.clone()).collect(),
            left_out_members: report.left_out.clone(),
            sync,
        }
    }

    /// What was done before a sync that failed.
    pub fn before_sync(report: &ImportReport, done: &ImportedItems) -> String {
        let counts = Counts::of(report, done);
        let again = match counts.complete {
            true => "",
            false => " Not everything came in: import the file again to see what was left out, and keep it.",
        };
        format!("{}{again}", counts.text())
    }

    /// Whether everything came in; and if so, whether something wants a look: values that wait for a choice, by the import
    /// or by the sync after it.
    pub fn exit(&self) -> Exit {
        match (self.counts.complete, self.conflicts.is_empty()) {
            (false, _) => Exit::Failed,
            (true, false) => Exit::Attention,
            (true, true) => self.sync.exit(),
        }
    }

    /// Counts, then what to look at, then what to do with the file.
    pub fn text(&self) -> String {
        let mut lines = vec![self.counts.text()];
        // What was left out comes first, so that it is among those shown.
        let (lost, kept): (Vec<_>, Vec<_>) = self.problems.iter().partition(|problem| problem.left_out);
        lines.extend(shown(&[lost, kept].concat(), "remark", |problem| problem.text()));
        lines.extend(shown(&self.remarks, "remark", |remark| {
            format!("  {}", sentence(&short(&remark.remark)))
        }));
        self.tell_of_items(&mut lines);
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

    fn tell_of_items(&self, lines: &mut Vec<String>) {
        if !self.conflicts.is_empty() {
            lines.push(
                "These fields were changed in the file and here; both values are kept, and `lockstep conflicts` shows them:"
                    .to_owned(),
            );
            lines.extend(shown(&self.conflicts, "item", |line| {
                format!("  {}: {}", line.item.text(), listed(&line.fields))
            }));
        }
        if !self.absent.is_empty() {
            lines.push(
                "These came from the same place earlier and are not in this file; they stay as they are:"
                    .to_owned(),
            );
            lines.extend(shown(&self.absent, "item", |item| format!("  {}", item.text())));
        }
    }

    /// What to do with the file: to delete it is said only if all of it came in.
    fn last_line(&self) -> String {
        if self.counts.complete {
            return "The file still holds everything in the clear: delete it when you have looked around."
                .to_owned();
        }
        let of_entries =
            self.problems.iter().filter(|problem| problem.left_out).count() - self.counts.left_out;
        let of_file =
            self.remarks.iter().filter(|remark| remark.left_out).count() + self.left_out_members.len();
        let counted = [
            (self.counts.left_out, "entry", "entries"),
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
        ImportOutcome::Changed { moved_to_trash: true, .. } => {
            ("it is in the trash in this file, and now here; `lockstep restore` takes it out".to_owned(), false)
        }
        ImportOutcome::ReservedKind => (
            "its kind is that of the names of vaults and devices, which no list shows as items; it was left out"
                .to_owned(),
            true,
        ),
        ImportOutcome::Created | ImportOutcome::Changed { .. } | ImportOutcome::Unchanged => return None,
    };
    let title = Some(record.document.name().to_owned());
    Some(ProblemLine { index: Some(record.index), title, problem, left_out })
}

/// What an import did, in numbers.
#[derive(Debug, Serialize)]
struct Counts {
    created: usize,
    changed: usize,
    unchanged: usize,
    left_out: usize,
    /// Whether all that the file holds came in.
    complete: bool,
}

impl Counts {
    fn of(report: &ImportReport, done: &ImportedItems) -> Self {
        let count = |counts: fn(&ImportOutcome) -> bool| {
            done.outcomes.iter().filter(|(_, outcome)| counts(outcome)).count()
        };
        let refused = count(|outcome| {
            use ImportOutcome::{Refused, ReservedKind, TooLarge};
            matches!(outcome, Refused(_) | ReservedKind | TooLarge { .. })
        });
        let skipped = report.problems.iter().filter(|told| told.problem.is_skipped()).count();
        Self {
            created: count(|outcome| matches!(outcome, ImportOutcome::Created)),
            changed: count(|outcome| matches!(outcome, ImportOutcome::Changed { .. })),
            unchanged: count(|outcome| matches!(outcome, ImportOutcome::Unchanged | ImportOutcome::Older)),
            left_out: skipped + refused,
            complete: report.is_complete() && refused == 0,
        }
    }

    fn text(&self) -> String {
        let Self { created, changed, unchanged, left_out, .. } = self;
        let all = created + changed + unchanged;
        let items = if all == 1 { "item" } else { "items" };
        format!(
            "Imported {all} {items}: {created} new, {changed} changed, {unchanged} as they were; {left_out} left out."
        )
    }
}

/// The first lines of a list, and how many more there are.
fn shown<T>(list: &[T], what: &str, text: impl Fn(&T) -> String) -> impl Iterator<Item = String> {
    let hidden = list.len().saturating_sub(SHOWN);
    let plural = if hidden == 1 { "" } else { "s" };
    let more = (hidden > 0).then(|| format!("  and {hidden} more {what}{plural}; --json lists all"));
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
    use lockstep_client::client::SyncReport;
    use lockstep_formats::bitwarden::{ImportContext, import_bitwarden_json};

    use super::super::sync::Report;
    use super::*;

    fn sample() -> Imported {
        let file = br#"{"encrypted":false,"folders":[{"id":"f","name":"Empty"}],"items":[
            {"id":"a","type":99,"name":"Odd"}, 7, {"id":"b","type":2,"name":"Fine","secureNote":{"type":0}}]}"#;
        let report = report(file);
        let conflicts = vec!["notes".to_owned(), "password".to_owned()];
        let changed = ImportOutcome::Changed { conflicts, kept_from_trash: false, moved_to_trash: false };
        let outcomes = vec![(id(1), ImportOutcome::Created), (id(2), changed)];
        let done = ImportedItems { outcomes, absent: vec![(id(3), "Gone".to_owned())] };
        Imported::new(&report, &done, Synced::Skipped)
    }

    fn id(number: u8) -> ItemId {
        ItemId::from_random([number; 16])
    }

    fn report(file: &[u8]) -> ImportReport {
        import_bitwarden_json(file, &ImportContext { now_ms: 1_700_000_000_000 }).unwrap()
    }

    /// Every record did this.
    fn each(report: &ImportReport, outcome: &ImportOutcome) -> ImportedItems {
        let outcomes = report.records.iter().map(|_| (id(1), outcome.clone())).collect();
        ImportedItems { outcomes, absent: Vec::new() }
    }

    fn of(file: &[u8]) -> Imported {
        let report = report(file);
        Imported::new(&report, &each(&report, &ImportOutcome::Created), Synced::Skipped)
    }

    #[test]
    fn an_import_tells_of_each_item_that_needs_a_look() {
        insta::assert_snapshot!(sample().text(), @r#"
        Imported 2 items: 1 new, 1 changed, 0 as they were; 1 left out.
          2. (no title): This entry is no item; it was left out.
          1. Odd: Lockstep does not know items of kind 99; everything in it is kept and exported again.
        These fields were changed in the file and here; both values are kept, and `lockstep conflicts` shows them:
          02020202  Fine: notes, password
        These came from the same place earlier and are not in this file; they stay as they are:
          03030303  Gone
        Folders without items became no tags: Empty.
        Saved on this device; the next sync sends it.
        Not everything came in; left out: 1 entry. Keep the file until nothing is missing here.
        "#);
        assert_eq!(sample().exit(), Exit::Failed);
    }

    #[test]
    fn the_file_may_be_deleted_only_when_all_of_it_came_in() {
        let whole = of(br#"{"items":[{"id":"a","type":2,"name":"x"}]} and a signature"#);
        assert_eq!(whole.exit(), Exit::Done);
        insta::assert_snapshot!(whole.text(), @r#"
        Imported 1 item: 1 new, 0 changed, 0 as they were; 0 left out.
          The export ends before line 1, column 44; what stands there is no part of it and was ignored.
        Saved on this device; the next sync sends it.
        The file still holds everything in the clear: delete it when you have looked around.
        "#);
        let cut =
            of(b"{\"new\":[1],\"items\":[{\"id\":\"a\",\"type\":2,\"name\":\"x\"},\n{\"name\":\"Bank\",");
        assert_eq!(cut.exit(), Exit::Failed);
        insta::assert_snapshot!(cut.text(), @r#"
        Imported 1 item: 1 new, 0 changed, 0 as they were; 1 left out.
          2. Bank: The file ends within this entry, which begins at line 2, column 1; it was left out.
          The file ends early, at line 2, column 16: what is complete before it was read, the rest is not in the file.
        Parts of the file that are no items were left out: new.
        Saved on this device; the next sync sends it.
        Not everything came in; left out: 1 entry, 2 parts of the file. Keep the file until nothing is missing here.
        "#);
        let report = report(br#"{"items":[{"id":"a","type":2,"name":"x"}]}"#);
        let done = each(&report, &ImportOutcome::TooLarge { length: 1_100_000 });
        let too_large = Imported::new(&report, &done, Synced::Skipped);
        assert_eq!(too_large.exit(), Exit::Failed);
        let text = too_large.text();
        assert!(
            text.lines().last().unwrap().starts_with("Not everything came in; left out: 1 entry."),
            "{text}"
        );
    }

    #[test]
    fn values_that_wait_for_a_choice_want_a_look() {
        let report = report(br#"{"items":[{"id":"a","type":2,"name":"x"}]}"#);
        let changed = |conflicts: &[&str]| ImportOutcome::Changed {
            conflicts: conflicts.iter().map(|field| (*field).to_owned()).collect(),
            kept_from_trash: false,
            moved_to_trash: false,
        };
        let exit = |outcome, sync| Imported::new(&report, &each(&report, &outcome), sync).exit();
        assert_eq!(exit(changed(&["notes"]), Synced::Skipped), Exit::Attention);
        assert_eq!(exit(changed(&[]), Synced::Skipped), Exit::Done);
        let met = SyncReport { conflicts: 1, ..SyncReport::default() };
        assert_eq!(exit(changed(&[]), Synced::Done(Report::of(&met))), Exit::Attention);
    }

    #[test]
    fn what_is_shown_is_bounded_and_the_json_has_every_remark() {
        let odd = (0..1_000).map(|number| format!(r#"{{"id":"{number}","type":99}}"#));
        let items: Vec<String> = odd.chain(["7".to_owned()]).collect();
        let title = "x".repeat(10_000);
        let file = format!(r#"{{"items":[{},{{"type":99,"name":"{title}"}}]}}"#, items.join(","));
        let imported = of(file.as_bytes());
        let text = imported.text();
        assert!(text.lines().count() < 26 && text.len() < 5_000, "{text}");
        assert!(text.lines().nth(1).unwrap().contains("1001. (no title): This entry is no item"), "{text}");
        assert!(text.contains("and 982 more remarks; --json lists all"), "{text}");
        let json = serde_json::to_value(&imported).unwrap();
        assert_eq!(json["problems"].as_array().unwrap().len(), 1_002);
        assert_eq!(json["problems"][1_001]["title"].as_str().unwrap().len(), 200, "the title is a name here");
    }

    #[test]
    fn before_a_sync_that_failed_it_is_said_what_was_saved() {
        let before = |file: &[u8]| {
            let report = report(file);
            Imported::before_sync(&report, &each(&report, &ImportOutcome::Created))
        };
        let whole = before(br#"{"items":[{"id":"a","type":2},{"id":"b","type":2}]}"#);
        assert_eq!(whole, "Imported 2 items: 2 new, 0 changed, 0 as they were; 0 left out.");
        let odd = before(br#"{"items":[7]}"#);
        assert!(odd.contains("1 left out. Not everything came in"), "{odd}");
    }

    #[test]
    fn an_import_has_a_stable_shape() {
        insta::assert_json_snapshot!(sample(), @r#"
        {
          "created": 1,
          "changed": 1,
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
