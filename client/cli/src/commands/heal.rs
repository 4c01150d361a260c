//! `heal`: vaults go on from what the server has, after it was restored from a backup and used since.

use std::collections::BTreeMap;

use clap::Args;
use lockstep_client::client::{BranchInfo, TwoHistories};
use lockstep_client::proto::ids::DeviceId;
use serde_json::{Value, json};

use crate::context::{Connection, Context};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::clean_line;
use crate::questions::confirm_by_looking;
use crate::session::{Session, read_password};
use crate::show::sync::Synced;
use crate::when::rfc3339;

/// Options of `heal`.
#[derive(Debug, Args)]
pub struct HealArguments {
    /// Only show what differs; change nothing.
    #[arg(long)]
    show: bool,
}

/// Shows both histories of every vault that has two, asks once whether the server was restored, and goes on from its ones.
///
/// # Errors
/// A [`Failure`] that says what was changed.
pub async fn run(context: &Context, arguments: HealArguments) -> Result<Exit, Failure> {
    if context.connection == Connection::Offline {
        return Err(Failure::usage(
            "healing needs the server, and --offline forbids it; nothing was changed",
        ));
    }
    let password = read_password(context)?;
    let mut session = Session::open_with(context, &password).await?;
    let log = session.client.two_logs().await?;
    // Where the account's log forked, too, the histories of vaults cannot be compared before one of the logs is gone on from.
    let found = if log.is_some() { Vec::new() } else { session.client.two_histories().await? };
    if found.is_empty() && log.is_none() {
        let text = "Nothing to heal from here: the server shows the histories that this device has. Where another of your \
                    devices has another one, say `lockstep heal` on that one.";
        context.output.result(text, &json!({ "histories": [], "accepted": false }));
        return Ok(Exit::Done);
    }
    let shown = Shown::of(&session, &found).await?;
    if arguments.show {
        context.output.result(&shown.text, &json!({ "histories": shown.json, "accepted": false }));
        return Ok(Exit::Done);
    }
    context.output.hint(&shown.text);
    let kept = "nothing was changed: what this device has stays readable here, and edits wait";
    confirm_by_looking("Was the server restored from a backup, and went on from there?", kept)?;
    let accepted = Box::pin(session.client.accept_histories(log.as_ref(), &found, &password)).await?;
    let report = session.synced(accepted).await?;
    let exit = report.exit();
    let sync = Synced::Done(report);
    let text = format!("Your vaults go on from what the server has.\n{}", sync.text());
    let json = json!({ "histories": shown.json, "accepted": true, "sync": sync });
    session.result(context, &text, &json, sync.notices()).await;
    Ok(exit)
}

/// Both histories of each vault, for a person and for a program.
struct Shown {
    text: String,
    json: Vec<Value>,
}

impl Shown {
    async fn of(session: &Session, found: &[TwoHistories]) -> Result<Self, Failure> {
        let vaults = session.client.vaults().await?;
        let vaults: BTreeMap<_, _> = vaults.into_iter().map(|vault| (vault.vault_id, vault.name)).collect();
        let devices = session.client.devices().await?;
        let devices: BTreeMap<_, _> =
            devices.into_iter().map(|device| (device.device_id, device.name)).collect();
        let (mut lines, mut json) = (Vec::new(), Vec::new());
        for two in found {
            let name = vaults.get(&two.vault_id).cloned();
            let name = name.unwrap_or_else(|| two.vault_id.to_string());
            lines.push(format!(
                "The server shows another history of \"{}\" than this device has.",
                clean_line(&name)
            ));
            lines.push(format!("  Only here:          {}", told(&two.own, &devices)));
            lines.push(format!("  Only on the server: {}", told(&two.served, &devices)));
            json.push(json!({
                "vault_id": two.vault_id.to_string(),
                "own": object(&two.own),
                "server": object(&two.served),
            }));
        }
        lines.push(
            "A server does this after it was restored from a backup and used since. If you say yes, your vaults go on from what \
             the server has, and everything that your devices have besides is merged into it: nothing is lost.\nIf you, or whoever runs the server, restored nothing, say \
             no: then it is lying to your devices. `lockstep evidence export` keeps the proof, and `lockstep export` what \
             is here."
                .to_owned(),
        );
        Ok(Self { text: lines.join("\n"), json })
    }
}

fn told(branch: &BranchInfo, names: &BTreeMap<DeviceId, String>) -> String {
    let Some((at_ms, by)) = branch.last else { return "nothing".to_owned() };
    let by = names.get(&by).map_or_else(|| by.to_string(), |name| format!("\"{}\"", clean_line(name)));
    let changes =
        if branch.commits == 1 { "1 change".to_owned() } else { format!("{} changes", branch.commits) };
    format!("{changes}, the last one at {} by {by}", rfc3339(at_ms))
}

fn object(branch: &BranchInfo) -> Value {
    json!({
        "commits": branch.commits,
        "last": branch.last.map(|(at_ms, _)| rfc3339(at_ms)),
        "by": branch.last.map(|(_, by)| by.to_string()),
    })
}
