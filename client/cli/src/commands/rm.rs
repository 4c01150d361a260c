//! `rm` and `restore`: into the trash, out of it, and away for good.

use clap::Args;

use super::Written;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::find;
use crate::output::clean_line;
use crate::questions::confirm;
use crate::session::Session;

/// Options of `rm`.
#[derive(Debug, Args)]
pub struct RmArguments {
    /// The item: its id, the start of its id, or its title.
    item: String,
    /// Remove it for good, history and all, after a question.
    #[arg(long)]
    purge: bool,
}

/// Options of `restore`.
#[derive(Debug, Args)]
pub struct RestoreArguments {
    /// The item: its id, the start of its id, or its title.
    item: String,
}

/// Puts an item into the trash, or purges it.
///
/// # Errors
/// A [`Failure`]; nothing was removed unless it says so.
pub async fn run(context: &Context, arguments: RmArguments) -> Result<Exit, Failure> {
    let mut session = Session::open(context).await?;
    let found = find::one(&session.client, &arguments.item).await?;
    let (vault_id, item_id, title) = (found.vault_id, found.item_id(), clean_line(&found.item.title));
    if arguments.purge {
        let question = format!("Remove \"{title}\" and its history for good?");
        confirm(context.answers, &question, "nothing was removed")?;
    }
    if !found.item.trashed {
        session.client.trash(vault_id, item_id).await?;
    }
    if arguments.purge {
        session.client.purge(vault_id, item_id).await?;
    }
    let sync = session.sync_saved(context).await?;
    let done = if arguments.purge { "Purged" } else { "Put into the trash:" };
    let text = format!("{done} \"{title}\".\n{}", sync.text());
    let written = Written::new(vault_id, item_id, &found.item.title, sync);
    session.result(context, &text, &written, written.sync.notices()).await;
    Ok(Exit::Done)
}

/// Takes an item out of the trash.
///
/// # Errors
/// A [`Failure`]; nothing was changed unless it says so.
pub async fn run_restore(context: &Context, arguments: RestoreArguments) -> Result<Exit, Failure> {
    let mut session = Session::open(context).await?;
    let found = find::one(&session.client, &arguments.item).await?;
    let (vault_id, item_id) = (found.vault_id, found.item_id());
    session.client.restore(vault_id, item_id).await?;
    let sync = session.sync_saved(context).await?;
    let text = format!("Restored \"{}\".\n{}", clean_line(&found.item.title), sync.text());
    let written = Written::new(vault_id, item_id, &found.item.title, sync);
    session.result(context, &text, &written, written.sync.notices()).await;
    Ok(Exit::Done)
}
