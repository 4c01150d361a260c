//! An archive that was written and read back.

use std::path::Path;

use lockstep_client::client::QuarantineReason;
use lockstep_client::proto::ids::{ItemId, VaultId};
use lockstep_formats::archive::Archive;
use serde::Serialize;

use super::{counted, titled};
use crate::exit::Exit;
use crate::output::clean_line;

/// An item whose current version cannot be opened here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unopened {
    pub(crate) vault_id: VaultId,
    pub(crate) item_id: ItemId,
    /// The title of the last version that could be opened, which the archive holds; `None` where there is none.
    pub(crate) last_good: Option<String>,
    pub(crate) reason: QuarantineReason,
}

/// The result of `export --format lockstep`.
#[derive(Debug, Serialize)]
pub(crate) struct Written {
    items: usize,
    vaults: Vec<VaultLine>,
    file: Option<String>,
    pending: usize,
    vaults_missing: usize,
    not_opened: Vec<NotOpened>,
}

#[derive(Debug, Serialize)]
struct VaultLine {
    id: String,
    name: String,
    items: usize,
}

/// An item whose current version cannot be opened on this device.
#[derive(Debug, Serialize)]
struct NotOpened {
    id: String,
    vault_id: String,
    title: Option<String>,
    /// Whether the archive holds the last version that could be opened.
    last_good: bool,
    reason: &'static str,
}

impl Written {
    /// What is in the archive, and what this device could not give.
    pub(crate) fn new(
        archive: &Archive<'_>,
        unopened: &[Unopened],
        pending: usize,
        vaults_missing: usize,
    ) -> Self {
        let vaults = archive.vaults.iter().map(|(id, vault)| VaultLine {
            id: id.to_string(),
            name: vault.name.to_owned(),
            items: vault.items.len(),
        });
        let not_opened = unopened.iter().map(|item| NotOpened {
            id: item.item_id.to_string(),
            vault_id: item.vault_id.to_string(),
            title: item.last_good.clone(),
            last_good: item.last_good.is_some(),
            reason: reason(item.reason),
        });
        Self {
            items: archive.count_items(),
            vaults: vaults.collect(),
            file: None,
            pending,
            vaults_missing,
            not_opened: not_opened.collect(),
        }
    }

    /// The same, in a file.
    pub(crate) fn to(self, file: &Path) -> Self {
        Self { file: Some(file.display().to_string()), ..self }
    }

    /// A person has to look where the archive is not all of the account.
    pub(crate) fn exit(&self) -> Exit {
        if self.not_opened.is_empty() && self.vaults_missing == 0 { Exit::Done } else { Exit::Attention }
    }

    /// What was written, what it does not hold, and what to do with it.
    pub(crate) fn text(&self) -> String {
        const SHOWN: usize = 20;
        let place = self.file.as_deref().map_or_else(String::new, |file| format!(" to {}", clean_line(file)));
        let mut lines = vec![format!(
            "Wrote {} of {}{place}, sealed to the passphrase; it was read back and holds all of them.",
            counted(self.items, "item"),
            counted(self.vaults.len(), "vault"),
        )];
        let shown = self.vaults.iter().take(SHOWN);
        lines.extend(shown.map(|vault| format!("  {}: {}", titled(&vault.name), vault.items)));
        if self.vaults.len() > SHOWN {
            lines.push(format!("  and {} more", self.vaults.len() - SHOWN));
        }
        if self.pending > 0 {
            lines.push(format!(
                "It also holds {} that the server does not have yet: `lockstep sync` sends them.",
                counted(self.pending, "edit")
            ));
        }
        if self.vaults_missing > 0 {
            lines.push(format!(
                "It lacks {} of your account that this device has not fetched: run `lockstep sync` and write another one.",
                counted(self.vaults_missing, "vault")
            ));
        }
        lines.extend(self.not_opened.iter().take(SHOWN).map(NotOpened::line));
        if self.not_opened.len() > SHOWN {
            lines.push(format!("  and {} more; --json lists all", self.not_opened.len() - SHOWN));
        }
        lines.push(
            "Without the passphrase nobody can open it, not even you: keep that apart from the file. The account's keys and \
             papers are not in it."
                .to_owned(),
        );
        lines.join("\n")
    }
}

