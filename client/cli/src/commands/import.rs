//! `import`: another program's export, item by item; one bad item never stops the others.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use lockstep_client::client::{ClientError, Saved};
use lockstep_client::crypto::keys::SourceRecord;
use lockstep_client::item::{Document, merge::merge};
use lockstep_client::proto::ids::{ItemId, VaultId};
use lockstep_formats::bitwarden::{
    ImportContext, ImportReport, MAX_IMPORT_BYTES, SOURCE_KIND, import_bitwarden_json,
};
use zeroize::Zeroizing;

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
    /// The vault, by name or id; needed where there are several.
    #[arg(long, value_name = "VAULT")]
    vault: Option<String>,
}

/// Formats of other programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Bitwarden's unencrypted JSON, or the .zip of an export with attachments.
    BitwardenJson,
}

/// Imports a file. Importing it again, or on another device, meets in the same items. It ends with [`Exit::Failed`] if
/// anything was left out.
///
/// # Errors
/// A [`Failure`]; nothing was imported unless it says so.
pub async fn run(context: &Context, arguments: ImportArguments) -> Result<Exit, Failure> {
    let Format::BitwardenJson = arguments.format;
    let bytes = read(&arguments.file)?;
    let mut session = Session::open(context).await?;
    let vault_id = find::vault(&session.client, arguments.vault.as_deref()).await?;
    let now_ms = session.client.author().now_ms;
    let report = import_bitwarden_json(&bytes, &ImportContext { now_ms });
    let mut report = report.map_err(|error| Failure::failed("import", error))?;
    drop(bytes);
    let items = items(&session, vault_id, &mut report)?;
    let (done, too_large) = save(&mut session, vault_id, items).await?;
    let sync = match context.connection {
        Connection::Offline => Synced::Skipped,
        Connection::Online => saved(session.sync(context).await)
            .map_err(|failure| failure.after(&Imported::before_sync(&report, done, &too_large)))?,
    };
    let imported = Imported::new(&report, done, &too_large, sync);
    context.output.result(&imported.text(), &imported);
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

/// The records under their items' ids; those that meet in one item are merged.
fn items(
    session: &Session,
    vault_id: VaultId,
    report: &mut ImportReport,
) -> Result<BTreeMap<ItemId, Document>, Failure> {
    let mut items = BTreeMap::new();
    for record in std::mem::take(&mut report.records) {
        let source = SourceRecord::Id(record.source_id.as_bytes());
        let item_id = session.client.derive_import_id(vault_id, SOURCE_KIND, source)?;
        match items.entry(item_id) {
            Entry::Vacant(entry) => {
                entry.insert(record.document);
            }
            Entry::Occupied(mut entry) => {
                let merged = merge(entry.get(), &record.document);
                entry.insert(merged);
            }
        }
    }
    Ok(items)
}

/// Saves all items at once; those that do not fit beside what is there are left out and returned.
async fn save(
    session: &mut Session,
    vault_id: VaultId,
    mut items: BTreeMap<ItemId, Document>,
) -> Result<(Saved, Vec<ItemId>), Failure> {
    let mut too_large = Vec::new();
    loop {
        let all = items.iter().map(|(item_id, document)| (*item_id, document.clone())).collect();
        match session.client.save_many(vault_id, all).await {
            Ok(done) => return Ok((done, too_large)),
            Err(ClientError::ItemTooLarge { item_id, .. }) if items.remove(&item_id).is_some() => {
                too_large.push(item_id);
            }
            Err(error) => return Err(error.into()),
        }
    }
}
