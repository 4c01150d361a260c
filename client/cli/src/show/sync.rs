//! What a sync did.

use std::collections::BTreeMap;

use lockstep_client::api::ServerWords;
use lockstep_client::client::{ItemNotice, Notice, SyncReport};
use serde::{Serialize, Serializer};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{clean_line, sentence};

/// The result of `sync`, and of every command that syncs after its own work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Synced {
    /// This device and the server are in step.
    Done(Report),
    /// The server gave no usable answer; everything waits on this device.
    Later {
        /// Why.
        reason: String,
        /// What the server said, if it did.
        #[serde(skip_serializing_if = "Option::is_none", serialize_with = "words")]
        server_says: Option<ServerWords>,
    },
    /// It was not tried.
    Skipped,
}

/// What a sync that came to its end did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    vaults: usize,
    new_vaults: Vec<String>,
    ended_vaults: Vec<String>,
    pulled: usize,
    pushed: usize,
    merged: usize,
    conflicts: usize,
    quarantined: usize,
    notices: Vec<NoticeLine>,
    healed: usize,
    accepted: usize,
    new_devices: Vec<String>,
    #[serde(skip)]
    told: Vec<ItemNotice>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct NoticeLine {
    id: String,
    vault_id: String,
    what: &'static str,
    /// The item's title, where the item is there.
    title: Option<String>,
    #[serde(skip)]
    text: &'static str,
}

impl NoticeLine {
    fn line(&self) -> String {
        let title = self.title.as_deref().map(|title| format!("{}: ", clean_line(title))).unwrap_or_default();
        format!("  {}  {title}{}", &self.id[..8], self.text)
    }
}

impl Report {
    /// This report.
    pub fn of(report: &SyncReport) -> Self {
        Self {
            vaults: report.vaults,
            new_vaults: report.new_vaults.iter().map(ToString::to_string).collect(),
            ended_vaults: report.ended_vaults.iter().map(ToString::to_string).collect(),
            pulled: report.pulled,
            pushed: report.pushed,
            merged: report.merged,
            conflicts: report.conflicts,
            quarantined: report.quarantined,
            notices: report.notices.iter().map(notice).collect(),
            healed: report.healed,
            accepted: report.accepted,
            new_devices: report.new_devices.iter().map(ToString::to_string).collect(),
            told: report.notices.clone(),
        }
    }

    /// The same report, with the titles of the items that it tells of, by item id.
    pub fn with_titles(mut self, titles: &BTreeMap<String, String>) -> Self {
        for notice in &mut self.notices {
            notice.title = titles.get(&notice.id).filter(|title| !title.is_empty()).cloned();
        }
        self
    }

    /// How a `sync` with this report ends.
    pub fn exit(&self) -> Exit {
        let has_parted = self.notices.iter().any(|notice| notice.what == "split-off");
        match self.conflicts > 0 || self.quarantined > 0 || has_parted {
            true => Exit::Attention,
            false => Exit::Done,
        }
    }

    fn lines(&self) -> Vec<String> {
        let counted = |count: usize, what: &str| (count > 0).then(|| format!("{count} {what}"));
        let counts = [
            counted(self.pulled, "received"),
            counted(self.pushed, "sent"),
            counted(self.merged, "merged"),
            counted(self.conflicts, "in conflict"),
        ];
        let done: Vec<_> = counts.into_iter().flatten().collect();
        let mut lines = vec![match done.as_slice() {
            [] => "In step with the server: nothing had changed.".to_owned(),
            _ => format!("In step with the server: {}.", done.join(", ")),
        }];
        if self.healed > 0 {
            lines.push("The server had lost what it had acknowledged; this device gave it back.".to_owned());
        }
        if self.accepted > 0 {
            lines.push(
                "A vault goes on from what the server had after it was restored; what this device had besides is merged into it."
                    .to_owned(),
            );
        }
        lines.extend(self.new_devices.iter().map(|device| {
            format!("A device joined your account: {device}. If it is not yours, somebody else is in your account.")
        }));
        lines.extend(self.ended_vaults.iter().map(|vault| {
            format!(
                "Vault {vault} ended when the device that had added it was removed. What is here of it stays here and is \
                 synced no more: export it, and import it into another vault."
            )
        }));
        // The rest of these has nothing to do, or `conflicts` lists it; whatever is told nowhere else is told here.
        const SHOWN: usize = 20;
        let (many, each): (Vec<_>, Vec<_>) =
            self.notices.iter().partition(|notice| matches!(notice.what, "merged" | "conflict"));
        lines.extend(each.into_iter().chain(many.iter().copied().take(SHOWN)).map(NoticeLine::line));
        if many.len() > SHOWN {
            lines.push(format!("  and {} more", many.len() - SHOWN));
        }
        if self.conflicts > 0 {
            lines
                .push("Nothing was lost: `lockstep conflicts` shows both values, and you choose.".to_owned());
        }
        lines
    }
}

