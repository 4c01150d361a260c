//! `evidence`: proof that a server showed two histories, for others to check.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use lockstep_client::proto::ids::VaultId;
use lockstep_client::proto::log::{EVIDENCE_LIMIT, ForkEvidence};
use serde_json::json;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::shown_path;
use crate::private_file::write_new;
use crate::session::Session;
use crate::when::rfc3339;

/// What to do with evidence.
#[derive(Debug, Subcommand)]
pub enum EvidenceCommand {
    /// Write the evidence that this device keeps into new files.
    Export(ExportArguments),
    /// Check a file of evidence. Needs neither server nor account.
    Verify(VerifyArguments),
}

/// Options of `evidence export`.
#[derive(Debug, Args)]
pub struct ExportArguments {
    /// A new file; with evidence about several vaults, the start of their names.
    file: PathBuf,
}

/// Options of `evidence verify`.
#[derive(Debug, Args)]
pub struct VerifyArguments {
    /// The file.
    file: PathBuf,
}

/// Runs one of them.
///
/// # Errors
/// A [`Failure`].
pub async fn run(context: &Context, command: EvidenceCommand) -> Result<Exit, Failure> {
    match command {
        EvidenceCommand::Export(arguments) => Box::pin(export(context, arguments)).await,
        EvidenceCommand::Verify(arguments) => verify(context, &arguments),
    }
}

async fn export(context: &Context, arguments: ExportArguments) -> Result<Exit, Failure> {
    let session = Session::open(context).await?;
    let kept = session.client.fork_evidence().await?;
    if kept.is_empty() {
        let message = "this device has no evidence of a fork: the server has shown it one history only";
        return Err(Failure::failed("no-evidence", message));
    }
    let single = kept.len() == 1;
    let mut files = Vec::new();
    for (number, (_, bytes)) in kept.iter().enumerate() {
        let path = match single {
            true => arguments.file.clone(),
            false => {
                let mut name = arguments.file.clone().into_os_string();
                name.push(format!("-{}", number + 1));
                PathBuf::from(name)
            }
        };
        write_new(&path, bytes).map_err(|error| Failure::file("the file", &path, &error))?;
        files.push(path);
    }
    let listed: Vec<String> = files.iter().map(|path: &PathBuf| shown_path(path)).collect();
    let text = format!(
        "Wrote {}. It holds signatures, ids, times and sizes; no names, no passwords. Anybody can check it with \
         `lockstep evidence verify`.",
        listed.join(", ")
    );
    context.output.result(&text, &json!({ "files": files }));
    Ok(Exit::Done)
}

fn verify(context: &Context, arguments: &VerifyArguments) -> Result<Exit, Failure> {
    let path = &arguments.file;
    let unreadable = |error| Failure::file("the file", path, &error);
    let length = std::fs::metadata(path).map_err(unreadable)?.len();
    if length > EVIDENCE_LIMIT as u64 {
        return Err(Failure::failed("no-evidence", "the file is larger than any evidence"));
    }
    let bytes = std::fs::read(path).map_err(unreadable)?;
    let proof = ForkEvidence::from_bytes(&bytes)
        .and_then(|evidence| evidence.verify())
        .map_err(|error| Failure::new(Exit::Refused, "no-evidence", error))?;
    let statement = &proof.statement;
    let what = match statement.vault_id {
        VaultId::ZERO => format!("the log of account {}", statement.account_id),
        vault_id => format!("vault {vault_id}"),
    };
    let strength = match proof.is_continued {
        true => "On both histories another device went on, so that both were given to somebody.",
        false => "That the other history was served is this device's signed word alone.",
    };
    let text = format!(
        "The evidence holds. After entry {} there are two histories of {what}: device {} held entry {} and was served another \
         one, {} ({}). {strength}",
        proof.fork.seq,
        statement.device_id,
        statement.held.seq,
        statement.served.seq,
        rfc3339(statement.time_ms),
    );
    let json = json!({
        "account_id": statement.account_id.to_string(),
        "device_id": statement.device_id.to_string(),
        "vault_id": (!statement.vault_id.is_zero()).then(|| statement.vault_id.to_string()),
        "fork": proof.fork,
        "held": statement.held,
        "served": statement.served,
        "at": rfc3339(statement.time_ms),
        "continued": proof.is_continued,
    });
    context.output.result(&text, &json);
    Ok(Exit::Done)
}
