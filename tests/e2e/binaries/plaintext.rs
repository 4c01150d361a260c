//! Files searched for what must not be readable in them.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

/// Every text of the export that could tell something: names, user names, passwords, addresses, notes and whatever
/// else holds at least six bytes, ids and dates and words of the format left out.
pub(crate) fn secrets(export: &Json) -> BTreeSet<String> {
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
            let told = members
                .iter()
                .filter(|(key, _)| !matches!(key.as_str(), "keyType" | "keyAlgorithm" | "keyCurve"));
            told.for_each(|(_, value)| collect(value, found));
        }
        _ => {}
    }
}

fn is_date(text: &str) -> bool {
    text.len() == 24 && text.ends_with('Z') && text.as_bytes()[10] == b'T'
}

/// Which of the texts stand in the clear in a file below `folder`.
pub(crate) fn readable(folder: &Path, secrets: &BTreeSet<String>) -> BTreeSet<String> {
    let mut starts = HashMap::<&[u8], Vec<&String>>::new();
    for secret in secrets {
        starts.entry(&secret.as_bytes()[..6]).or_default().push(secret);
    }
    let mut found = BTreeSet::new();
    for path in files(folder) {
        let bytes = std::fs::read(&path).unwrap();
        for at in 0..bytes.len().saturating_sub(5) {
            let candidates = starts.get(&bytes[at..at + 6]).into_iter().flatten();
            found.extend(
                candidates
                    .filter(|text| bytes[at..].starts_with(text.as_bytes()))
                    .map(|text| (*text).clone()),
            );
        }
    }
    found
}

/// Bytes of all files below `folder`.
pub(crate) fn size(folder: &Path) -> u64 {
    files(folder).iter().map(|path| path.metadata().unwrap().len()).sum()
}

/// Every file below `folder`; sockets hold nothing.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.is_file() {
            found.push(path);
        }
    }
    found
}
