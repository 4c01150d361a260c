//! `list`: what there is.

use clap::Args;
use lockstep_client::tools::{Query, fold, in_tag};

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::find::{self, Found};
use crate::session::Session;
use crate::show::list::List;

/// Options of `list`.
#[derive(Debug, Args)]
pub struct ListArguments {
    /// Only items that hold all these words in title, user name, addresses, tags, notes or custom fields.
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// Only items with this tag, or one nested in it.
    #[arg(long, value_name = "TAG")]
    tag: Option<String>,
    /// Only items in the trash.
    #[arg(long)]
    trash: bool,
    /// Only this vault, by name or id.
    #[arg(long, value_name = "VAULT")]
    vault: Option<String>,
}

/// Lists items.
///
/// # Errors
/// A [`Failure`].
pub async fn run(context: &Context, arguments: ListArguments) -> Result<Exit, Failure> {
    let session = Session::open(context).await?;
    let vault = match arguments.vault.as_deref() {
        Some(text) => Some(find::vault(&session.client, Some(text)).await?),
        None => None,
    };
    let mut found = find::all(&session.client, vault).await?;
    found.retain(|found| found.item.trashed == arguments.trash);
    if let Some(tag) = &arguments.tag {
        let wanted = fold(tag);
        found.retain(|found| found.item.tags.iter().any(|tag| in_tag(&fold(tag), &wanted)));
    }
    if let Some(text) = &arguments.search {
        found = searched(&session, found, text).await?;
    }
    let list = List::of(&found);
    context.output.result(&list.text(), &list);
    Ok(Exit::Done)
}

async fn searched(session: &Session, all: Vec<Found>, text: &str) -> Result<Vec<Found>, Failure> {
    let query = Query::parse(text);
    let mut kept = Vec::new();
    for found in all {
        let open = session.client.item(found.vault_id, found.item_id()).await?;
        if open.is_some_and(|open| query.matches(&open.document)) {
            kept.push(found);
        }
    }
    Ok(kept)
}
