//! The member `lockstep` of an exported record: what brings it home as it was, since Bitwarden's JSON cannot say it.
//!
//! ```text
//! "lockstep": {
//!   "id":     the item's id,
//!   "fields": { field as the JSON alone reads: our field },      custom fields and list elements
//!   "values": { our field: [hash of what the JSON alone says, the value] },
//!   "hashes": [[our field, hash], …]                             what the item said when it was exported
//! }
//! ```
//!
//! A value counts for as long as the JSON beside it says what it said: whoever edits the file edits the item. Bitwarden
//! passes the member over.

use std::collections::BTreeMap;

use lockstep_client::item::source::{FieldHash, Seen};
use lockstep_client::item::views::{Uri, field};
use lockstep_client::item::{TRASH, Value, is_inner};
use lockstep_proto::bytes::{from_base64url, to_base64url};
use lockstep_proto::ids::ItemId;
use serde_json::{Map, Value as Json, json};

use crate::typed;

/// The member of a list element that says its place.
const ORDER: &str = "order";
/// The member's name.
pub(super) const OWN: &str = "lockstep";

/// Live fields with their values.
pub(super) type Fields = BTreeMap<String, Value>;

/// The member, read.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Own {
    pub(super) id: String,
    /// Fields as the JSON alone reads, and what they are here.
    pub(super) fields: BTreeMap<String, String>,
    /// Values that the JSON does not say exactly, each with the hash of what it says instead.
    pub(super) values: BTreeMap<String, (Option<FieldHash>, Value)>,
    pub(super) hashes: Seen,
}

impl Own {
    /// The member of a record; `None` where there is none that Lockstep wrote.
    pub(super) fn of(record: &Json) -> Option<Self> {
        let member = record.get(OWN)?;
        let id = member.get("id")?.as_str()?;
        id.parse::<ItemId>().ok()?;
        let hashes: Option<Vec<_>> = member.get("hashes")?.as_array()?.iter().map(read_pair).collect();
        let members = |name| member.get(name).and_then(Json::as_object).into_iter().flatten();
        let fields = members("fields").filter_map(|(from, to)| Some((from.clone(), to.as_str()?.to_owned())));
        let values = members("values").filter_map(|(key, value)| Some((key.clone(), read_value(value)?)));
        Some(Self {
            id: id.to_owned(),
            fields: fields.filter(|(_, to)| is_content(to)).collect(),
            values: values.filter(|(key, _)| is_content(key)).collect(),
            hashes: Seen(hashes?),
        })
    }

    /// The item that the record was exported from.
    pub(super) fn item_id(&self) -> Option<ItemId> {
        self.id.parse().ok()
    }

    pub(super) fn to_json(&self) -> Json {
        let mut member = Map::new();
        member.insert("id".to_owned(), json!(self.id));
        if !self.fields.is_empty() {
            member.insert("fields".to_owned(), json!(self.fields));
        }
        if !self.values.is_empty() {
            let value = |(hash, value): &(Option<FieldHash>, Value)| {
                json!([hash.map(|hash| to_base64url(&hash.0)), typed::to_json(value)])
            };
            let values = self.values.iter().map(|(key, held)| (key.clone(), value(held)));
            member.insert("values".to_owned(), Json::Object(values.collect()));
        }
        let hashes = self.hashes.0.iter().map(|(key, hash)| json!([key, to_base64url(&hash.0)]));
        member.insert("hashes".to_owned(), hashes.collect());
        Json::Object(member)
    }

    /// The fields under their names here, as far as the JSON alone says them.
    pub(super) fn renamed(&self, fields: Fields) -> Fields {
        let rename = |(key, value): (String, Value)| match self.fields.get(&key) {
            Some(name) if is_custom(&key) && !is_custom(name) => {
                (name.clone(), value.member("value").cloned().unwrap_or_default())
            }
            Some(name) => (name.clone(), value),
            None => (key, value),
        };
        fields.into_iter().map(rename).filter(|(_, value)| !value.is_null()).collect()
    }

    /// The fields as the item had them, but for what was edited in the file since.
    pub(super) fn completed(&self, fields: Fields) -> Fields {
        let mut fields = self.renamed(fields);
        for (key, (said, value)) in &self.values {
            let now = fields.remove(key);
            let hash = now.as_ref().map(|now| FieldHash::of(key, now));
            let value = if hash == *said { placed(value.clone(), now) } else { edited(key, value, now) };
            if !value.is_null() {
                fields.insert(key.clone(), value);
            }
        }
        fields
    }
}

/// How a custom field shows a value that has no member of its own.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::Bool(bool) => bool.to_string(),
        Value::Int(int) => int.to_string(),
        other => other
            .member("uri")
            .and_then(Value::as_text)
            .map_or_else(|| typed::to_json(other).to_string(), str::to_owned),
    }
}

/// A list element has the place in its list that the JSON gives it.
fn placed(value: Value, now: Option<Value>) -> Value {
    let has_place = has_place(&value);
    match (value, now.as_ref().and_then(|now| now.member(ORDER))) {
        (Value::Map(mut members), Some(place)) if has_place => {
            members.insert(ORDER.to_owned(), place.clone());
            Value::Map(members)
        }
        (value, _) => value,
    }
}

/// Whether an element says where in its list it stands; those that do not stand behind all others, as those that say
/// the last place there is.
pub(super) fn has_place(value: &Value) -> bool {
    value.member(ORDER).and_then(Value::as_int).is_some_and(|place| place < i64::MAX)
}

/// A value that somebody edited where it was shown.
fn edited(key: &str, before: &Value, now: Option<Value>) -> Value {
    let Some(now) = now else { return Value::Null };
    let Some(text) = now.as_text() else { return now };
    let typed = match before {
        Value::Bool(_) => text.parse().ok().map(Value::Bool),
        Value::Int(_) => text.parse().ok().map(Value::Int),
        Value::Map(_) if is_address(key) => {
            Some(Uri { uri: Some(text.to_owned()), ..Uri::read(before) }.to_value())
        }
        Value::Bytes(_) | Value::Array(_) | Value::Map(_) => {
            serde_json::from_str(text).ok().and_then(|json| typed::from_json(&json))
        }
        Value::Text(_) | Value::Null => None,
    };
    typed.unwrap_or(now)
}

pub(super) fn is_custom(key: &str) -> bool {
    is_element(key, field::CUSTOM)
}

fn is_address(key: &str) -> bool {
    is_element(key, field::URIS)
}

fn is_element(key: &str, list: &str) -> bool {
    key.strip_prefix(list).is_some_and(|rest| rest.starts_with('/'))
}

/// Whether a field is one that a file may name: the trash and inner fields have ways of their own.
pub(super) fn is_content(key: &str) -> bool {
    !is_inner(key) && key != TRASH
}

fn read_pair(pair: &Json) -> Option<(String, FieldHash)> {
    let [key, hash] = pair.as_array()?.as_slice() else { return None };
    Some((key.as_str()?.to_owned(), read_hash(hash)?))
}

fn read_hash(json: &Json) -> Option<FieldHash> {
    Some(FieldHash(from_base64url(json.as_str()?)?.try_into().ok()?))
}

fn read_value(json: &Json) -> Option<(Option<FieldHash>, Value)> {
    let [said, value] = json.as_array()?.as_slice() else { return None };
    let said = if said.is_null() { None } else { Some(read_hash(said)?) };
    Some((said, typed::from_json(value)?))
}
