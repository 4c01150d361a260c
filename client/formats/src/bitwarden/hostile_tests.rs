//! Exports that no exporter would write: every member of every kind with every wrong type.

#![allow(clippy::unwrap_used, clippy::panic)]

use lockstep_client::item::{Author, Document};
use lockstep_proto::ids::{DeviceId, ItemId};
use serde_json::{Value as Json, json};

use super::import::import_within;
use super::keys::KINDS;
use super::*;

const NOW: ImportContext = ImportContext { now_ms: 1_800_000_000_000 };
const LONG: usize = 100_000;

fn full_item(number: i64) -> Json {
    let mut item = json!({
        "id": "9f8b1a5e-0000-4000-8000-000000000001", "organizationId": null, "collectionIds": null, "folderId": "f1",
        "type": number, "reprompt": 1, "favorite": true, "name": "Title", "notes": "Notes",
        "creationDate": "2020-01-02T03:04:05.678Z", "revisionDate": "2021-01-02T03:04:05.678Z",
        "deletedDate": "2022-01-02T03:04:05.678Z", "archivedDate": "2022-01-01T00:00:00.000Z",
        "passwordHistory": [{ "lastUsedDate": "2020-06-01T00:00:00.000Z", "password": "older" }],
        "fields": [{ "name": "pin", "value": "1", "type": 1, "linkedId": null }],
    });
    let keys = KINDS.iter().find(|keys| keys.number == number).unwrap();
    let mut member: serde_json::Map<String, Json> =
        keys.texts.iter().map(|(name, _)| ((*name).to_owned(), json!(format!("{name} text")))).collect();
    match keys.member {
        "login" => {
            member.insert("uris".to_owned(), json!([{ "uri": "https://a.example", "match": 1 }]));
            let passkey: serde_json::Map<String, Json> =
                keys::PASSKEY.iter().map(|(name, _)| ((*name).to_owned(), json!("part"))).collect();
            member.insert("fido2Credentials".to_owned(), json!([passkey]));
        }
        "secureNote" => drop(member.insert("type".to_owned(), json!(0))),
        _ => {}
    }
    item[keys.member] = Json::Object(member);
    item
}

/// JSON pointers to everything inside.
fn pointers(json: &Json, at: &str, found: &mut Vec<String>) {
    let children: Vec<(String, &Json)> = match json {
        Json::Object(members) => members.iter().map(|(key, child)| (key.clone(), child)).collect(),
        Json::Array(values) => {
            values.iter().enumerate().map(|(place, child)| (place.to_string(), child)).collect()
        }
        _ => Vec::new(),
    };
    for (key, child) in children {
        let pointer = format!("{at}/{key}");
        pointers(child, &pointer, found);
        found.push(pointer);
    }
}

fn odd_values() -> Vec<Json> {
    vec![
        json!(null),
        json!(false),
        json!(0),
        json!(-7),
        json!(1.5),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(1e308),
        json!(-4.2835177675741325e64),
        json!(""),
        json!("\u{0}\u{202e}\u{1f512}"),
        json!("9999-99-99T99:99:99Z"),
        json!([]),
        json!([null, [], { "password": 1 }]),
        json!({}),
        json!({ "uris": 1, "": { "rest": [] } }),
    ]
}

fn remove(item: &mut Json, pointer: &str) {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    match item.pointer_mut(parent).unwrap() {
        Json::Object(members) => drop(members.remove(key)),
        Json::Array(values) => drop(values.remove(key.parse().unwrap())),
        _ => panic!("nothing lies below a scalar"),
    }
}

fn import(items: &[Json]) -> ImportReport {
    let export = json!({ "encrypted": false, "folders": [{ "id": "f1", "name": "Home" }], "items": items });
    import_bitwarden_json(export.to_string().as_bytes(), &NOW).unwrap()
}

fn export_one(document: &Document) -> Json {
    let exported = export_bitwarden_json([(ItemId::from_random([7; 16]), document)]);
    let mut item = serde_json::from_slice::<Json>(&exported).unwrap()["items"][0].take();
    item.as_object_mut().unwrap().remove("lockstep");
    item
}

/// The record as an export gives it back: an id that is null is the item's.
fn with_id(original: &Json) -> Json {
    let mut item = original.clone();
    if item.get("id").is_some_and(Json::is_null) {
        item["id"] = json!(ItemId::from_random([7; 16]).to_string());
    }
    item
}

