//! `history`: what the fields of an item held before, and a value taken back.

use clap::Args;
use lockstep_client::item::Entry;

use super::Written;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::fields::ever_meant;
use crate::find;
use crate::output::clean_line;
use crate::session::Session;
use crate::show::history::History;
use crate::show::item::Secrets;

/// Options of `history`.
#[derive(Debug, Args)]
pub struct HistoryArguments {
    /// The item: its id, the start of its id, or its title.
    item: String,
    /// One field alone.
    field: Option<String>,
    /// Show secrets.
    #[arg(long)]
    reveal: bool,
    /// Make the field hold this one of the listed values again; what it holds now goes into its history.
    #[arg(long, value_name = "N", requires = "field")]
    take: Option<usize>,
}

/// Lists former values, or takes one back.
///
/// # Errors
/// A [`Failure`]; nothing was changed unless it says so.
pub async fn run(context: &Context, arguments: HistoryArguments) -> Result<Exit, Failure> {
    let mut session = Session::open(context).await?;
    let found = find::one(&session.client, &arguments.item).await?;
    let place = (found.vault_id, found.item_id());
    let open = session.client.item(place.0, place.1).await?;
    let mut document = open.ok_or_else(|| Failure::failed("no-item", "the item was purged"))?.document;
    let title = clean_line(&found.item.title);
    let no_field = |field: &str| {
        Failure::failed("no-field", format!("\"{title}\" never had a field {}", clean_line(field)))
    };
    let fields = arguments.field.as_deref().map(|name| ever_meant(&document, name)).transpose()?;
    if let (Some(name), Some([])) = (&arguments.field, fields.as_deref()) {
        return Err(no_field(name));
    }
    let (Some(number), Some(fields)) = (arguments.take, &fields) else {
        let secrets = if arguments.reveal { Secrets::Reveal } else { Secrets::Hide };
        let history = History::of(place, &document, fields.as_deref(), secrets);
        context.output.result(&history.text(), &history);
        return Ok(Exit::Done);
    };
    let [field] = fields.as_slice() else {
        let keys = clean_line(&fields.join(", "));
        return Err(Failure::usage(format!(
            "say which of these takes the value: {keys}; nothing was changed"
        )));
    };
    let entries = document.register(field).ok_or_else(|| no_field(field))?.entries();
    let taken = number.checked_sub(1).and_then(|index| entries.get(index));
    let taken = taken.map(|entry| entry.value().clone()).ok_or_else(|| {
        Failure::usage(format!("there are values 1 to {}; nothing was changed", entries.len()))
    })?;
    let before = document.register(field).map(|register| register.winner().value().clone());
    let changed = document.edit(session.client.author()).set(field, taken).apply()?;
    let holds = |entry: &Entry| Some(entry.value()) == before.as_ref();
    let is_kept = document.register(field).is_some_and(|register| register.entries().iter().any(holds));
    if changed {
        session.client.save(place.0, place.1, document).await?;
    }
    let sync = session.sync_saved(context).await?;
    let field = clean_line(field);
    let done = match (changed, is_kept) {
        (true, true) => {
            format!("{field} of \"{title}\" holds value {number} again; what it held is in its history.")
        }
        (true, false) => format!(
            "{field} of \"{title}\" holds value {number} again; what it held did not fit into the item's history and was \
             given up."
        ),
        (false, _) => format!("{field} of \"{title}\" holds that value already; nothing was changed."),
    };
    let written = Written { changed, ..Written::new(place.0, place.1, &found.item.title, sync) };
    session
        .result(context, &format!("{done}\n{}", written.sync.text()), &written, written.sync.notices())
        .await;
    Ok(Exit::Done)
}
