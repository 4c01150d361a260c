//! Situations from reports of other programs, with records of our own.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};

use lockstep_client::item::reimport::{Base, Reimported, first_import, reimport};
use lockstep_client::item::source::Batch;
use lockstep_client::item::views::Login;
use lockstep_client::item::{Author, Document, Draft, TrashState};
use lockstep_proto::ids::{DeviceId, ItemId};
use serde_json::{Value as Json, json};

use super::*;

const NOW: ImportContext = ImportContext { now_ms: 1_800_000_000_000 };
const OLD: &str = "2023-03-04T05:06:07.890Z";
const NEW: &str = "2024-06-06T06:06:06.000Z";

fn author() -> Author {
    Author { now_ms: NOW.now_ms, device: DeviceId([1; 16]) }
}

fn uuid(number: usize) -> String {
    format!("0a0b{number:04}-0a0b-8000-8000-0000000000ff")
}

fn file(items: &[Json]) -> Vec<u8> {
    let folders = json!([{ "id": "f1", "name": "Home" }, { "id": "f2", "name": "Work" }]);
    json!({ "encrypted": false, "folders": folders, "items": items }).to_string().into_bytes()
}

fn read(bytes: &[u8]) -> ImportReport {
    import_bitwarden_json(bytes, &NOW).unwrap()
}

/// A vault as the facade keeps it: items by what their records are known by.
#[derive(Default)]
struct Vault(BTreeMap<String, Document>);

impl Vault {
    /// Imports, and returns the fields in conflict.
    fn import(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut found = Vec::new();
        for record in read(bytes).records {
            let batch = Batch::of("bitwarden", []);
            let key = record.origin.identity.clone();
            let Some(current) = self.0.get(&key) else {
                self.0.insert(key, first_import(&record.document, &record.origin, batch).unwrap());
                continue;
            };
            let base = Base::Remembered;
            match reimport(current, &record.document, &record.origin, &base, batch, author()).unwrap() {
                Reimported::Changed { document, conflicts, .. } => {
                    found.extend(conflicts);
                    self.0.insert(key, document);
                }
                Reimported::Unchanged | Reimported::Older => {}
            }
        }
        found
    }

    fn named(&self, name: &str) -> &Document {
        self.0.values().find(|document| document.name() == name).unwrap()
    }
}

#[test]
fn many_records_of_one_id_are_as_many_items_and_each_is_named() {
    for id in ["00000000-0000-0000-0000-000000000000", "placeholder", &uuid(1)] {
        let login = |number: usize| {
            json!({ "id": id, "type": 1, "name": format!("site {}", number % 20),
                "login": { "username": "u", "password": format!("p{number}") } })
        };
        let items: Vec<Json> = (0..22).map(login).collect();
        let report = read(&file(&items));
        let passwords: BTreeSet<_> =
            report.records.iter().filter_map(|record| record.document.text("password")).collect();
        let identities: BTreeSet<_> = report.records.iter().map(|record| &record.origin.identity).collect();
        assert_eq!((passwords.len(), identities.len()), (22, 22), "{id}");
        let told: Vec<_> = report.problems.iter().map(|told| (told.index, told.problem.clone())).collect();
        assert_eq!(told, (0..22).map(|index| (index, Problem::SharedId { others: 21 })).collect::<Vec<_>>());
        let mut vault = Vault::default();
        vault.import(&file(&items));
        let before: Vec<Vec<u8>> = vault.0.values().map(Document::to_bytes).collect();
        vault.import(&file(&items));
        assert_eq!(vault.0.values().map(Document::to_bytes).collect::<Vec<_>>(), before);
    }
}

#[test]
fn two_peoples_files_with_the_same_numbers_do_not_meet() {
    let person = |name: &str| -> Vec<u8> {
        file(&[1, 2].map(
            |id| json!({ "id": id.to_string(), "type": 1, "name": format!("{name} {id}"), "login": {} }),
        ))
    };
    let mut vault = Vault::default();
    vault.import(&person("Anna"));
    vault.import(&person("Ben"));
    let names: BTreeSet<&str> = vault.0.values().map(Document::name).collect();
    assert_eq!(names, BTreeSet::from(["Anna 1", "Anna 2", "Ben 1", "Ben 2"]));
}

