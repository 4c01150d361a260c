//! What an export holds, and what it does not, by name.

use std::path::PathBuf;

use lockstep_client::client::OpenItem;
use lockstep_client::proto::ids::ItemId;
use lockstep_formats::Loss;
use lockstep_formats::bitwarden::Difference;
use serde::Serialize;

use crate::exit::Exit;
use crate::output::{clean_line, shown_path};

/// The result of `export`.
#[derive(Debug, Serialize)]
pub struct Exported {
    items: usize,
    /// Where it went; `None` for standard output.
    pub file: Option<PathBuf>,
    left_behind: Vec<LossLine>,
    outdated: Vec<Named>,
    unopened: Vec<String>,
    differences: Option<Vec<DifferenceLine>>,
}

/// What of one item did not leave.
#[derive(Debug, Serialize)]
struct LossLine {
    #[serde(flatten)]
    item: Named,
    conflicts: Vec<String>,
    former_values: usize,
}

/// An item that the file, read back, does not hold as it is.
#[derive(Debug, Serialize)]
struct DifferenceLine {
    #[serde(flatten)]
    item: Named,
    fields: Option<Vec<String>>,
}

#[derive(Debug, Serialize)]
struct Named {
    id: String,
    title: String,
}

impl Named {
    fn new(item_id: ItemId, title: String) -> Self {
        Self { id: item_id.to_string(), title }
    }

    fn text(&self) -> String {
        let title = clean_line(&self.title);
        format!("{}  {}", &self.id[..8], if title.is_empty() { "(no title)" } else { &title })
    }
}

impl Exported {
    /// An export of these items; `unopened` are those of the vault that are not among them.
    pub fn new(items: &[(ItemId, OpenItem)], losses: Vec<Loss>, unopened: Vec<ItemId>) -> Self {
        let left_behind = losses.into_iter().map(|loss| LossLine {
            item: Named::new(loss.item_id, loss.title),
            conflicts: loss.conflicts,
            former_values: loss.former_values,
        });
        let outdated = items.iter().filter(|(_, open)| open.quarantine.is_some());
        Self {
            items: items.len(),
            file: None,
            left_behind: left_behind.collect(),
            outdated: outdated.map(|(id, open)| Named::new(*id, open.document.name().to_owned())).collect(),
            unopened: unopened.iter().map(ToString::to_string).collect(),
            differences: None,
        }
    }

    /// Adds what reading the file back has found.
    pub fn checked(&mut self, differences: Vec<Difference>) {
        let line = |difference: Difference| DifferenceLine {
            item: Named::new(difference.item_id, difference.title),
            fields: difference.fields,
        };
        self.differences = Some(differences.into_iter().map(line).collect());
    }

    /// What a script learns.
    pub fn exit(&self) -> Exit {
        let is_whole = self.outdated.is_empty()
            && self.unopened.is_empty()
            && self.left_behind.iter().all(|loss| loss.conflicts.is_empty());
        match &self.differences {
            Some(differences) if !differences.is_empty() => Exit::Failed,
            _ if is_whole => Exit::Done,
            _ => Exit::Attention,
        }
    }

    /// The sum, then what did not leave.
    pub fn text(&self) -> String {
        let items = counted(self.items, "item");
        let mut lines = vec![match &self.file {
            Some(path) => format!(
                "Exported {items} to {}, readable by you alone. Delete it when it has served its purpose.",
                shown_path(path)
            ),
            None => format!("Exported {items}."),
        }];
        self.tell_losses(&mut lines);
        match self.differences.as_deref() {
            None => {}
            Some([]) => lines.push("Read back: every field of every item is in the export.".to_owned()),
            Some(differences) => {
                lines
                    .push("Read back, the export differs from the vault, which holds everything:".to_owned());
                lines.extend(differences.iter().map(|line| match &line.fields {
                    Some(fields) => named(&line.item, fields),
                    None => format!("  {}: the whole item is missing", line.item.text()),
                }));
            }
        }
        lines.join("\n")
    }

