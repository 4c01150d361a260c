//! Keys that a recovery cannot open: somebody with a device and the password has changed them in such a way.

use lockstep_client::account::{LostBecause, LostKeys, SecurityEvent};
use lockstep_client::proto::ids::DeviceId;

use super::super::security::keys_lost;
use crate::context::Context;
use crate::failure::Failure;
use crate::questions::confirm_by_looking;
use crate::session::Session;

const MISSING: &str = "The server does not give the sealed key that your sheet would open now. Whoever changed the \
                       account's keys may never have given it; but the server may withhold it, too, and then going on \
                       loses what was saved since. If another device of yours still works, say no, and use that one. \
                       Go on without?";

/// Says which keys the sheet does not open, and asks where the server may be to blame.
///
/// # Errors
/// A [`Failure`] when the owner does not go on, or nobody can be asked.
pub(super) fn tell(context: &Context, lost: &[LostKeys]) -> Result<(), Failure> {
    let mut by: Vec<_> = lost.iter().map(|lost| lost.by).collect();
    by.dedup();
    for by in by {
        context.output.note(&line(by));
    }
    match lost.iter().any(|lost| lost.because == LostBecause::Missing) {
        true => confirm_missing(),
        false => Ok(()),
    }
}

/// Asks whether to go on without keys that the server does not give.
///
/// # Errors
/// As [`tell`].
pub(super) fn confirm_missing() -> Result<(), Failure> {
    confirm_by_looking(MISSING, "nothing was changed")
}

/// What this recovery could not open, in sentences.
///
/// # Errors
/// A [`Failure`] where the events cannot be read.
pub(super) async fn of(session: &Session) -> Result<Vec<String>, Failure> {
    let events = session.client.security_events().await?;
    let lost = events.into_iter().filter(|record| !record.seen).filter_map(|record| match record.event {
        SecurityEvent::KeysLost { device_id } => Some(device_id),
        _ => None,
    });
    Ok(lost.map(line).collect())
}

fn line(by: Option<DeviceId>) -> String {
    let by = by.map(|by| format!("device {by}"));
    format!("The newest keys do not open: {}.", keys_lost(by.as_deref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_who_changed_the_keys_and_what_is_kept() {
        let by = DeviceId([7; 16]);
        let said = |by: &str| {
            format!(
                "The newest keys do not open: every key of the account had been changed{by} in a way that the recovery \
                 could not open: what was saved with those keys is lost, what was there before is not."
            )
        };
        assert_eq!(line(Some(by)), said(&format!(" by device {by}")));
        assert_eq!(line(None), said(""));
    }
}
