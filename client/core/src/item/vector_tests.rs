//! The frozen bytes of documents and merges, in `proto/vectors`. With `LOCKSTEP_BLESS=1` in the environment a missing or
//! differing file is written instead of refused: only for formats that no release has frozen yet.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use std::path::Path;

use lockstep_proto::ids::DeviceId;
use serde_json::{Value as Json, json};

use super::*;

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn unhex(json: &Json) -> Vec<u8> {
    let text = json.as_str().unwrap();
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

pub(super) fn frozen(name: &str, description: &str, cases: Vec<Json>) -> Vec<Json> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto/vectors").join(name);
    let produced = json!({ "description": description, "cases": cases });
    if std::env::var_os("LOCKSTEP_BLESS").is_some() {
        std::fs::write(&path, serde_json::to_string_pretty(&produced).unwrap() + "\n").unwrap();
    }
    let file: Json = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(file, produced, "{name} is frozen");
    file["cases"].as_array().unwrap().clone()
}

fn at(now_ms: u64, device: u8) -> Author {
    Author { now_ms, device: DeviceId([device; 16]) }
}

fn stamp_json(stamp: Stamp) -> Json {
    json!([stamp.ms(), stamp.counter(), hex(stamp.device().as_bytes())])
}

fn register_json(register: &Register) -> Json {
    let entry = |entry: &Entry| {
        let mut value = Vec::new();
        value_codec::write_value(entry.value(), &mut value);
        let replaces: Vec<Json> = entry.replaces().iter().copied().map(stamp_json).collect();
        json!({ "stamp": stamp_json(entry.stamp()), "value": hex(&value), "replaces": replaces })
    };
    let entries: Vec<Json> = register.entries().iter().map(entry).collect();
    let floors: Vec<Json> = register.floors().stamps().map(stamp_json).collect();
    json!({ "entries": entries, "floors": floors })
}

/// The document's content in words that need no CBOR: values are hexadecimal CBOR.
fn document_json(document: &Document) -> Json {
    document.registers().map(|(key, register)| (key.to_owned(), register_json(register))).collect()
}

fn login() -> Document {
    let draft =
        Draft::by("login", at(1_700_000_000_000, 1)).unwrap().set("name", "Mail").set("password", "one");
    draft.set("tags/Home", true).set("created", 1_699_999_999_999_i64).build().unwrap()
}

fn edited(from: &Document, author: Author, field: &str, value: impl Into<Value>) -> Document {
    let mut document = from.clone();
    document.edit(author).set(field, value).apply().unwrap();
    document
}

fn trashed(from: &Document, author: Author) -> Document {
    let mut document = from.clone();
    document.edit(author).trash().apply().unwrap();
    document
}

fn every_type() -> Value {
    let nested =
        Value::map([("aa", Value::Int(-1)), ("b", Value::Int(i64::MIN)), ("", Value::Int(i64::MAX))]);
    let lengths = [0, 23, 24, 255, 256, 65_535, 65_536, -24, -25, -256, -257, -65_537, -4_294_967_297];
    let integers = lengths.into_iter().map(Value::Int).collect();
    let bytes = Value::Bytes(vec![0, 255]);
    Value::Array(vec![
        Value::Null,
        false.into(),
        true.into(),
        bytes,
        "ü€𝄞".into(),
        Value::Array(integers),
        nested,
    ])
}

fn with_floor() -> Document {
    (0..24).fold(login(), |document, round| {
        edited(&document, at(1_700_000_000_001 + round, 1), "password", i64::try_from(round).unwrap())
    })
}

#[test]
fn documents_have_their_frozen_bytes() {
    let later = Document { unknown: [("later".to_owned(), every_type())].into(), ..login() };
    let concurrent = [edited(&login(), at(2, 2), "name", "a"), edited(&login(), at(3, 3), "name", "b")];
    let documents = [
        ("empty", Document::default()),
        ("login", login()),
        ("one edit by a device whose clock is behind", edited(&login(), at(5, 2), "password", "two")),
        ("a removed list element", edited(&login(), at(1_800_000_000_000, 2), "tags/Home", Value::Null)),
        ("every type", edited(&login(), at(1_800_000_000_000, 2), "odd", every_type())),
        ("a conflict", merge::merge(&concurrent[0], &concurrent[1])),
        ("a floor after 24 edits", with_floor()),
        ("trashed", trashed(&login(), at(1_800_000_000_000, 2))),
        ("a member of a later protocol", later),
    ];
    let case = |(name, document): (&str, Document)| json!({ "name": name, "fields": document_json(&document), "bytes": hex(&document.to_bytes()) });
    let description = "Documents: every register with entries newest first (stamp = ms, counter, device; value as CBOR), \
        and the document's one encoding.";
    for case in frozen("document.json", description, documents.into_iter().map(case).collect()) {
        let document = Document::from_bytes(&unhex(&case["bytes"])).unwrap();
        assert_eq!(document_json(&document), case["fields"], "{}", case["name"]);
    }
}

/// Two documents that, merged, have two history entries of one stamp as the 20th and the 21st: the first would fit.
fn tied_at_the_cut(tied: &Document) -> (Document, Document) {
    let mut chosen = tied.clone();
    chosen.edit(at(1_800_000_000_001, 2)).resolve("password", "chosen").apply().unwrap();
    let left = (0..18).fold(chosen.clone(), |document, round| {
        edited(&document, at(1_800_000_000_002 + round, 2), "password", format!("left {round}"))
    });
    let right = ["right 0", "right 1"]
        .into_iter()
        .fold(chosen, |document, value| edited(&document, at(1_800_000_000_002, 3), "password", value));
    (left, right)
}

