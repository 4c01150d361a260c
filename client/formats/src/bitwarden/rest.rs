//! The rest: what a record says beyond what its document's fields say.
//!
//! After a record became fields, the JSON that those fields give back is compared with the record. For each difference
//! the rest holds a path, a guard (a hash of what the fields gave there, empty for nothing) and the record's own JSON
//! (null for nothing). An export puts the record's JSON back wherever the guard still matches, so an edit is never
//! undone by it.

use lockstep_client::item::Value;
use lockstep_proto::hash::hash;
use serde_json::{Map, Value as Json};

const GUARD_BYTES: usize = 16;

/// The difference between what fields give back and what a record says; `None` where there is none.
pub(super) fn difference(derived: &Json, original: &Json) -> Option<Value> {
    let mut found = Vec::new();
    compare(Some(derived), Some(original), &mut Vec::new(), &mut found);
    (!found.is_empty()).then_some(Value::Array(found))
}

/// Puts back what the rest holds, wherever the fields still say what they said.
pub(super) fn restore(derived: &mut Json, rest: &Value) {
    for difference in rest.as_array().unwrap_or_default() {
        let Some([path, guard, original]) = difference.as_array() else { continue };
        let Some(path) = path.as_array() else { continue };
        let path: Vec<&str> = path.iter().filter_map(Value::as_text).collect();
        let original = original.as_text().and_then(|text| serde_json::from_str(text).ok());
        put_back(derived, &path, guard.as_bytes().unwrap_or_default(), original);
    }
}

fn compare(derived: Option<&Json>, original: Option<&Json>, path: &mut Vec<String>, found: &mut Vec<Value>) {
    if derived == original || is_same_history(path, derived, original) {
        return;
    }
    if let (Some(Json::Object(derived)), Some(Json::Object(original))) = (derived, original) {
        let keys: std::collections::BTreeSet<&String> = derived.keys().chain(original.keys()).collect();
        for key in keys {
            path.push(key.clone());
            compare(derived.get(key), original.get(key), path, found);
            path.pop();
        }
        return;
    }
    let path = path.iter().map(|key| Value::from(key.as_str())).collect();
    let original = original.map(Json::to_string);
    found.push(Value::Array(vec![Value::Array(path), Value::Bytes(guard(derived)), original.into()]));
}

/// Password history in another order says the same: every entry has its date.
fn is_same_history(path: &[String], derived: Option<&Json>, original: Option<&Json>) -> bool {
    if path != ["passwordHistory"] {
        return false;
    }
    let sorted = |list: Option<&Json>| {
        let mut entries: Vec<String> = list?.as_array()?.iter().map(Json::to_string).collect();
        entries.sort_unstable();
        Some(entries)
    };
    derived.is_some_and(Json::is_array) && sorted(derived) == sorted(original)
}

fn put_back(target: &mut Json, path: &[&str], expected: &[u8], original: Option<Json>) {
    match path {
        [] => {
            if guard(Some(target)) == expected
                && let Some(original) = original
            {
                *target = original;
            }
        }
        [key] => {
            let Json::Object(members) = target else { return };
            if guard(members.get(*key)) == expected {
                set(members, key, original);
            }
        }
        [key, rest @ ..] => {
            if let Some(inner) = target.get_mut(*key) {
                put_back(inner, rest, expected, original);
            }
        }
    }
}

fn set(members: &mut Map<String, Json>, key: &str, value: Option<Json>) {
    match value {
        Some(value) => members.insert(key.to_owned(), value),
        None => members.remove(key),
    };
}

fn guard(json: Option<&Json>) -> Vec<u8> {
    json.map(|json| hash("import-guard", &[json.to_string().as_bytes()]).0[..GUARD_BYTES].to_vec())
        .unwrap_or_default()
}
