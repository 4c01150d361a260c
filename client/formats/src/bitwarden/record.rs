//! One record of an export becomes one document.

use lockstep_client::item::views::{Kind, field};
use lockstep_client::item::{Document, Draft, KIND, MAX_MS, Stamp, Value, foreign_writer};
use lockstep_client::tools::Totp;
use lockstep_proto::ids::DeviceId;
use serde_json::Value as Json;

use super::collections::{Places, read_collections};
use super::dates::{Dates, last_used, read_dates};
use super::derive::derive_item;
use super::elements::{CUSTOM, ElementCodec, FIDO2, URI, text};
use super::folders::{is_tag, place, source_folder};
use super::import::ImportContext;
use super::keys::{KINDS, KindKeys, REST, SOURCE_FOLDER, SOURCE_ID, UNKNOWN_KIND};
use super::own::{Fields, OWN, Own, is_custom};
use super::report::Problem;
use super::rest::difference;

/// A year before the last time that a stamp can have: whoever writes later has a stamp above all others.
const LATEST_MS: u64 = MAX_MS - 365 * 86_400_000;

/// A record, read.
pub(super) struct Read {
    pub(super) document: Document,
    /// When Bitwarden says that it was revised, milliseconds since 1970; 0 where it does not.
    pub(super) revised_ms: u64,
    /// What Lockstep's own export says besides.
    pub(super) own: Option<Own>,
}

/// The document of a record; what there is to tell about it is added to `problems`.
pub(super) fn read_record(
    record: &Json,
    places: &Places<'_>,
    context: &ImportContext,
    problems: &mut Vec<Problem>,
) -> Result<Read, Problem> {
    let own = Own::of(record);
    // What Lockstep exported has its own stamps, which may be ahead of this clock; a forged one leaves room above, too.
    let now_ms = if own.is_some() { LATEST_MS } else { context.now_ms };
    let dates = read_dates(record, &ImportContext { now_ms }, problems);
    let history = old_passwords(record);
    let former = history.len();
    let writer = foreign_writer(record.to_string().as_bytes());
    let draft = draft(record, places, &dates, stamp(dates.revised, former, writer), problems);
    let mut draft = match &own {
        Some(own) => home(&draft, own),
        None => draft,
    };
    for (rank, (ms, password)) in history.into_iter().enumerate() {
        draft.remember(field::PASSWORD, stamp(ms.min(dates.revised), rank, writer), password);
    }
    if let Some(ms) = dates.deleted {
        draft.trashed_at(ms);
    }
    let document = draft.clone().build().map_err(Problem::Refused)?;
    let kept = document.register(field::PASSWORD).map_or(0, |register| register.history().len());
    if former > kept {
        problems.push(Problem::OlderPasswords { kept, older: former - kept });
    }
    let derived = derive_item(&document, place(&document));
    let rest = match &own {
        Some(own) => difference(&derived, &stripped(record, own)),
        None => difference(&derived, record),
    };
    draft.put(REST, rest);
    let document = draft.build().map_err(Problem::Refused)?;
    // Only what names the item, and what it said, is needed from here on.
    let own = own.map(|own| Own { id: own.id, hashes: own.hashes, ..Own::default() });
    Ok(Read { document, revised_ms: dates.revised, own })
}

impl Read {
    /// About what it takes.
    pub(super) fn bytes(&self) -> usize {
        let hashes = self.own.iter().flat_map(|own| &own.hashes.0);
        self.document.to_bytes().len() + hashes.map(|(key, _)| key.len() + 8).sum::<usize>()
    }
}

/// The fields that the JSON of a record says, its member `lockstep` aside.
pub(super) fn read_fields(record: &Json, places: &Places<'_>) -> Fields {
    let problems = &mut Vec::new();
    let dates = read_dates(record, &ImportContext { now_ms: u64::MAX }, problems);
    let draft = draft(record, places, &dates, stamp(0, 0, DeviceId::ZERO), problems);
    draft.values().map(|(key, value)| (key.to_owned(), value.clone())).collect()
}

/// Everything but history and trash.
fn draft(
    record: &Json,
    places: &Places<'_>,
    dates: &Dates,
    stamp: Stamp,
    problems: &mut Vec<Problem>,
) -> Draft {
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
    let mut draft = Draft::new(&kind, stamp);
    read_shared(record, dates, &mut draft);
    read_folder(record, places, &mut draft, problems);
    read_collections(record, places, &mut draft, problems);
    if let Some(keys) = keys {
        read_kind(record, keys, &mut draft, problems);
    }
    draft
}

/// The draft of an exported record as its item was.
fn home(draft: &Draft, own: &Own) -> Draft {
    let said = draft.values().map(|(key, value)| (key.to_owned(), value.clone()));
    let fields = own.completed(said.collect());
    let kind = fields.get(KIND).and_then(Value::as_text).unwrap_or_default();
    let mut home = Draft::new(kind, draft.stamp());
    fields.into_iter().for_each(|(key, value)| home.put(key, value));
    home
}

/// An exported record without what was added to it for the way home.
fn stripped(record: &Json, own: &Own) -> Json {
    let mut record = record.clone();
    let Some(members) = record.as_object_mut() else { return record };
    members.remove(OWN);
    let elements = CUSTOM.elements(members.get("fields"));
    let stands_for_another = |key: &str| own.fields.get(key).is_some_and(|to| !is_custom(to));
    let added: Vec<usize> = elements
        .iter()
        .filter(|element| stands_for_another(&element.key))
        .map(|element| element.index)
        .collect();
    if let Some(list) = members.get_mut("fields").and_then(Json::as_array_mut).filter(|_| !added.is_empty()) {
        let mut index = 0_usize..;
        list.retain(|_| index.next().is_none_or(|index| added.binary_search(&index).is_err()));
        if list.is_empty() {
            members.remove("fields");
        }
    }
    record
}

/// A stamp of the record's own time and writer: the same on every device that imports it.
fn stamp(ms: u64, rank: usize, writer: DeviceId) -> Stamp {
    Stamp::clamped(ms, u32::try_from(rank).unwrap_or(u32::MAX), writer)
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
    read_list(record.get("fields"), &CUSTOM, draft);
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
    read_list(member.get("uris"), &URI, draft);
    read_list(member.get("fido2Credentials"), &FIDO2, draft);
}

fn read_list(list: Option<&Json>, codec: &ElementCodec, draft: &mut Draft) {
    for element in codec.elements(list) {
        draft.put(element.key, element.value);
    }
}
