//! Export of a whole vault.

use std::collections::BTreeMap;

use lockstep_client::item::{Document, Register};
use lockstep_proto::ids::ItemId;
use serde_json::{Value as Json, json};

use super::carry::carry;
use super::collections::{Places, add_collections};
use super::derive::derive_item;
use super::folders::{Placement, folders_json, place};
use super::keys::{KINDS, REST, UNKNOWN_KIND};
use super::legacy::respell;
use super::read::{Named, NamedThing};
use super::rest::restore;

/// Bitwarden's unencrypted JSON of these items, in their order. Imported items keep Bitwarden's ids. What Bitwarden has no
/// member for is in custom fields (kinds that it does not have become notes), tags beyond the one that is the folder in
/// the member `tags`. The member `lockstep` of each record brings it home exactly: imported into the vault that it came
/// from the file changes nothing, elsewhere it makes the same items once.
///
/// The result holds every secret in the clear: the caller decides where it may go.
pub fn export_bitwarden_json<'d>(items: impl IntoIterator<Item = (ItemId, &'d Document)>) -> Vec<u8> {
    let (mut folders, mut collections) = (BTreeMap::new(), BTreeMap::new());
    let mut placed = Vec::new();
    for (id, document) in items {
        let place = place(document).in_export(&mut folders);
        add_collections(document, &mut collections);
        placed.push((id, document, place));
    }
    let named = |(id, name): (&String, &str)| NamedThing {
        id: id.clone(),
        name: name.to_owned(),
        json: String::new(),
    };
    let name = |json: &Json| json.get("name").and_then(Json::as_str).unwrap_or_default().to_owned();
    let collection = |(id, json): (&String, &Json)| NamedThing {
        id: id.clone(),
        name: name(json),
        json: json.to_string(),
    };
    let places = Places {
        folders: &Named::of(folders.iter().map(|(id, name)| named((id, name)))),
        collections: &Named::of(collections.iter().map(collection)),
    };
    let items = placed.into_iter().map(|(id, document, place)| export_item(id, document, place, &places));
    let items: Vec<Json> = items.collect();
    let mut export = json!({ "encrypted": false, "folders": folders_json(folders), "items": items });
    if !collections.is_empty() {
        export["collections"] = collections.into_values().collect();
    }
    format!("{export:#}\n").into_bytes()
}

fn export_item(id: ItemId, document: &Document, place: Placement, places: &Places<'_>) -> Json {
    let mut item = derive_item(document, place);
    if let Some(rest) = document.value(REST) {
        restore(&mut item, rest);
    }
    if document.kind().starts_with(UNKNOWN_KIND) {
        overlay(&mut item, document);
    }
    respell(&mut item);
    if let Some(members) = item.as_object_mut()
        && members.get("id").is_some_and(Json::is_null)
    {
        members.insert("id".to_owned(), json!(id.to_string()));
    }
    carry(id, document, &mut item, places);
    item
}

/// Members of an unknown kind are kept as they came; those that are called as a known kind's say what the item says.
fn overlay(item: &mut Json, document: &Document) {
    for keys in &KINDS {
        let Some(Json::Object(member)) = item.get_mut(keys.member) else { continue };
        for (name, field) in keys.texts {
            let is_edited = |register: &Register| !register.winner().stamp().is_foreign();
            if document.value(field).is_some() || document.register(field).is_some_and(is_edited) {
                member.insert((*name).to_owned(), json!(document.text(field)));
            }
        }
    }
}
