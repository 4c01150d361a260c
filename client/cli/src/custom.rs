//! Fields that an item's owner named, by their names.

use std::collections::{BTreeMap, BTreeSet};

use lockstep_client::item::views::field;
use lockstep_client::item::{Document, Value};
use lockstep_client::tools::fold;

use crate::checks::{switch, switch_text};
use crate::failure::Failure;
use crate::output::clean_line;

/// Before a name, this says that a custom field is meant, also where a field of the kind has that name or none has it yet.
pub(crate) const MARK: &str = "custom:";

/// What a custom field has.
const MEMBERS: [&str; 6] = ["name", "value", "type", "linked", "order", "rest"];

/// How a new value of a custom field is to be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    /// In the clear.
    Open,
    /// When asked for.
    Hidden,
}

/// The key of the custom field of this name: exact, else as people compare words. `None` where there is none.
///
/// # Errors
/// A [`Failure`] that names the keys where there are several.
pub(crate) fn key_named(document: &Document, name: &str) -> Result<Option<String>, Failure> {
    let fields = document.list(field::CUSTOM);
    let names = fields.map(|(id, held)| (field::element(field::CUSTOM, id), name_of(held)));
    only_one(&names.collect::<Vec<_>>(), name)
}

/// As [`key_named`], among all names that custom fields have or had, those of cleared fields too.
///
/// # Errors
/// As there.
pub(crate) fn key_once_named(document: &Document, name: &str) -> Result<Option<String>, Failure> {
    let is_custom = |key: &str| key.split_once('/').is_some_and(|(list, _)| list == field::CUSTOM);
    let fields = document.registers().filter(|(key, _)| is_custom(key));
    let names = fields.flat_map(|(key, register)| {
        let entries = register.entries().iter().filter(|entry| !entry.value().is_null());
        entries.map(move |entry| (key.to_owned(), name_of(entry.value())))
    });
    only_one(&names.collect::<Vec<_>>(), name)
}

fn only_one(names: &[(String, &str)], name: &str) -> Result<Option<String>, Failure> {
    let named = |is: &dyn Fn(&str) -> bool| -> Vec<String> {
        let keys = names.iter().filter(|(_, held)| is(held)).map(|(key, _)| key.clone());
        keys.collect::<BTreeSet<_>>().into_iter().collect()
    };
    let mut keys = named(&|held| held == name);
    if keys.is_empty() {
        let folded = fold(name);
        keys = named(&|held| !folded.is_empty() && fold(held) == folded);
    }
    match keys.as_slice() {
        [] => Ok(None),
        [_] => Ok(keys.pop()),
        _ => Err(Failure::failed(
            "ambiguous-field",
            format!(
                "{} custom fields have the name \"{}\"; say which: {}. Nothing was changed",
                keys.len(),
                clean_line(name),
                clean_line(&keys.join(", "))
            ),
        )),
    }
}

/// The name of a custom field; empty where it has none.
pub(crate) fn name_of(element: &Value) -> &str {
    element.member("name").and_then(Value::as_text).unwrap_or_default()
}

/// The value of a custom field alone, for a person. Empty where it holds none; what another program wrote that is no text,
/// as that program wrote it.
pub(crate) fn text(element: &Value) -> String {
    match element.member("value") {
        Some(Value::Text(text)) => text.clone(),
        Some(other) => crate::show::value::json(other).to_string(),
        None => original(element).unwrap_or_default().to_owned(),
    }
}

/// Whether a map without a key is a custom field: its value, or what it stands for, has a name or a type.
pub(crate) fn is_custom(members: &BTreeMap<String, Value>) -> bool {
    ["name", "type"].iter().any(|member| members.get(*member).and_then(Value::as_text).is_some())
        && members.keys().all(|key| MEMBERS.contains(&key.as_str()))
}

/// A custom field for a person: its name and what it holds or stands for.
pub(crate) fn shown(element: &Value) -> String {
    let name = Some(name_of(element)).filter(|name| !name.is_empty()).unwrap_or("(no name)");
    match (stands_for(element), text(element)) {
        (Some(field), _) => format!("{name}: (stands for {field})"),
        (None, text) if text.is_empty() => format!("{name}: (empty)"),
        (None, text) => format!("{name}: {text}"),
    }
}

