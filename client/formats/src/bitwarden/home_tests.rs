//! Laws of our own export: it comes home whatever an item holds.

#![allow(clippy::unwrap_used, clippy::panic)]

use lockstep_client::item::reimport::{Base, Reimported, first_import, reimport};
use lockstep_client::item::source::{Batch, FieldHash, Seen};
use lockstep_client::item::views::{Kind, field};
use lockstep_client::item::{Author, Document, Draft, MAX_MS, Value, is_inner};
use lockstep_proto::ids::{DeviceId, ItemId};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use super::*;

const NOW_MS: u64 = 1_700_000_000_000;

fn author(later: u64) -> Author {
    Author { now_ms: NOW_MS + later, device: DeviceId([7; 16]) }
}

fn id(number: usize) -> ItemId {
    ItemId::from_random([u8::try_from(number).unwrap() + 1; 16])
}

fn kind() -> impl Strategy<Value = String> {
    let known = proptest::sample::select(Kind::ALL.to_vec()).prop_map(|kind| kind.as_str().to_owned());
    prop_oneof![6 => known, 1 => Just("bitwarden/99".to_owned()), 1 => Just("hologram".to_owned())]
}

fn value() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        4 => any::<String>().prop_map(Value::from),
        2 => "[a-z ]{0,6}".prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => vec(any::<u8>(), 0..9).prop_map(Value::from),
        1 => Just(Value::Null),
    ];
    scalar.prop_recursive(3, 12, 3, |below| {
        prop_oneof![
            vec(below.clone(), 0..3).prop_map(Value::Array),
            btree_map("(uri|name|value|type|order|match|rest|[a-z]{1,3})", below, 0..4).prop_map(Value::Map),
        ]
    })
}

fn key() -> impl Strategy<Value = String> {
    let plain = proptest::sample::select(vec![
        "name",
        "notes",
        "username",
        "password",
        "totp",
        "number",
        "code",
        "title",
        "email",
        "ssid",
        "hidden",
        "secret",
        "endpoint",
        "favourite",
        "reprompt",
        "created",
        "archived",
        "passkey",
        "private-key",
        "media-type",
        "kind/x",
        "future",
    ]);
    let lists =
        proptest::sample::select(vec![field::URIS, field::PASSKEYS, field::CUSTOM, field::TAGS, "new"]);
    prop_oneof![
        6 => plain.prop_map(str::to_owned),
        4 => (lists, "[a-c]{1,2}").prop_map(|(list, id)| field::element(list, &id)),
        1 => "\\PC{1,8}".prop_filter("not one of its own", |key| {
            !is_inner(key) && !matches!(key.as_str(), "trash" | "kind")
        }),
    ]
}

/// An address, custom field or passkey as some client would write it.
fn element() -> impl Strategy<Value = (String, Value)> {
    let text = "[a-c]{0,2}";
    let uri = (text, text, 0..3_i64).prop_map(|(id, uri, order)| {
        let value = Value::map([("uri", uri.into()), ("match", "host".into()), ("order", order.into())]);
        (field::element(field::URIS, &id), value)
    });
    let custom = (text, text, text, 0..3_i64).prop_map(|(id, name, held, order)| {
        let parts = [("name", name.into()), ("value", held.into()), ("type", "hidden".into())];
        let [name, value, kind] = parts;
        (field::element(field::CUSTOM, &id), Value::map([name, value, kind, ("order", order.into())]))
    });
    let passkey = (text, text).prop_map(|(id, credential)| {
        let value = Value::map([("credential-id", credential.into()), ("rp-id", "a.example".into())]);
        (field::element(field::PASSKEYS, &id), value)
    });
    prop_oneof![uri, custom, passkey]
}

fn document() -> impl Strategy<Value = Document> {
    let fields = vec(prop_oneof![2 => (key(), value()), 1 => element()], 0..12);
    (kind(), fields.clone(), fields, any::<bool>()).prop_map(|(kind, first, second, trashed)| {
        let mut draft = Draft::by(&kind, author(0)).unwrap();
        first.into_iter().for_each(|(key, value)| draft.put(key, value));
        let mut document = draft.build().unwrap();
        let mut edit = document.edit(author(10));
        for (key, value) in second {
            edit = edit.set(key, value);
        }
        if trashed { edit.trash() } else { edit }.apply().unwrap();
        document
    })
}

