//! What older, newer and organisations' exports say differently: addresses, collections, dates, history, archives.

#![allow(clippy::unwrap_used, clippy::panic)]

use lockstep_client::item::views::Login;
use lockstep_client::item::{Author, Document, TrashState};
use lockstep_proto::ids::{DeviceId, ItemId};
use rawzip::CompressionMethod;
use serde_json::{Value as Json, json};

use super::*;
use crate::zip::tests::archive;

const NOW: ImportContext = ImportContext { now_ms: 1_800_000_000_000 };
const REVISED: u64 = 1_677_906_367_890;

fn import(export: &Json) -> ImportReport {
    import_bitwarden_json(export.to_string().as_bytes(), &NOW).unwrap()
}

fn import_item(item: &Json) -> (Document, Vec<Problem>) {
    let mut report = import(&json!({ "items": [item] }));
    let problems = report.problems.into_iter().map(|told| told.problem).collect();
    (report.records.remove(0).document, problems)
}

fn export(documents: &[&Document]) -> Json {
    let items =
        (1_u8..).zip(documents).map(|(number, document)| (ItemId::from_random([number; 16]), *document));
    serde_json::from_slice(&export_bitwarden_json(items)).unwrap()
}

fn export_one(document: &Document) -> Json {
    export(&[document])["items"][0].take()
}

fn author() -> Author {
    Author { now_ms: NOW.now_ms, device: DeviceId([1; 16]) }
}

fn item(deleted: Json) -> Json {
    json!({ "id": "a", "type": 1, "name": "binned", "creationDate": "2023-03-04T05:06:07.890Z",
        "revisionDate": "2023-03-04T05:06:07.890Z", "deletedDate": deleted, "login": { "password": "p" } })
}

/// Every form of a deletion date that was met, and its time, if it says one.
fn deletion_dates() -> Vec<(Json, Option<u64>)> {
    const TEN: u64 = 1_675_245_600_000;
    let same = |text: &str| (json!(text), Some(TEN));
    vec![
        same("2023-02-01T10:00:00.000Z"),
        same("2023-02-01T10:00:00.0000000+00:00"),
        same("2023-02-01T10:00:00"),
        same("2023-02-01T10:00:00+0000"),
        same("2023-02-01T10:00:00+00"),
        same("2023-02-01T10:00Z"),
        same("2023-02-01 10:00:00"),
        same("2023-02-01 10:00:00 UTC"),
        same("20230201T100000Z"),
        same("Wed, 01 Feb 2023 10:00:00 GMT"),
        same("02/01/2023 10:00:00"),
        same("+002023-02-01T10:00:00Z"),
        (json!("2023-02-01T10:00:00,123Z"), Some(TEN + 123)),
        (json!("2023-02-01"), Some(TEN - 36_000_000)),
        (json!("1970-01-01T00:00:00Z"), Some(0)),
        (json!("9999-12-31T23:59:59Z"), Some(253_402_300_799_000)),
        (json!(1_675_245_600_000_u64), Some(TEN)),
        (json!(1_675_245_600), Some(TEN)),
        (json!({ "$date": "2023-02-01T10:00:00Z" }), Some(TEN)),
        (json!("1601-01-01T00:00:00Z"), None),
        (json!("0001-01-01T00:00:00"), None),
        (json!("1969-12-31T23:59:59Z"), None),
        (json!("2023-02-01T24:00:00Z"), None),
        (json!("2023-02-30T10:00:00Z"), None),
        (json!("10000-01-01T00:00:00Z"), None),
        (json!(-11_644_473_600_i64), None),
        (json!(""), None),
        (json!(false), None),
        (json!([]), None),
    ]
}