/// One record, revised at this time; `more` is merged into it, `login` into its login.
fn login(number: usize, revised: &str, name: &str, more: Json, login: Json) -> Json {
    let mut item = json!({ "id": uuid(number), "type": 1, "name": name, "favorite": false, "reprompt": 0, "notes": null,
        "folderId": null, "deletedDate": null, "creationDate": OLD, "revisionDate": revised, "passwordHistory": null,
        "organizationId": null, "collectionIds": null });
    let mut member =
        json!({ "uris": [], "username": "u", "password": null, "totp": null, "fido2Credentials": [] });
    member.as_object_mut().unwrap().extend(login.as_object().unwrap().clone());
    item["login"] = member;
    item.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    item
}

fn uri(address: &str) -> Json {
    json!({ "match": null, "uri": address })
}

fn pin(name: &str, value: &str) -> Json {
    json!({ "name": name, "value": value, "type": 0, "linkedId": null })
}

fn export_of_2023() -> Vec<Json> {
    let passkey = json!([{ "credentialId": "b64.3q2", "rpId": "pk.example", "userName": "pat" }]);
    vec![
        login(
            1,
            OLD,
            "addresses",
            json!({}),
            json!({ "password": "p1", "uris": [uri("https://one"), uri("https://two")] }),
        ),
        login(2, OLD, "folder", json!({ "folderId": "f1" }), json!({})),
        login(3, OLD, "favourite", json!({ "favorite": true }), json!({})),
        login(4, OLD, "totp", json!({}), json!({ "totp": "JBSWY3DPEHPK3PXP" })),
        login(
            5,
            OLD,
            "fields",
            json!({ "fields": [pin("alpha", "1"), pin("beta", "2"), pin("gamma", "3")] }),
            json!({}),
        ),
        login(6, OLD, "back", json!({ "deletedDate": "2023-04-04T00:00:00.000Z" }), json!({})),
        login(7, OLD, "bin", json!({}), json!({})),
        login(8, OLD, "note", json!({ "notes": "to be wiped" }), json!({})),
        login(9, OLD, "passkey", json!({}), json!({ "fido2Credentials": passkey })),
        login(10, OLD, "reprompt", json!({ "reprompt": 1 }), json!({})),
    ]
}

fn export_of_2024() -> Vec<Json> {
    vec![
        login(1, NEW, "addresses", json!({}), json!({ "password": "p1", "uris": [uri("https://two")] })),
        login(2, NEW, "folder", json!({ "folderId": "f2" }), json!({})),
        login(3, NEW, "favourite", json!({}), json!({})),
        login(4, NEW, "totp", json!({}), json!({})),
        login(5, NEW, "fields", json!({ "fields": [pin("gamma", "3"), pin("alpha", "1")] }), json!({})),
        login(6, NEW, "back", json!({}), json!({})),
        login(7, NEW, "bin", json!({ "deletedDate": NEW }), json!({})),
        login(8, NEW, "note", json!({}), json!({})),
        login(9, NEW, "passkey", json!({}), json!({})),
        login(10, NEW, "reprompt", json!({}), json!({})),
    ]
}