    fn tell_losses(&self, lines: &mut Vec<String>) {
        let conflicts = self.left_behind.iter().filter(|loss| !loss.conflicts.is_empty());
        let conflicts: Vec<_> = conflicts.map(|loss| named(&loss.item, &loss.conflicts)).collect();
        if !conflicts.is_empty() {
            lines.push(
                "These fields hold values of several writers; each left with the one that is shown. The others stay in \
                 the vault (see `lockstep conflicts`), those of a password are in the export as former ones:"
                    .to_owned(),
            );
            lines.extend(conflicts);
        }
        if !self.outdated.is_empty() {
            lines.push("The newest version of these cannot be opened; the last good one left:".to_owned());
            lines.extend(self.outdated.iter().map(|item| format!("  {}", item.text())));
        }
        if !self.unopened.is_empty() {
            lines.push("These cannot be opened on this device and are not in the export:".to_owned());
            lines.extend(self.unopened.iter().map(|id| format!("  {id}")));
        }
        let former: usize = self.left_behind.iter().map(|loss| loss.former_values).sum();
        if former > 0 {
            lines.push(format!(
                "The format has no place for {}; they stay in the vault alone.",
                counted(former, "former value") + " of fields other than passwords"
            ));
        }
    }
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn named(item: &Named, fields: &[String]) -> String {
    let fields: Vec<_> = fields.iter().map(|field| clean_line(field)).collect();
    format!("  {}: {}", item.text(), fields.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u8) -> ItemId {
        ItemId::from_random([number; 16])
    }

    fn loss(conflicts: &[&str], former_values: usize) -> Loss {
        let conflicts = conflicts.iter().map(ToString::to_string).collect();
        Loss { item_id: id(7), title: "Bank\n".into(), conflicts, former_values }
    }

    fn exported(losses: Vec<Loss>, unopened: Vec<ItemId>) -> Exported {
        Exported { file: Some("out.json".into()), ..Exported::new(&[], losses, unopened) }
    }

    #[test]
    fn older_values_that_stay_behind_are_told_and_no_cause_for_alarm() {
        let done = exported(vec![loss(&[], 2)], Vec::new());
        assert_eq!(done.exit(), Exit::Done);
        insta::assert_snapshot!(done.text(), @r"
        Exported 0 items to out.json, readable by you alone. Delete it when it has served its purpose.
        The format has no place for 2 former values of fields other than passwords; they stay in the vault alone.
        ");
    }

    #[test]
    fn what_did_not_leave_is_named_and_asks_for_attention() {
        let mut done = exported(vec![loss(&["username", "notes"], 0)], vec![id(9)]);
        assert_eq!(done.exit(), Exit::Attention);
        insta::assert_snapshot!(done.text(), @r"
        Exported 0 items to out.json, readable by you alone. Delete it when it has served its purpose.
        These fields hold values of several writers; each left with the one that is shown. The others stay in the vault (see `lockstep conflicts`), those of a password are in the export as former ones:
          07070707  Bank : username, notes
        These cannot be opened on this device and are not in the export:
          09090909-0909-8909-8909-090909090909
        ");
        done.checked(Vec::new());
        assert_eq!(done.exit(), Exit::Attention);
    }

    #[test]
    fn an_export_that_reads_back_differently_has_failed() {
        let mut done = exported(Vec::new(), Vec::new());
        done.checked(vec![
            Difference { item_id: id(1), title: "A".into(), fields: Some(vec!["totp".into()]) },
            Difference { item_id: id(2), title: String::new(), fields: None },
        ]);
        assert_eq!(done.exit(), Exit::Failed);
        insta::assert_snapshot!(done.text(), @r"
        Exported 0 items to out.json, readable by you alone. Delete it when it has served its purpose.
        Read back, the export differs from the vault, which holds everything:
          01010101  A: totp
          02020202  (no title): the whole item is missing
        ");
    }

    #[test]
    fn an_export_has_a_stable_shape() {
        insta::assert_json_snapshot!(exported(vec![loss(&["notes"], 1)], Vec::new()), @r#"
        {
          "items": 0,
          "file": "out.json",
          "left_behind": [
            {
              "id": "07070707-0707-8707-8707-070707070707",
              "title": "Bank\n",
              "conflicts": [
                "notes"
              ],
              "former_values": 1
            }
          ],
          "outdated": [],
          "unopened": [],
          "differences": null
        }
        "#);
    }
}
