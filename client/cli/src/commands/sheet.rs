//! The recovery sheet that a person has, as commands read it.

use std::path::Path;

use lockstep_client::crypto::kit::RecoverySheet;
use lockstep_client::crypto::recovery_key::RecoveryKey;

use super::signin::read_paper;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::sentence;
use crate::session::Session;
use crate::terminal;

/// The sheet from a file or from standard input.
///
/// # Errors
/// A [`Failure`] where there is none.
pub(super) fn read_sheet(path: Option<&Path>) -> Result<RecoverySheet, Failure> {
    let text = read_paper(path, "recovery sheet", "--sheet")?;
    RecoverySheet::parse(&text).map_err(|error| none("recovery sheet", &error))
}

/// The account's present Recovery Key, from a sheet, or typed at the terminal where none is named. The account's log
/// must have just been brought up to date.
///
/// # Errors
/// A [`Failure`]; `other-recovery-key` for one of another account, of another server, or that is not the present one.
pub(super) fn present_key(
    session: &Session,
    path: Option<&Path>,
    unasked: &str,
) -> Result<RecoveryKey, Failure> {
    let unlocked = session.client.unlocked();
    let key = key_of_sheet(session, path, "present", unasked)?;
    if *unlocked.state().recovery() == key.derive_public_keys() {
        return Ok(key);
    }
    let is_announced = |announced| announced == &key.derive_public_keys();
    let announced = unlocked.state().announced_recovery().map(|announced| &announced.recovery);
    Err(match announced.is_some_and(is_announced) {
        true => other(
            "this is the Recovery Key that is announced: it counts only once it is confirmed, and until then the one \
             before does; nothing was changed",
        ),
        false => other(
            "this is not the account's present Recovery Key: there is a newer sheet, or the one that you have was \
             announced and cancelled; nothing was changed",
        ),
    })
}

/// A Recovery Key of the account, from a sheet, or typed at the terminal where none is named. `which` sheet is asked
/// for.
///
/// # Errors
/// A [`Failure`]; `other-recovery-key` for a sheet of another account or server.
pub(super) fn key_of_sheet(
    session: &Session,
    path: Option<&Path>,
    which: &str,
    unasked: &str,
) -> Result<RecoveryKey, Failure> {
    let unlocked = session.client.unlocked();
    let Some(path) = path else {
        if !terminal::is_there() {
            return Err(Failure::usage(unasked));
        }
        let question = format!("The Recovery Key, as your {which} recovery sheet has it: ");
        let typed = terminal::ask_shown(&question)?;
        return RecoveryKey::parse(&typed).map_err(|error| none("Recovery Key", &error));
    };
    let sheet = read_sheet(Some(path))?;
    if (sheet.account_id, sheet.server_id) != (unlocked.account_id(), unlocked.server_id()) {
        return Err(other("this recovery sheet is of another account; nothing was changed"));
    }
    Ok(sheet.recovery_key)
}

fn other(message: &str) -> Failure {
    Failure::new(Exit::Locked, "other-recovery-key", message)
}

fn none(what: &str, error: &dyn std::fmt::Display) -> Failure {
    let problem = sentence(&error.to_string());
    Failure::usage(format!("this is no {what}. {problem} Nothing was changed"))
}