#[test]
fn merges_have_their_frozen_bytes() {
    let base = login();
    let tie = |value: &str| edited(&base, at(1_800_000_000_000, 2), "password", value);
    let chain = (0..15).fold(edited(&base, at(9, 2), "password", "left"), |document, round| {
        edited(&document, at(10, 2), "password", format!("left {round}"))
    });
    let large = edited(&base, at(9, 2), "notes", "x".repeat(65_600));
    let edit_elsewhere = edited(&base, at(9, 3), "name", "kept");
    let tied = tied_at_the_cut(&merge::merge(&tie("two"), &tie("three")));
    let mut restored = trashed(&base, at(1_800_000_000_000, 3));
    restored.edit(at(1_800_000_000_001, 3)).restore().apply().unwrap();
    let pairs = [
        ("the same document", base.clone(), base.clone()),
        (
            "different fields",
            edited(&base, at(9, 2), "name", "Post"),
            edited(&base, at(8, 3), "password", "two"),
        ),
        (
            "the same field",
            edited(&base, at(9, 2), "name", "Post"),
            edited(&base, at(8, 3), "name", "Letters"),
        ),
        ("the same stamp: the higher SHA-256 wins", tie("two"), tie("three")),
        ("equal values", tie("two"), edited(&base, at(1_800_000_000_001, 3), "password", "two")),
        ("more history than 20 entries", chain, with_floor()),
        ("a loser of more than 64 KiB", large, edited(&base, at(1_800_000_000_000, 3), "notes", "short")),
        ("an edit that a trashing has not seen", trashed(&base, at(1_800_000_000_000, 2)), edit_elsewhere),
        ("two trashings", trashed(&base, at(1_800_000_000_000, 2)), trashed(&base, at(1_800_000_000_001, 3))),
        ("history that shares the stamp of what does not fit goes too", tied.0, tied.1),
        ("a trashing that saw a restore", trashed(&restored, at(1_800_000_000_002, 2)), restored.clone()),
        ("a restore that a trashing has not seen", trashed(&base, at(1_800_000_000_002, 2)), restored),
    ];
    let case = |(name, a, b): (&str, Document, Document)| {
        let merged = merge::merge(&a, &b);
        let conflicts: Vec<&str> = merged.conflicts().into_iter().map(|conflict| conflict.field).collect();
        let trash = format!("{:?}", merged.trash_state());
        let [a, b, merged] = [&a, &b, &merged].map(|document| hex(&document.to_bytes()));
        json!({ "name": name, "a": a, "b": b, "merged": merged, "conflicts": conflicts, "trash": trash })
    };
    let description = "Merges: two documents, what they become, which fields are then in conflict, and whether the item \
        is in the trash.";
    for case in frozen("merge.json", description, pairs.into_iter().map(case).collect()) {
        let [a, b] = ["a", "b"].map(|side| Document::from_bytes(&unhex(&case[side])).unwrap());
        assert_eq!(merge::merge(&b, &a).to_bytes(), unhex(&case["merged"]), "{}", case["name"]);
    }
}

/// What tells "at the floor" from "below it": the tie is in both sides' history and in the merge no more.
#[test]
fn the_frozen_tie_at_the_cut_is_given_up_whole() {
    let base = login();
    let [two, three] =
        ["two", "three"].map(|value| edited(&base, at(1_800_000_000_000, 2), "password", value));
    let tied = merge::merge(&two, &three);
    let (left, right) = tied_at_the_cut(&tied);
    let count = |document: &Document| {
        let entries = document.register("password").unwrap().entries();
        entries.iter().filter(|entry| entry.stamp().ms() == 1_800_000_000_000).count()
    };
    let merged = merge::merge(&left, &right);
    assert_eq!((count(&left), count(&right), count(&merged)), (2, 2, 0));
    assert_eq!(merged.register("password").unwrap().history().len(), 19, "one more would have fitted");
    let with_tie = |document: &Document| merge::merge(document, &tied);
    assert_eq!(merge::merge(&with_tie(&left), &right), merge::merge(&left, &with_tie(&right)));
}

#[test]
fn ids_of_imported_elements_and_what_an_import_remembers_are_frozen() {
    let element = |list: &str, parts: &[&str], occurrence: usize| {
        let id = views::field::derive_element_id(list, parts, occurrence);
        json!({ "list": list, "parts": parts, "occurrence": occurrence, "id": id })
    };
    let batch = |identities: &[&str]| {
        let batch = source::Batch::of("bitwarden", identities.iter().copied());
        let memory = source::Memory {
            identity: "x".to_owned(),
            batch,
            revised_ms: 5,
            seen: source::Seen::of(&login()),
        };
        let mut bytes = Vec::new();
        value_codec::write_value(&memory.to_value(), &mut bytes);
        json!({ "program": "bitwarden", "identities": identities, "of": hex(&login().to_bytes()), "memory": hex(&bytes) })
    };
    let cases = vec![
        element("uris", &["https://example.org/"], 0),
        element("uris", &["https://example.org/"], 1),
        element("uris", &[""], 0),
        element("custom", &["PIN", "hidden"], 0),
        element("passkeys", &["example.org", "", "ann"], 0),
        batch(&["b", "a", "b"]),
        batch(&[]),
    ];
    let description = "Ids of imported list elements; and memories of an import (identity x, revised 5): identities of the \
        file, the document as it was imported, the value of source/bitwarden as CBOR.";
    for case in frozen("elements.json", description, cases) {
        let Some(id) = case["id"].as_str() else { continue };
        assert_eq!(lockstep_proto::bytes::from_base64url(id).unwrap().len(), 8);
    }
}