#[test]
fn whatever_a_deletion_date_is_the_item_is_in_the_trash_until_it_is_restored() {
    for (deleted, ms) in deletion_dates() {
        let original = item(deleted.clone());
        let (document, told) = import_item(&original);
        let since_ms = ms.unwrap_or(REVISED);
        assert_eq!(document.trash_state(), TrashState::Trashed { since_ms }, "{deleted}");
        let unreadable = Problem::UnreadableDate { part: DatedPart::Deletion };
        assert_eq!(told.contains(&unreadable), ms.is_none(), "{deleted}");
        let exported = export_one(&document);
        assert_eq!(exported["deletedDate"], deleted);
        assert_eq!(import_item(&exported).0.trash_state(), document.trash_state(), "{deleted}");

        let mut edited = document.clone();
        edited.edit(author()).set("notes", "new").apply().unwrap();
        assert_eq!(edited.trash_state(), TrashState::BroughtBack, "{deleted}");
        assert_eq!(export_one(&edited)["deletedDate"], Json::Null, "{deleted}");
        let mut restored = document.clone();
        restored.edit(author()).restore().apply().unwrap();
        assert_eq!(export_one(&restored)["deletedDate"], Json::Null, "{deleted}");
        restored.edit(author()).set("notes", "new").apply().unwrap();
        assert_eq!(export_one(&restored)["deletedDate"], Json::Null, "{deleted}");
        restored.edit(author()).trash().apply().unwrap();
        assert_eq!(export_one(&restored)["deletedDate"], "2027-01-15T08:00:00.000Z", "{deleted}");
    }
    let (document, told) = import_item(&item(Json::Null));
    assert_eq!((document.trash_state(), told), (TrashState::Live, vec![]));
}

#[test]
fn dates_that_cannot_be_read_are_named_one_by_one_and_kept() {
    let original = json!({ "id": "a", "type": 1, "name": "n", "creationDate": "long ago", "revisionDate": [],
        "archivedDate": "1601-01-01", "deletedDate": null,
        "passwordHistory": [{ "lastUsedDate": "once", "password": "a" }, { "lastUsedDate": {}, "password": "b" }],
        "login": { "fido2Credentials": [{ "credentialId": "c", "creationDate": "lately" }] } });
    let (document, told) = import_item(&original);
    let parts = [
        DatedPart::Creation,
        DatedPart::Revision,
        DatedPart::Archive,
        DatedPart::FormerPassword,
        DatedPart::Passkey,
    ];
    let named: Vec<Problem> = parts.into_iter().map(|part| Problem::UnreadableDate { part }).collect();
    assert_eq!(told, named);
    assert!(document.archived_ms().is_some() && document.created_ms().is_none());
    let exported = export_one(&document);
    for member in ["creationDate", "revisionDate", "archivedDate", "passwordHistory"] {
        assert_eq!(exported[member], original[member], "{member}");
    }
    let other_forms = json!({ "id": "a", "type": 2, "name": "n", "creationDate": "01.02.2023",
        "revisionDate": 1_675_245_600,
        "archivedDate": "2023-02-01", "secureNote": { "type": 0 } });
    let (document, told) = import_item(&other_forms);
    assert_eq!((document.updated_ms(), told.len()), (1_675_245_600_000, 0));
    assert_eq!(document.created_ms(), document.archived_ms());
    // Made in time to come, too: nothing about it depends on the day of the import, so nothing is added for the way home.
    let of_the_future =
        json!({ "id": "a", "name": "n", "creationDate": "2021-01-01T00:10:20.000Z", "archivedDate": [] });
    let (document, _) = import_item(&of_the_future);
    assert_eq!(document.archived_ms(), document.created_ms());
    assert_eq!(export_one(&document).get("fields"), None);
}

#[test]
fn more_former_passwords_than_a_document_keeps_are_said_to_be_in_the_export_alone() {
    let entry = |number: u64| {
        let date = format!("2022-01-01T00:00:{number:02}.000Z");
        json!({ "lastUsedDate": date, "password": number.to_string() })
    };
    let original = |count: u64| {
        let history: Vec<Json> = (0..count).rev().map(entry).collect();
        json!({ "id": "a", "type": 1, "name": "n", "revisionDate": "2023-01-01T00:00:00.000Z",
            "passwordHistory": history, "login": { "password": "now" } })
    };
    assert_eq!(import_item(&original(20)).1, vec![]);
    let (mut document, told) = import_item(&original(30));
    assert_eq!(told, [Problem::OlderPasswords { kept: 20, older: 10 }]);
    assert_eq!(export_one(&document)["passwordHistory"], original(30)["passwordHistory"]);
    document.edit(author()).set("password", "new").apply().unwrap();
    assert_eq!(export_one(&document)["passwordHistory"].as_array().unwrap().len(), 20);
}