/// What an importer kept of a value that is no text: the JSON that it was read from.
fn original(element: &Value) -> Option<&str> {
    let differences = element.member("rest").and_then(Value::as_array).unwrap_or_default();
    differences.iter().find_map(|difference| match difference.as_array()? {
        [path, _, Value::Text(original)] if path.as_array()? == ["value".into()] => Some(original.as_str()),
        _ => None,
    })
}

/// The field of the item that a linked custom field stands for; `None` for another custom field, or a number that nobody
/// has given a meaning.
pub(crate) fn stands_for(element: &Value) -> Option<&'static str> {
    // Bitwarden's numbers.
    const LOGIN: [&str; 2] = ["username", "password"];
    const CARD: [&str; 6] = ["cardholder", "expiry-month", "expiry-year", "code", "brand", "number"];
    const IDENTITY: [&str; 18] = [
        "title",
        "middle-name",
        "address1",
        "address2",
        "address3",
        "city",
        "state",
        "postal-code",
        "country",
        "company",
        "email",
        "phone",
        "ssn",
        "username",
        "passport-number",
        "license-number",
        "first-name",
        "last-name",
    ];
    let number = element.member("linked").and_then(Value::as_int).filter(|_| is_type(element, "linked"))?;
    let at = |keys: &[&'static str], first: i64| keys.get(usize::try_from(number - first).ok()?).copied();
    match number {
        100..200 => at(&LOGIN, 100),
        300..400 => at(&CARD, 300),
        400..500 => at(&IDENTITY, 400),
        _ => None,
    }
}

fn is_type(element: &Value, name: &str) -> bool {
    element.member("type").and_then(Value::as_text) == Some(name)
}

/// Whether a custom field is shown only when asked for.
pub(crate) fn is_hidden(element: &Value) -> bool {
    is_type(element, "hidden")
}

/// A custom field with this value; all else of `before` stays.
///
/// # Errors
/// A [`Failure`] where the field cannot hold it, or would show a secret.
pub(crate) fn with_text(before: &Value, text: &str, shown: Shown) -> Result<Value, Failure> {
    let refused = |what: &str| {
        let name = clean_line(name_of(before));
        Err(Failure::usage(format!("the custom field \"{name}\" {what}; nothing was changed")))
    };
    let mut members = before.as_map().cloned().unwrap_or_default();
    let mut put = |member: &str, value: &str| members.insert(member.to_owned(), value.into());
    match shown {
        _ if text.is_empty() => return refused("cannot be made empty; --clear with its name removes it"),
        _ if is_type(before, "linked") => {
            return refused("stands for another field of the item: change that one");
        }
        Shown::Open if is_hidden(before) => {
            return refused("is hidden, and its value would be seen in the list of processes: use --secret");
        }
        _ if is_type(before, "boolean") => match switch(text) {
            Some(on) => put("value", switch_text(on)),
            None => return refused("is a switch and takes on or off"),
        },
        Shown::Open => put("value", text),
        Shown::Hidden => {
            put("type", "hidden");
            put("value", text)
        }
    };
    Ok(Value::Map(members))
}

/// A custom field of this name that is not in the item yet; behind the others.
pub(crate) fn new(document: &Document, name: &str) -> Value {
    let orders = document.list(field::CUSTOM).filter_map(|(_, held)| held.member("order")?.as_int());
    let order = orders.max().map_or(0, |last| last.saturating_add(1));
    Value::map([("name", name.into()), ("type", "text".into()), ("order", Value::Int(order))])
}

#[cfg(test)]
mod tests {
    use lockstep_client::item::{Author, Draft};
    use lockstep_client::proto::ids::DeviceId;

    use super::*;

    fn element(name: &str, kind: &str, value: Option<&str>) -> Value {
        Value::map([("name", name.into()), ("type", kind.into()), ("value", value.into())])
    }

    fn document() -> Document {
        let author = Author { now_ms: 1_700_000_000_000, device: DeviceId([1; 16]) };
        let draft = Draft::by("note", author).unwrap();
        let draft = draft.set("custom/0", element("PIN", "text", Some("4711")));
        let draft = draft
            .set("custom/1", element("Größe", "hidden", Some("x")))
            .set("custom/2", element("a", "text", None));
        draft
            .set("custom/3", element("a", "text", None))
            .set("custom/4", element("A", "text", None))
            .build()
            .unwrap()
    }

