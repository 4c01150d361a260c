//! The JSON that a document's fields say, before its rest is put back.

use lockstep_client::item::views::{Kind, field};
use lockstep_client::item::{Document, TrashState, Value};
use serde_json::{Map, Value as Json, json};

use super::collections::collection_ids;
use super::elements::{CUSTOM, ElementCodec, FIDO2, URI};
use super::folders::place;
use super::keys::{KINDS, KindKeys, NOTE, SOURCE_ID, UNKNOWN_KIND};
use crate::time::format_ms;

/// What the fields say; `id` stands where the document does not remember one of Bitwarden's.
pub(super) fn derive_item(id: Option<&str>, document: &Document) -> Json {
    let keys = KINDS.iter().find(|keys| keys.kind.as_str() == document.kind());
    let unknown = document.kind().strip_prefix(UNKNOWN_KIND).map(|number| number.parse::<i64>().ok());
    let number = keys.map(|keys| Some(keys.number)).or(unknown).unwrap_or(Some(NOTE));
    let trashed = match document.trash_state() {
        TrashState::Trashed { since_ms } => Some(since_ms),
        _ => None,
    };
    let place = place(document);
    let mut item = Map::new();
    let mut put = |key: &str, value: Json| item.insert(key.to_owned(), value);
    put("id", json!(document.text(SOURCE_ID).or(id)));
    put("organizationId", Json::Null);
    put("collectionIds", collection_ids(document));
    put("folderId", json!(place.id));
    put("type", json!(number));
    put("reprompt", json!(i32::from(flag(document, field::REPROMPT))));
    put("favorite", json!(document.is_favourite()));
    put("name", json!(document.text(field::NAME)));
    put("notes", json!(document.notes()));
    put("creationDate", json!(document.created_ms().map(format_ms)));
    put("revisionDate", json!(format_ms(document.updated_ms())));
    put("deletedDate", json!(trashed.map(format_ms)));
    put("passwordHistory", password_history(document));
    if let Some(archived) = document.archived_ms() {
        put("archivedDate", json!(format_ms(archived)));
    }
    if let Some(tags) = place.tags {
        put("tags", tags);
    }
    let mut custom = list(document, field::CUSTOM, &CUSTOM);
    match keys {
        Some(keys) => drop(put(keys.member, kind_member(document, keys))),
        None if unknown.is_none() => {
            custom.extend(texts_as_custom_fields(document));
            put("secureNote", json!({ "type": 0 }));
        }
        None => {}
    }
    if !custom.is_empty() {
        put("fields", Json::Array(custom));
    }
    Json::Object(item)
}

fn flag(document: &Document, field: &str) -> bool {
    document.value(field).and_then(Value::as_bool).unwrap_or(false)
}

fn kind_member(document: &Document, keys: &KindKeys) -> Json {
    let mut member = Map::new();
    for (name, field) in keys.texts {
        member.insert((*name).to_owned(), json!(document.text(field)));
    }
    match keys.kind {
        Kind::Login => {
            member.insert("uris".to_owned(), Json::Array(list(document, field::URIS, &URI)));
            member
                .insert("fido2Credentials".to_owned(), Json::Array(list(document, field::PASSKEYS, &FIDO2)));
        }
        Kind::Note => drop(member.insert("type".to_owned(), json!(0))),
        _ => {}
    }
    Json::Object(member)
}

fn list(document: &Document, list: &str, codec: &ElementCodec) -> Vec<Json> {
    let mut elements: Vec<_> = document.list(list).collect();
    elements
        .sort_by_key(|(id, value)| (value.member("order").and_then(Value::as_int).unwrap_or(i64::MAX), *id));
    elements.into_iter().map(|(_, value)| codec.export(value)).collect()
}

fn password_history(document: &Document) -> Json {
    let history = document.register(field::PASSWORD).map(|register| register.history()).unwrap_or_default();
    let entries: Vec<Json> = history
        .iter()
        .filter_map(|entry| {
            let password = entry.value().as_text()?;
            Some(json!({ "lastUsedDate": format_ms(entry.stamp().ms()), "password": password }))
        })
        .collect();
    if entries.is_empty() { Json::Null } else { Json::Array(entries) }
}

/// Fields of kinds that Bitwarden does not have, so that their texts are not lost there.
fn texts_as_custom_fields(document: &Document) -> Vec<Json> {
    const SAID: [&str; 3] = ["kind", field::NAME, field::NOTES];
    let fields = document.registers().filter(|(key, _)| !SAID.contains(key) && !key.contains('/'));
    let texts = fields.filter_map(|(key, _)| Some((key, document.text(key)?)));
    texts.map(|(key, text)| json!({ "name": key, "value": text, "type": 1, "linkedId": null })).collect()
}