#[test]
fn a_newer_export_of_edited_items_is_taken_as_it_is() {
    let mut vault = Vault::default();
    vault.import(&file(&export_of_2023()));
    assert_eq!(vault.import(&file(&export_of_2024())), Vec::<String>::new());
    let addresses: Vec<_> =
        Login::of(vault.named("addresses")).uris().into_iter().map(|(_, uri)| uri.uri).collect();
    assert_eq!(addresses, [Some("https://two".to_owned())]);
    assert!(vault.named("addresses").register("password").unwrap().history().is_empty());
    assert_eq!(vault.named("folder").tags().collect::<Vec<_>>(), ["Work"]);
    assert!(!vault.named("favourite").is_favourite() && vault.named("totp").text("totp").is_none());
    let fields: Vec<_> =
        vault.named("fields").custom_fields().into_iter().map(|(_, field)| field.name.unwrap()).collect();
    assert_eq!(fields, ["gamma", "alpha"]);
    assert_eq!(vault.named("back").trash_state(), TrashState::Live);
    assert_eq!(vault.named("bin").trash_state(), TrashState::Trashed { since_ms: 1_717_653_966_000 });
    assert!(vault.named("note").notes().is_none() && Login::of(vault.named("passkey")).passkeys().is_empty());
    assert!(vault.named("reprompt").value("reprompt").is_none());
    assert!(vault.0.values().all(|document| document.conflicts().is_empty()));
    let items = vault.0.values().enumerate();
    let items: Vec<_> = items
        .map(|(number, document)| (ItemId::from_random([u8::try_from(number).unwrap(); 16]), document))
        .collect();
    let exported: Json = serde_json::from_slice(&export_bitwarden_json(items)).unwrap();
    for (mut ours, theirs) in exported["items"].as_array().unwrap().clone().into_iter().zip(export_of_2024())
    {
        ours.as_object_mut().unwrap().remove("lockstep");
        assert_eq!(ours, theirs);
    }
    let before = vault.0.clone();
    vault.import(&file(&export_of_2024()));
    vault.import(&file(&export_of_2023()));
    assert_eq!(vault.0, before, "the same file again, and an older one");
}

#[test]
fn an_edit_made_here_outlives_a_newer_export_that_did_not_touch_it() {
    let mut vault = Vault::default();
    vault.import(&file(&[login(1, OLD, "x", json!({ "notes": "n" }), json!({ "password": "p" }))]));
    let document = vault.0.values_mut().next().unwrap();
    document.edit(author()).set("password", "mine").set("notes", "mine").apply().unwrap();
    let conflicts =
        vault.import(&file(&[login(1, NEW, "x", json!({ "notes": "theirs" }), json!({ "password": "p" }))]));
    assert_eq!(conflicts, ["notes"]);
    let document = vault.named("x");
    assert_eq!((document.text("password"), document.notes()), (Some("mine"), Some("mine")));
    assert_eq!(document.conflicts()[0].losers[0].value(), &"theirs".into());
}

/// The fields of a document, its kind's and others', on an item of this kind.
fn crowded(kind: &str) -> Document {
    let mut draft = Draft::by(kind, author()).unwrap();
    for key in
        ["password", "ssid", "number", "cardholder", "secret", "username", "private-key", "email", "code"]
    {
        draft.put(key, format!("{key} of {kind}"));
    }
    let address =
        |text: &str| lockstep_client::item::Value::map([("uri", text.into()), ("match", "host".into())]);
    draft.put("uris/1", address("https://one.example"));
    draft.put("uris/2", address("https://two.example"));
    draft.put("favourite", true);
    draft.build().unwrap()
}

#[test]
fn every_field_of_every_kind_is_where_other_programs_see_it() {
    for kind in lockstep_client::item::views::Kind::ALL {
        let document = crowded(kind.as_str());
        let exported: Json =
            serde_json::from_slice(&export_bitwarden_json([(ItemId::from_random([1; 16]), &document)]))
                .unwrap();
        let mut item = exported["items"][0].clone();
        item.as_object_mut().unwrap().remove("lockstep");
        let shown = item.to_string();
        for (key, _) in document.registers().filter(|(key, _)| !matches!(*key, "kind" | "favourite")) {
            let text = document.text(key).or_else(|| document.value(key)?.member("uri")?.as_text()).unwrap();
            assert!(shown.contains(text), "{key} of {}: {shown}", kind.as_str());
        }
        let fields = item["fields"].as_array().unwrap();
        let hidden = |field: &Json| field["type"] == json!(1);
        for field in fields
            .iter()
            .filter(|field| ["password", "private-key", "code"].contains(&field["name"].as_str().unwrap()))
        {
            assert!(hidden(field), "{field}");
        }
        assert!(fields.iter().filter(|field| field["name"] == "uri").all(|field| !hidden(field)));
    }
}

