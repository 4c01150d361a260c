//! Folders: tags here, one per item there.

use std::collections::BTreeMap;

use lockstep_client::item::views::field;
use lockstep_client::item::{Document, Value};
use lockstep_proto::hash::hash;
use lockstep_proto::ids::ItemId;
use serde_json::{Value as Json, json};

use super::collections::tags_beside;
use super::keys::SOURCE_FOLDER;

/// The folder that an item is exported into.
pub(super) struct Placement {
    /// The folder's id, if the item is in one.
    pub(super) id: Option<String>,
    /// Its name, if the export defines it.
    pub(super) name: Option<String>,
    /// All tags, where the folder does not say them.
    pub(super) tags: Option<Json>,
}

impl Placement {
    /// The placement in an export that defines these folders. Where a folder of this id has another name there, the
    /// item gets a folder of its own tag.
    pub(super) fn in_export(mut self, folders: &mut BTreeMap<String, String>) -> Self {
        let Some(name) = self.name.clone() else { return self };
        let known = |id: &String| folders.get(id).is_none_or(|known| *known == name);
        let id = self.id.take().filter(known).unwrap_or_else(|| derive_folder_id(&name));
        folders.entry(id.clone()).or_insert(name);
        self.id = Some(id);
        self
    }
}

/// What is kept of a record's folder.
pub(super) fn source_folder(id: &str, name: Option<&str>) -> Value {
    Value::map([("id", id.into()), ("name", name.into())])
}

/// Where an item goes: its folder at import while it still has that tag, else the folder of its first tag.
pub(super) fn place(document: &Document) -> Placement {
    let source = document.value(SOURCE_FOLDER);
    let member = |key| source.and_then(|folder| folder.member(key)).and_then(Value::as_text);
    let tags = tags_beside(document, member("name"));
    let (id, name) = match (member("id"), member("name")) {
        (Some(id), None) if tags.is_empty() => return placed(Some(id.to_owned()), None, None),
        (Some(id), Some(name)) if tags.contains(&name) || !is_tag(name) => (Some(id.to_owned()), Some(name)),
        _ => (tags.first().map(|tag| derive_folder_id(tag)), tags.first().copied()),
    };
    let said: Vec<&str> = name.filter(|name| is_tag(name)).into_iter().collect();
    let tags = (tags != said).then(|| json!(tags));
    placed(id, name.map(str::to_owned), tags)
}

/// Whether a folder's name can be a tag.
pub(super) fn is_tag(name: &str) -> bool {
    field::element(field::TAGS, name).len() <= lockstep_client::item::MAX_FIELD_KEY_BYTES
}

/// The `folders` member of an export.
pub(super) fn folders_json(folders: BTreeMap<String, String>) -> Json {
    folders.into_iter().map(|(id, name)| json!({ "id": id, "name": name })).collect()
}

fn placed(id: Option<String>, name: Option<String>, tags: Option<Json>) -> Placement {
    Placement { id, name, tags }
}

fn derive_folder_id(tag: &str) -> String {
    let digest = hash("export-folder", &[tag.as_bytes()]);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.0[..16]);
    ItemId::from_derived(bytes).to_string()
}
