//! The Emergency Kit and the recovery sheet on their way out, once.

use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};

use lockstep_client::crypto::kit::{EmergencyKit, KitError, RecoverySheet};
use serde::Serialize;
use zeroize::Zeroizing;

use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Reader, shown_path};
use crate::private_file::write_new;
use crate::questions::confirm_by_looking;

/// Which papers a command hands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sheets {
    /// The Emergency Kit and the recovery sheet.
    Both,
    /// The Emergency Kit alone: the Recovery Key stays as it is.
    Kit,
    /// The recovery sheet alone.
    Recovery,
}

/// Where the papers of a command go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Papers {
    way: Way,
    /// The command that hands them out again, where it was broken off.
    again: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Way {
    /// Into new files of this folder.
    Folder(PathBuf),
    /// Onto the terminal, once.
    Terminal,
}

/// The files that were written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Written {
    /// What signing in on another device needs.
    pub emergency_kit: Option<PathBuf>,
    /// What takes the account back.
    pub recovery_sheet: Option<PathBuf>,
}

const KIT: &str = "lockstep-emergency-kit";
const RECOVERY: &str = "lockstep-recovery-sheet";

impl Papers {
    /// Where the papers of `command` go, checked before there is anything to lose.
    ///
    /// # Errors
    /// A [`Failure`] where the folder cannot be used or nobody could read the terminal.
    pub fn ready(
        context: &Context,
        folder: Option<PathBuf>,
        (command, sheets): (&str, Sheets),
    ) -> Result<Self, Failure> {
        let again = format!("lockstep {command}{}", context.option());
        Ok(Self { way: Way::ready(context, folder, sheets)?, again })
    }

    /// Hands both papers out.
    ///
    /// # Errors
    /// A [`Failure`]; the papers are still kept for another run of the command.
    pub fn hand_out(
        &self,
        context: &Context,
        kit: &EmergencyKit,
        recovery: &RecoverySheet,
    ) -> Result<Written, Failure> {
        let written = match &self.way {
            Way::Folder(folder) => {
                let kit = write_kit(folder, kit).map_err(|failure| self.kept(failure))?;
                let recovery = write_recovery(folder, recovery).map_err(|failure| self.kept(failure))?;
                return Ok(Written { emergency_kit: Some(kit), recovery_sheet: Some(recovery) });
            }
            Way::Terminal => context.output.value(&kit.expose_text()),
        };
        written
            .and_then(|()| context.output.value(&recovery.expose_text()))
            .map_err(|lost| self.kept(lost))?;
        self.confirm("Have you written both down? They are shown only once.", "they are")?;
        Ok(Written::default())
    }

    /// Hands out a recovery sheet alone.
    ///
    /// # Errors
    /// A [`Failure`]; the Recovery Key is still kept for another run of the command.
    pub fn hand_out_sheet(&self, context: &Context, recovery: &RecoverySheet) -> Result<Written, Failure> {
        match &self.way {
            Way::Folder(folder) => {
                let recovery = write_recovery(folder, recovery).map_err(|failure| self.kept(failure))?;
                Ok(Written { emergency_kit: None, recovery_sheet: Some(recovery) })
            }
            Way::Terminal => {
                let shown = context.output.value(&recovery.expose_text());
                shown.map_err(|lost| self.kept(lost))?;
                self.confirm("Have you written it down? It is shown only once.", "it is")?;
                Ok(Written::default())
            }
        }
    }

    /// Hands out an Emergency Kit alone.
    ///
    /// # Errors
    /// A [`Failure`]; `lockstep kit` shows the Kit again.
    pub fn hand_out_kit(&self, context: &Context, kit: &EmergencyKit) -> Result<Written, Failure> {
        match &self.way {
            Way::Folder(folder) => {
                Ok(Written { emergency_kit: Some(write_kit(folder, kit)?), recovery_sheet: None })
            }
            Way::Terminal => {
                context.output.value(&kit.expose_text())?;
                Ok(Written::default())
            }
        }
    }

    fn confirm(&self, question: &str, subject: &str) -> Result<(), Failure> {
        let again = &self.again;
        confirm_by_looking(
            question,
            &format!("{subject} kept on this device: run `{again}` again to have it"),
        )
    }

    /// What was made is not lost because it could not be written.
    fn kept(&self, failure: Failure) -> Failure {
        let again = &self.again;
        failure.after(&format!(
            "The Recovery Key is kept on this device: run `{again}` again to have it on paper."
        ))
    }
}

impl Way {
    fn ready(context: &Context, folder: Option<PathBuf>, sheets: Sheets) -> Result<Self, Failure> {
        let Some(folder) = folder else {
            if context.output.reader() == Reader::Person && io::stdout().is_terminal() {
                return Ok(Self::Terminal);
            }
            let message = "say with --kit-dir DIR where the papers are to be written; nothing was changed";
            return Err(Failure::usage(message));
        };
        std::fs::create_dir_all(&folder).map_err(|error| Failure::file("the folder", &folder, &error))?;
        let [kit, recovery] = [KIT, RECOVERY].map(|name| files(&folder, name));
        let paths = match sheets {
            Sheets::Both => [kit, recovery].concat(),
            Sheets::Kit => kit.to_vec(),
            Sheets::Recovery => recovery.to_vec(),
        };
        match paths.into_iter().find(|path| path.exists()) {
            Some(path) => Err(Failure::usage(format!(
                "{} exists already and is never overwritten; name another folder with --kit-dir",
                shown_path(&path)
            ))),
            None => Ok(Self::Folder(folder)),
        }
    }
}

/// The text, and the page to print.
fn files(folder: &Path, name: &str) -> [PathBuf; 2] {
    ["txt", "svg"].map(|kind| folder.join(format!("{name}.{kind}")))
}

fn write_kit(folder: &Path, kit: &EmergencyKit) -> Result<PathBuf, Failure> {
    write(files(folder, KIT), &kit.expose_text(), kit.expose_svg())
}

fn write_recovery(folder: &Path, sheet: &RecoverySheet) -> Result<PathBuf, Failure> {
    write(files(folder, RECOVERY), &sheet.expose_text(), sheet.expose_svg())
}

/// Where the text is.
fn write(
    [text, page]: [PathBuf; 2],
    content: &str,
    drawn: Result<Zeroizing<String>, KitError>,
) -> Result<PathBuf, Failure> {
    let drawn =
        drawn.map_err(|error| Failure::failed("kit", format!("the paper cannot be drawn: {error}")))?;
    for (path, content) in [(&text, content), (&page, &drawn)] {
        write_new(path, content.as_bytes()).map_err(|error| Failure::file("the file", path, &error))?;
    }
    Ok(text)
}
