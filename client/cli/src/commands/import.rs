//! `import`: another program's export, item by item; one bad item never stops the others.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use lockstep_client::client::{ImportItem, ImportOutcome, ItemNotice, Notice};
use lockstep_formats::bitwarden::{ImportContext, MAX_IMPORT_BYTES, import_bitwarden_json};
use zeroize::Zeroizing;

use super::archive;
use crate::context::{Connection, Context};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::find;
use crate::session::{Session, saved};
use crate::show::import::Imported;
use crate::show::sync::Synced;

/// Options of `import`.
#[derive(Debug, Args)]
pub struct ImportArguments {
    /// The file.
    file: PathBuf,
    /// Its format.
    #[arg(long, value_enum)]
    format: Format,
    /// The vault, by name or id; needed where there are several, but for the format lockstep, whose vaults find their
    /// place by id and name.
    #[arg(long, value_name = "VAULT")]
    vault: Option<String>,
    /// With the format lockstep: read the archive's passphrase from this file descriptor instead of asking.
    #[arg(long, value_name = "N")]
    passphrase_fd: Option<u32>,
}

/// Formats of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Bitwarden's unencrypted JSON; the .zip of an export with attachments can be imported, too.
    BitwardenJson,
    /// Lockstep's own archive: everything, sealed to a passphrase.
    Lockstep,
}

/// Imports a file. Importing it again, or on another device, meets in the same items, and writes only what the other
/// program changed since. It ends with [`Exit::Failed`] if anything was left out.
///
/// # Errors
/// A [`Failure`]; nothing was imported unless it says so.
pub async fn run(context: &Context, arguments: ImportArguments) -> Result<Exit, Failure> {
    if arguments.format == Format::Lockstep {
        let ImportArguments { file, vault, passphrase_fd, .. } = arguments;
        return archive::read(context, file, archive::Options { vault, passphrase_fd }).await;
    }
    archive::refuse_passphrase(arguments.passphrase_fd)?;
    let bytes = read(&arguments.file)?;
    let mut session = Session::open(context).await?;
    let vault_id = find::vault(&session.client, arguments.vault.as_deref()).await?;
    let now_ms = session.client.author().now_ms;
    let report = import_bitwarden_json(&bytes, &ImportContext { now_ms });
    let report = report.map_err(|error| Failure::failed("import", error))?;
    drop(bytes);
    let items = report.records.iter().cloned().map(ImportItem::from).collect();
    let done = session.client.import_many(vault_id, items).await?;
    let sync = match context.connection {
        Connection::Offline => Synced::Skipped,
        Connection::Online => saved(session.sync(context).await)
            .map_err(|failure| failure.after(&Imported::before_sync(&report, &done)))?,
    };
    let in_conflict = done.outcomes.iter().filter(
        |(_, outcome)| matches!(outcome, ImportOutcome::Changed { conflicts, .. } if !conflicts.is_empty()),
    );
    let in_conflict = in_conflict.map(|(item_id, _)| *item_id);
    let told = in_conflict.map(|item_id| ItemNotice { vault_id, item_id, what: Notice::Conflict });
    let told: Vec<_> = told.chain(sync.notices().iter().copied()).collect();
    let imported = Imported::new(&report, &done, sync);
    session.result(context, &imported.text(), &imported, &told).await;
    Ok(imported.exit())
}

/// The file's bytes, read to its end or to one byte more than an import may have: a device or a pipe has no length.
fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let failed = |error| Failure::file("the file", path, &error);
    let limit = u64::try_from(MAX_IMPORT_BYTES).unwrap_or(u64::MAX);
    let file = File::open(path).map_err(failed)?;
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}
