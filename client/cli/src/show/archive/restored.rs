//! What became of an archive that was read.

use lockstep_client::client::{ConflictInfo, Saved};
use lockstep_client::proto::ids::{ItemId, VaultId};
use serde::Serialize;

use super::{LeftOut, counted, titled};
use crate::exit::Exit;
use crate::output::{clean_line, sentence};
use crate::show::sync::Synced;
use crate::when::rfc3339;

/// What became of the items of one vault.
#[derive(Debug, Default)]
pub(crate) struct RestoredVault {
    pub(crate) saved: Saved,
    /// Of those created, items that had been purged here.
    pub(crate) brought_back: usize,
    /// Items that were shown here and are in the trash now, with their titles.
    pub(crate) moved_to_trash: Vec<(ItemId, String)>,
    pub(crate) left_out: Vec<LeftOut>,
}

/// The result of `import --format lockstep`: sums as every import has them, and each vault.
#[derive(Debug, Serialize)]
pub(crate) struct Restored {
    made: String,
    created: usize,
    changed: usize,
    unchanged: usize,
    brought_back: usize,
    left_out: usize,
    vaults: Vec<VaultLine>,
    problems: Vec<ProblemLine>,
    conflicts: Vec<ConflictLine>,
    /// The syncs before and after it.
    pub(crate) sync: Synced,
}

/// A vault of this account that one of the archive went into.
#[derive(Debug)]
pub(crate) struct RestoredPlace {
    pub(crate) vault_id: VaultId,
    pub(crate) name: String,
    pub(crate) is_new: bool,
}

#[derive(Debug, Serialize)]
struct VaultLine {
    id: String,
    name: String,
    new: bool,
    created: usize,
    changed: usize,
    unchanged: usize,
    brought_back: usize,
    left_out: usize,
}

#[derive(Debug, Serialize)]
struct ProblemLine {
    id: String,
    vault_id: String,
    title: Option<String>,
    problem: String,
    left_out: bool,
}

#[derive(Debug, Serialize)]
struct ConflictLine {
    id: String,
    vault_id: String,
    title: String,
    field: String,
}

impl Restored {
    /// Nothing yet, of an archive that was made at this time.
    pub(crate) fn new(made_ms: u64) -> Self {
        Self {
            made: rfc3339(made_ms),
            created: 0,
            changed: 0,
            unchanged: 0,
            brought_back: 0,
            left_out: 0,
            vaults: Vec::new(),
            problems: Vec::new(),
            conflicts: Vec::new(),
            sync: Synced::Skipped,
        }
    }

    /// Vaults so far.
    pub(crate) fn count_vaults(&self) -> usize {
        self.vaults.len()
    }

    /// One more vault.
    pub(crate) fn add(&mut self, place: &RestoredPlace, done: RestoredVault) {
        let vault_id = place.vault_id.to_string();
        let left_out = done.left_out.len();
        self.created += done.saved.created;
        self.changed += done.saved.changed;
        self.unchanged += done.saved.unchanged;
        self.brought_back += done.brought_back;
        self.left_out += left_out;
        self.problems.extend(done.left_out.into_iter().map(|item| problem(&vault_id, item)));
        self.problems.extend(done.moved_to_trash.into_iter().map(|(item_id, title)| ProblemLine {
            id: item_id.to_string(),
            vault_id: vault_id.clone(),
            title: Some(title),
            problem: "it is in the trash now, as in the archive".to_owned(),
            left_out: false,
        }));
        self.vaults.push(VaultLine {
            id: vault_id,
            name: place.name.clone(),
            new: place.is_new,
            created: done.saved.created,
            changed: done.saved.changed,
            unchanged: done.saved.unchanged,
            brought_back: done.brought_back,
            left_out,
        });
    }