impl NotOpened {
    fn line(&self) -> String {
        let id = self.id.get(..8).unwrap_or(&self.id);
        match &self.title {
            Some(title) => format!(
                "  {id}  {}: its newest version cannot be opened here ({}); the archive holds the last good one.",
                clean_line(title),
                self.reason
            ),
            None => {
                format!("  {id}  is not in the archive: it cannot be opened here ({}).", self.reason)
            }
        }
    }
}

fn reason(reason: QuarantineReason) -> &'static str {
    match reason {
        QuarantineReason::UpdateNeeded => "a newer version of Lockstep wrote it: update",
        QuarantineReason::Header => "its header is another item's",
        QuarantineReason::Sealed => "it does not open with the vault's key",
        QuarantineReason::Document => "it is no document",
        QuarantineReason::Removed => "a removed device wrote it",
    }
}

#[cfg(test)]
mod tests {
    use lockstep_formats::archive::ArchivedVault;

    use super::*;

    fn unopened(number: u8, last_good: Option<&str>) -> Unopened {
        Unopened {
            vault_id: VaultId([1; 32]),
            item_id: ItemId::from_random([number; 16]),
            last_good: last_good.map(str::to_owned),
            reason: QuarantineReason::UpdateNeeded,
        }
    }

    fn written(unopened: &[Unopened], pending: usize, vaults_missing: usize) -> Written {
        let items = [(ItemId::from_random([7; 16]), &b"x"[..])].into();
        let home = ArchivedVault { name: "Home", items };
        let work = ArchivedVault { name: "Work\u{1b}", items: Default::default() };
        let vaults = [(VaultId([1; 32]), home), (VaultId([2; 32]), work)].into();
        Written::new(&Archive { made_ms: 0, vaults }, unopened, pending, vaults_missing)
            .to(Path::new("lockstep.age"))
    }

    #[test]
    fn a_whole_archive_says_so() {
        let written = written(&[], 0, 0);
        insta::assert_snapshot!(written.text(), @r#"
        Wrote 1 item of 2 vaults to lockstep.age, sealed to the passphrase; it was read back and holds all of them.
          Home: 1
          Work�: 0
        Without the passphrase nobody can open it, not even you: keep that apart from the file. The account's keys and papers are not in it.
        "#);
        assert_eq!(written.exit(), Exit::Done);
    }

    #[test]
    fn what_an_archive_lacks_is_named() {
        let lacking = written(&[unopened(3, Some("Bank")), unopened(4, None)], 2, 1);
        insta::assert_snapshot!(lacking.text(), @r#"
        Wrote 1 item of 2 vaults to lockstep.age, sealed to the passphrase; it was read back and holds all of them.
          Home: 1
          Work�: 0
        It also holds 2 edits that the server does not have yet: `lockstep sync` sends them.
        It lacks 1 vault of your account that this device has not fetched: run `lockstep sync` and write another one.
          03030303  Bank: its newest version cannot be opened here (a newer version of Lockstep wrote it: update); the archive holds the last good one.
          04040404  is not in the archive: it cannot be opened here (a newer version of Lockstep wrote it: update).
        Without the passphrase nobody can open it, not even you: keep that apart from the file. The account's keys and papers are not in it.
        "#);
        assert_eq!(lacking.exit(), Exit::Attention);
        assert_eq!(written(&[unopened(4, None)], 0, 0).exit(), Exit::Attention);
        assert_eq!(written(&[], 0, 1).exit(), Exit::Attention);
        assert_eq!(written(&[], 1, 0).exit(), Exit::Done);
    }

    #[test]
    fn a_written_archive_has_a_stable_shape() {
        insta::assert_json_snapshot!(written(&[unopened(3, Some("Bank"))], 2, 1), @r#"
        {
          "items": 1,
          "vaults": [
            {
              "id": "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE",
              "name": "Home",
              "items": 1
            },
            {
              "id": "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI",
              "name": "Work\u001b",
              "items": 0
            }
          ],
          "file": "lockstep.age",
          "pending": 2,
          "vaults_missing": 1,
          "not_opened": [
            {
              "id": "03030303-0303-8303-8303-030303030303",
              "vault_id": "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE",
              "title": "Bank",
              "last_good": true,
              "reason": "a newer version of Lockstep wrote it: update"
            }
          ]
        }
        "#);
    }
}
