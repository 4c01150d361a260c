//! `edit`: changes to an item.

use clap::Args;
use lockstep_client::item::views::{Login, field};
use lockstep_client::item::{Document, Value};
use lockstep_client::tools::fold;

use super::Written;
use crate::changes::{ChangeArguments, Changes, Item};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::fields::{LISTS, Meant, Name, key_of, meant};
use crate::find;
use crate::output::clean_line;
use crate::show::sync::Synced;

/// Options of `edit`.
#[derive(Debug, Args)]
pub struct EditArguments {
    /// The item: its id, the start of its id, or its title.
    item: String,
    #[command(flatten)]
    changes: ChangeArguments,
    /// Clear a field: its name, that of a custom field, or uris, tags, custom, passkeys for all of them; may be given
    /// several times.
    #[arg(long = "clear", value_name = "FIELD")]
    clear: Vec<String>,
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
    let named = arguments.changes.check()?;
    let mut session = named.open(context).await?;
    let found = find::one(&session.client, &arguments.item).await?;
    let (vault_id, item_id) = (found.vault_id, found.item_id());
    let open = session.client.item(vault_id, item_id).await?;
    let open = open.ok_or_else(|| Failure::failed("no-item", "the item was purged; nothing was changed"))?;
    let mut document = open.document;
    let removed = removals(&arguments, &document)?;
    let kind = document.kind().to_owned();
    let item = Item { kind: &kind, before: &document, removed: &removed };
    let changes = arguments.changes.collect(named, item, &session)?;
    if removed.is_empty() && changes.is_empty() {
        return Err(Failure::usage(
            "say what to change, for example with --set username=anna; nothing was changed",
        ));
    }
    let mut edit = document.edit(session.client.author());
    for (field, value) in removed.into_iter().chain(changes) {
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
    let written = Written::new(vault_id, item_id, &name, sync);
    session.result(context, &text, &written, written.sync.notices()).await;
    Ok(Exit::Done)
}

/// What the command takes away.
fn removals(arguments: &EditArguments, document: &Document) -> Result<Changes, Failure> {
    let mut keys = Vec::new();
    for name in &arguments.clear {
        keys.extend(cleared(name, document)?);
    }
    for tag in &arguments.untag {
        keys.push(field::element(field::TAGS, held_tag(tag, document)?));
    }
    let held = Login::of(document).uris();
    for url in &arguments.remove_urls {
        let ids = held.iter().filter(|(_, uri)| uri.uri.as_ref() == Some(url)).map(|(id, _)| *id);
        let before = keys.len();
        keys.extend(ids.map(|id| field::element(field::URIS, id)));
        if keys.len() == before {
            return Err(missing(&format!("the address {url}")));
        }
    }
    Ok(keys.into_iter().map(|key| (key, Value::Null)).collect())
}

/// The keys that `--clear NAME` empties. A field that is empty already is no mistake; one that there cannot be is.
fn cleared(name: &str, document: &Document) -> Result<Vec<String>, Failure> {
    let keys = match meant(document, name)? {
        Some(Meant::Field(key)) => vec![key],
        Some(Meant::List(list)) => document.list(list).map(|(id, _)| field::element(list, id)).collect(),
        None if matches!(Name::of(name), Name::Known(_)) => vec![key_of(document.kind(), name).to_owned()],
        None if LISTS.contains(&name) => return Ok(Vec::new()),
        None => return Err(missing(&format!("the field {name}"))),
    };
    match keys.iter().find(|key| !is_clearable(key)) {
        None => Ok(keys),
        Some(key) if key == field::NAME => Err(Failure::usage(
            "an item needs a title: give it another one with --title; nothing was changed",
        )),
        Some(key) => {
            Err(Failure::usage(format!("{} cannot be cleared; nothing was changed", clean_line(key))))
        }
    }
}

fn is_clearable(key: &str) -> bool {
    let is_element = key.split_once('/').is_some_and(|(list, _)| LISTS.contains(&list));
    is_element || (key != field::NAME && matches!(Name::of(key), Name::Known(_)))
}

/// The item's tag of this name: exact, else as people compare words.
fn held_tag<'d>(tag: &str, document: &'d Document) -> Result<&'d str, Failure> {
    let exact = document.tags().find(|held| *held == tag);
    let folded = fold(tag);
    let held = exact.or_else(|| document.tags().find(|held| fold(held) == folded));
    held.ok_or_else(|| missing(&format!("the tag {tag}")))
}

fn missing(what: &str) -> Failure {
    Failure::usage(format!("the item does not have {}; nothing was changed", clean_line(what)))
}