    /// Fields that wait for a choice since this import.
    pub(crate) fn conflicts<'a>(&mut self, conflicts: impl Iterator<Item = &'a ConflictInfo>) {
        self.conflicts.extend(conflicts.map(|conflict| ConflictLine {
            id: conflict.item_id.to_string(),
            vault_id: conflict.vault_id.to_string(),
            title: conflict.title.clone(),
            field: conflict.field.clone(),
        }));
    }

    /// What was left out outweighs what waits for a choice.
    pub(crate) fn exit(&self) -> Exit {
        let needs_a_look = matches!(&self.sync, Synced::Done(report) if report.exit() == Exit::Attention);
        if self.left_out > 0 {
            Exit::Failed
        } else if !self.conflicts.is_empty() || needs_a_look {
            Exit::Attention
        } else {
            Exit::Done
        }
    }

    /// Each vault, then what to look at; what was left out last.
    pub(crate) fn text(&self) -> String {
        const SHOWN: usize = 20;
        let more =
            |count: usize| (count > SHOWN).then(|| format!("  and {} more; --json lists all", count - SHOWN));
        let mut lines = vec![format!("Read the archive of {}:", self.made)];
        lines.extend(self.vaults.iter().take(SHOWN).map(VaultLine::line));
        lines.extend(more(self.vaults.len()));
        if self.brought_back > 0 {
            lines.push(format!(
                "Brought back {} that had been purged here.",
                counted(self.brought_back, "item")
            ));
        }
        if !self.conflicts.is_empty() {
            lines.push(format!(
                "Values of several devices wait for a choice in {}: `lockstep conflicts` shows them.",
                counted(self.conflicts.len(), "field")
            ));
            lines.extend(self.conflicts.iter().take(SHOWN).map(ConflictLine::line));
            lines.extend(more(self.conflicts.len()));
        }
        let moved: Vec<_> = self.problems.iter().filter(|problem| !problem.left_out).collect();
        if !moved.is_empty() {
            lines.push(format!("Moved to the trash, as in the archive: {}.", counted(moved.len(), "item")));
            lines.extend(moved.iter().take(SHOWN).map(|problem| problem.line()));
            lines.extend(more(moved.len()));
        }
        lines.push(self.sync.text());
        if self.left_out > 0 {
            lines.push(format!("Left out: {}; what was here is as it was.", counted(self.left_out, "item")));
            lines.extend(
                self.problems.iter().filter(|problem| problem.left_out).take(SHOWN).map(ProblemLine::line),
            );
            lines.extend(more(self.left_out));
        }
        lines.join("\n")
    }
}

impl VaultLine {
    fn line(&self) -> String {
        let made = if self.new { " (a new vault)" } else { "" };
        format!(
            "  {}{made}: {} new, {} changed, {} held all of it already; {} left out.",
            titled(&self.name),
            self.created,
            self.changed,
            self.unchanged,
            self.left_out
        )
    }
}

impl ConflictLine {
    fn line(&self) -> String {
        let id = self.id.get(..8).unwrap_or(&self.id);
        format!("  {id}  {}: {}", titled(&self.title), clean_line(&self.field))
    }
}

impl ProblemLine {
    fn line(&self) -> String {
        let id = self.id.get(..8).unwrap_or(&self.id);
        let title = titled(self.title.as_deref().unwrap_or_default());
        format!("  {id}  {title}: {}", sentence(&self.problem))
    }
}

fn problem(vault_id: &str, item: LeftOut) -> ProblemLine {
    ProblemLine {
        id: item.item_id.to_string(),
        vault_id: vault_id.to_owned(),
        title: item.title,
        problem: item.why.to_string(),
        left_out: true,
    }
}

#[cfg(test)]
mod tests {
    use lockstep_client::client::ConflictValue;
    use lockstep_client::item::{Stamp, Value};
    use lockstep_client::proto::ids::{DeviceId, ItemId};

    use super::*;
    use crate::show::archive::Why;

