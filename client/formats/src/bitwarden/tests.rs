#![allow(clippy::unwrap_used, clippy::panic)]

use lockstep_client::item::merge::merge;
use lockstep_client::item::views::{Login, MatchMode};
use lockstep_client::item::{Author, Document, TrashState};
use lockstep_proto::ids::{DeviceId, ItemId};
use serde_json::{Value as Json, json};

use super::*;

const NOW: ImportContext = ImportContext { now_ms: 1_800_000_000_000 };

fn thousand() -> Vec<u8> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/bitwarden-1000.json");
    std::fs::read(path).unwrap()
}

fn import(items: &Json) -> ImportReport {
    let export =
        json!({ "encrypted": false, "folders": [{ "id": "f1", "name": "Home/Router" }], "items": items });
    import_bitwarden_json(export.to_string().as_bytes(), &NOW).unwrap()
}

fn export(documents: &[Document]) -> Json {
    let items = documents.iter().enumerate().map(|(index, document)| {
        let mut bytes = [0; 16];
        bytes[0] = u8::try_from(index % 256).unwrap();
        (ItemId::from_random(bytes), document)
    });
    let mut export: Json = serde_json::from_slice(&export_bitwarden_json(items)).unwrap();
    for item in export["items"].as_array_mut().unwrap() {
        assert!(item.as_object_mut().unwrap().remove("lockstep").is_some());
    }
    export
}

fn documents(report: ImportReport) -> Vec<Document> {
    report.records.into_iter().map(|record| record.document).collect()
}

fn author(now_ms: u64) -> Author {
    Author { now_ms, device: DeviceId([1; 16]) }
}

/// The documented normalisations: the order of password history and of folders.
fn normalised(mut export: Json) -> Json {
    let by_text = |list: &mut Vec<Json>| list.sort_by_key(Json::to_string);
    export["folders"].as_array_mut().map(by_text);
    for item in export["items"].as_array_mut().unwrap() {
        item.get_mut("passwordHistory").and_then(Json::as_array_mut).map(by_text);
    }
    export
}

#[test]
fn a_thousand_items_survive_import_and_export_without_losing_a_value() {
    let bytes = thousand();
    let original: Json = serde_json::from_slice(&bytes).unwrap();
    let report = import_bitwarden_json(&bytes, &NOW).unwrap();
    assert_eq!((report.records.len(), report.left_out.len()), (1_000, 0));
    let stored: Vec<Vec<u8>> = report.records.iter().map(|record| record.document.to_bytes()).collect();
    let read: Vec<Document> = stored.iter().map(|bytes| Document::from_bytes(bytes).unwrap()).collect();
    let (exported, original) = (normalised(export(&read)), normalised(original));
    for (ours, theirs) in
        exported["items"].as_array().unwrap().iter().zip(original["items"].as_array().unwrap())
    {
        assert_eq!(ours, theirs);
    }
    assert_eq!(exported, original);
    let total: usize = stored.iter().map(Vec::len).sum();
    assert!(total < bytes.len(), "{total} bytes of documents from {} of JSON", bytes.len());
}

#[test]
fn the_hard_cases_of_the_thousand_are_reported_and_kept() {
    let report = import_bitwarden_json(&thousand(), &NOW).unwrap();
    let told: Vec<(usize, Problem)> =
        report.problems.iter().map(|problem| (problem.index, problem.problem.clone())).collect();
    assert!(told.contains(&(6, Problem::UnusableTotp)));
    assert!(told.contains(&(7, Problem::UnknownKind { number: "99".into() })));
    assert_eq!(told.iter().filter(|(_, problem)| *problem == Problem::MissingFolder).count(), 1);
    assert_eq!(told.len(), 3, "{told:?}");
    let document = |index: usize| &report.records[index].document;
    assert_eq!(document(0).name(), "");
    assert_eq!(document(1).notes().unwrap().len(), 120_000);
    assert!(document(2).name().contains('\u{202e}'));
    assert_eq!(document(7).kind(), "bitwarden/99");
    assert_eq!(document(8).trash_state(), TrashState::Trashed { since_ms: 1_726_731_625_000 });
    assert_ne!(report.records[4].origin, report.records[5].origin);
    assert_eq!(document(4).name(), document(5).name());
    assert_eq!(report.folders.iter().filter(|folder| folder.items > 0).count(), 8);
    let histories = report.records.iter().filter_map(|record| record.document.register("password"));
    assert_eq!(histories.map(|register| register.history().len()).sum::<usize>(), 388);
    assert!(report.records.iter().all(|record| record.document.conflicts().is_empty()));
}

