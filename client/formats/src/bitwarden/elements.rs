//! List elements, both ways: addresses, custom fields, passkeys.
//!
//! Each element is a map of what its view knows, and a rest of its own.

use std::collections::BTreeMap;

use lockstep_client::item::views::field::{self, derive_element_id};
use lockstep_client::item::views::{CustomField, CustomType, MatchMode, Passkey, Uri};
use lockstep_client::item::{Document, Value};
use serde_json::{Value as Json, json};

use super::keys::PASSKEY;
use super::rest::{difference, restore};

const ELEMENT_REST: &str = "rest";

/// One kind of list element.
pub(super) struct ElementCodec {
    list: &'static str,
    read: fn(&Json, i64) -> Value,
    write: fn(&Value) -> Json,
    /// What identifies an element among others, in this export and the next.
    identity: fn(&Value) -> Vec<String>,
}

pub(super) const URI: ElementCodec =
    ElementCodec { list: field::URIS, read: read_uri, write: write_uri, identity: uri_identity };
pub(super) const CUSTOM: ElementCodec =
    ElementCodec { list: field::CUSTOM, read: read_custom, write: write_custom, identity: custom_identity };
pub(super) const FIDO2: ElementCodec = ElementCodec {
    list: field::PASSKEYS,
    read: read_passkey,
    write: write_passkey,
    identity: passkey_identity,
};

/// An element of a list in a record.
pub(super) struct Element {
    /// Its place in the JSON, from 0.
    pub(super) index: usize,
    /// Its field: the same wherever it stands.
    pub(super) key: String,
    pub(super) value: Value,
}

impl ElementCodec {
    /// The elements of a list; what is no object is none.
    pub(super) fn elements(&self, list: Option<&Json>) -> Vec<Element> {
        let list = list.and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
        let mut occurrences: BTreeMap<Vec<String>, usize> = BTreeMap::new();
        let objects = list.iter().enumerate().filter(|(_, element)| element.is_object());
        let element = |(index, json): (usize, &Json)| {
            let value = self.import(json, i64::try_from(index).unwrap_or(i64::MAX));
            let identity = (self.identity)(&value);
            let parts: Vec<&str> = identity.iter().map(String::as_str).collect();
            let occurrence = occurrences.get(&identity).copied().unwrap_or(0);
            let id = derive_element_id(self.list, &parts, occurrence);
            occurrences.insert(identity, occurrence + 1);
            Element { index, key: field::element(self.list, &id), value }
        };
        objects.map(element).collect()
    }

    /// The elements of a document in their order, with their fields.
    pub(super) fn sorted<'d>(&self, document: &'d Document) -> Vec<(String, &'d Value)> {
        let mut elements: Vec<_> = document.list(self.list).collect();
        elements.sort_by_key(|(id, value)| {
            (value.member("order").and_then(Value::as_int).unwrap_or(i64::MAX), *id)
        });
        elements.into_iter().map(|(id, value)| (field::element(self.list, id), value)).collect()
    }

    /// The element that a JSON object becomes.
    fn import(&self, json: &Json, order: i64) -> Value {
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

fn uri_identity(element: &Value) -> Vec<String> {
    vec![Uri::read(element).uri.unwrap_or_default()]
}

fn custom_identity(element: &Value) -> Vec<String> {
    let field = CustomField::read(element);
    let kind = field.custom_type.unwrap_or(CustomType::Text);
    vec![field.name.unwrap_or_default(), kind.as_str().to_owned()]
}

fn passkey_identity(element: &Value) -> Vec<String> {
    let passkey = Passkey::read(element);
    let part = |name| passkey.part(name).unwrap_or_default().to_owned();
    match passkey.part("credential-id") {
        Some(id) => vec![id.to_owned()],
        None => vec![part("rp-id"), part("user-handle"), part("user-name")],
    }
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