#[test]
fn every_wrong_type_in_every_member_of_every_kind_is_kept() {
    let mut items = Vec::new();
    for number in 1..=5 {
        let item = full_item(number);
        let mut found = Vec::new();
        pointers(&item, "", &mut found);
        for pointer in &found {
            let mut without = item.clone();
            remove(&mut without, pointer);
            items.push(without);
            for odd in odd_values() {
                let mut mutated = item.clone();
                *mutated.pointer_mut(pointer).unwrap() = odd;
                items.push(mutated);
            }
        }
    }
    assert!(items.len() > 1_500, "{} cases", items.len());
    let report = import(&items);
    let repeated = report.problems.iter().filter(|told| matches!(told.problem, Problem::Repeated { .. }));
    assert_eq!(report.records.len() + repeated.count(), items.len());
    for record in &report.records {
        let document = Document::from_bytes(&record.document.to_bytes()).unwrap();
        assert_eq!(export_one(&document), with_id(&items[record.index]), "case {}", record.index);
        assert!(document.conflicts().is_empty(), "case {}", record.index);
    }
}

#[test]
fn what_a_file_becomes_is_bounded_whatever_its_own_size() {
    let items = |count: usize| json!({ "items": vec![full_item(1); count] }).to_string();
    let one = import_within(items(1).as_bytes(), &NOW, usize::MAX).unwrap();
    let limit = one.records[0].document.to_bytes().len();
    assert!(import_within(items(1).as_bytes(), &NOW, limit).is_ok());
    let two = import_within(items(2).as_bytes(), &NOW, limit);
    assert!(matches!(two, Err(ImportError::TooMuch { .. })));
}

#[test]
fn a_collection_that_is_named_a_million_times_is_read_once() {
    let mut item = full_item(1);
    item["collectionIds"] = json!(vec!["c"; 1_000_000]);
    let said = "x".repeat(1_000_000);
    let export = json!({ "items": [item], "collections": [{ "id": "c", "name": "Team", "said": said }] });
    let report = import_bitwarden_json(export.to_string().as_bytes(), &NOW).unwrap();
    assert!(report.records.is_empty());
    assert!(matches!(report.problems[0].problem, Problem::Refused(_)));
}

