//! Members of the file besides its items.

use serde_json::Value as Json;

use super::{Named, NamedThing};
use crate::bitwarden::elements::text;

/// Names of what is left out, at most: the file may have as many as it has bytes.
const MAX_LEFT_OUT: usize = 1_000;
/// Folders, and collections, that are read, at most.
pub(super) const MAX_NAMED: usize = 100_000;

/// Bytes of what the file says of one of them, at most: each item that is in it keeps that.
const MAX_NAMED_BYTES: usize = 16 * 1024;

/// What the members say. Each is taken apart as it is met, and what it was parsed to is dropped.
#[derive(Debug, Default)]
pub(super) struct Members {
    pub(super) is_encrypted: bool,
    pub(super) is_password_protected: bool,
    pub(super) folders: Named,
    pub(super) collections: Named,
    /// What cannot be read, or says something that is no part of an import.
    pub(super) left_out: Vec<String>,
}

impl Members {
    /// One more member.
    pub(super) fn add(&mut self, name: String, json: &Json) {
        match name.as_str() {
            "passwordProtected" => self.is_password_protected |= is_true(json),
            "encrypted" => self.is_encrypted |= is_true(json),
            "encKeyValidation_DO_NOT_EDIT" if !nothing_in(json) => self.is_encrypted = true,
            "folders" | "collections" if json.is_array() => self.add_named(&name, json),
            _ if nothing_in(json) => {}
            _ => self.leave_out(name),
        }
    }

    /// Names something that is left out.
    pub(super) fn leave_out(&mut self, name: String) {
        match self.left_out.len() {
            MAX_LEFT_OUT.. => {}
            length if length + 1 == MAX_LEFT_OUT => self.left_out.push("… and more".to_owned()),
            _ => self.left_out.push(name),
        }
    }

    /// The things of a list that have an id and a name; what cannot be read is named as left out.
    fn add_named(&mut self, name: &str, json: &Json) {
        for (index, json) in json.as_array().into_iter().flatten().enumerate() {
            let named = if name == "folders" { &mut self.folders } else { &mut self.collections };
            let has_room = named.list.len() < MAX_NAMED;
            let said = json.to_string();
            let has_room = has_room && said.len() <= MAX_NAMED_BYTES;
            match (text(json, "id"), text(json, "name")) {
                (Some(id), Some(name)) if has_room => named.add(NamedThing { id, name, json: said }),
                // No record can be in it; its name is all that there is of it.
                (None, Some(name)) if has_room => {
                    named.list.push(NamedThing { id: String::new(), name, json: said });
                }
                // A record that is in it is told that its folder is missing.
                (Some(_), None) if json.get("name").is_none_or(nothing_in) => {}
                _ if nothing_in(json) => {}
                _ => self.leave_out(format!("{name}[{index}]")),
            }
        }
    }
}

/// Whether a value says yes, in whatever type.
fn is_true(json: &Json) -> bool {
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
fn nothing_in(json: &Json) -> bool {
    match json {
        Json::Null | Json::Bool(false) => true,
        Json::String(text) => text.is_empty(),
        Json::Array(list) => list.iter().all(nothing_in),
        Json::Object(members) => members.values().all(nothing_in),
        Json::Bool(true) | Json::Number(_) => false,
    }
}
