//! What the fields of an item held before.

use lockstep_client::item::{Document, Entry, KIND, Register, TRASH, is_inner};
use lockstep_client::proto::ids::{ItemId, VaultId};
use serde::Serialize;

use super::choice::{Choice, Shown};
use super::item::Secrets;
use crate::fields::is_secret;
use crate::output::clean_line;

/// The result of `history`.
#[derive(Debug, Serialize)]
pub struct History {
    id: String,
    vault_id: String,
    title: String,
    fields: Vec<Field>,
}

/// The values of one field, newest first. `values[0]` is what it shows now; `--take N` counts from 1.
#[derive(Debug, Serialize)]
struct Field {
    field: String,
    values: Vec<Held>,
    /// Whether older values were given up.
    given_up: bool,
}

#[derive(Debug, Serialize)]
struct Held {
    /// `shown`, `waiting` for a choice, or `former`.
    state: &'static str,
    #[serde(flatten)]
    choice: Choice,
}

impl History {
    /// The fields of an item that have held more than one value; or these, whatever they have held.
    pub fn of(
        (vault_id, item_id): (VaultId, ItemId),
        document: &Document,
        only: Option<&[String]>,
        secrets: Secrets,
    ) -> Self {
        let tells = |(key, register): &(&str, &Register)| match only {
            Some(only) => only.iter().any(|only| only == key),
            None => !matches!(*key, KIND | TRASH) && !is_inner(key) && has_changed(register),
        };
        let fields = document.registers().filter(tells);
        Self {
            id: item_id.to_string(),
            vault_id: vault_id.to_string(),
            title: document.name().to_owned(),
            fields: fields.map(|(key, register)| field(key, register, secrets)).collect(),
        }
    }

    /// One paragraph for each field, its values numbered as `--take` takes them.
    pub fn text(&self) -> String {
        if self.fields.is_empty() {
            return format!("No field of \"{}\" has held another value.", clean_line(&self.title));
        }
        let mut lines = Vec::new();
        for field in &self.fields {
            lines.push(clean_line(&field.field));
            for (index, held) in field.values.iter().enumerate() {
                let remark = match held.state {
                    "shown" => ", shown now",
                    "waiting" => ", waits for your choice: see `lockstep conflicts`",
                    _ => "",
                };
                lines.push(held.choice.line(index + 1, remark));
            }
            if field.given_up {
                lines.push("  Older values were given up: a field keeps 20 of them, or 64 KiB.".to_owned());
            }
        }
        lines.join("\n")
    }
}

fn has_changed(register: &Register) -> bool {
    !register.others().is_empty() || register.floors().highest().is_some()
}

fn field(key: &str, register: &Register, secrets: Secrets) -> Field {
    let is_hidden =
        secrets == Secrets::Hide && register.entries().iter().any(|entry| is_secret(key, entry.value()));
    let shown = if is_hidden { Shown::Hidden } else { Shown::Open };
    let waiting = register.conflicts();
    let state = |entry: &Entry| match entry {
        winner if winner == register.winner() => "shown",
        other if waiting.contains(&other) => "waiting",
        _ => "former",
    };
    let held =
        |entry: &Entry| Held { state: state(entry), choice: Choice::of(entry.stamp(), entry.value(), shown) };
    Field {
        field: key.to_owned(),
        values: register.entries().iter().map(held).collect(),
        given_up: register.floors().highest().is_some(),
    }
}

#[cfg(test)]
mod tests {
    use lockstep_client::item::merge::merge;
    use lockstep_client::item::{Author, Draft};
    use lockstep_client::proto::ids::DeviceId;

    use super::*;

    fn author(ms: u64, device: u8) -> Author {
        Author { now_ms: 1_700_000_000_000 + ms, device: DeviceId([device; 16]) }
    }

    fn edited(before: &Document, ms: u64, device: u8, field: &str, value: &str) -> Document {
        let mut document = before.clone();
        document.edit(author(ms, device)).set(field, value).apply().unwrap();
        document
    }

    fn sample() -> Document {
        let draft = Draft::by("login", author(0, 1)).unwrap().set("name", "Bank").set("username", "anna");
        let first = draft.set("password", "first secret").build().unwrap();
        let second = edited(&first, 1_000, 1, "password", "second secret");
        let third = edited(&first, 2_000, 2, "password", "third secret");
        let both = merge(&second, &third);
        (0..30)
            .fold(both, |before, round| edited(&before, 3_000 + round, 1, "notes", &format!("note {round}")))
    }

    fn history(only: Option<&str>, secrets: Secrets) -> History {
        History::of(
            (VaultId([1; 32]), ItemId::from_random([7; 16])),
            &sample(),
            only.map(|key| vec![key.to_owned()]).as_deref(),
            secrets,
        )
    }

    #[test]
    fn former_values_are_listed_with_what_waits_and_what_was_given_up() {
        insta::assert_snapshot!(history(Some("password"), Secrets::Reveal).text(), @r"
        password
          1. third secret  (2023-11-14T22:13:22Z, shown now)
          2. second secret  (2023-11-14T22:13:21Z, waits for your choice: see `lockstep conflicts`)
          3. first secret  (2023-11-14T22:13:20Z)
        ");
        let all = history(None, Secrets::Reveal).text();
        assert!(all.contains("  21. note 9  ") && !all.contains("note 8 "), "{all}");
        assert!(all.contains("Older values were given up") && !all.contains("username"), "{all}");
        let alone = history(Some("username"), Secrets::Hide).text();
        assert!(alone.contains("  1. anna  ("), "{alone}");
    }

    #[test]
    fn former_secrets_are_hidden_until_asked_for() {
        let hidden = history(None, Secrets::Hide);
        for shown in [hidden.text(), serde_json::to_string(&hidden).unwrap()] {
            assert!(!shown.contains("secret\""), "{shown}");
            assert!(!shown.contains("first secret"), "{shown}");
        }
    }

    #[test]
    fn a_history_has_a_stable_shape() {
        let shown = serde_json::to_value(history(Some("password"), Secrets::Reveal)).unwrap();
        assert_eq!(shown["fields"][0]["field"], "password");
        assert_eq!(shown["fields"][0]["given_up"], false);
        insta::assert_json_snapshot!(shown["fields"][0]["values"][1], @r#"
        {
          "device_id": "AQEBAQEBAQEBAQEBAQEBAQ",
          "hidden": false,
          "state": "waiting",
          "value": "second secret",
          "written": "2023-11-14T22:13:21Z"
        }
        "#);
    }
}