#[test]
fn older_forms_of_addresses_are_addresses_and_come_back_as_they_were() {
    let uri = "https://legacy.example/login";
    let modern = json!([{ "match": 3, "uri": uri, "x": 1 }]);
    let logins = [
        (json!({ "uri": uri }), 1),
        (json!({ "uri": uri, "uris": null }), 1),
        (json!({ "uri": uri, "uris": [] }), 1),
        (json!({ "uri": uri, "uris": modern }), 1),
        (json!({ "uri": uri, "uris": [{ "match": null, "uri": "https://b.example" }] }), 2),
        (json!({ "uris": uri }), 1),
        (json!({ "uri": uri, "uris": "" }), 2),
        (json!({ "uri": uri, "uris": "https://b.example" }), 2),
        (json!({ "uri": uri, "uris": uri }), 1),
        (json!({ "uris": [uri, "https://b.example", { "match": null, "uri": "https://c.example" }] }), 3),
        (json!({ "uris": [{ "match": null, "uri": null }, uri, null, {}, 7, { "match": 1 }] }), 1),
        (json!({ "uri": null, "uris": modern }), 1),
        (json!({ "uri": 5, "uris": { "a": 1 } }), 0),
    ];
    for (login, count) in logins {
        let original = json!({ "id": "a", "type": 1, "name": "n", "login": login });
        let (document, told) = import_item(&original);
        let uris = Login::of(&document).uris();
        assert_eq!((uris.len(), told.len()), (count, 0), "{login}");
        assert!(uris.iter().all(|(_, element)| element.uri.is_some()), "{login}");
        if count > 0 {
            assert!(uris.iter().any(|(_, element)| element.uri.as_deref() == Some(uri)), "{login}");
        }
        assert_eq!(export_one(&document)["login"], login, "{login}");
        let again = import_item(&export_one(&document)).0;
        assert_eq!(export_one(&again)["login"], export_one(&document)["login"], "{login}");
    }
}

#[test]
fn an_edit_of_an_older_form_writes_todays() {
    let login = json!({ "uri": "https://a.example", "username": "anna" });
    let (mut document, _) = import_item(&json!({ "id": "a", "type": 1, "name": "n", "login": login }));
    let (element, _) = Login::of(&document).uris().remove(0);
    let field = lockstep_client::item::views::field::element("uris", element);
    assert!(document.edit(author()).clear(field).apply().unwrap());
    let exported = export_one(&document);
    assert_eq!(exported["login"].get("uri"), None);
    assert!(!exported.to_string().contains("a.example") && !exported.to_string().contains("lockstep/"));
}

fn organisation() -> Json {
    let item = |id: &str, collections: Json| {
        json!({ "id": id, "organizationId": "o", "folderId": null, "type": 2, "name": id,
            "collectionIds": collections, "secureNote": { "type": 0 } })
    };
    let long = "x".repeat(600);
    json!({ "encrypted": false,
        "collections": [
            { "id": "c1", "organizationId": "o", "name": "Team/Servers", "externalId": null },
            { "id": "c2", "organizationId": "o", "name": "Team/Shops", "externalId": "7" },
            { "id": "c3", "organizationId": "o", "name": long },
            { "id": "c4", "organizationId": "o", "name": "Empty" },
        ],
        "items": [
            item("rack", json!(["c1"])),
            item("shop", json!(["c1", "c2"])),
            item("odd", json!(["c3", "c9"])),
            item("none", json!([])),
        ] })
}

