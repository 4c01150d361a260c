//! `sync`: this device and the server in step.

use lockstep_client::account::SecurityEvent;

use super::status::waiting_key;
use crate::context::{Connection, Context};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::Session;
use crate::show::sync::Synced;
use crate::when::rfc3339;

/// Syncs.
///
/// # Errors
/// A [`Failure`]; edits stay on this device.
pub async fn run(context: &Context) -> Result<Exit, Failure> {
    if context.connection == Connection::Offline {
        return Err(Failure::usage("sync needs the server, and --offline forbids it; nothing was changed"));
    }
    let mut session = Session::open(context).await?;
    let report = session.sync(context).await?;
    let exit = report.exit();
    let synced = Synced::Done(report);
    session.result(context, &synced.text(), &synced, synced.notices()).await;
    let events = session.client.security_events().await?;
    let new: Vec<_> = events.into_iter().filter(|record| !record.seen).collect();
    let waits = |event: &SecurityEvent| {
        matches!(event, SecurityEvent::RecoveryAnnounced | SecurityEvent::RecoveryWaits)
    };
    if let Some(waiting) = session.client.waiting_recovery_key().await?
        && new.iter().any(|record| waits(&record.event))
    {
        context.output.hint(&waiting_key(&rfc3339(waiting.due_ms), &context.option()));
    }
    match new.len() {
        0 => {}
        1 => context.output.hint("One security event is new: `lockstep security --seen` shows it."),
        count => context
            .output
            .hint(&format!("{count} security events are new: `lockstep security --seen` shows them.")),
    }
    Ok(exit)
}