    #[test]
    fn a_custom_field_is_meant_by_its_name() {
        let key = |name: &str| key_named(&document(), name).map_err(|failure| failure.message);
        assert_eq!(key("PIN").unwrap().as_deref(), Some("custom/0"));
        assert_eq!(key("pin").unwrap().as_deref(), Some("custom/0"));
        assert_eq!(key("grosse").unwrap().as_deref(), Some("custom/1"));
        assert_eq!(key("A").unwrap().as_deref(), Some("custom/4"), "an exact name comes first");
        assert_eq!((key("PUK").unwrap(), key("").unwrap()), (None, None));
        let several = key("a").unwrap_err();
        assert!(several.contains("custom/2, custom/3") && !several.contains("custom/4"), "{several}");
    }

    #[test]
    fn a_custom_field_that_was_cleared_or_renamed_is_found_by_the_name_it_had() {
        let mut document = document();
        let author = Author { now_ms: 1_700_000_001_000, device: DeviceId([1; 16]) };
        let edit = document.edit(author).set("custom/0", Value::Null);
        edit.set("custom/1", element("Height", "hidden", Some("x"))).apply().unwrap();
        let once = |name: &str| key_once_named(&document, name).map_err(|failure| failure.message);
        assert_eq!(
            (key_named(&document, "PIN").unwrap(), once("pin").unwrap().as_deref()),
            (None, Some("custom/0"))
        );
        assert_eq!(once("height").unwrap(), once("Größe").unwrap());
        assert_eq!((once("PUK").unwrap(), once("").unwrap()), (None, None));
        assert!(once("a").unwrap_err().contains("custom/2, custom/3"));
    }

    #[test]
    fn every_value_can_be_read() {
        let rest = |original: &str| {
            let path = Value::Array(vec!["value".into()]);
            let difference = Value::Array(vec![path, Value::Bytes(vec![1]), original.into()]);
            Value::map([
                ("name", "n".into()),
                ("type", "boolean".into()),
                ("rest", Value::Array(vec![difference])),
            ])
        };
        assert_eq!(text(&element("PIN", "text", Some("4711"))), "4711");
        assert_eq!(text(&element("PIN", "text", None)), "");
        assert_eq!((text(&rest("true")), text(&rest("42"))), ("true".to_owned(), "42".to_owned()));
        assert_eq!(text(&Value::map([("value", Value::Int(7))])), "7");
        assert_eq!((text(&Value::Null), text(&"x".into())), (String::new(), String::new()));
        let linked = |number: i64| Value::map([("type", "linked".into()), ("linked", Value::Int(number))]);
        for (number, key) in [
            (100, Some("username")),
            (101, Some("password")),
            (102, None),
            (305, Some("number")),
            (306, None),
            (400, Some("title")),
            (417, Some("last-name")),
            (418, None),
            (0, None),
            (-1, None),
            (i64::MIN, None),
        ] {
            assert_eq!(stands_for(&linked(number)), key, "{number}");
        }
    }

    #[test]
    fn an_edit_keeps_all_else_and_shows_no_secret() {
        let before = Value::map([("name", "n".into()), ("type", "text".into()), ("future", Value::Int(1))]);
        let open = with_text(&before, "v", Shown::Open).unwrap();
        assert_eq!((open.member("value"), open.member("future")), (Some(&"v".into()), Some(&Value::Int(1))));
        assert!(is_hidden(&with_text(&before, "v", Shown::Hidden).unwrap()) && !is_hidden(&open));
        let switch = with_text(&element("n", "boolean", None), "on", Shown::Open).unwrap();
        assert_eq!(switch.member("value"), Some(&"true".into()));
        let refused = |kind: &str, text: &str| {
            let failure = with_text(&element("n", kind, None), text, Shown::Open).unwrap_err();
            assert!(!failure.message.contains("4711") && failure.message.contains("nothing was changed"));
            failure.message
        };
        assert!(refused("hidden", "4711").contains("--secret"));
        assert!(refused("boolean", "4711").contains("on or off"));
        assert!(refused("linked", "4711").contains("another field"));
        assert!(refused("text", "").contains("--clear"));
    }

    #[test]
    fn a_new_custom_field_stands_behind_the_others() {
        assert_eq!(new(&Document::default(), "n").member("order"), Some(&Value::Int(0)));
        let author = Author { now_ms: 1_700_000_000_000, device: DeviceId([1; 16]) };
        let last = Value::map([("order", Value::Int(i64::MAX))]);
        let full = Draft::by("note", author).unwrap().set("custom/0", last).build().unwrap();
        assert_eq!(new(&full, "n").member("order"), Some(&Value::Int(i64::MAX)));
    }
}
