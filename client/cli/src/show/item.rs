//! One item, opened.

use std::collections::BTreeMap;

use lockstep_client::client::{OpenItem, Pending};
use lockstep_client::item::{KIND, TRASH, TrashState, Value, is_inner};
use lockstep_client::proto::ids::{ItemId, VaultId};
use serde::Serialize;

use super::value;
use crate::custom;
use crate::fields::is_secret;
use crate::output::{clean, clean_line};
use crate::when::rfc3339;

/// Whether secrets are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secrets {
    /// They are listed by name.
    Hide,
    /// They are shown.
    Reveal,
}

/// The result of `get`.
#[derive(Debug, Serialize)]
pub struct Item {
    id: String,
    vault_id: String,
    kind: String,
    title: String,
    updated: String,
    trashed: bool,
    pending: &'static str,
    tags: Vec<String>,
    fields: BTreeMap<String, serde_json::Value>,
    hidden: Vec<String>,
    /// The names of custom fields by their keys.
    names: BTreeMap<String, String>,
    conflicts: Vec<String>,
    quarantined: bool,
    #[serde(skip)]
    shown: Vec<(String, String)>,
}

impl Item {
    /// This item.
    pub fn of(vault_id: VaultId, item_id: ItemId, open: &OpenItem, secrets: Secrets) -> Self {
        let document = &open.document;
        let apart =
            |key: &str| matches!(key, KIND | TRASH | "name") || key.starts_with("tags/") || is_inner(key);
        let registers =
            document.registers().map(|(key, register)| (key.to_owned(), register.winner().value()));
        let live = value::in_order(registers.filter(|(key, value)| !apart(key) && !value.is_null()));
        let custom = live.iter().filter(|(key, _)| key.starts_with("custom/"));
        let names = custom.map(|(key, held)| (key.clone(), custom::name_of(held).to_owned())).collect();
        let hide = |key: &str, value: &Value| secrets == Secrets::Hide && is_secret(key, value);
        let (hidden, open_fields): (Vec<_>, Vec<_>) =
            live.into_iter().partition(|(key, value)| hide(key, value));
        Self {
            id: item_id.to_string(),
            vault_id: vault_id.to_string(),
            kind: document.kind().to_owned(),
            title: document.name().to_owned(),
            updated: rfc3339(document.updated_ms()),
            trashed: matches!(open.trash_state(), TrashState::Trashed { .. }),
            pending: match open.pending {
                Pending::No => "no",
                Pending::Edited => "edited",
                Pending::InFlight => "in-flight",
            },
            tags: document.tags().map(str::to_owned).collect(),
            fields: open_fields.iter().map(|(key, held)| (key.clone(), value::json(held))).collect(),
            hidden: hidden.into_iter().map(|(key, _)| key).collect(),
            names,
            conflicts: document.conflicts().iter().map(|conflict| conflict.field.to_owned()).collect(),
            quarantined: open.quarantine.is_some(),
            shown: open_fields.iter().map(|(key, held)| (key.clone(), text(key, held))).collect(),
        }
    }

    /// The item as lines of `field: value`.
    pub fn text(&self) -> String {
        let title = if self.title.is_empty() { "(no title)" } else { &self.title };
        let mut lines =
            vec![format!("{} [{}]", clean_line(title), clean_line(&self.kind)), format!("  id: {}", self.id)];
        for (key, value) in &self.shown {
            let value = clean(value).replace('\n', "\n    ");
            match key.split_once('/').map_or(key.as_str(), |(list, _)| list) {
                "custom" => lines.push(format!("  {value}")),
                name => lines.push(format!("  {}: {value}", clean_line(name))),
            }
        }
        let hidden = self.hidden.iter();
        lines.extend(hidden.map(|key| {
            let name = self.names.get(key).filter(|name| !name.is_empty()).unwrap_or(key);
            format!("  {}: (hidden; --reveal shows it)", clean_line(name))
        }));
        if !self.tags.is_empty() {
            lines.push(format!("  tags: {}", clean_line(&self.tags.join(", "))));
        }
        lines.push(format!("  updated: {}", self.updated));
        if self.trashed {
            lines.push("  It is in the trash; `lockstep restore` takes it out.".to_owned());
        }
        if self.pending != "no" {
            lines.push("  The newest edit is on this device and waits for the next sync.".to_owned());
        }
        if self.quarantined {
            lines.push("  Its current version cannot be opened; this is the last good one.".to_owned());
        }
        for field in &self.conflicts {
            let name = self.names.get(field).filter(|name| !name.is_empty()).unwrap_or(field);
            lines.push(format!("  Two devices wrote {}: see `lockstep conflicts`.", clean_line(name)));
        }
        lines.join("\n")
    }
}

/// A value for a person; times as such.
fn text(key: &str, held: &Value) -> String {
    if key.starts_with("custom/") {
        return custom::shown(held);
    }
    let time =
        held.as_int().and_then(|ms| u64::try_from(ms).ok()).filter(|_| matches!(key, "created" | "archived"));
    time.map_or_else(|| value::text(held), rfc3339)
}

