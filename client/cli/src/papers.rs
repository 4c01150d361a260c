//! The Emergency Kit and the recovery sheet on their way out, once.

use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};

use lockstep_client::crypto::kit::{EmergencyKit, RecoverySheet};
use serde::Serialize;

use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Reader, shown_path};
use crate::private_file::write_new;
use crate::questions::confirm_by_looking;

/// Where the papers go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Papers {
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
    /// Where the papers of a sign-up go, checked before there is anything to lose.
    ///
    /// # Errors
    /// A [`Failure`] where the folder cannot be used or nobody could read the terminal.
    pub fn ready(context: &Context, folder: Option<PathBuf>) -> Result<Self, Failure> {
        match folder {
            Some(folder) => {
                std::fs::create_dir_all(&folder)
                    .map_err(|error| Failure::file("the folder", &folder, &error))?;
                match files(&folder).into_iter().find(|path| path.exists()) {
                    Some(path) => Err(Failure::usage(format!(
                        "{} exists already and is never overwritten; name another folder with --kit-dir",
                        shown_path(&path)
                    ))),
                    None => Ok(Self::Folder(folder)),
                }
            }
            None if context.output.reader() == Reader::Person && io::stdout().is_terminal() => {
                Ok(Self::Terminal)
            }
            None => Err(Failure::usage(
                "say with --kit-dir DIR where the papers are to be written; nothing was changed",
            )),
        }
    }

    /// Hands the papers out.
    ///
    /// # Errors
    /// A [`Failure`]; the papers are still kept for another `lockstep signup`.
    pub fn hand_out(
        &self,
        context: &Context,
        kit: &EmergencyKit,
        recovery: &RecoverySheet,
    ) -> Result<Written, Failure> {
        match self {
            Self::Folder(folder) => write(folder, kit, recovery),
            Self::Terminal => {
                context.output.value(&kit.expose_text())?;
                context.output.value(&recovery.expose_text())?;
                let question = "Have you written both down? They are shown only once.";
                confirm_by_looking(question, "they are kept: run `lockstep signup` again to see them")?;
                Ok(Written::default())
            }
        }
    }
}

impl Papers {
    /// Hands out an Emergency Kit alone: the Recovery Key stays as it is.
    ///
    /// # Errors
    /// A [`Failure`]; `lockstep kit` shows the Kit again.
    pub fn hand_out_kit(&self, context: &Context, kit: &EmergencyKit) -> Result<Written, Failure> {
        match self {
            Self::Folder(folder) => {
                let [text, svg, ..] = files(folder);
                let drawn = |error| Failure::failed("kit", format!("the Kit cannot be drawn: {error}"));
                for (path, content) in [(&text, kit.expose_text()), (&svg, kit.expose_svg().map_err(drawn)?)]
                {
                    write_new(path, content.as_bytes())
                        .map_err(|error| Failure::file("the file", path, &error))?;
                }
                Ok(Written { emergency_kit: Some(text), recovery_sheet: None })
            }
            Self::Terminal => {
                context.output.value(&kit.expose_text())?;
                Ok(Written::default())
            }
        }
    }
}

fn files(folder: &Path) -> [PathBuf; 4] {
    let name = |name: &str, kind: &str| folder.join(format!("{name}.{kind}"));
    [name(KIT, "txt"), name(KIT, "svg"), name(RECOVERY, "txt"), name(RECOVERY, "svg")]
}

fn write(folder: &Path, kit: &EmergencyKit, recovery: &RecoverySheet) -> Result<Written, Failure> {
    let drawn = |error| Failure::failed("kit", format!("the papers cannot be drawn: {error}"));
    let contents = [
        kit.expose_text(),
        kit.expose_svg().map_err(drawn)?,
        recovery.expose_text(),
        recovery.expose_svg().map_err(drawn)?,
    ];
    let paths = files(folder);
    for (path, content) in paths.iter().zip(&contents) {
        write_new(path, content.as_bytes()).map_err(|error| Failure::file("the file", path, &error))?;
    }
    let [kit, _, recovery, _] = paths;
    Ok(Written { emergency_kit: Some(kit), recovery_sheet: Some(recovery) })
}