#[test]
fn importing_twice_changes_nothing_and_an_edit_beats_a_second_import() {
    let first = documents(import_bitwarden_json(&thousand(), &NOW).unwrap());
    let later = ImportContext { now_ms: NOW.now_ms + 86_400_000 };
    let second = documents(import_bitwarden_json(&thousand(), &later).unwrap());
    for (one, two) in first.iter().zip(&second) {
        assert_eq!(merge(one, two).to_bytes(), one.to_bytes());
    }
    let mut edited = first[9].clone();
    edited.edit(author(5)).set("password", "by hand").apply().unwrap();
    let merged = merge(&edited, &second[9]);
    assert_eq!((merged.text("password"), merged.conflicts().len()), (Some("by hand"), 0));
}

#[test]
fn a_password_history_is_older_than_the_password_whatever_its_dates_say() {
    let report = import(&json!([{
        "id": "a", "type": 1, "name": "x", "revisionDate": "2020-01-01T00:00:00.000Z",
        "passwordHistory": [
            { "lastUsedDate": "2030-01-01T00:00:00.000Z", "password": "newest" },
            { "lastUsedDate": "2019-01-01T00:00:00.000Z", "password": "oldest" },
        ],
        "login": { "password": "current" },
    }]));
    let document = &report.records[0].document;
    assert_eq!(Login::of(document).password(), Some("current"));
    let history = document.register("password").unwrap().history();
    let history: Vec<_> = history.iter().map(|entry| entry.value().as_text().unwrap()).collect();
    assert_eq!(history, ["newest", "oldest"]);
    assert!(document.conflicts().is_empty());
}

#[test]
fn odd_records_come_back_as_they_were() {
    let items = json!([
        { "id": "1", "type": 1, "name": null, "favorite": "yes", "reprompt": 7, "login": null, "x": { "y": [1.5, null] } },
        { "id": "2", "type": 1, "name": 5, "login": { "password": 12, "uris": [
            { "uri": null, "match": null }, { "uri": "a", "match": 17, "uriChecksum": "c" }, null, "text" ], "autofill": true } },
        { "id": "3", "type": "one", "name": "no kind", "creationDate": "yesterday", "revisionDate": 3 },
        { "type": 2, "name": "no id", "secureNote": { "type": 1 }, "fields": null, "passwordHistory": [] },
        { "id": "5", "type": 1, "folderId": "f1", "archivedDate": "2024-01-01T00:00:00Z", "login": { "fido2Credentials": [
            { "credentialId": "c", "rpId": "example.org", "counter": 3, "future": 1 } ] } },
        { "id": "6", "type": 3, "card": { "number": "4111", "nested": { "deep": true } }, "deletedDate": "2024-01-01T00:00:00.123456Z" },
        { "id": "7", "type": 1, "passwordHistory": [{ "password": "p" }, 4], "organizationId": "o", "collectionIds": ["c"],
          "creationDate": "2999-01-01T00:00:00.000Z" },
    ]);
    let report = import(&items);
    assert_eq!(report.records.len(), 7);
    let exported = export(&documents(report));
    for (index, original) in items.as_array().unwrap().iter().enumerate() {
        let mut ours = exported["items"][index].clone();
        if original.get("id").is_none() {
            ours.as_object_mut().unwrap().remove("id");
        }
        assert_eq!(&ours, original);
    }
    assert_eq!(exported["folders"], json!([{ "id": "f1", "name": "Home/Router" }]));
    let again = import_bitwarden_json(exported.to_string().as_bytes(), &NOW).unwrap();
    assert_eq!(export(&documents(again)), exported);
}

#[test]
fn an_edit_after_the_import_is_what_the_export_says() {
    let report = import(&json!([{
        "id": "1", "type": 1, "name": "n", "folderId": "f1", "extra": 1,
        "login": { "password": 12, "uris": [{ "uri": "https://a.example", "match": 17, "uriChecksum": "c" }] },
    }]));
    let mut document = documents(report).remove(0);
    document
        .edit(author(NOW.now_ms))
        .set("name", "new")
        .set("password", "typed")
        .clear("tags/Home/Router")
        .set("tags/Other", true)
        .apply()
        .unwrap();
    let item = &export(std::slice::from_ref(&document))["items"][0];
    assert_eq!(
        (&item["name"], &item["login"]["password"], &item["extra"]),
        (&json!("new"), &json!("typed"), &json!(1))
    );
    assert_eq!(
        item["login"]["uris"],
        json!([{ "uri": "https://a.example", "match": 17, "uriChecksum": "c" }])
    );
    assert_eq!(item["revisionDate"], json!("2027-01-15T08:00:00.000Z"));
    assert_ne!(item["folderId"], json!("f1"));
    document.edit(author(NOW.now_ms)).clear("tags/Other").apply().unwrap();
    assert_eq!(export(std::slice::from_ref(&document))["items"][0]["folderId"], Json::Null);
}

