//! A made-up vault of any size: the export of 1,000 items, again and again under other ids and names.

use std::path::Path;

use serde_json::{Value as Json, json};

/// Writes an export of so many items.
pub(crate) fn write(path: &Path, items: usize) {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/bitwarden-1000.json");
    let mut export: Json = serde_json::from_slice(&std::fs::read(data).unwrap()).unwrap();
    let originals = export["items"].as_array().unwrap().clone();
    let again = originals.iter().cycle().take(items).enumerate();
    let made = again.map(|(index, item)| {
        let round = index / originals.len();
        let mut item = item.clone();
        let id = item["id"].as_str().unwrap();
        item["id"] = json!(format!("{round:08x}{}", &id[8..]));
        item["name"] = json!(format!("{} {round}", item["name"].as_str().unwrap()));
        item
    });
    export["items"] = Json::Array(made.collect());
    std::fs::write(path, serde_json::to_vec(&export).unwrap()).unwrap();
}
