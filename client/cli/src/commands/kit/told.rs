//! What `kit recovery` tells.

use std::path::PathBuf;

use lockstep_client::client::WaitingRecoveryKey;
use serde::Serialize;

use crate::failure::Failure;
use crate::output::shown_path;
use crate::session::Session;
use crate::when::rfc3339;

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Done {
    /// Nothing was done.
    Looked,
    /// The Recovery Key was changed at once.
    Changed,
    /// Another one was announced.
    Announced,
    /// The announced one became the account's.
    Confirmed,
}

#[derive(Debug, Serialize)]
struct Times {
    known: String,
    due: String,
}

/// The result.
#[derive(Debug, Serialize)]
pub(super) struct Told {
    announced: Option<Times>,
    /// Whether there is another Recovery Key now.
    changed: bool,
    /// The file of the new sheet.
    pub(super) recovery_sheet: Option<PathBuf>,
    /// Whether the server was asked.
    pub(super) in_step: bool,
    #[serde(skip)]
    done: Done,
}

impl Told {
    /// What this device knows after this was done.
    ///
    /// # Errors
    /// A [`Failure`].
    pub(super) async fn now(session: &Session, done: Done) -> Result<Self, Failure> {
        let waiting = session.client.waiting_recovery_key().await?;
        Ok(Self::of(waiting, done))
    }

    fn of(waiting: Option<WaitingRecoveryKey>, done: Done) -> Self {
        let announced =
            waiting.map(|waiting| Times { known: rfc3339(waiting.known_ms), due: rfc3339(waiting.due_ms) });
        let changed = matches!(done, Done::Changed | Done::Confirmed);
        Self { announced, changed, recovery_sheet: None, in_step: true, done }
    }

    /// For a person; `option` chooses the profile.
    pub(super) fn text(&self, option: &str) -> String {
        self.lines(option).join("\n")
    }

    fn lines(&self, option: &str) -> Vec<String> {
        let mut lines = Vec::new();
        match self.done {
            Done::Changed => lines.push(
                "The account has a new Recovery Key. Every earlier recovery sheet is void: destroy them."
                    .to_owned(),
            ),
            Done::Confirmed => lines.push(
                "The Recovery Key that was announced is the account's now. Every earlier sheet is void."
                    .to_owned(),
            ),
            Done::Looked | Done::Announced => {}
        }
        if let Some(path) = &self.recovery_sheet {
            lines.push(format!(
                "Your new recovery sheet: {} (to print: the .svg beside it).",
                shown_path(path)
            ));
            lines.push(
                "Keep it apart from your devices and the Emergency Kit, and delete the files.".to_owned(),
            );
        }
        match &self.announced {
            Some(times) => lines.extend(waits(times, self.done, option)),
            None if self.done == Done::Looked => lines.extend(none_waits(option)),
            None => {}
        }
        if !self.in_step {
            lines.push("Without an answer of the server: this is what this device knows.".to_owned());
        }
        lines
    }
}

fn none_waits(option: &str) -> Vec<String> {
    vec![
        format!(
            "No new Recovery Key is announced; `lockstep security{option}` tells what happened to earlier ones."
        ),
        format!("`lockstep kit recovery{option} --new` changes the one that the account has."),
    ]
}

fn waits(Times { known, due }: &Times, done: Done, option: &str) -> Vec<String> {
    let mut lines = vec![
        "A new Recovery Key is announced. Until it is confirmed its sheet does not count, and the one before does."
            .to_owned(),
        format!(
            "From {due} on any device confirms it, with its sheet: `lockstep kit recovery{option} --confirm`."
        ),
        "A new password, new keys, the removal of a device or the sheet before cancels it.".to_owned(),
    ];
    if done == Done::Looked {
        lines.push(format!(
            "This device knows of it since {known}. If it was not you, somebody knows your password:"
        ));
        lines.push(format!("run `lockstep password change{option}`, and see `lockstep security{option}`."));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAITING: WaitingRecoveryKey =
        WaitingRecoveryKey { known_ms: 1_700_000_000_000, due_ms: 1_700_604_800_000 };

    #[test]
    fn a_new_sheet_says_what_becomes_of_the_old_one() {
        let path = Some(PathBuf::from("papers/sheet.txt"));
        let changed = Told { recovery_sheet: path, ..Told::of(None, Done::Changed) };
        insta::assert_snapshot!(changed.text(""), @r"
        The account has a new Recovery Key. Every earlier recovery sheet is void: destroy them.
        Your new recovery sheet: papers/sheet.txt (to print: the .svg beside it).
        Keep it apart from your devices and the Emergency Kit, and delete the files.
        ");
        insta::assert_snapshot!(
            Told::of(None, Done::Confirmed).text(""),
            @"The Recovery Key that was announced is the account's now. Every earlier sheet is void."
        );
    }

    #[test]
    fn a_key_that_waits_says_since_when_until_when_and_what_cancels_it() {
        let path = Some(PathBuf::from("papers/sheet.txt"));
        let announced = Told { recovery_sheet: path, ..Told::of(Some(WAITING), Done::Announced) };
        insta::assert_snapshot!(announced.text(" --profile a"), @r"
        Your new recovery sheet: papers/sheet.txt (to print: the .svg beside it).
        Keep it apart from your devices and the Emergency Kit, and delete the files.
        A new Recovery Key is announced. Until it is confirmed its sheet does not count, and the one before does.
        From 2023-11-21T22:13:20Z on any device confirms it, with its sheet: `lockstep kit recovery --profile a --confirm`.
        A new password, new keys, the removal of a device or the sheet before cancels it.
        ");
        let looked = Told { in_step: false, ..Told::of(Some(WAITING), Done::Looked) };
        insta::assert_snapshot!(looked.text(""), @r"
        A new Recovery Key is announced. Until it is confirmed its sheet does not count, and the one before does.
        From 2023-11-21T22:13:20Z on any device confirms it, with its sheet: `lockstep kit recovery --confirm`.
        A new password, new keys, the removal of a device or the sheet before cancels it.
        This device knows of it since 2023-11-14T22:13:20Z. If it was not you, somebody knows your password:
        run `lockstep password change`, and see `lockstep security`.
        Without an answer of the server: this is what this device knows.
        ");
        insta::assert_snapshot!(Told::of(None, Done::Looked).text(""), @r"
        No new Recovery Key is announced; `lockstep security` tells what happened to earlier ones.
        `lockstep kit recovery --new` changes the one that the account has.
        ");
    }

    #[test]
    fn the_result_has_a_stable_shape() {
        insta::assert_json_snapshot!(Told::of(Some(WAITING), Done::Announced), @r#"
        {
          "announced": {
            "known": "2023-11-14T22:13:20Z",
            "due": "2023-11-21T22:13:20Z"
          },
          "changed": false,
          "recovery_sheet": null,
          "in_step": true
        }
        "#);
    }
}