    fn restored(left_out: Vec<LeftOut>, conflicts: usize) -> Restored {
        let mut restored = Restored::new(1_700_000_000_000);
        let place = |number, name: &str, is_new| RestoredPlace {
            vault_id: VaultId([number; 32]),
            name: name.to_owned(),
            is_new,
        };
        let saved = Saved { created: 3, changed: 2, unchanged: 1 };
        restored.add(
            &place(1, "Home", false),
            RestoredVault { saved, brought_back: 1, left_out, ..RestoredVault::default() },
        );
        restored.add(&place(2, "Work", true), RestoredVault::default());
        let value = ConflictValue { stamp: Stamp::clamped(1, 0, DeviceId([1; 16])), value: Value::Int(1) };
        let conflict = ConflictInfo {
            vault_id: VaultId([1; 32]),
            item_id: ItemId::from_random([7; 16]),
            title: "Bank".into(),
            field: "password".into(),
            winner: value.clone(),
            losers: vec![value],
        };
        restored.conflicts(std::iter::repeat_n(&conflict, conflicts));
        restored
    }

    fn too_large() -> Vec<LeftOut> {
        vec![LeftOut {
            item_id: ItemId::from_random([9; 16]),
            title: Some("Long".into()),
            why: Why::TooLarge,
        }]
    }

    #[test]
    fn an_archive_that_was_read_says_what_became_of_each_vault() {
        insta::assert_snapshot!(restored(too_large(), 1).text(), @r#"
        Read the archive of 2023-11-14T22:13:20Z:
          Home: 3 new, 2 changed, 1 held all of it already; 1 left out.
          Work (a new vault): 0 new, 0 changed, 0 held all of it already; 0 left out.
        Brought back 1 item that had been purged here.
        Values of several devices wait for a choice in 1 field: `lockstep conflicts` shows them.
          07070707  Bank: password
        Saved on this device; the next sync sends it.
        Left out: 1 item; what was here is as it was.
          09090909  Long: It would be too large with what it holds here already; make that shorter and import again.
        "#);
    }

    #[test]
    fn what_went_into_the_trash_is_named() {
        let mut restored = restored(Vec::new(), 0);
        let place = RestoredPlace { vault_id: VaultId([1; 32]), name: "Home".into(), is_new: false };
        let moved_to_trash = vec![(ItemId::from_random([8; 16]), "Old".to_owned())];
        restored.add(&place, RestoredVault { moved_to_trash, ..RestoredVault::default() });
        let text = restored.text();
        assert!(text.contains("Moved to the trash, as in the archive: 1 item."), "{text}");
        assert!(text.contains("08080808  Old: It is in the trash now, as in the archive."), "{text}");
        assert_eq!(restored.exit(), Exit::Done);
    }

    #[test]
    fn the_exit_code_says_what_needs_a_look() {
        assert_eq!(restored(too_large(), 1).exit(), Exit::Failed);
        assert_eq!(restored(Vec::new(), 1).exit(), Exit::Attention);
        assert_eq!(restored(Vec::new(), 0).exit(), Exit::Done);
    }

    #[test]
    fn an_archive_that_was_read_has_a_stable_shape() {
        insta::assert_json_snapshot!(restored(too_large(), 1), @r#"
        {
          "made": "2023-11-14T22:13:20Z",
          "created": 3,
          "changed": 2,
          "unchanged": 1,
          "brought_back": 1,
          "left_out": 1,
          "vaults": [
            {
              "id": "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE",
              "name": "Home",
              "new": false,
              "created": 3,
              "changed": 2,
              "unchanged": 1,
              "brought_back": 1,
              "left_out": 1
            },
            {
              "id": "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI",
              "name": "Work",
              "new": true,
              "created": 0,
              "changed": 0,
              "unchanged": 0,
              "brought_back": 0,
              "left_out": 0
            }
          ],
          "problems": [
            {
              "id": "09090909-0909-8909-8909-090909090909",
              "vault_id": "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE",
              "title": "Long",
              "problem": "it would be too large with what it holds here already; make that shorter and import again",
              "left_out": true
            }
          ],
          "conflicts": [
            {
              "id": "07070707-0707-8707-8707-070707070707",
              "vault_id": "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE",
              "title": "Bank",
              "field": "password"
            }
          ],
          "sync": {
            "state": "skipped"
          }
        }
        "#);
    }
}