impl Synced {
    /// What was done on this device waits there, for a reason that passes by itself.
    pub fn later(failure: Failure) -> Self {
        Self::Later { reason: failure.message, server_says: failure.server }
    }

    /// What it tells of items.
    pub fn notices(&self) -> &[ItemNotice] {
        match self {
            Self::Done(report) => &report.told,
            Self::Later { .. } | Self::Skipped => &[],
        }
    }

    /// How a command ends whose own work is done: as a `sync` would.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Done(report) => report.exit(),
            Self::Later { .. } | Self::Skipped => Exit::Done,
        }
    }

    /// Sentences for a person; empty where nothing was tried.
    pub fn text(&self) -> String {
        match self {
            Self::Done(report) => report.lines().join("\n"),
            Self::Later { reason, server_says } => {
                let words = server_says.as_ref().map(|words| format!("\n{words}")).unwrap_or_default();
                format!("Saved on this device; it will sync later. ({}){words}", sentence(reason))
            }
            Self::Skipped => "Saved on this device; the next sync sends it.".to_owned(),
        }
    }
}

fn words<S: Serializer>(words: &Option<ServerWords>, to: S) -> Result<S::Ok, S::Error> {
    words.as_ref().map(ServerWords::as_text).serialize(to)
}

fn notice(notice: &ItemNotice) -> NoticeLine {
    let (what, text) = match notice.what {
        Notice::Merged => ("merged", "both devices had changed it; it holds both edits"),
        Notice::Conflict => {
            ("conflict", "two devices wrote the same field; the other value waits for your choice")
        }
        Notice::BroughtBack => {
            ("brought-back", "it had been purged, and an edit or an import brought it back")
        }
        Notice::OutOfTrash => {
            ("brought-back", "it was put into the trash on one device and changed on another, so it is back")
        }
        Notice::PurgeDropped => ("purge-dropped", "it was changed elsewhere, so it was not purged"),
        Notice::Quarantined => (
            "quarantined",
            "its current version cannot be opened; where this device has a good one, that is shown",
        ),
        Notice::SplitOff => {
            ("split-off", "another item's two versions were too large for one, so the older one is this item")
        }
    };
    NoticeLine {
        id: notice.item_id.to_string(),
        vault_id: notice.vault_id.to_string(),
        what,
        title: None,
        text,
    }
}

#[cfg(test)]
mod tests {
    use lockstep_client::proto::ids::{DeviceId, ItemId, VaultId};

    use super::*;

    fn sample() -> SyncReport {
        let notice =
            |what| ItemNotice { vault_id: VaultId([1; 32]), item_id: ItemId::from_random([7; 16]), what };
        SyncReport {
            vaults: 1,
            pulled: 3,
            pushed: 1,
            merged: 1,
            conflicts: 1,
            notices: vec![notice(Notice::Conflict)],
            new_devices: vec![DeviceId([2; 16])],
            ..SyncReport::default()
        }
    }

    #[test]
    fn a_sync_says_what_was_merged_and_who_joined() {
        let titles = [("07070707-0707-8707-8707-070707070707".to_owned(), "Bank\nof anna".to_owned())].into();
        insta::assert_snapshot!(Synced::Done(Report::of(&sample()).with_titles(&titles)).text(), @r"
        In step with the server: 3 received, 1 sent, 1 merged, 1 in conflict.
        A device joined your account: AgICAgICAgICAgICAgICAg. If it is not yours, somebody else is in your account.
          07070707  Bank of anna: two devices wrote the same field; the other value waits for your choice
        Nothing was lost: `lockstep conflicts` shows both values, and you choose.
        ");
        assert_eq!(Report::of(&sample()).exit(), Exit::Attention);
    }

    #[test]
    fn an_empty_sync_says_so() {
        let report = Report::of(&SyncReport::default());
        assert_eq!(Synced::Done(report.clone()).text(), "In step with the server: nothing had changed.");
        assert_eq!(report.exit(), Exit::Done);
    }

    #[test]
    fn without_the_server_the_work_is_kept() {
        let later = Synced::later(Failure::failed("x", "the server cannot be reached"));
        assert_eq!(later.text(), "Saved on this device; it will sync later. (The server cannot be reached.)");
    }

    #[test]
    fn a_sync_has_a_stable_shape() {
        insta::assert_json_snapshot!(Synced::Done(Report::of(&sample())), @r#"
        {
          "state": "done",
          "vaults": 1,
          "new_vaults": [],
          "ended_vaults": [],
          "pulled": 3,
          "pushed": 1,
          "merged": 1,
          "conflicts": 1,
          "quarantined": 0,
          "notices": [
            {
              "id": "07070707-0707-8707-8707-070707070707",
              "vault_id": "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE",
              "what": "conflict",
              "title": null
            }
          ],
          "healed": 0,
          "accepted": 0,
          "new_devices": [
            "AgICAgICAgICAgICAgICAg"
          ]
        }
        "#);
    }
}
