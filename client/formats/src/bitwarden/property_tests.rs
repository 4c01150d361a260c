//! Laws of import and export over generated exports.

#![allow(clippy::unwrap_used)]

use lockstep_client::item::Document;
use lockstep_client::item::merge::merge;
use lockstep_proto::ids::ItemId;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;

const NOW: ImportContext = ImportContext { now_ms: 1_600_000_000_000 };
const MEMBERS: [&str; 24] = [
    "id",
    "type",
    "name",
    "notes",
    "favorite",
    "reprompt",
    "folderId",
    "organizationId",
    "collectionIds",
    "creationDate",
    "revisionDate",
    "deletedDate",
    "archivedDate",
    "passwordHistory",
    "fields",
    "tags",
    "login",
    "card",
    "identity",
    "sshKey",
    "secureNote",
    "future",
    "kind",
    "bitwarden/rest",
];
const INNER: [&str; 16] = [
    "username",
    "password",
    "totp",
    "uris",
    "fido2Credentials",
    "uri",
    "match",
    "value",
    "type",
    "linkedId",
    "number",
    "lastUsedDate",
    "name",
    "credentialId",
    "firstName",
    "privateKey",
];

fn date() -> impl Strategy<Value = Json> {
    (1_990..2_040_u32, 0..14_u32, 0..33_u32, 0..25_u32, 0..1_000_u32).prop_map(
        |(year, month, day, hour, ms)| json!(format!("{year}-{month:02}-{day:02}T{hour:02}:10:20.{ms:03}Z")),
    )
}

fn scalar() -> impl Strategy<Value = Json> {
    prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        (-3_i64..9).prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<u64>().prop_map(Json::from),
        any::<f64>().prop_filter("JSON has no such number", |float| float.is_finite()).prop_map(Json::from),
        "[a-c/]{0,3}".prop_map(Json::from),
        any::<String>().prop_map(Json::from),
        Just(json!("f1")),
        date(),
    ]
}

fn inner() -> impl Strategy<Value = Json> {
    scalar().prop_recursive(3, 24, 4, |below| {
        let keys = proptest::sample::select(INNER.to_vec()).prop_map(str::to_owned);
        prop_oneof![
            vec(below.clone(), 0..4).prop_map(Json::from),
            btree_map(keys, below, 0..5).prop_map(|members| members.into_iter().collect()),
        ]
    })
}

fn item() -> impl Strategy<Value = Json> {
    let keys = proptest::sample::select(MEMBERS.to_vec()).prop_map(str::to_owned);
    let members = btree_map(keys, inner(), 0..12);
    (members, proptest::option::weighted(0.8, 1_i64..7)).prop_map(|(members, number)| {
        let mut item: Json = members.into_iter().collect();
        if let Some(number) = number {
            item["type"] = json!(number);
        }
        item
    })
}

fn whole() -> impl Strategy<Value = Json> {
    let folder = prop_oneof![
        "[a-c/]{0,3}".prop_map(|name| json!({ "id": "f1", "name": name })),
        Just(json!({ "id": "f2" })),
        scalar(),
    ];
    (vec(folder, 0..3), vec(item(), 0..5))
        .prop_map(|(folders, items)| json!({ "encrypted": false, "folders": folders, "items": items }))
}

fn import(export: &[u8]) -> Vec<Document> {
    let report = import_bitwarden_json(export, &NOW).unwrap();
    report.records.into_iter().map(|record| record.document).collect()
}

fn export(documents: &[Document]) -> Vec<u8> {
    let items =
        (0_u8..).zip(documents).map(|(number, document)| (ItemId::from_random([number; 16]), document));
    export_bitwarden_json(items)
}

/// The documented normalisations of an item: it has an id, and its password history is in order.
fn normalised(mut item: Json, exported: &Json) -> Json {
    item.as_object_mut().unwrap().remove("lockstep");
    if item.get("id").is_none_or(Json::is_null) {
        item["id"] = exported["id"].clone();
    }
    if let Some(history) = item.get_mut("passwordHistory").and_then(Json::as_array_mut) {
        history.sort_by_key(Json::to_string);
    }
    item
}

/// Whether a record became no item of its own.
fn is_no_item(problem: &Problem) -> bool {
    problem.is_skipped() || matches!(problem, Problem::Repeated { .. })
}

proptest! {
    #[test]
    fn what_was_imported_is_exported_and_an_export_is_a_fixed_point(original in whole()) {
        let report = import_bitwarden_json(original.to_string().as_bytes(), &NOW).unwrap();
        let places: Vec<usize> = report.records.iter().map(|record| record.index).collect();
        let first = export(&report.records.into_iter().map(|record| record.document).collect::<Vec<_>>());
        let exported: Json = serde_json::from_slice(&first).unwrap();
        let ours = exported["items"].as_array().unwrap();
        prop_assert_eq!(ours.len(), places.len());
        for (our, their) in ours.iter().zip(places.iter().map(|place| &original["items"][*place])) {
            prop_assert_eq!(normalised(our.clone(), our), normalised(their.clone(), our));
        }
        prop_assert_eq!(String::from_utf8(export(&import(&first))).unwrap(), String::from_utf8(first).unwrap());
    }

    #[test]
    fn importing_is_a_function_of_the_file_and_meets_itself_without_conflict(original in whole()) {
        let bytes = original.to_string().into_bytes();
        for (one, two) in import(&bytes).iter().zip(&import(&bytes)) {
            prop_assert_eq!(one.to_bytes(), two.to_bytes());
            let merged = merge(one, two);
            prop_assert!(merged == *one && merged.conflicts().is_empty());
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes in vec(any::<u8>(), 0..200), text in any::<String>()) {
        for bytes in [bytes, text.into_bytes()] {
            let wrapped = [b"{\"items\":[".as_slice(), &bytes, b"]}"].concat();
            for bytes in [bytes, wrapped] {
                if let Ok(report) = import_bitwarden_json(&bytes, &NOW) {
                    report.problems.iter().for_each(|told| drop(told.problem.to_string()));
                }
            }
        }
    }

    #[test]
    fn every_record_is_imported_or_named(items in vec(inner(), 0..6)) {
        let count = items.len();
        let report = import_bitwarden_json(json!({ "items": items }).to_string().as_bytes(), &NOW).unwrap();
        let skipped = report.problems.iter().filter(|told| is_no_item(&told.problem)).count();
        prop_assert_eq!(report.records.len() + skipped, count);
    }
}