#[cfg(test)]
mod tests {
    use lockstep_client::item::{Author, Draft};
    use lockstep_client::proto::ids::DeviceId;

    use super::*;

    fn sample() -> OpenItem {
        let author = Author { now_ms: 1_700_000_000_000, device: DeviceId([1; 16]) };
        let draft = Draft::by("login", author).unwrap();
        let uri = Value::map([("uri", "https://bank.test".into())]);
        let draft = draft.set("name", "Bank").set("username", "anna").set("password", "correct horse");
        let document =
            draft.set("notes", "two\nlines").set("uris/1", uri).set("tags/Home", true).build().unwrap();
        OpenItem { document, leaf: None, pending: Pending::Edited, quarantine: None }
    }

    fn shown(secrets: Secrets) -> Item {
        Item::of(VaultId([1; 32]), ItemId::from_random([7; 16]), &sample(), secrets)
    }

    #[test]
    fn secrets_are_hidden_until_asked_for() {
        let hidden = shown(Secrets::Hide);
        assert!(!serde_json::to_string(&hidden).unwrap().contains("correct horse"));
        insta::assert_snapshot!(hidden.text(), @r"
        Bank [login]
          id: 07070707-0707-8707-8707-070707070707
          notes: two
            lines
          uris: https://bank.test
          username: anna
          password: (hidden; --reveal shows it)
          tags: Home
          updated: 2023-11-14T22:13:20Z
          The newest edit is on this device and waits for the next sync.
        ");
        assert!(shown(Secrets::Reveal).text().contains("  password: correct horse\n"));
    }

    #[test]
    fn custom_fields_have_their_names_and_line_breaks_of_any_kind_are_line_breaks() {
        let author = Author { now_ms: 1_700_000_000_000, device: DeviceId([1; 16]) };
        let custom = |name: Option<&str>, kind: &str, value: Option<&str>, order: i64| {
            let members = [("name", name.into()), ("type", kind.into()), ("value", value.into())];
            let mut element = Value::map(members).as_map().unwrap().clone();
            element.insert("order".into(), Value::Int(order));
            Value::Map(element)
        };
        let linked = [("name", "same as".into()), ("type", "linked".into()), ("linked", Value::Int(100))];
        let draft = Draft::by("note", author).unwrap().set("name", "wifi codes");
        let draft = draft.set("notes", "line1\r\nline2\rline3\n  indented\ttab");
        let draft = draft.set("custom/b", custom(Some("PIN"), "text", Some("4711"), 0));
        let draft = draft.set("custom/a", custom(Some("PUK\u{1b}[2J"), "hidden", Some("12345678"), 1));
        let draft = draft.set("custom/c", custom(Some("active"), "boolean", Some("true"), 2));
        let draft = draft.set("custom/d", custom(None, "text", Some("no name"), 3));
        let draft = draft.set("custom/e", custom(Some("no value"), "text", None, 4));
        let document = draft.set("custom/f", Value::map(linked)).build().unwrap();
        let open = OpenItem { document, leaf: None, pending: Pending::No, quarantine: None };
        let item = Item::of(VaultId([1; 32]), ItemId::from_random([7; 16]), &open, Secrets::Hide);
        insta::assert_snapshot!(item.text(), @r"
        wifi codes [note]
          id: 07070707-0707-8707-8707-070707070707
          PIN: 4711
          active: true
          (no name): no name
          no value: (empty)
          same as: (stands for username)
          notes: line1
            line2�line3
              indented	tab
          PUK�[2J: (hidden; --reveal shows it)
          updated: 2023-11-14T22:13:20Z
        ");
        let waits = Item { conflicts: vec!["custom/b".into(), "custom/d".into()], ..item };
        assert!(
            waits.text().contains("Two devices wrote PIN: ") && waits.text().contains("wrote custom/d: ")
        );
        let json = serde_json::to_value(&waits).unwrap();
        assert_eq!(
            (&json["names"]["custom/b"], &json["names"]["custom/a"]),
            (&"PIN".into(), &"PUK\u{1b}[2J".into())
        );
        assert!(!json.to_string().contains("12345678"));
    }

    #[test]
    fn an_item_has_a_stable_shape() {
        insta::assert_json_snapshot!(shown(Secrets::Hide), @r#"
        {
          "id": "07070707-0707-8707-8707-070707070707",
          "vault_id": "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE",
          "kind": "login",
          "title": "Bank",
          "updated": "2023-11-14T22:13:20Z",
          "trashed": false,
          "pending": "edited",
          "tags": [
            "Home"
          ],
          "fields": {
            "notes": "two\nlines",
            "uris/1": {
              "uri": "https://bank.test"
            },
            "username": "anna"
          },
          "hidden": [
            "password"
          ],
          "names": {},
          "conflicts": [],
          "quarantined": false
        }
        "#);
    }
}
