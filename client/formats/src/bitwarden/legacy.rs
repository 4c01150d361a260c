//! Forms of addresses that older exports have: read as today's form, and written back as they came.
//!
//! Before a record is read, `login.uri`, a `uris` that is a text, and texts in `uris` become elements of the list, each
//! with a mark of how it was written; elements without an address are set aside, as there is nothing to show. The mark
//! is a member that no field knows, so it stays with its element until that is edited; an export undoes what it says.

use serde_json::{Map, Value as Json, json};

/// How an address was written.
const MARK: &str = "lockstep/written-as";
/// Elements without an address: pairs of place and element.
const ASIDE: &str = "lockstep/no-addresses";

/// A text in the list.
const AS_TEXT: &str = "text";
/// A text instead of the list.
const AS_ONLY_TEXT: &str = "uris";
/// The member `uri`, beside no `uris`, `null` or a list.
const AS_MEMBER: [&str; 3] = ["uri", "uri, null", "uri, list"];

/// The record with all its addresses in `login.uris`.
pub(super) fn modernise(mut record: Json) -> Json {
    let Some(login) = record.get_mut("login").and_then(Json::as_object_mut) else { return record };
    match login.get_mut("uris") {
        Some(uris @ Json::String(_)) => *uris = json!([marked(uris.take(), AS_ONLY_TEXT)]),
        Some(Json::Array(list)) => {
            let aside = set_aside(list);
            list.iter_mut().filter(|element| element.is_string()).for_each(|element| {
                *element = marked(element.take(), AS_TEXT);
            });
            if !aside.is_empty() {
                login.insert(ASIDE.to_owned(), json!(aside));
            }
        }
        _ => {}
    }
    take_member(login);
    record
}

/// Takes the elements without an address out of a list.
fn set_aside(list: &mut Vec<Json>) -> Vec<Json> {
    let is_empty = |element: &Json| match element {
        Json::Null => true,
        Json::Object(members) => members.get("uri").is_none_or(Json::is_null),
        _ => false,
    };
    let mut aside = Vec::new();
    let taken = std::mem::take(list);
    for (place, element) in taken.into_iter().enumerate() {
        if is_empty(&element) { aside.push(json!([place, element])) } else { list.push(element) }
    }
    aside
}

/// Moves the member `uri` to the front of the list, unless its address is there already.
fn take_member(login: &mut Map<String, Json>) {
    let Some(Json::String(uri)) = login.get("uri") else { return };
    let (mark, mut list) = match login.get("uris") {
        None => (AS_MEMBER[0], Vec::new()),
        Some(Json::Null) => (AS_MEMBER[1], Vec::new()),
        Some(Json::Array(list)) => (AS_MEMBER[2], list.clone()),
        Some(_) => return,
    };
    if list.iter().any(|element| element.get("uri").and_then(Json::as_str) == Some(uri)) {
        return;
    }
    list.insert(0, marked(json!(uri), mark));
    login.remove("uri");
    login.insert("uris".to_owned(), Json::Array(list));
}

fn marked(uri: Json, mark: &str) -> Json {
    json!({ "uri": uri, "match": null, MARK: mark })
}

/// Writes the addresses of an exported item as they came, where they have not been edited.
pub(super) fn respell(item: &mut Json) {
    let Some(login) = item.get_mut("login").and_then(Json::as_object_mut) else { return };
    let aside = login.remove(ASIDE);
    let Some(Json::Array(list)) = login.get_mut("uris") else { return };
    let (mut written, mut member, mut only_text) = (Vec::new(), None, None);
    for mut element in std::mem::take(list) {
        let mark = element.as_object_mut().and_then(|members| members.remove(MARK));
        let mark = mark.as_ref().and_then(Json::as_str);
        let plain = as_text(&element);
        match (mark, plain) {
            (Some(AS_TEXT), Some(uri)) => written.push(json!(uri)),
            (Some(AS_ONLY_TEXT), Some(uri)) => {
                only_text = Some(json!(uri));
                written.push(element);
            }
            (Some(mark), Some(uri)) if member.is_none() && AS_MEMBER.contains(&mark) => {
                member = Some((mark.to_owned(), json!(uri)));
            }
            _ => written.push(element),
        }
    }
    put_back(aside, &mut written);
    let uris = match &member {
        _ if only_text.is_some() && written.len() == 1 => only_text,
        Some((mark, _)) if written.is_empty() && mark == AS_MEMBER[0] => None,
        Some((mark, _)) if written.is_empty() && mark == AS_MEMBER[1] => Some(Json::Null),
        _ => Some(Json::Array(written)),
    };
    login.remove("uris");
    login.extend(uris.map(|uris| ("uris".to_owned(), uris)));
    login.extend(member.map(|(_, uri)| ("uri".to_owned(), uri)));
}

/// The address of an element that says nothing else.
fn as_text(element: &Json) -> Option<&str> {
    let members = element.as_object()?;
    let is_plain = members.iter().all(|(name, value)| name == "uri" || name == "match" && value.is_null());
    members.get("uri").filter(|_| is_plain)?.as_str()
}

/// Puts elements back at their places.
fn put_back(aside: Option<Json>, list: &mut Vec<Json>) {
    let Some(Json::Array(aside)) = aside else { return };
    for mut pair in aside {
        let Some([place, element]) = pair.as_array_mut().map(Vec::as_mut_slice) else { continue };
        let place = place.as_u64().and_then(|place| usize::try_from(place).ok()).unwrap_or(list.len());
        list.insert(place.min(list.len()), element.take());
    }
}
