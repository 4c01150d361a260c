//! `export`: a vault as plaintext, for another program.

use std::path::PathBuf;

use clap::Args;
use lockstep_client::client::OpenItem;
use lockstep_client::proto::ids::{ItemId, VaultId};
use lockstep_formats::bitwarden::{bitwarden_losses, check_bitwarden_json, export_bitwarden_json};
use zeroize::Zeroizing;

use super::archive;
use super::import::Format;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::find;
use crate::output::Reader;
use crate::private_file::write_new;
use crate::questions::confirm;
use crate::session::Session;
use crate::show::export::Exported;

/// Options of `export`.
#[derive(Debug, Args)]
pub struct ExportArguments {
    /// The format.
    #[arg(long, value_enum)]
    format: Format,
    /// A new file, readable by you alone; without it standard output.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The vault, by name or id; needed where there are several, but for the format lockstep, which holds all.
    #[arg(long, value_name = "VAULT")]
    vault: Option<String>,
    /// With the format lockstep: read the archive's passphrase from this file descriptor instead of asking.
    #[arg(long, value_name = "N")]
    passphrase_fd: Option<u32>,
    /// Read what was written back, and compare every field of every item; an archive always is.
    #[arg(long)]
    check: bool,
}

/// Exports a vault, and says by name what did not leave.
///
/// # Errors
/// A [`Failure`]; then there is no new file, unless it says so.
pub async fn run(context: &Context, arguments: ExportArguments) -> Result<Exit, Failure> {
    if arguments.format == Format::Lockstep {
        let ExportArguments { output, vault, passphrase_fd, .. } = arguments;
        return archive::write(context, output, archive::Options { vault, passphrase_fd }).await;
    }
    archive::refuse_passphrase(arguments.passphrase_fd)?;
    if arguments.output.is_none() && context.output.reader() == Reader::Program {
        return Err(Failure::usage(
            "with --json the export needs a file of its own: give it with -o; nothing was written",
        ));
    }
    let question = "The export holds every password in the clear, for anyone who reads it. Write it?";
    confirm(context.answers, question, "nothing was written")?;
    let session = Session::open_asking(context).await?;
    let vault_id = find::vault(&session.client, arguments.vault.as_deref()).await?;
    let items = all(&session, vault_id).await?;
    let documents = || items.iter().map(|(item_id, open)| (*item_id, &open.document));
    let bytes = Zeroizing::new(export_bitwarden_json(documents()));
    let mut exported =
        Exported::new(&items, bitwarden_losses(documents()), unopened(&session, vault_id, &items));
    let written = match arguments.output {
        Some(path) => {
            write_new(&path, &bytes).map_err(|error| Failure::file("the file", &path, &error))?;
            let written = std::fs::read(&path).map(Zeroizing::new);
            exported.file = Some(path.clone());
            written.map_err(|error| Failure::file("the file, which was written,", &path, &error))?
        }
        None => {
            context.output.bytes(&bytes).map_err(|error| {
                Failure::failed("output", format!("the export could not be written whole: {error}"))
            })?;
            bytes
        }
    };
    if arguments.check {
        let differences = check_bitwarden_json(&written, documents());
        exported.checked(differences.map_err(|error| Failure::failed("export", error))?);
    }
    match exported.file {
        Some(_) => context.output.result(&exported.text(), &exported),
        None => context.output.note(&exported.text()),
    }
    Ok(exported.exit())
}

async fn all(session: &Session, vault_id: VaultId) -> Result<Vec<(ItemId, OpenItem)>, Failure> {
    let mut items = Vec::new();
    for summary in session.client.items(vault_id).await? {
        if let Some(open) = session.client.item(vault_id, summary.item_id).await? {
            items.push((summary.item_id, open));
        }
    }
    Ok(items)
}

/// Items of the vault that no version can be opened of.
fn unopened(session: &Session, vault_id: VaultId, items: &[(ItemId, OpenItem)]) -> Vec<ItemId> {
    let all = session.client.quarantined().into_iter().filter(|mark| mark.vault_id == vault_id);
    let ids = all.map(|mark| mark.item_id);
    ids.filter(|item_id| items.iter().all(|(exported, _)| exported != item_id)).collect()
}
