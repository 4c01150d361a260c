//! Lists of items.

use serde::Serialize;

use crate::find::Found;
use crate::output::clean_line;
use crate::when::rfc3339;

/// One line of `list`.
#[derive(Debug, Serialize)]
pub struct Line {
    id: String,
    vault_id: String,
    kind: String,
    title: String,
    username: Option<String>,
    tags: Vec<String>,
    favourite: bool,
    trashed: bool,
    archived: bool,
    updated: String,
    conflict: bool,
    pending: bool,
    quarantined: bool,
}

/// The result of `list`.
#[derive(Debug, Serialize)]
pub struct List {
    items: Vec<Line>,
}

impl List {
    /// These items.
    pub fn of(found: &[Found]) -> Self {
        Self { items: found.iter().map(line).collect() }
    }

    /// One line for each item, its marks, the start of its id and what finds it.
    pub fn text(&self) -> String {
        let mut lines: Vec<_> = self.items.iter().map(Line::text).collect();
        lines.push(match self.items.len() {
            0 => "No items.".to_owned(),
            1 => "1 item.".to_owned(),
            count => format!("{count} items."),
        });
        lines.join("\n")
    }
}

impl Line {
    fn text(&self) -> String {
        let title = if self.title.is_empty() { "(no title)" } else { &self.title };
        let mut line = format!("{}  {}", &self.id[..8], clean_line(title));
        if let Some(username) = self.username.as_deref().filter(|username| !username.is_empty()) {
            line.push_str(&format!("  {}", clean_line(username)));
        }
        if self.kind != "login" {
            line.push_str(&format!("  [{}]", clean_line(&self.kind)));
        }
        let marks = [
            (self.conflict, "conflict"),
            (self.quarantined, "unreadable"),
            (self.trashed, "trash"),
            (self.archived, "archived"),
            (self.pending, "not synced"),
        ];
        let set: Vec<_> = marks.iter().filter(|(set, _)| *set).map(|(_, mark)| *mark).collect();
        if !set.is_empty() {
            line.push_str(&format!("  ({})", set.join(", ")));
        }
        line
    }
}

fn line(found: &Found) -> Line {
    let item = &found.item;
    Line {
        id: item.item_id.to_string(),
        vault_id: found.vault_id.to_string(),
        kind: item.kind.clone(),
        title: item.title.clone(),
        username: item.username.clone(),
        tags: item.tags.clone(),
        favourite: item.favourite,
        trashed: item.trashed,
        archived: item.archived,
        updated: rfc3339(item.updated_ms),
        conflict: item.conflict,
        pending: item.pending,
        quarantined: item.quarantined,
    }
}

#[cfg(test)]
mod tests {
    use lockstep_client::client::ItemSummary;
    use lockstep_client::proto::ids::{ItemId, VaultId};

    use super::*;

    fn sample() -> List {
        let item = ItemSummary {
            item_id: ItemId::from_random([7; 16]),
            kind: "card".into(),
            title: "Travel\u{1b}[2J".into(),
            username: Some("anna".into()),
            tags: vec!["Work".into()],
            favourite: true,
            trashed: false,
            archived: false,
            updated_ms: 1_700_000_000_000,
            conflict: true,
            pending: true,
            quarantined: false,
        };
        List::of(&[Found { vault_id: VaultId([1; 32]), item }])
    }

    #[test]
    fn a_list_says_what_needs_attention() {
        insta::assert_snapshot!(sample().text(), @r"
        07070707  Travel�[2J  anna  [card]  (conflict, not synced)
        1 item.
        ");
    }

    #[test]
    fn a_list_has_a_stable_shape() {
        insta::assert_json_snapshot!(sample(), @r#"
        {
          "items": [
            {
              "id": "07070707-0707-8707-8707-070707070707",
              "vault_id": "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE",
              "kind": "card",
              "title": "Travel\u001b[2J",
              "username": "anna",
              "tags": [
                "Work"
              ],
              "favourite": true,
              "trashed": false,
              "archived": false,
              "updated": "2023-11-14T22:13:20Z",
              "conflict": true,
              "pending": true,
              "quarantined": false
            }
          ]
        }
        "#);
    }
}
