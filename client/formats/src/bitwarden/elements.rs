//! List elements, both ways: addresses, custom fields, passkeys.
//!
//! Each element is a map of what its view knows, and a rest of its own.

use lockstep_client::item::Value;
use lockstep_client::item::views::{CustomField, CustomType, MatchMode, Passkey, Uri};
use serde_json::{Value as Json, json};

use super::keys::PASSKEY;
use super::rest::{difference, restore};

const ELEMENT_REST: &str = "rest";

/// One kind of list element.
pub(super) struct ElementCodec {
    read: fn(&Json, i64) -> Value,
    write: fn(&Value) -> Json,
}

pub(super) const URI: ElementCodec = ElementCodec { read: read_uri, write: write_uri };
pub(super) const CUSTOM: ElementCodec = ElementCodec { read: read_custom, write: write_custom };
pub(super) const FIDO2: ElementCodec = ElementCodec { read: read_passkey, write: write_passkey };

impl ElementCodec {
    /// The element that a JSON object becomes.
    pub(super) fn import(&self, json: &Json, order: i64) -> Value {
        let mut element = (self.read)(json, order);
        let rest = difference(&(self.write)(&element), json);
        if let (Value::Map(members), Some(rest)) = (&mut element, rest) {
            members.insert(ELEMENT_REST.to_owned(), rest);
        }
        element
    }

    /// The JSON object that an element becomes.
    pub(super) fn export(&self, element: &Value) -> Json {
        let mut json = (self.write)(element);
        if let Some(rest) = element.member(ELEMENT_REST) {
            restore(&mut json, rest);
        }
        json
    }
}

pub(super) fn text(json: &Json, key: &str) -> Option<String> {
    json.get(key).and_then(Json::as_str).map(str::to_owned)
}

fn number(json: &Json, key: &str) -> Option<i64> {
    json.get(key).and_then(Json::as_i64)
}

fn read_uri(json: &Json, order: i64) -> Value {
    let mode =
        number(json, "match").and_then(|mode| MatchMode::ALL.get(usize::try_from(mode).ok()?)).copied();
    Uri { uri: text(json, "uri"), match_mode: mode, order: Some(order) }.to_value()
}

fn write_uri(element: &Value) -> Json {
    let uri = Uri::read(element);
    let mode = MatchMode::ALL.iter().position(|mode| Some(*mode) == uri.match_mode);
    json!({ "uri": uri.uri, "match": mode })
}

fn read_custom(json: &Json, order: i64) -> Value {
    let custom_type =
        number(json, "type").and_then(|kind| CustomType::ALL.get(usize::try_from(kind).ok()?)).copied();
    let field = CustomField {
        name: text(json, "name"),
        value: text(json, "value"),
        custom_type,
        linked: number(json, "linkedId"),
        order: Some(order),
    };
    field.to_value()
}

fn write_custom(element: &Value) -> Json {
    let field = CustomField::read(element);
    let kind = CustomType::ALL.iter().position(|kind| Some(*kind) == field.custom_type).unwrap_or(0);
    json!({ "name": field.name, "value": field.value, "type": kind, "linkedId": field.linked })
}

fn read_passkey(json: &Json, order: i64) -> Value {
    let mut passkey = Passkey::default();
    passkey.order = Some(order);
    for (member, part) in PASSKEY {
        passkey.put(part, json.get(member).and_then(Json::as_str));
    }
    passkey.to_value()
}

fn write_passkey(element: &Value) -> Json {
    let passkey = Passkey::read(element);
    PASSKEY.iter().map(|(member, part)| ((*member).to_owned(), json!(passkey.part(part)))).collect()
}
