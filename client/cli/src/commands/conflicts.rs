//! `conflicts`: fields that two devices wrote, and the choice between their values.

use clap::{Args, Subcommand};
use lockstep_client::client::ConflictInfo;
use lockstep_client::item::{Register, Value};

use super::Written;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::fields::ever_meant;
use crate::find;
use crate::output::{clean_line, shell_word};
use crate::session::Session;
use crate::show::conflict::{Conflicts, choices};
use crate::show::item::Secrets;

/// Options of `conflicts`.
#[derive(Debug, Args)]
pub struct ConflictsArguments {
    /// Show secrets.
    #[arg(long)]
    reveal: bool,
    #[command(subcommand)]
    command: Option<Choice>,
}

/// What to do about them.
#[derive(Debug, Subcommand)]
enum Choice {
    /// Keep one of the values; the others go into the field's history.
    Resolve {
        /// The item: its id, the start of its id, or its title.
        item: String,
        /// The field.
        field: String,
        /// The number of the value, as listed.
        #[arg(long, value_name = "N")]
        keep: usize,
    },
}

/// Lists conflicts, or ends one.
///
/// # Errors
/// A [`Failure`]; nothing was changed unless it says so.
pub async fn run(context: &Context, arguments: ConflictsArguments) -> Result<Exit, Failure> {
    let session = match arguments.reveal {
        true => Session::open_asking(context).await?,
        false => Session::open(context).await?,
    };
    match arguments.command {
        None => {
            let secrets = if arguments.reveal { Secrets::Reveal } else { Secrets::Hide };
            let conflicts = Conflicts::of(&session.client.conflicts().await?, secrets);
            context.output.result(&conflicts.text(), &conflicts);
            Ok(Exit::Done)
        }
        Some(Choice::Resolve { item, field, keep }) => resolve(context, session, &item, &field, keep).await,
    }
}

async fn resolve(
    context: &Context,
    mut session: Session,
    item: &str,
    field: &str,
    keep: usize,
) -> Result<Exit, Failure> {
    let found = find::one(&session.client, item).await?;
    let keys = match session.client.item(found.vault_id, found.item_id()).await? {
        Some(open) => ever_meant(&open.document, field)?,
        None => Vec::new(),
    };
    let conflicts = session.client.conflicts().await?;
    let waits = |info: &&ConflictInfo| info.item_id == found.item_id() && keys.contains(&info.field);
    let waiting: Vec<_> = conflicts.iter().filter(waits).collect();
    let (title, field) = (clean_line(&found.item.title), clean_line(field));
    let info = match waiting.as_slice() {
        [info] => *info,
        [] => {
            let nothing =
                format!("no values of {field} in \"{title}\" wait for a choice; nothing was changed");
            return Err(Failure::failed("no-conflict", nothing));
        }
        several => {
            let keys: Vec<_> = several.iter().map(|info| clean_line(&info.field)).collect();
            let which =
                format!("say which of these you choose for: {}; nothing was changed", keys.join(", "));
            return Err(Failure::usage(which));
        }
    };
    let (key, value) = (&info.field, chosen(info, keep)?);
    session.client.resolve(found.vault_id, found.item_id(), key, value).await?;
    let sync = session.sync_saved(context).await?;
    let others = whereabouts(&session, &found, info, key).await?;
    let text = format!("Kept value {keep} of {field} in \"{title}\"; {others}.\n{}", sync.text());
    let written = Written::new(found.vault_id, found.item_id(), &found.item.title, sync);
    session.result(context, &text, &written, written.sync.notices()).await;
    Ok(Exit::Done)
}

/// Where the values are that were not chosen: history is bounded, and what is said to be there is there.
async fn whereabouts(
    session: &Session,
    found: &find::Found,
    info: &ConflictInfo,
    key: &str,
) -> Result<String, Failure> {
    let open = session.client.item(found.vault_id, found.item_id()).await?;
    let register = open.as_ref().and_then(|open| open.document.register(key));
    let holds = |value: &Value| {
        let entries = register.map(Register::entries).unwrap_or_default();
        entries.iter().any(|entry| entry.value() == value)
    };
    let gone = choices(info).filter(|choice| !holds(&choice.value)).count();
    let command = format!("`lockstep history {} {}`", &found.item_id().to_string()[..8], shell_word(key));
    Ok(match gone {
        0 => format!("the others are in its history: {command} shows them"),
        gone => format!(
            "{gone} of the others did not fit into the item's history and were given up; \
             {command} shows what is there"
        ),
    })
}

fn chosen(info: &ConflictInfo, keep: usize) -> Result<Value, Failure> {
    let choice = keep.checked_sub(1).and_then(|index| choices(info).nth(index));
    choice.map(|choice| choice.value.clone()).ok_or_else(|| {
        let count = choices(info).count();
        Failure::usage(format!("there are values 1 to {count}; nothing was changed"))
    })
}