/// What refused records say of their titles, folders and collections is not kept for each of them.
#[test]
fn remarks_and_places_take_little_however_large_they_are_in_the_file() {
    let long = "x".repeat(1_000_000);
    let members: Vec<String> = (0..5_000).map(|number| format!(r#""m{number}":1,"m{number}":2"#)).collect();
    let file = format!(r#"{{"items":[{{"type":1,"name":"{long}",{}}}]}}"#, members.join(","));
    let report = import_bitwarden_json(file.as_bytes(), &NOW).unwrap();
    assert!(report.problems.len() <= 1_001, "{}", report.problems.len());
    assert!(report.problems.iter().all(|told| told.name.as_ref().is_some_and(|name| name.len() == 200)));

    let folder = json!({ "id": "f", "name": long });
    let items = vec![json!({ "type": 2, "name": "n", "secureNote": { "type": 0 }, "folderId": "f" }); 3];
    let export = json!({ "items": items, "folders": [folder], "collections": [folder] });
    let report = import_bitwarden_json(export.to_string().as_bytes(), &NOW).unwrap();
    assert_eq!(report.left_out.len(), 2);
    assert!(report.problems.iter().any(|told| told.problem == Problem::MissingFolder));

    let holes = format!(r#"{{"items":[{}]}}"#, ":,".repeat(100_000));
    let report = import_bitwarden_json(holes.as_bytes(), &NOW).unwrap();
    assert!((1..=1_001).contains(&report.remarks.len()), "{}", report.remarks.len());
}

#[test]
fn an_edit_of_a_field_that_was_no_text_is_what_the_export_says_and_its_neighbours_stay() {
    let author = Author { now_ms: NOW.now_ms, device: DeviceId([1; 16]) };
    for keys in &KINDS {
        let texts = keys.texts.iter().map(|(name, field)| (format!("/{}/{name}", keys.member), *field));
        let shared = [("/name".to_owned(), "name"), ("/notes".to_owned(), "notes")];
        for (pointer, field) in texts.chain(shared) {
            for odd in [json!(5), json!(null), json!(["x"]), json!({ "a": 1 }), json!("before")] {
                let mut item = full_item(keys.number);
                *item.pointer_mut(&pointer).unwrap() = odd;
                item["future"] = json!({ "kept": [1, 2.5] });
                item[keys.member]["inner"] = json!("kept");
                let mut document = import(&[item]).records.remove(0).document;
                document.edit(author).set(field, "typed").apply().unwrap();
                let exported = export_one(&document);
                assert_eq!(exported.pointer(&pointer), Some(&json!("typed")), "{pointer}");
                assert_eq!(exported["future"], json!({ "kept": [1, 2.5] }), "{pointer}");
                assert_eq!(exported[keys.member]["inner"], json!("kept"), "{pointer}");
                let again = import(&[exported]).records.remove(0).document;
                assert_eq!(again.text(field), Some("typed"), "{pointer}");
            }
        }
    }
}

#[test]
fn a_cleared_field_or_element_does_not_come_back_from_the_rest() {
    let author = Author { now_ms: NOW.now_ms, device: DeviceId([1; 16]) };
    let mut item = full_item(1);
    item["login"]["uris"][0] = json!({ "uri": "https://a.example", "match": 17, "uriChecksum": "c" });
    item["fields"][0]["future"] = json!(1);
    let before = import(&[item]).records.remove(0).document;
    for (field, pointer, left) in [
        ("name", "/name", Some(json!(null))),
        ("notes", "/notes", Some(json!(null))),
        ("password", "/login/password", Some(json!(null))),
        ("uris/", "/login/uris", Some(json!([]))),
        ("passkeys/", "/login/fido2Credentials", Some(json!([]))),
        ("custom/", "/fields", None),
        ("favourite", "/favorite", Some(json!(false))),
        ("reprompt", "/reprompt", Some(json!(0))),
        ("created", "/creationDate", Some(json!(null))),
        ("archived", "/archivedDate", None),
        ("tags/Home", "/folderId", Some(json!(null))),
    ] {
        let mut document = before.clone();
        let field = before.registers().map(|(key, _)| key).find(|key| key.starts_with(field)).unwrap();
        assert!(document.edit(author).clear(field).apply().unwrap(), "{field}");
        assert_eq!(export_one(&document).pointer(pointer), left.as_ref(), "{field}");
    }
    let mut restored = before.clone();
    restored.edit(author).restore().apply().unwrap();
    assert_eq!(export_one(&restored)["deletedDate"], json!(null));
}

#[test]
fn what_is_no_export_as_a_whole_is_refused_with_a_sentence() {
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("nothing", Vec::new(), "the file is empty"),
        ("a byte order mark alone", b"\xef\xbb\xbf".to_vec(), "the file is empty"),
        ("UTF-16 of something else", b"\xff\xfea\0,\0".to_vec(), "CSV"),
        ("a table", b"folder,favorite,type\n".to_vec(), "CSV table"),
        ("a web page", b"<!DOCTYPE html>".to_vec(), "web page"),
        ("a damaged zip archive", b"PK\x03\x04 and no more".to_vec(), "zip archive is damaged"),
        (
            "a file that ends before its items",
            br#"{"encrypted":false,"fold"#.to_vec(),
            "at line 1, column 25",
        ),
        (
            "a file that is broken before its items",
            b"{\n \"encrypted\" false}".to_vec(),
            "at line 2, column 14",
        ),
        ("a list", b"[]".to_vec(), "is a list in JSON"),
        ("a text", b"\"items\"".to_vec(), "not JSON"),
        ("items that are no list", br#"{"items":{"0":{}}}"#.to_vec(), "no list of items"),
        ("no items", br#"{"folders":[]}"#.to_vec(), "no list of items"),
        ("an encrypted export", br#"{"encrypted":true,"items":[{"name":"2.a|b|c"}]}"#.to_vec(), "encrypted"),
        (
            "a password-protected export",
            br#"{"encrypted":true,"passwordProtected":true,"salt":"s","data":"d"}"#.to_vec(),
            "password of its own",
        ),
        ("a number that says yes", br#"{"encrypted":1,"items":[]}"#.to_vec(), "encrypted export"),
        ("a text that says yes", br#"{"encrypted":"true","items":[]}"#.to_vec(), "encrypted export"),
        (
            "an encrypted export that does not say so",
            br#"{"encKeyValidation_DO_NOT_EDIT":"2.A","items":[{"name":"2.a|b|c"}]}"#.to_vec(),
            "encrypted export",
        ),
    ];
    for (name, bytes, says) in cases {
        let error = import_bitwarden_json(&bytes, &NOW).unwrap_err().to_string();
        assert!(error.contains(says) && error.contains("nothing was imported"), "{name}: {error}");
    }
}

#[test]
fn odd_files_that_can_be_read_are_read() {
    let cases = [
        (r#"{"items":[]}"#, 0, vec![]),
        ("\u{feff} {\"items\":[]}\n", 0, vec![]),
        (r#"{"items":null,"folders":[]}"#, 0, vec![]),
        (r#"{"encrypted":"no","folders":7,"items":[]}"#, 0, vec!["folders"]),
        (r#"{"encrypted":[],"folders":"","collections":{},"items":[{}]}"#, 1, vec![]),
        (r#"{"folders":[1,null,{"id":2},{"id":"a"}],"items":[{}]}"#, 1, vec!["folders[0]", "folders[2]"]),
        (r#"{"folders":[{"id":null,"name":"No Folder"}],"items":[]}"#, 0, vec![]),
        (r#"{"items":[],"items":[{"type":2}]}"#, 1, vec![]),
        (r#"{"items":[{"type":2}]}{"items":[{"type":1}]}"#, 2, vec![]),
        (r#"{"items":[{"type":2},],}"#, 1, vec![]),
        (r#"{"items":[{"type":2} {"type":1}] "folders":[]}"#, 2, vec![]),
        (r#"{"new":{"x":[1]},"empty":{"x":[null]},"items":[]}"#, 0, vec!["new"]),
        ("{\"items\":[{\"type\":2}]}\0\0\0", 1, vec![]),
    ];
    for (text, records, left_out) in cases {
        let report = import_bitwarden_json(text.as_bytes(), &NOW).unwrap();
        assert_eq!(
            (report.records.len(), &report.left_out),
            (records, &left_out.iter().map(ToString::to_string).collect()),
            "{text}"
        );
        assert_eq!(report.is_complete(), left_out.is_empty(), "{text}");
    }
}

#[test]
fn entries_that_are_no_items_are_told_one_by_one() {
    let report = import(&[json!(null), json!(1), json!("x"), json!([{}]), json!(true), json!({})]);
    let told: Vec<_> = report.problems.iter().map(|told| (told.index, told.problem.clone())).collect();
    let mut expected: Vec<_> = (0..5).map(|index| (index, Problem::NotAnItem)).collect();
    let no_kind = Problem::UnknownKind { number: "?".into() };
    assert!(no_kind.to_string().starts_with("its kind is missing"), "{no_kind}");
    expected.push((5, no_kind));
    assert_eq!(told, expected);
    assert_eq!(report.records.len(), 1);
}

#[test]
fn ids_that_occur_again_are_told_at_every_repetition() {
    let same = json!({ "id": "1", "type": 2, "name": "a" });
    let report = import(&[same.clone(), json!({ "id": "2", "type": 2 }), same.clone(), same]);
    let told: Vec<_> = report.problems.iter().map(|told| (told.index, told.problem.clone())).collect();
    assert_eq!(told, [(2, Problem::Repeated { first: 0 }), (3, Problem::Repeated { first: 0 })]);
    assert_eq!(report.records.len(), 2);
}

#[test]
fn long_texts_are_kept_wherever_they_are() {
    let long = "ü".repeat(LONG / 2);
    for pointer in
        ["/id", "/name", "/notes", "/login/password", "/login/uris/0/uri", "/fields/0/name", "/folderId"]
    {
        let mut item = full_item(1);
        *item.pointer_mut(pointer).unwrap() = json!(long);
        let report = import(&[item.clone()]);
        assert_eq!(export_one(&report.records[0].document), item, "{pointer}");
    }
    let mut item = full_item(2);
    item[&long] = json!({ "x": [long] });
    assert_eq!(export_one(&import(&[item.clone()]).records[0].document), item);
}

#[test]
fn an_item_of_too_many_bytes_is_left_out_and_says_so() {
    for pointer in ["/name", "/notes", "/login/password", "/login/uris/0/uri", "/fields/0/value"] {
        let mut item = full_item(1);
        *item.pointer_mut(pointer).unwrap() = json!("x".repeat(300_000));
        let report = import(&[item]);
        assert!(report.records.is_empty(), "{pointer}");
        assert!(report.problems.iter().any(|told| told.problem.is_skipped()), "{pointer}");
        let said = report.problems[0].problem.to_string();
        assert!(said.contains("left out") && said.contains("bytes"), "{said}");
    }
}

#[test]
fn lists_of_more_than_a_thousand_elements_keep_their_order() {
    let uris: Vec<Json> =
        (0..1_200).map(|place| json!({ "uri": format!("https://{place}"), "match": null })).collect();
    let mut item = full_item(1);
    item["login"]["uris"] = json!(uris);
    assert_eq!(export_one(&import(&[item.clone()]).records[0].document), item);
}

#[test]
fn problems_show_no_titles_in_debug_output() {
    let report = import(&[json!({ "id": "1", "type": 77, "name": "secret title" })]);
    assert!(!format!("{:?}", report.problems).contains("secret title"));
    assert!(!format!("{report:?}").contains("secret title"));
}
