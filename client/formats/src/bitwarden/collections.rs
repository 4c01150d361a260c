//! Collections of an organisation: tags here, as folders are, and their ids when exported.
//!
//! A document keeps what the file said of its collections, so that an export can define them again; an id is exported
//! for as long as the item has the tag.

use std::collections::{BTreeMap, BTreeSet};

use lockstep_client::item::views::field;
use lockstep_client::item::{Document, Draft, MAX_LIVE_BYTES, Value};
use serde_json::{Value as Json, json};

use super::folders::is_tag;
use super::read::Named;
use super::report::Problem;

/// The collections at import: a list of maps of `id` and, if the export defined it, `name` and its `json`.
pub(super) const SOURCE_COLLECTIONS: &str = "source/bitwarden/collections";

/// What the records of an export may be in.
#[derive(Clone, Copy)]
pub(super) struct Places<'e> {
    pub(super) folders: &'e Named,
    pub(super) collections: &'e Named,
}

/// Reads the collections of a record into `draft`.
pub(super) fn read_collections(
    record: &Json,
    places: &Places<'_>,
    draft: &mut Draft,
    problems: &mut Vec<Problem>,
) {
    let ids = record.get("collectionIds").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut kept = Vec::new();
    let (mut known, mut bytes) = (BTreeSet::new(), 0);
    for id in ids.iter().filter_map(Json::as_str).filter(|id| known.insert(*id)) {
        let collection = places.collections.by_id(id);
        let problem = match collection {
            None => Some(Problem::MissingCollection),
            Some(collection) if !is_tag(&collection.name) => Some(Problem::CollectionName),
            Some(collection) => {
                draft.put(field::element(field::TAGS, &collection.name), true);
                None
            }
        };
        problems.extend(problem.filter(|problem| !problems.contains(problem)));
        bytes += collection.map_or(0, |collection| collection.json.len());
        let name = collection.map(|collection| collection.name.as_str());
        let json = collection.map(|collection| collection.json.as_str());
        kept.push(Value::map([("id", id.into()), ("name", name.into()), ("json", json.into())]));
        if bytes > MAX_LIVE_BYTES {
            // No item can hold that many: it is refused.
            break;
        }
    }
    if !kept.is_empty() {
        draft.put(SOURCE_COLLECTIONS, Value::Array(kept));
    }
}

/// The `collectionIds` of an item.
pub(super) fn collection_ids(document: &Document) -> Json {
    let ids: Vec<&str> = current(document).filter_map(|collection| text(collection, "id")).collect();
    if ids.is_empty() { Json::Null } else { json!(ids) }
}

/// Adds the collections of an item, by id, as its file defined them.
pub(super) fn add_collections(document: &Document, collections: &mut BTreeMap<String, Json>) {
    for collection in current(document) {
        let json = text(collection, "json").and_then(|json| serde_json::from_str(json).ok());
        if let (Some(id), Some(json)) = (text(collection, "id"), json) {
            collections.entry(id.to_owned()).or_insert(json);
        }
    }
}

/// The tags that no collection of the item says; `folder` counts as a tag of its own.
pub(super) fn tags_beside<'d>(document: &'d Document, folder: Option<&str>) -> Vec<&'d str> {
    let said: Vec<&str> = current(document).filter_map(|collection| text(collection, "name")).collect();
    document.tags().filter(|tag| Some(*tag) == folder || !said.contains(tag)).collect()
}

/// The collections that the item is still in: those whose name it has as a tag, or whose name cannot be one.
fn current(document: &Document) -> impl Iterator<Item = &Value> {
    let kept = document.value(SOURCE_COLLECTIONS).and_then(Value::as_array).unwrap_or_default();
    kept.iter().filter(|collection| {
        let name = text(collection, "name").filter(|name| is_tag(name));
        name.is_none_or(|name| document.tags().any(|tag| tag == name))
    })
}

fn text<'v>(value: &'v Value, member: &str) -> Option<&'v str> {
    value.member(member).and_then(Value::as_text)
}
