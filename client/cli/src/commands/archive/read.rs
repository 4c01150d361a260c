//! `import --format lockstep`: opens, finds each vault its place, merges, and tells what became of every item.

use std::collections::BTreeSet;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use lockstep_client::client::{Client, ClientError, ConflictInfo, ItemNotice, Notice};
use lockstep_client::item::Stamp;
use lockstep_client::proto::ids::{ItemId, VaultId};
use lockstep_formats::archive::{Archive, MAX_SEALED_BYTES, OpenError, check_sealed, open};

use super::place::{Place, places};
use super::restore::restore;
use super::{Options, passphrase};
use crate::context::{Connection, Context};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::find;
use crate::output::clean_line;
use crate::questions::confirm;
use crate::session::{Session, saved};
use crate::show::archive::{Restored, RestoredPlace};
use crate::show::sync::Synced;

/// Where one vault of the archive went.
struct Went {
    vault_id: VaultId,
    is_new: bool,
}

/// Reads an archive into this account. Doing it again changes nothing.
///
/// # Errors
/// A [`Failure`]; nothing was imported unless it says so.
pub(in crate::commands) async fn read(
    context: &Context,
    file: PathBuf,
    options: Options,
) -> Result<Exit, Failure> {
    let sealed = read_file(&file)?;
    check_sealed(&sealed).map_err(|error| unopened(&error))?;
    let mut session = Session::open(context).await?;
    let passphrase = passphrase::read(options.passphrase_fd)?;
    let content = open(&sealed, &passphrase).map_err(|error| unopened(&error))?;
    drop(sealed);
    let archive = Archive::from_bytes(&content)
        .map_err(|error| Failure::failed("import", format!("{error}; nothing was imported")))?;
    // Before the first sync, so that what this command brings to light is told, whatever part of it did.
    let before = losers(&session.client.conflicts().await?);
    let mut restored = Restored::new(archive.made_ms);
    let chosen = options.vault.as_deref();
    let (went, synced) = vaults(context, &mut session, &archive, chosen).await?;
    let mut items = BTreeSet::new();
    for (vault, went) in archive.vaults.values().zip(&went) {
        let done = restore(&mut session.client, went.vault_id, &vault.items, &mut items).await;
        let done = done.map_err(|error| stopped(error, &restored))?;
        restored.add(&place(&session.client, went).await?, done);
    }
    let conflicts = session.client.conflicts().await?;
    let conflicts = conflicts.iter().filter(|conflict| !losers_of(conflict).is_subset(&before));
    restored.conflicts(conflicts.clone());
    let told = conflicts.map(|found| ItemNotice {
        vault_id: found.vault_id,
        item_id: found.item_id,
        what: Notice::Conflict,
    });
    let mut told: Vec<_> = told.collect();
    restored.sync = match synced {
        Synced::Done(_) => saved(session.sync(context).await)?,
        not_now => not_now,
    };
    told.extend(restored.sync.notices());
    session.result(context, &restored.text(), &restored, &told).await;
    Ok(restored.exit())
}

