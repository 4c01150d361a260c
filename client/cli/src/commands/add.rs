//! `add`: a new item.

use clap::Args;
use lockstep_client::item::views::Kind;
use lockstep_client::item::{Document, Draft};

use super::Written;
use crate::changes::{ChangeArguments, Changes, Item};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::find;
use crate::output::clean_line;

/// Options of `add`.
#[derive(Debug, Args)]
pub struct AddArguments {
    /// The kind: login, note, card, identity, ssh-key, wifi, api-credential, custom.
    #[arg(long, default_value = "login", value_parser = known_kind)]
    kind: Kind,
    /// The vault, by name or id; needed where there are several.
    #[arg(long, value_name = "VAULT")]
    vault: Option<String>,
    #[command(flatten)]
    changes: ChangeArguments,
}

/// Adds an item.
///
/// # Errors
/// A [`Failure`]; nothing was added unless it says so.
pub async fn run(context: &Context, arguments: AddArguments) -> Result<Exit, Failure> {
    let named = arguments.changes.check()?.for_new()?;
    let title = arguments.changes.title.clone().unwrap_or_default();
    if title.trim().is_empty() {
        return Err(Failure::usage("an item needs a title: give it with --title; nothing was added"));
    }
    let mut session = named.open(context).await?;
    let vault_id = find::vault(&session.client, arguments.vault.as_deref()).await?;
    let kind = arguments.kind.as_str();
    let item = Item { kind, before: &Document::default(), removed: &Changes::new() };
    let changes = arguments.changes.collect(named, item, &session)?;
    let mut draft = Draft::by(kind, session.client.author())?;
    let created = i64::try_from(session.client.author().now_ms).unwrap_or(i64::MAX);
    draft.put("created", created);
    changes.into_iter().for_each(|(field, value)| draft.put(field, value));
    let item_id = session.client.make_item_id();
    session.client.save(vault_id, item_id, draft.build()?).await?;
    let sync = session.sync_saved(context).await?;
    let text = format!("Added \"{}\" ({item_id}).\n{}", clean_line(&title), sync.text());
    let written = Written::new(vault_id, item_id, &title, sync);
    session.result(context, &text, &written, written.sync.notices()).await;
    Ok(Exit::Done)
}

fn known_kind(text: &str) -> Result<Kind, String> {
    Kind::parse(text).ok_or_else(|| {
        let kinds: Vec<_> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
        format!("known kinds are {}", kinds.join(", "))
    })
}
