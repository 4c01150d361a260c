//! Fields that two devices wrote without having seen each other.

use lockstep_client::client::{ConflictInfo, ConflictValue};
use serde::Serialize;

use super::choice::{Choice, Shown};
use super::item::Secrets;
use crate::fields::is_secret;
use crate::output::clean_line;

/// The result of `conflicts`.
#[derive(Debug, Serialize)]
pub struct Conflicts {
    conflicts: Vec<Conflict>,
}

/// One field that waits for a choice. `values[0]` is what it shows now; `--keep N` counts from 1.
#[derive(Debug, Serialize)]
struct Conflict {
    id: String,
    vault_id: String,
    title: String,
    field: String,
    values: Vec<Choice>,
}

impl Conflicts {
    /// These conflicts.
    pub fn of(found: &[ConflictInfo], secrets: Secrets) -> Self {
        Self { conflicts: found.iter().map(|info| conflict(info, secrets)).collect() }
    }

    /// One paragraph for each field, its values numbered as `--keep` takes them.
    pub fn text(&self) -> String {
        if self.conflicts.is_empty() {
            return "No conflicts: nothing waits for your choice.".to_owned();
        }
        let mut lines = Vec::new();
        for conflict in &self.conflicts {
            lines.push(format!(
                "{}  {}: {}",
                &conflict.id[..8],
                clean_line(&conflict.title),
                clean_line(&conflict.field)
            ));
            for (index, choice) in conflict.values.iter().enumerate() {
                lines.push(choice.line(index + 1, if index == 0 { ", shown now" } else { "" }));
            }
        }
        lines.push(
            "Nothing is lost meanwhile. Choose with `lockstep conflicts resolve ITEM FIELD --keep N`."
                .to_owned(),
        );
        lines.join("\n")
    }
}

/// The values of a conflict in the order in which they are numbered.
pub fn choices(info: &ConflictInfo) -> impl Iterator<Item = &ConflictValue> {
    std::iter::once(&info.winner).chain(&info.losers)
}

fn conflict(info: &ConflictInfo, secrets: Secrets) -> Conflict {
    let is_hidden = secrets == Secrets::Hide && choices(info).any(|one| is_secret(&info.field, &one.value));
    let shown = if is_hidden { Shown::Hidden } else { Shown::Open };
    let choice = |held: &ConflictValue| Choice::of(held.stamp, &held.value, shown);
    Conflict {
        id: info.item_id.to_string(),
        vault_id: info.vault_id.to_string(),
        title: info.title.clone(),
        field: info.field.clone(),
        values: choices(info).map(choice).collect(),
    }
}

#[cfg(test)]
mod tests {
    use lockstep_client::item::Stamp;
    use lockstep_client::proto::ids::{DeviceId, ItemId, VaultId};

    use super::*;

    fn sample(field: &str) -> Vec<ConflictInfo> {
        let value = |ms, device, text: &str| ConflictValue {
            stamp: Stamp::new(ms, 0, DeviceId([device; 16])).unwrap(),
            value: text.into(),
        };
        vec![ConflictInfo {
            vault_id: VaultId([1; 32]),
            item_id: ItemId::from_random([7; 16]),
            title: "Bank".into(),
            field: field.into(),
            winner: value(1_700_000_001_000, 1, "laptop's"),
            losers: vec![value(1_700_000_000_000, 2, "phone's")],
        }]
    }

    #[test]
    fn both_values_are_shown_and_numbered() {
        insta::assert_snapshot!(Conflicts::of(&sample("username"), Secrets::Hide).text(), @r"
        07070707  Bank: username
          1. laptop's  (2023-11-14T22:13:21Z, shown now)
          2. phone's  (2023-11-14T22:13:20Z)
        Nothing is lost meanwhile. Choose with `lockstep conflicts resolve ITEM FIELD --keep N`.
        ");
    }

    #[test]
    fn secrets_in_conflict_are_hidden_until_asked_for() {
        let hidden = Conflicts::of(&sample("password"), Secrets::Hide);
        assert!(!hidden.text().contains("phone's"));
        assert!(!serde_json::to_string(&hidden).unwrap().contains("laptop's"));
        assert!(Conflicts::of(&sample("password"), Secrets::Reveal).text().contains("phone's"));
    }

    #[test]
    fn conflicts_have_a_stable_shape() {
        insta::assert_json_snapshot!(Conflicts::of(&sample("username"), Secrets::Hide), @r#"
        {
          "conflicts": [
            {
              "id": "07070707-0707-8707-8707-070707070707",
              "vault_id": "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE",
              "title": "Bank",
              "field": "username",
              "values": [
                {
                  "device_id": "AQEBAQEBAQEBAQEBAQEBAQ",
                  "written": "2023-11-14T22:13:21Z",
                  "hidden": false,
                  "value": "laptop's"
                },
                {
                  "device_id": "AgICAgICAgICAgICAgICAg",
                  "written": "2023-11-14T22:13:20Z",
                  "hidden": false,
                  "value": "phone's"
                }
              ]
            }
          ]
        }
        "#);
    }
}
