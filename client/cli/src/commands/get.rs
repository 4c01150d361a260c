//! `get`: one item, or one of its fields.

use clap::Args;
use lockstep_client::item::Document;
use lockstep_client::item::views::field;
use serde_json::{Value as Json, json};

use crate::context::Context;
use crate::custom;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::fields::{Meant, meant};
use crate::find;
use crate::output::{Reader, clean_line};
use crate::session::Session;
use crate::show::item::{Item, Secrets};
use crate::show::value;

/// Options of `get`.
#[derive(Debug, Args)]
pub struct GetArguments {
    /// The item: its id, the start of its id, or its title.
    item: String,
    /// Show this field alone, secret or not: its name, or that of a custom field, or uris, tags, custom for all of them.
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
    let Some(name) = arguments.field else {
        let secrets = if arguments.reveal { Secrets::Reveal } else { Secrets::Hide };
        let item = Item::of(found.vault_id, found.item_id(), &open, secrets);
        context.output.result(&item.text(), &item);
        return Ok(Exit::Done);
    };
    let asked = meant(&open.document, &name)?.ok_or_else(|| {
        let title = clean_line(&found.item.title);
        Failure::failed("no-field", format!("\"{title}\" has no field {}", clean_line(&name)))
    })?;
    let Bare { text, mut json } = Bare::of(&open.document, &asked);
    match context.output.reader() {
        Reader::Person => context.output.value(&text)?,
        Reader::Program => {
            json["id"] = found.item_id().to_string().into();
            context.output.result("", &json);
        }
    }
    Ok(Exit::Done)
}

/// Values without anything around them.
struct Bare {
    text: String,
    json: Json,
}

impl Bare {
    fn of(document: &Document, asked: &Meant) -> Self {
        match asked {
            Meant::Field(key) => Self::field(document, key),
            Meant::List(list) => {
                let keys =
                    value::in_order(document.list(list).map(|(id, held)| (field::element(list, id), held)));
                let tag = |key: &str| key.strip_prefix("tags/").map(str::to_owned);
                let texts = keys.iter().map(|(key, held)| tag(key).unwrap_or_else(|| value::text(held)));
                let values =
                    keys.iter().map(|(key, held)| tag(key).map_or_else(|| value::json(held), Json::from));
                Self {
                    text: texts.collect::<Vec<_>>().join("\n"),
                    json: json!({ "field": list, "value": values.collect::<Vec<_>>() }),
                }
            }
        }
    }

    fn field(document: &Document, key: &str) -> Self {
        let Some(held) = document.value(key) else { return Self { text: String::new(), json: Json::Null } };
        if !key.starts_with("custom/") {
            return Self {
                text: value::text(held),
                json: json!({ "field": key, "value": value::json(held) }),
            };
        }
        let linked = custom::stands_for(held).and_then(|linked| document.value(linked));
        let text = linked.map_or_else(|| custom::text(held), value::text);
        let json = json!({ "field": key, "name": custom::name_of(held), "value": text });
        Self { text, json }
    }
}

#[cfg(test)]
mod tests {
    use lockstep_client::item::{Author, Draft, Value};
    use lockstep_client::proto::ids::DeviceId;

    use super::*;

    fn bare(name: &str) -> (String, Json) {
        let custom = |name: &str, kind: &str, value: Value, order: i64| {
            Value::map([
                ("name", name.into()),
                ("type", kind.into()),
                ("value", value),
                ("order", Value::Int(order)),
            ])
        };
        let linked = |number: i64| {
            let linked = [
                ("name", format!("link {number}").into()),
                ("type", "linked".into()),
                ("linked", number.into()),
            ];
            Value::map(linked)
        };
        let uri = |uri: &str, order: i64| Value::map([("uri", uri.into()), ("order", Value::Int(order))]);
        let author = Author { now_ms: 1_700_000_000_000, device: DeviceId([1; 16]) };
        let draft = Draft::by("login", author).unwrap().set("name", "x").set("password", "p\r\nq");
        let draft = draft.set("uris/a", uri("https://two.test", 2)).set("uris/b", uri("https://one.test", 1));
        let draft = draft.set("custom/0", custom("PIN", "hidden", "4711".into(), 0));
        let draft =
            draft.set("custom/1", custom("empty", "text", Value::Null, 1)).set("custom/2", linked(101));
        let draft = draft.set("custom/3", linked(999)).set("tags/Home", true).set("tags/Work", true);
        let document = draft.build().unwrap();
        let asked = meant(&document, name).unwrap().unwrap();
        let Bare { text, json } = Bare::of(&document, &asked);
        (text, json)
    }

    #[test]
    fn a_field_alone_is_its_bare_value() {
        for (name, text, key) in [
            ("PIN", "4711", "custom/0"),
            ("custom/0", "4711", "custom/0"),
            ("empty", "", "custom/1"),
            ("link 101", "p\r\nq", "custom/2"),
            ("link 999", "", "custom/3"),
            ("password", "p\r\nq", "password"),
            ("uris/a", "https://two.test", "uris/a"),
        ] {
            let (shown, json) = bare(name);
            assert_eq!((shown.as_str(), &json["field"]), (text, &key.into()), "{name}");
        }
        assert_eq!(bare("PIN").1, json!({ "field": "custom/0", "name": "PIN", "value": "4711" }));
        assert_eq!(bare("uris/a").1["value"], json!({ "uri": "https://two.test", "order": 2 }));
    }

    #[test]
    fn a_list_is_its_elements_in_their_order() {
        assert_eq!(bare("uris").0, "https://one.test\nhttps://two.test");
        assert_eq!(
            bare("tags"),
            ("Home\nWork".into(), json!({ "field": "tags", "value": ["Home", "Work"] }))
        );
        assert_eq!(bare("custom").0.lines().next().unwrap(), "PIN: 4711");
    }
}