#[test]
fn an_item_of_an_unknown_kind_exports_what_it_holds_now() {
    let bytes = file(&[
        json!({ "id": uuid(1), "type": 99, "name": "odd", "notes": "n", "future": { "kept": [1, 2.5] },
        "login": { "username": "old", "password": "kept" } }),
    ]);
    let mut document = read(&bytes).records.remove(0).document;
    document.edit(author()).set("username", "new").set("notes", "newer").set("totp", "seed").apply().unwrap();
    let id = ItemId::from_random([1; 16]);
    let exported = export_bitwarden_json([(id, &document)]);
    let item = serde_json::from_slice::<Json>(&exported).unwrap()["items"][0].take();
    assert_eq!(item["login"], json!({ "username": "new", "password": "kept", "totp": "seed" }));
    assert_eq!((&item["type"], &item["notes"]), (&json!(99), &json!("newer")));
    assert_eq!(item["future"], json!({ "kept": [1, 2.5] }));
    assert_eq!(check_bitwarden_json(&exported, [(id, &document)]).unwrap(), []);
    let home = read(&exported).records.remove(0).document;
    assert_eq!((home.kind(), home.text("username")), ("bitwarden/99", Some("new")));
}

#[test]
fn what_is_edited_in_an_export_comes_home_as_an_edit() {
    let draft =
        Draft::by("wifi", author()).unwrap().set("name", "Flat").set("ssid", "net").set("hidden", true);
    let document = draft
        .set("created", 5_i64)
        .set("uris/1", crowded("wifi").value("uris/1").unwrap().clone())
        .build()
        .unwrap();
    let id = ItemId::from_random([1; 16]);
    let exported = String::from_utf8(export_bitwarden_json([(id, &document)])).unwrap();
    let edited = exported
        .replace("\"net\"", "\"new net\"")
        .replace("\"true\"", "\"false\"")
        .replace("https://one", "https://1");
    let record = read(edited.as_bytes()).records.remove(0);
    let (own, seen) = record.own.unwrap();
    let done = reimport(
        &document,
        &record.document,
        &record.origin,
        &Base::Exported(seen),
        Batch::of("", []),
        author(),
    );
    let Reimported::Changed { document: home, conflicts, .. } = done.unwrap() else { panic!("edited") };
    assert_eq!((own, home.kind(), home.text("ssid")), (id, "wifi", Some("new net")));
    assert_eq!(home.value("hidden"), Some(&false.into()));
    let uris = Login::of(&home).uris();
    assert_eq!(
        (uris[0].1.uri.as_deref(), uris[0].1.match_mode.unwrap().as_str()),
        (Some("https://1.example"), "host")
    );
    assert!(conflicts.is_empty() && home.conflicts().is_empty());
    assert_eq!(
        check_bitwarden_json(edited.as_bytes(), [(id, &document)]).unwrap()[0].fields.as_ref().unwrap().len(),
        3
    );
}

#[test]
fn a_member_that_lockstep_did_not_write_is_kept_and_means_nothing() {
    for member in
        [json!(1), json!({}), json!({ "id": "x", "hashes": [] }), json!({ "id": uuid(2), "hashes": [1] })]
    {
        let report = read(&file(&[json!({ "id": uuid(1), "type": 2, "name": "n", "lockstep": member })]));
        assert_eq!((report.records[0].origin.program.as_str(), &report.records[0].own), ("bitwarden", &None));
    }
    let member = json!({ "id": uuid(2), "hashes": [], "fields": { "name": "trash", "notes": "source/own" },
        "values": { "trash": [null, 1], "source/own": [null, 1], "totp": [null, { "map": { "a": { "bytes": "AA" } } }], "x": 1 } });
    let record = read(&file(&[json!({ "id": uuid(1), "type": 2, "name": "n", "lockstep": member })]))
        .records
        .remove(0);
    assert_eq!((record.document.name(), record.document.trash_state()), ("n", TrashState::Live));
    assert!(record.document.value("totp").is_some() && record.document.value("source/own").is_none());
}