fn export(documents: &[Document]) -> Vec<u8> {
    export_bitwarden_json(documents.iter().enumerate().map(|(number, document)| (id(number), document)))
}

fn import(bytes: &[u8]) -> Vec<ImportedRecord> {
    let report = import_bitwarden_json(bytes, &ImportContext { now_ms: NOW_MS + 1_000 }).unwrap();
    assert!(report.problems.iter().all(|told| !told.problem.is_skipped()), "{:?}", report.problems);
    report.records
}

/// What becomes of an item into which a record of an export of it is imported.
fn into_itself(current: &Document, record: &ImportedRecord) -> Reimported {
    let base = Base::Exported(record.own.as_ref().unwrap().1.clone());
    reimport(current, &record.document, &record.origin, &base, batch(), author(50)).unwrap()
}

fn batch() -> Batch {
    Batch::of("lockstep", [])
}

/// What a document says: each list in its order, whatever the numbers of the places are.
fn said(document: &Document) -> Vec<(String, FieldHash)> {
    let seen = Seen::of(document).0.into_iter().filter(|(key, _)| !is_inner(key));
    let mut said: Vec<_> = seen.collect();
    said.sort_by(|(one, _), (two, _)| list_of(one).cmp(list_of(two)));
    said
}

fn list_of(key: &str) -> &str {
    key.split_once('/').map_or(key, |(list, _)| list)
}

/// Another device may have had a clock that was ahead; a forged file says that it had.
#[test]
fn an_export_with_times_to_come_comes_home_and_never_uses_the_stamps_up() {
    let mut draft =
        Draft::by("login", Author { now_ms: 4_000_000_000_000, device: DeviceId([7; 16]) }).unwrap();
    draft.put("name", "Bank");
    let document = draft.build().unwrap();
    let bytes = export(std::slice::from_ref(&document));
    assert_eq!(into_itself(&document, &import(&bytes)[0]), Reimported::Unchanged);
    let text = String::from_utf8(bytes).unwrap();
    let date = "\"2096-10-02T07:06:40.000Z\"";
    assert!(text.contains(date), "{text}");
    for last in ["281474976710655", "18446744073709551615", "\"9999-12-31T23:59:59.999Z\""] {
        let forged = text.replace(date, last);
        let mut made = import(forged.as_bytes())[0].document.clone();
        made.edit(author(0)).set("name", "edited").apply().unwrap();
        made.edit(author(1)).set("name", "again").apply().unwrap();
        assert_eq!(made.name(), "again");
        assert!(made.highest_stamp().unwrap().ms() < MAX_MS - 300 * 86_400_000);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_live_field_of_every_kind_comes_home(documents in vec(document(), 1..4)) {
        let bytes = export(&documents);
        let items = || documents.iter().enumerate().map(|(number, document)| (id(number), document));
        prop_assert_eq!(check_bitwarden_json(&bytes, items()).unwrap(), []);
        for (number, record) in import(&bytes).iter().enumerate() {
            prop_assert_eq!(record.own.as_ref().unwrap().0, id(number));
            prop_assert_eq!(said(&record.document), said(&documents[number]));
        }
    }

    #[test]
    fn an_export_changes_nothing_in_the_vault_that_it_came_from(documents in vec(document(), 1..4), edits in vec((key(), value()), 0..4)) {
        let bytes = export(&documents);
        for (record, document) in import(&bytes).iter().zip(&documents) {
            prop_assert_eq!(into_itself(document, record), Reimported::Unchanged);
            let mut later = document.clone();
            let mut edit = later.edit(author(20));
            for (key, value) in edits.clone() {
                edit = edit.set(key, value);
            }
            edit.apply().unwrap();
            prop_assert_eq!(into_itself(&later, record), Reimported::Unchanged);
        }
    }

    #[test]
    fn elsewhere_an_export_makes_the_same_items_once(documents in vec(document(), 1..4)) {
        let bytes = export(&documents);
        for (first, second) in import(&bytes).iter().zip(import(&bytes)) {
            let made = first_import(&first.document, &first.origin, batch()).unwrap();
            let again = reimport(&made, &second.document, &second.origin, &Base::Remembered, batch(), author(60));
            prop_assert_eq!(again.unwrap(), Reimported::Unchanged);
            prop_assert_eq!(said(&made), said(&first.document));
        }
    }
}
