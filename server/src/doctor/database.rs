//! The database.

use lockstep_proto::ids::ServerId;
use lockstep_store::{Found, Inspection, OpenError, StoreUrl};

use super::report::Report;
use crate::config::Config;

const DATABASE: &str = "database";

/// Whether it can be reached, is ours, is whole, and belongs to these secrets.
pub(super) fn check(
    config: &Config,
    inspected: Result<Inspection, OpenError>,
    secrets: Option<ServerId>,
    report: &mut Report,
) {
    let name = config.database.to_string();
    match inspected {
        Ok(Inspection::Absent) if config.database == StoreUrl::Memory => report
            .mend(DATABASE, "memory: keeps nothing when the server stops: leave `database` out, or name one"),
        Ok(Inspection::Absent) => {
            report.note(DATABASE, format!("{name} is empty; the first start makes its tables"))
        }
        Ok(Inspection::Found(found)) => check_found(&name, &found, secrets, report),
        Err(error) => report.mend(DATABASE, format!("{:#}", anyhow::Error::new(error))),
    }
}

fn check_found(name: &str, found: &Found, secrets: Option<ServerId>, report: &mut Report) {
    for fault in &found.faults {
        report.mend(DATABASE, format!("{name}: {fault}"));
    }
    match (found.server_id, secrets) {
        (Some(bound), Some(server_id)) if bound != server_id => report.mend(
            DATABASE,
            format!(
                "{name} belongs to server {bound}, the secrets to server {server_id}: put back those that were backed up with it"
            ),
        ),
        _ if found.schema < found.known => report.note(
            DATABASE,
            format!(
                "{name} has schema {}; the next start brings it to {}. Copy it before",
                found.schema, found.known
            ),
        ),
        _ if !found.faults.is_empty() => {}
        _ => {
            let accounts = if found.has_accounts { "with accounts" } else { "no account yet" };
            report.fine(DATABASE, format!("{name}, schema {}, {accounts}", found.schema));
        }
    }
}
