//! `edit`: changes to an item.

use clap::Args;
use lockstep_client::item::views::{Login, field};
use lockstep_client::item::{Document, Value};

use super::Written;
use crate::changes::{ChangeArguments, Changes};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::find;
use crate::output::clean_line;
use crate::session::Session;
use crate::show::sync::Synced;

/// Options of `edit`.
#[derive(Debug, Args)]
pub struct EditArguments {
    /// The item: its id, the start of its id, or its exact title.
    item: String,
    #[command(flatten)]
    changes: ChangeArguments,
    /// Take a tag away; may be given several times.
    #[arg(long = "untag", value_name = "TAG")]
    untag: Vec<String>,
    /// Take an address away; may be given several times.
    #[arg(long = "remove-url", value_name = "URL")]
    remove_urls: Vec<String>,
}

/// Changes an item.
///
/// # Errors
/// A [`Failure`]; nothing was changed unless it says so.
pub async fn run(context: &Context, arguments: EditArguments) -> Result<Exit, Failure> {
    arguments.changes.check()?;
    let mut session = Session::open(context).await?;
    let found = find::one(&session.client, &arguments.item).await?;
    let (vault_id, item_id) = (found.vault_id, found.item_id());
    let open = session.client.item(vault_id, item_id).await?;
    let open = open.ok_or_else(|| Failure::failed("no-item", "the item was purged; nothing was changed"))?;
    let mut document = open.document;
    let mut changes = removals(&arguments.untag, &arguments.remove_urls, &document)?;
    let kind = document.kind().to_owned();
    changes.extend(arguments.changes.collect(&kind, &document, &session.client, &session.ports)?);
    if changes.is_empty() {
        return Err(Failure::usage(
            "say what to change, for example with --set username=anna; nothing was changed",
        ));
    }
    let mut edit = document.edit(session.client.author());
    for (field, value) in changes {
        edit = edit.set(field, value);
    }
    let title = clean_line(&found.item.title);
    if !edit.apply()? {
        let result =
            Written { changed: false, ..Written::new(vault_id, item_id, document.name(), Synced::Skipped) };
        context
            .output
            .result(&format!("\"{title}\" holds all of that already; nothing was changed."), &result);
        return Ok(Exit::Done);
    }
    let name = document.name().to_owned();
    session.client.save(vault_id, item_id, document).await?;
    let sync = session.sync_saved(context).await?;
    let text = format!("Changed \"{title}\".\n{}", sync.text());
    context.output.result(&text, &Written::new(vault_id, item_id, &name, sync));
    Ok(Exit::Done)
}

fn removals(tags: &[String], urls: &[String], document: &Document) -> Result<Changes, Failure> {
    let mut changes: Changes =
        tags.iter().map(|tag| (field::element(field::TAGS, tag), Value::Null)).collect();
    let held = Login::of(document).uris();
    for url in urls {
        let ids = held.iter().filter(|(_, uri)| uri.uri.as_ref() == Some(url)).map(|(id, _)| *id);
        let before = changes.len();
        changes.extend(ids.map(|id| (field::element(field::URIS, id), Value::Null)));
        if changes.len() == before {
            return Err(Failure::usage(format!("the item has no address {url}; nothing was changed")));
        }
    }
    Ok(changes)
}