fn read_file(path: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |error: io::Error| Failure::file("the file", path, &error);
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(MAX_SEALED_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > MAX_SEALED_BYTES {
        let message = format!(
            "the file has more than the {MAX_SEALED_BYTES} bytes that an archive can have; nothing was imported"
        );
        return Err(Failure::failed("import", message));
    }
    Ok(bytes)
}

fn unopened(error: &OpenError) -> Failure {
    let message = format!("{error}; nothing was imported");
    match error {
        OpenError::WrongPassphrase => Failure::new(Exit::Locked, "wrong-passphrase", message),
        OpenError::UpdateNeeded => Failure::failed("update-needed", message),
        _ => Failure::failed("import", message),
    }
}

fn stopped(error: ClientError, before: &Restored) -> Failure {
    let failure = Failure::from(error);
    match before.count_vaults() {
        0 => failure.after("Nothing was imported."),
        count => failure.after(&format!(
            "The items of {count} vaults are saved on this device, the others are not: import the archive again."
        )),
    }
}

/// The vaults of this account that the archive's go into, in the archive's order, and what came of the sync before. Those
/// that are missing are made before any item is saved, since making one needs the server and saving items does not.
async fn vaults(
    context: &Context,
    session: &mut Session,
    archive: &Archive<'_>,
    chosen: Option<&str>,
) -> Result<(Vec<Went>, Synced), Failure> {
    let chosen = match chosen {
        Some(text) => Some(find::vault(&session.client, Some(text)).await?),
        None => None,
    };
    let found = plan(&session.client, archive, chosen).await?;
    let synced = sync_first(context, session, found.iter().find_map(Place::new_name)).await?;
    let found = plan(&session.client, archive, chosen).await?;
    confirm_new(context, &found)?;
    let mut went = Vec::new();
    for place in found {
        went.push(match place {
            Place::Vault(vault_id) => Went { vault_id, is_new: false },
            Place::New(name) => {
                let made = Box::pin(session.client.create_vault(&name)).await;
                let vault_id = made.map_err(|error| {
                    let first = format!(
                        "The vault \"{}\" could not be made, and nothing was imported: import the archive again later.",
                        clean_line(&name)
                    );
                    Failure::from(error).after(&first)
                })?;
                Went { vault_id, is_new: true }
            }
        });
    }
    Ok((went, synced))
}

/// A vault cannot be unmade, so it is not made unasked.
fn confirm_new(context: &Context, places: &[Place]) -> Result<(), Failure> {
    let names: Vec<_> = places.iter().filter_map(Place::new_name).map(clean_line).collect();
    let question = match names.as_slice() {
        [] => return Ok(()),
        [name] => format!("This account has no vault \"{name}\". Make it?"),
        names => {
            format!("This account has none of these vaults: {}. Make all {}?", names.join(", "), names.len())
        }
    };
    confirm(
        context.answers,
        &question,
        "nothing was imported (with --vault it goes into a vault that you have)",
    )
}

/// What was purged elsewhere can only be brought back once that is known here; and a vault that is `missing` may have been
/// made by another device, or by an earlier import that was interrupted.
async fn sync_first(
    context: &Context,
    session: &mut Session,
    missing: Option<&str>,
) -> Result<Synced, Failure> {
    match (context.connection, missing) {
        (Connection::Offline, None) => return Ok(Synced::Skipped),
        (Connection::Offline, Some(name)) => {
            let message = format!(
                "this device has no vault for the archive's \"{}\", and making one needs the server: import without \
                 --offline, or say with --vault into which one it is to go; nothing was imported",
                clean_line(name)
            );
            return Err(Failure::failed("no-vault", message));
        }
        (Connection::Online, _) => {}
    }
    match session.sync(context).await {
        Ok(report) => Ok(Synced::Done(report)),
        Err(failure) if failure.is_temporary() && missing.is_none() => Ok(Synced::later(failure)),
        Err(failure) => Err(failure.after("Nothing was imported.")),
    }
}

async fn plan(
    client: &Client,
    archive: &Archive<'_>,
    chosen: Option<VaultId>,
) -> Result<Vec<Place>, Failure> {
    let own = client.vaults().await?.into_iter().map(|info| (info.vault_id, info.name)).collect::<Vec<_>>();
    let archived: Vec<_> = archive.vaults.iter().map(|(id, vault)| (*id, vault.name)).collect();
    places(&archived, &own, chosen).map_err(|error| Failure::usage(format!("{error}; nothing was imported")))
}

async fn place(client: &Client, went: &Went) -> Result<RestoredPlace, Failure> {
    let own = client.vaults().await?.into_iter().find(|info| info.vault_id == went.vault_id);
    let name = own.map(|info| info.name).unwrap_or_default();
    Ok(RestoredPlace { vault_id: went.vault_id, name, is_new: went.is_new })
}

type Loser = (VaultId, ItemId, String, Stamp);

/// The values that wait for a choice, so that a conflict which the import made is told from one that was there.
fn losers(conflicts: &[ConflictInfo]) -> BTreeSet<Loser> {
    conflicts.iter().flat_map(losers_of).collect()
}

fn losers_of(conflict: &ConflictInfo) -> BTreeSet<Loser> {
    let place = (conflict.vault_id, conflict.item_id, conflict.field.clone());
    let losers = conflict.losers.iter();
    losers.map(|loser| (place.0, place.1, place.2.clone(), loser.stamp)).collect()
}
