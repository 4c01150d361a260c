//! What Bitwarden's JSON cannot say of an item: custom fields for people, the member `lockstep` for the way home.
//!
//! The record is read as its JSON alone reads, and compared with the item. Whatever is missing becomes a custom field;
//! whatever is not exactly as the item has it is in the member besides. So nothing has to be known here about any kind.

use std::collections::BTreeMap;

use lockstep_client::item::source::{FieldHash, Seen};
use lockstep_client::item::views::{
    ApiCredential, Card, CustomField, CustomType, FileDocument, Identity, Kind, SshKey, Wifi, field,
};
use lockstep_client::item::{Document, KIND, Value};
use lockstep_proto::ids::ItemId;
use serde_json::Value as Json;

use super::collections::Places;
use super::elements::{CUSTOM, ElementCodec, FIDO2, URI};
use super::import::ImportContext;
use super::legacy::modernise;
use super::own::{Fields, OWN, Own, has_place, is_content, shown};
use super::record::{read_fields, read_record};

/// Adds to a record what it does not say of its item.
pub(super) fn carry(id: ItemId, document: &Document, record: &mut Json, places: &Places<'_>) {
    let mut own =
        Own { id: id.to_string(), fields: pairs(document, &modernise(record.clone())), ..Own::default() };
    let live = live(document);
    let said = own.renamed(read_fields(&modernise(record.clone()), places));
    let missing = live.iter().filter(|(key, value)| {
        // An element that stands in its list is shown there, if not with all that it holds.
        let is_listed = key.contains('/') && said.contains_key(*key);
        let is_shown = *key == KIND || key.starts_with("tags/") || is_listed;
        !is_shown && hash_of(&said, key) != Some(FieldHash::of(key, value))
    });
    let missing: Vec<_> = missing.collect();
    append(record, &missing, &mut own);
    let said = own.renamed(read_fields(&modernise(record.clone()), places));
    for key in said.keys().chain(live.keys()).filter(|key| is_content(key)) {
        let hash = hash_of(&said, key);
        let has_place = |fields: &Fields| fields.get(key).is_some_and(has_place);
        if hash != hash_of(&live, key) || has_place(&said) != has_place(&live) {
            own.values.insert(key.clone(), (hash, live.get(key).cloned().unwrap_or_default()));
        }
    }
    set(record, own.to_json());
    let context = ImportContext { now_ms: u64::MAX };
    let read = read_record(&modernise(record.clone()), places, &context, &mut Vec::new());
    // What no item could hold is not read back; it is what it is.
    own.hashes = read.map_or_else(|_| Seen::of(document), |read| Seen::of(&read.document));
    set(record, own.to_json());
}

fn set(record: &mut Json, member: Json) {
    if let Some(members) = record.as_object_mut() {
        members.insert(OWN.to_owned(), member);
    }
}

/// Live fields that are the item's own.
pub(super) fn live(document: &Document) -> Fields {
    let live = document.registers().map(|(key, register)| (key, register.winner().value()));
    let content = live.filter(|(key, value)| is_content(key) && !value.is_null());
    content.map(|(key, value)| (key.to_owned(), value.clone())).collect()
}

fn hash_of(fields: &Fields, key: &str) -> Option<FieldHash> {
    fields.get(key).map(|value| FieldHash::of(key, value))
}

/// Elements as the record alone reads, and what they are here.
fn pairs(document: &Document, record: &Json) -> BTreeMap<String, String> {
    let login = record.get("login").filter(|_| Kind::of(document) == Some(Kind::Login));
    let of_login = |member| login.and_then(|login| login.get(member));
    let lists: [(&ElementCodec, Option<&Json>); 3] =
        [(&URI, of_login("uris")), (&FIDO2, of_login("fido2Credentials")), (&CUSTOM, record.get("fields"))];
    let mut pairs = BTreeMap::new();
    for (codec, list) in lists {
        let (ours, theirs) = (codec.sorted(document), codec.elements(list));
        if ours.len() == theirs.len() {
            let both = theirs.into_iter().zip(ours).filter(|(their, (our, _))| their.key != *our);
            pairs.extend(both.map(|(their, (our, _))| (their.key, our)));
        }
    }
    pairs
}

/// Appends custom fields that show these values.
fn append(record: &mut Json, missing: &[(&String, &Value)], own: &mut Own) {
    let Some(members) = record.as_object_mut().filter(|_| !missing.is_empty()) else { return };
    let fields = members.entry("fields").or_insert_with(|| Json::Array(Vec::new()));
    if !fields.is_array() {
        *fields = Json::Array(Vec::new());
    }
    let Some(list) = fields.as_array_mut() else { return };
    let before = list.len();
    list.extend(missing.iter().map(|(key, value)| CUSTOM.export(&custom_field(key, value))));
    let appended = CUSTOM.elements(Some(fields)).into_iter().filter(|element| element.index >= before);
    let keys = missing.iter().map(|(key, _)| (*key).clone());
    own.fields.extend(appended.map(|element| element.key).zip(keys));
}

fn custom_field(key: &str, value: &Value) -> Value {
    let custom_type = match value {
        Value::Bool(_) => CustomType::Boolean,
        Value::Text(_) | Value::Int(_) if is_public(key) => CustomType::Text,
        Value::Map(_) if key.starts_with("uris/") => CustomType::Text,
        _ => CustomType::Hidden,
    };
    let name = match key.split_once('/') {
        Some((field::URIS, _)) => "uri",
        Some((field::PASSKEYS, _)) => "passkey",
        _ => key,
    };
    let field = CustomField {
        name: Some(name.to_owned()),
        value: Some(shown(value)),
        custom_type: Some(custom_type),
        ..CustomField::default()
    };
    field.to_value()
}

/// Whether a field is known to be none that anyone hides.
fn is_public(key: &str) -> bool {
    const SHARED: [&str; 5] = [field::NAME, field::NOTES, field::USERNAME, field::CREATED, field::ARCHIVED];
    let kinds = [
        Card::FIELDS,
        Identity::FIELDS,
        SshKey::FIELDS,
        Wifi::FIELDS,
        ApiCredential::FIELDS,
        FileDocument::FIELDS,
    ];
    let is_known = SHARED.contains(&key) || kinds.iter().any(|fields| fields.contains(&key));
    is_known && !field::SECRETS.contains(&key)
}
