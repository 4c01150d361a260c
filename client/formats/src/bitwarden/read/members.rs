//! Members of the file besides its items.

use serde_json::Value as Json;

use super::{Named, NamedThing};
use crate::bitwarden::elements::text;

/// A member of the file; its value is null where it cannot be read.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) json: Json,
}

/// Whether a value says yes, in whatever type.
pub(super) fn is_true(json: &Json) -> bool {
    match json {
        Json::Bool(value) => *value,
        Json::Number(number) => number.as_f64() != Some(0.0),
        Json::String(text) => {
            !["", "0", "false", "no", "null"].contains(&text.trim().to_ascii_lowercase().as_str())
        }
        Json::Null | Json::Array(_) | Json::Object(_) => false,
    }
}

/// Whether nothing is lost with the value.
pub(super) fn nothing_in(json: &Json) -> bool {
    match json {
        Json::Null | Json::Bool(false) => true,
        Json::String(text) => text.is_empty(),
        Json::Array(list) => list.iter().all(nothing_in),
        Json::Object(members) => members.values().all(nothing_in),
        Json::Bool(true) | Json::Number(_) => false,
    }
}

/// The things of a list that have an id and a name; what cannot be read is named as left out.
pub(super) fn named_list(member: Member, named: &mut Named, left_out: &mut Vec<String>) {
    let Json::Array(list) = member.json else {
        if !nothing_in(&member.json) {
            left_out.push(member.name);
        }
        return;
    };
    for (index, json) in list.into_iter().enumerate() {
        match (text(&json, "id"), text(&json, "name")) {
            (Some(id), Some(name)) => named.add(NamedThing { id, name, json }),
            // No record can be in it; its name is all that there is of it.
            (None, Some(name)) => named.list.push(NamedThing { id: String::new(), name, json }),
            // A record that is in it is told that its folder is missing.
            (Some(_), None) if json.get("name").is_none_or(nothing_in) => {}
            _ if nothing_in(&json) => {}
            _ => left_out.push(format!("{}[{index}]", member.name)),
        }
    }
}
