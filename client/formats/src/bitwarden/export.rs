//! Export of a whole vault.

use std::collections::BTreeMap;

use lockstep_client::item::Document;
use lockstep_proto::ids::ItemId;
use serde_json::{Value as Json, json};

use super::collections::add_collections;
use super::derive::derive_item;
use super::folders::{folders_json, place};
use super::keys::REST;
use super::legacy::respell;
use super::rest::restore;

/// Bitwarden's unencrypted JSON of these items, in their order. Imported items keep Bitwarden's ids; kinds that
/// Bitwarden does not have become notes with custom fields; tags beyond the one that is the folder are in the member
/// `tags`, which Lockstep reads back.
///
/// The result holds every secret in the clear: the caller decides where it may go.
pub fn export_bitwarden_json<'d>(items: impl IntoIterator<Item = (ItemId, &'d Document)>) -> Vec<u8> {
    let (mut folders, mut collections) = (BTreeMap::new(), BTreeMap::new());
    let mut exported = Vec::new();
    for (id, document) in items {
        let place = place(document);
        if let (Some(id), Some(name)) = (place.id, place.name) {
            folders.entry(id).or_insert(name);
        }
        add_collections(document, &mut collections);
        exported.push(export_item(id, document));
    }
    let mut export = json!({ "encrypted": false, "folders": folders_json(folders), "items": exported });
    if !collections.is_empty() {
        export["collections"] = collections.into_values().collect();
    }
    format!("{export:#}\n").into_bytes()
}

fn export_item(id: ItemId, document: &Document) -> Json {
    let mut item = derive_item(None, document);
    if let Some(rest) = document.value(REST) {
        restore(&mut item, rest);
    }
    respell(&mut item);
    if let Some(members) = item.as_object_mut()
        && members.get("id").is_some_and(Json::is_null)
    {
        members.insert("id".to_owned(), json!(id.to_string()));
    }
    item
}
