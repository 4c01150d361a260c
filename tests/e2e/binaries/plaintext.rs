//! Files searched for what must not be readable in them.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value as Json;

/// Every text of the export that could tell something: names, user names, passwords, addresses, notes and whatever
/// else holds at least six bytes, ids and dates and words of the format left out.
pub fn secrets(export: &Json) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for item in export["items"].as_array().unwrap() {
        for part in ["name", "notes", "login", "card", "identity", "sshKey", "fields", "passwordHistory"] {
            collect(&item[part], &mut found);
        }
    }
    for folder in export["folders"].as_array().unwrap() {
        collect(&folder["name"], &mut found);
    }
    found
}

fn collect(value: &Json, found: &mut BTreeSet<String>) {
    match value {
        Json::String(text) if text.len() >= 6 && !is_date(text) => {
            // The start of a long text stands for the whole.
            found.insert(text.chars().take(40).collect());
        }
        Json::Array(values) => values.iter().for_each(|value| collect(value, found)),
        Json::Object(members) => {
            let told = members.iter().filter(|(key, _)| !matches!(key.as_str(), "keyType" | "keyAlgorithm" | "keyCurve"));
            told.for_each(|(_, value)| collect(value, found));
        }
        _ => {}
    }
}

fn is_date(text: &str) -> bool {
    text.len() == 24 && text.ends_with('Z') && text.as_bytes()[10] == b'T'
}

/// Fails if any file below `folder` holds any of the texts. Returns how many bytes were searched.
pub fn assert_unreadable(folder: &Path, secrets: &BTreeSet<String>) -> usize {
    let starts = starts(secrets);
    let mut searched = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let path = entry.path();
        if path.is_dir() {
            searched += assert_unreadable(&path, secrets);
        } else if entry.file_type().unwrap().is_file() {
            let bytes = std::fs::read(&path).unwrap();
            searched += bytes.len();
            for at in 0..bytes.len().saturating_sub(5) {
                let Some(candidates) = starts.get(&bytes[at..at + 6]) else { continue };
                let hit = candidates.iter().find(|text| bytes[at..].starts_with(text.as_bytes()));
                assert!(hit.is_none(), "{} holds {hit:?} in the clear", path.display());
            }
        }
    }
    searched
}

/// The texts by their first six bytes.
fn starts(secrets: &BTreeSet<String>) -> std::collections::HashMap<&[u8], Vec<&String>> {
    let mut starts = std::collections::HashMap::<&[u8], Vec<&String>>::new();
    for secret in secrets {
        starts.entry(&secret.as_bytes()[..6]).or_default().push(secret);
    }
    starts
}