#[test]
fn collections_are_tags_and_come_back() {
    let report = import(&organisation());
    let tags = |index: usize| report.records[index].document.tags().collect::<Vec<_>>();
    assert_eq!((tags(0), tags(1)), (vec!["Team/Servers"], vec!["Team/Servers", "Team/Shops"]));
    let told: Vec<(usize, Problem)> =
        report.problems.iter().map(|told| (told.index, told.problem.clone())).collect();
    assert_eq!(told, [(2, Problem::CollectionName), (2, Problem::MissingCollection)]);
    assert!(report.is_complete() && report.left_out.is_empty());
    let documents: Vec<&Document> = report.records.iter().map(|record| &record.document).collect();
    let exported = export(&documents);
    let original = organisation();
    assert_eq!(exported["folders"], json!([]));
    assert_eq!(
        exported["collections"].as_array().unwrap()[..],
        original["collections"].as_array().unwrap()[..3]
    );
    for (index, item) in original["items"].as_array().unwrap().iter().enumerate() {
        let members = |item: &Json| {
            ["collectionIds", "folderId", "organizationId", "tags"].map(|name| item.get(name).cloned())
        };
        assert_eq!(members(&exported["items"][index]), members(item), "{index}");
    }
    let again = import(&exported);
    for (first, second) in report.records.iter().zip(&again.records) {
        assert!(first.document.tags().eq(second.document.tags()));
    }
}

#[test]
fn an_item_without_the_tag_is_no_longer_in_the_collection() {
    let mut document = import(&organisation()).records.remove(1).document;
    document.edit(author()).clear("tags/Team/Shops").set("tags/Mine", true).apply().unwrap();
    let exported = export(&[&document]);
    let item = &exported["items"][0];
    assert_eq!(item["collectionIds"], json!(["c1"]));
    assert_eq!(exported["folders"][0]["name"], "Mine");
    let again = import(&exported).records.remove(0).document;
    assert_eq!(again.tags().collect::<Vec<_>>(), ["Mine", "Team/Servers"]);
}

#[test]
fn an_archive_gives_its_items_and_names_its_attachments() {
    let export = json!({ "encrypted": false, "items": [
        { "id": "one", "type": 2, "name": "Passport" }, { "id": "two", "type": 2, "name": "Plain" } ] });
    let export = export.to_string().encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let files: [(&str, &[u8]); 4] = [
        ("attachments/one/scan/page 1.pdf", b"%PDF"),
        ("data.json", &export),
        ("attachments/gone/photo.jpg", b"x"),
        ("notes.txt", b"x"),
    ];
    for method in [CompressionMethod::STORE, CompressionMethod::DEFLATE] {
        let report = import_bitwarden_json(&archive(&files, method), &NOW).unwrap();
        assert_eq!((report.records.len(), report.is_complete()), (2, false));
        let [told] = &report.problems[..] else { panic!("{:?}", report.problems) };
        assert_eq!((told.index, told.name.as_deref()), (0, Some("Passport")));
        assert_eq!(told.problem, Problem::Attachment { file: "scan/page 1.pdf".to_owned() });
        assert!(!told.problem.is_skipped() && told.problem.leaves_out());
        let left_out = |path: &str| FileRemark::FileLeftOut { path: path.to_owned() };
        assert_eq!(report.remarks, [left_out("attachments/gone/photo.jpg"), left_out("notes.txt")]);
    }
    let inner = archive(&[("data.json", b"{\"items\":[]}")], CompressionMethod::STORE);
    let nested = archive(&[("data.json", &inner)], CompressionMethod::STORE);
    let error = import_bitwarden_json(&nested, &NOW).unwrap_err().to_string();
    assert!(
        error.contains("zip archive in a zip archive") && error.contains("nothing was imported"),
        "{error}"
    );
    let empty = import_bitwarden_json(&archive(&[], CompressionMethod::STORE), &NOW).unwrap_err().to_string();
    assert!(empty.contains("no data.json") && empty.contains("nothing was imported"), "{empty}");
}
