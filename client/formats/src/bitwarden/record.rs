//! One record of an export becomes one document.

use lockstep_client::item::views::{Kind, field};
use lockstep_client::item::{Document, Draft, Stamp};
use lockstep_client::tools::Totp;
use lockstep_proto::hash::hash;
use lockstep_proto::ids::DeviceId;
use serde_json::Value as Json;

use super::collections::{Places, read_collections};
use super::dates::{Dates, last_used, read_dates};
use super::derive::derive_item;
use super::elements::{CUSTOM, ElementCodec, FIDO2, URI, text};
use super::folders::{is_tag, source_folder};
use super::import::ImportContext;
use super::keys::{KINDS, KindKeys, REST, SOURCE_FOLDER, SOURCE_ID, UNKNOWN_KIND};
use super::report::Problem;
use super::rest::difference;

/// The record's id, or a hash of it where it has none.
pub(super) fn source_id(record: &Json) -> String {
    match text(record, "id") {
        Some(id) if !id.is_empty() => id,
        _ => format!("hash:{}", hash("import-record", &[record.to_string().as_bytes()])),
    }
}

/// The document of a record; what there is to tell about it is added to `problems`.
pub(super) fn read_record(
    record: &Json,
    places: &Places<'_>,
    context: &ImportContext,
    problems: &mut Vec<Problem>,
) -> Result<Document, Problem> {
    let number = record.get("type").and_then(Json::as_i64);
    let keys = KINDS.iter().find(|keys| Some(keys.number) == number);
    let kind = match keys {
        Some(keys) => keys.kind.as_str().to_owned(),
        None => {
            let number = number.map_or_else(|| "?".to_owned(), |number| number.to_string());
            problems.push(Problem::UnknownKind { number: number.clone() });
            format!("{UNKNOWN_KIND}{number}")
        }
    };
    let history = old_passwords(record);
    let dates = read_dates(record, context, problems);
    let revised = dates.revised;
    let former = history.len();
    let mut draft = Draft::new(&kind, stamp(revised, history.len()));
    for (rank, (ms, password)) in history.into_iter().enumerate() {
        draft.remember(field::PASSWORD, stamp(ms.min(revised), rank), password);
    }
    read_shared(record, &dates, &mut draft);
    read_folder(record, places, &mut draft, problems);
    read_collections(record, places, &mut draft, problems);
    if let Some(keys) = keys {
        read_kind(record, keys, &mut draft, problems);
    }
    let document = draft.clone().build().map_err(Problem::Refused)?;
    let kept = document.register(field::PASSWORD).map_or(0, |register| register.history().len());
    if former > kept {
        problems.push(Problem::OlderPasswords { kept, older: former - kept });
    }
    if let Some(rest) = difference(&derive_item(None, &document), record) {
        draft.put(REST, rest);
    }
    draft.build().map_err(Problem::Refused)
}

/// A stamp of the record's own time and the zero device: the same on every device that imports it.
fn stamp(ms: u64, rank: usize) -> Stamp {
    Stamp::clamped(ms, u32::try_from(rank).unwrap_or(u32::MAX), DeviceId::ZERO)
}

/// Former passwords, oldest first.
fn old_passwords(record: &Json) -> Vec<(u64, String)> {
    let list = record.get("passwordHistory").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut history: Vec<(u64, String)> =
        list.iter().rev().filter_map(|entry| Some((last_used(entry), text(entry, "password")?))).collect();
    history.sort_by_key(|(ms, _)| *ms);
    history
}

fn read_shared(record: &Json, dates: &Dates, draft: &mut Draft) {
    let ms = |date: Option<u64>| date.and_then(|ms| i64::try_from(ms).ok());
    draft.put(SOURCE_ID, text(record, "id"));
    draft.put(field::NAME, text(record, "name"));
    draft.put(field::NOTES, text(record, "notes"));
    draft.put(field::CREATED, ms(dates.created));
    draft.put(field::ARCHIVED, ms(dates.archived));
    draft.put(field::FAVOURITE, (record.get("favorite") == Some(&Json::Bool(true))).then_some(true));
    draft.put(field::REPROMPT, (record.get("reprompt").and_then(Json::as_i64) == Some(1)).then_some(true));
    if let Some(ms) = dates.deleted {
        draft.trashed_at(ms);
    }
    read_list(record.get("fields"), field::CUSTOM, &CUSTOM, draft);
}

fn read_folder(record: &Json, places: &Places<'_>, draft: &mut Draft, problems: &mut Vec<Problem>) {
    let tags = record.get("tags").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    for tag in tags.iter().filter_map(Json::as_str).filter(|tag| is_tag(tag)) {
        draft.put(field::element(field::TAGS, tag), true);
    }
    let Some(id) = text(record, "folderId") else { return };
    let name = places.folders.by_id(&id).map(|folder| folder.name.as_str());
    match name {
        None => problems.push(Problem::MissingFolder),
        Some(name) if !is_tag(name) => problems.push(Problem::FolderName),
        Some(name) => draft.put(field::element(field::TAGS, name), true),
    }
    draft.put(SOURCE_FOLDER, source_folder(&id, name));
}

fn read_kind(record: &Json, keys: &KindKeys, draft: &mut Draft, problems: &mut Vec<Problem>) {
    let Some(member) = record.get(keys.member) else { return };
    for (name, field) in keys.texts {
        draft.put(*field, text(member, name));
    }
    if keys.kind != Kind::Login {
        return;
    }
    if text(member, "totp").is_some_and(|secret| Totp::parse(&secret).is_err()) {
        problems.push(Problem::UnusableTotp);
    }
    read_list(member.get("uris"), field::URIS, &URI, draft);
    read_list(member.get("fido2Credentials"), field::PASSKEYS, &FIDO2, draft);
}

fn read_list(list: Option<&Json>, name: &str, codec: &ElementCodec, draft: &mut Draft) {
    let elements = list.and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    for (index, element) in elements.iter().enumerate().filter(|(_, element)| element.is_object()) {
        let order = i64::try_from(index).unwrap_or(i64::MAX);
        draft.put(field::element(name, &format!("{index:03}")), codec.import(element, order));
    }
}
