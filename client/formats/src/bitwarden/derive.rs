//! The JSON that a document's fields say, before its rest is put back.

use lockstep_client::item::source::{Memory, memory_field};
use lockstep_client::item::views::{Kind, field};
use lockstep_client::item::{Document, Entry, TrashState, Value};
use serde_json::{Map, Value as Json, json};

use super::collections::collection_ids;
use super::elements::{CUSTOM, ElementCodec, FIDO2, URI};
use super::folders::Placement;
use super::keys::{KINDS, KindKeys, NOTE, SOURCE_ID, UNKNOWN_KIND};
use super::report::SOURCE_KIND;
use crate::time::format_ms;

/// What the fields say of an item at this place.
pub(super) fn derive_item(document: &Document, place: Placement) -> Json {
    let keys = KINDS.iter().find(|keys| keys.kind.as_str() == document.kind());
    let unknown = document.kind().strip_prefix(UNKNOWN_KIND).map(|number| number.parse::<i64>().ok());
    let number = keys.map(|keys| Some(keys.number)).or(unknown).unwrap_or(Some(NOTE));
    let trashed = match document.trash_state() {
        TrashState::Trashed { since_ms } => Some(since_ms),
        _ => None,
    };
    let mut item = Map::new();
    let mut put = |key: &str, value: Json| item.insert(key.to_owned(), value);
    put("id", json!(document.text(SOURCE_ID)));
    put("organizationId", Json::Null);
    put("collectionIds", collection_ids(document));
    put("folderId", json!(place.id));
    put("type", json!(number));
    put("reprompt", json!(i32::from(flag(document, field::REPROMPT))));
    put("favorite", json!(document.is_favourite()));
    put("name", json!(document.text(field::NAME)));
    put("notes", json!(document.notes()));
    put("creationDate", json!(document.created_ms().map(format_ms)));
    put("revisionDate", json!(format_ms(revised_ms(document))));
    put("deletedDate", json!(trashed.map(format_ms)));
    put("passwordHistory", password_history(document));
    if let Some(archived) = document.archived_ms() {
        put("archivedDate", json!(format_ms(archived)));
    }
    if let Some(tags) = place.tags {
        put("tags", tags);
    }
    let custom = list(document, &CUSTOM);
    match keys {
        Some(keys) => drop(put(keys.member, kind_member(document, keys))),
        None if unknown.is_none() => drop(put("secureNote", json!({ "type": 0 }))),
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
            member.insert("uris".to_owned(), Json::Array(list(document, &URI)));
            member.insert("fido2Credentials".to_owned(), Json::Array(list(document, &FIDO2)));
        }
        Kind::Note => drop(member.insert("type".to_owned(), json!(0))),
        _ => {}
    }
    Json::Object(member)
}

fn list(document: &Document, codec: &ElementCodec) -> Vec<Json> {
    codec.sorted(document).into_iter().map(|(_, value)| codec.export(value)).collect()
}

/// When the item was revised: an import that wrote last is no revision of its own, but brings Bitwarden's.
fn revised_ms(document: &Document) -> u64 {
    let import = document.register(&memory_field(SOURCE_KIND)).map(|register| register.winner().stamp());
    let is_last = import.is_some() && import == document.highest_stamp();
    let Some(memory) = Memory::of(document, SOURCE_KIND).filter(|_| is_last) else {
        return document.updated_ms();
    };
    let entries = document.registers().flat_map(|(_, register)| register.entries());
    let others = entries.map(Entry::stamp).filter(|stamp| Some(*stamp) != import).map(|stamp| stamp.ms());
    others.max().unwrap_or(0).max(memory.revised_ms)
}

fn password_history(document: &Document) -> Json {
    let history = document.register(field::PASSWORD).map(|register| register.others()).unwrap_or_default();
    let entries: Vec<Json> = history
        .iter()
        .filter_map(|entry| {
            let password = entry.value().as_text()?;
            Some(json!({ "lastUsedDate": format_ms(entry.stamp().ms()), "password": password }))
        })
        .collect();
    if entries.is_empty() { Json::Null } else { Json::Array(entries) }
}
