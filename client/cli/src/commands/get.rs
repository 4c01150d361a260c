//! `get`: one item, or one of its fields.

use clap::Args;
use serde_json::json;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::fields::key_of;
use crate::find;
use crate::output::{Reader, clean_line};
use crate::session::Session;
use crate::show::item::{Item, Secrets};
use crate::show::value;

/// Options of `get`.
#[derive(Debug, Args)]
pub struct GetArguments {
    /// The item: its id, the start of its id, or its exact title.
    item: String,
    /// Show this field alone, secret or not.
    #[arg(long, value_name = "FIELD")]
    field: Option<String>,
    /// Show secrets.
    #[arg(long, conflicts_with = "field")]
    reveal: bool,
}

/// Shows an item.
///
/// # Errors
/// A [`Failure`].
pub async fn run(context: &Context, arguments: GetArguments) -> Result<Exit, Failure> {
    let session = Session::open(context).await?;
    let found = find::one(&session.client, &arguments.item).await?;
    let open = session.client.item(found.vault_id, found.item_id()).await?;
    let open = open.ok_or_else(|| Failure::failed("no-item", "the item was purged"))?;
    let Some(field) = arguments.field else {
        let secrets = if arguments.reveal { Secrets::Reveal } else { Secrets::Hide };
        let item = Item::of(found.vault_id, found.item_id(), &open, secrets);
        context.output.result(&item.text(), &item);
        return Ok(Exit::Done);
    };
    let key = key_of(open.document.kind(), &field);
    let held = open.document.value(key).ok_or_else(|| {
        let title = clean_line(&found.item.title);
        Failure::failed("no-field", format!("\"{title}\" has no field {}", clean_line(key)))
    })?;
    match context.output.reader() {
        Reader::Person => context.output.value(&value::text(held))?,
        Reader::Program => {
            let id = found.item_id().to_string();
            context.output.result("", &json!({ "id": id, "field": key, "value": value::json(held) }));
        }
    }
    Ok(Exit::Done)
}