#[test]
fn several_tags_and_foreign_kinds_survive_our_own_round_trip() {
    let wifi = lockstep_client::item::Draft::by("wifi", author(NOW.now_ms)).unwrap();
    let wifi = wifi.set("name", "Flat").set("ssid", "net").set("password", "p");
    let wifi = wifi.set("tags/A", true).set("tags/B", true).build().unwrap();
    let exported = export_bitwarden_json([(ItemId::from_random([1; 16]), &wifi)]);
    let item = &export(std::slice::from_ref(&wifi))["items"][0];
    assert_eq!((&item["type"], &item["tags"]), (&json!(2), &json!(["A", "B"])));
    assert_eq!(item["fields"][0], json!({ "name": "password", "value": "p", "type": 1, "linkedId": null }));
    assert_eq!(item["fields"][1], json!({ "name": "ssid", "value": "net", "type": 0, "linkedId": null }));
    let back = documents(import_bitwarden_json(&exported, &NOW).unwrap()).remove(0);
    assert_eq!(back.tags().collect::<Vec<_>>(), ["A", "B"]);
    assert_eq!((back.kind(), back.text("ssid"), back.text("password")), ("wifi", Some("net"), Some("p")));
    assert_eq!(export_bitwarden_json([(ItemId::from_random([1; 16]), &back)]), exported);
}

#[test]
fn a_login_is_understood() {
    let report = import(&json!([{
        "id": "1", "type": 1, "name": "n", "favorite": true, "reprompt": 1, "folderId": "f1",
        "login": { "username": "u", "totp": "jbsw y3dp ehpk 3pxp", "uris": [{ "uri": "https://a.example", "match": 1 }],
            "fido2Credentials": [{ "credentialId": "c", "rpId": "example.org" }] },
        "fields": [{ "name": "pin", "value": "1", "type": 1, "linkedId": null }],
    }]));
    let document = &report.records[0].document;
    let login = Login::of(document);
    assert!(document.is_favourite() && report.problems.is_empty());
    assert_eq!(login.uris()[0].1.match_mode, Some(MatchMode::Host));
    assert_eq!(login.passkeys()[0].1.relying_party(), Some("example.org"));
    assert_eq!(document.custom_fields()[0].1.name.as_deref(), Some("pin"));
    assert_eq!(document.tags().collect::<Vec<_>>(), ["Home/Router"]);
}

#[test]
fn one_bad_record_stops_no_other() {
    let long = "x".repeat(300_000);
    let report = import(&json!([
        5, { "id": "1", "type": 2, "name": "big", "notes": long }, { "id": "2", "type": 2, "name": "good" },
        { "id": "2", "type": 2, "name": "same id" },
    ]));
    assert_eq!(report.records.iter().map(|record| record.index).collect::<Vec<_>>(), [2, 3]);
    let problems: Vec<_> =
        report.problems.iter().map(|told| (told.index, told.problem.is_skipped())).collect();
    assert_eq!(problems, [(0, true), (1, true), (2, false), (3, false)]);
    assert_eq!(report.problems[2].problem, Problem::SharedId { others: 1 });
    assert_eq!(report.problems[1].name.as_deref(), Some("big"));
}

#[test]
fn a_record_without_an_id_is_known_by_its_content() {
    let report = import(&json!([
        { "type": 2, "name": "a" }, { "type": 2, "name": "a" }, { "type": 2, "name": "b" },
    ]));
    let ids: Vec<_> = report.records.iter().map(|record| (record.index, &record.origin.identity)).collect();
    assert_eq!(ids.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [0, 2]);
    assert_ne!(ids[0].1, ids[1].1);
    assert_eq!(report.problems[0].problem, Problem::Repeated { first: 0 });
}

#[test]
fn what_is_no_export_is_refused_with_a_reason() {
    let read = |text: &str| import_bitwarden_json(text.as_bytes(), &NOW);
    assert!(matches!(read("id,name"), Err(ImportError::NotJson { .. })));
    assert!(matches!(read(&"[".repeat(100_000)), Err(ImportError::NotJson { .. })));
    assert!(matches!(read(r#"{"encrypted":true,"items":[]}"#), Err(ImportError::Encrypted)));
    assert!(matches!(read(r#"{"encrypted":false}"#), Err(ImportError::NotAnExport)));
    assert!(read("\u{feff}{\"items\":[]}").unwrap().records.is_empty());
}
