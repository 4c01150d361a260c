//! The tables of ITEMS.md are the constants of the views, both ways.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::item::{KIND, TRASH};

#[path = "../../../../../proto/src/tests/tables.rs"]
mod tables;

use tables::{quoted, tables};

fn rows(first: &str) -> Vec<Vec<String>> {
    let tables = tables("../../proto/ITEMS.md").into_iter().filter(|table| table.head[0] == first);
    tables.flat_map(|table| table.rows).collect()
}

/// The fields that every item may have, with their types.
fn shared() -> [(String, &'static str); 10] {
    let of_list = |list, id| field::element(list, id);
    [
        (KIND.to_owned(), "text"),
        (field::NAME.to_owned(), "text"),
        (field::NOTES.to_owned(), "text"),
        (field::FAVOURITE.to_owned(), "bool"),
        (field::ARCHIVED.to_owned(), "ms"),
        (field::CREATED.to_owned(), "ms"),
        (field::REPROMPT.to_owned(), "bool"),
        (TRASH.to_owned(), "map"),
        (of_list(field::TAGS, "<name>"), "bool"),
        (of_list(field::CUSTOM, "<id>"), "map"),
    ]
}

fn of_kind(kind: Kind) -> Vec<(String, &'static str)> {
    let texts = |fields: &[&str]| fields.iter().map(|field| ((*field).to_owned(), "text")).collect();
    match kind {
        Kind::Login => {
            let mut fields: Vec<_> = texts(&[field::USERNAME, field::PASSWORD, field::TOTP]);
            fields.extend([field::URIS, field::PASSKEYS].map(|list| (field::element(list, "<id>"), "map")));
            fields
        }
        Kind::Note | Kind::Passkey | Kind::Custom => Vec::new(),
        Kind::Card => texts(Card::FIELDS),
        Kind::Identity => texts(Identity::FIELDS),
        Kind::SshKey => texts(SshKey::FIELDS),
        Kind::Wifi => texts(Wifi::FIELDS),
        Kind::ApiCredential => texts(ApiCredential::FIELDS),
        Kind::Document => texts(FileDocument::FIELDS),
    }
}

#[test]
fn every_field_of_every_kind_stands_in_the_table_and_no_other() {
    let mut known = BTreeMap::<(String, String), BTreeSet<String>>::new();
    for (field, kind) in shared() {
        known.entry((field, kind.to_owned())).or_default().insert("all".to_owned());
    }
    for kind in Kind::ALL {
        for (field, value) in of_kind(kind) {
            known.entry((field, value.to_owned())).or_default().insert(kind.as_str().to_owned());
        }
    }
    let mut told = BTreeMap::new();
    for row in rows("field") {
        let kinds = row[2].split(", ").map(str::to_owned).collect();
        assert_eq!(told.insert((quoted(&row[0]).remove(0), row[1].clone()), kinds), None, "{row:?}");
    }
    assert_eq!(told, known);
    let named: BTreeSet<&str> = told.keys().map(|(field, _)| field.as_str()).collect();
    for secret in field::SECRETS {
        assert!(named.contains(secret), "{secret}");
    }
}

#[test]
fn the_kinds_are_those_that_the_page_lists() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../proto/ITEMS.md")).unwrap();
    let list =
        text.split_once("The register `kind` holds a text:").unwrap().1.split_once(", or `name`").unwrap().0;
    assert_eq!(quoted(list), Kind::ALL.map(Kind::as_str));
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Text(_) => "text",
        Value::Int(_) => "integer",
        _ => "another type",
    }
}

#[test]
fn every_member_of_a_list_element_stands_in_the_table_and_no_other() {
    let text = || Some("x".to_owned());
    let uri = Uri { uri: text(), match_mode: Some(MatchMode::Host), order: Some(0) };
    let custom = CustomField {
        name: text(),
        value: text(),
        custom_type: Some(CustomType::Text),
        linked: Some(1),
        order: Some(0),
    };
    let mut passkey = Passkey::default();
    passkey.order = Some(0);
    Passkey::PARTS.iter().for_each(|part| passkey.put(part, Some("x")));
    let elements = [
        (field::URIS, uri.to_value()),
        (field::CUSTOM, custom.to_value()),
        (field::PASSKEYS, passkey.to_value()),
    ];
    let mut known = BTreeSet::new();
    for (list, value) in elements {
        let Value::Map(members) = &value else { panic!("a map") };
        for (member, value) in members {
            known.insert((field::element(list, "<id>"), member.clone(), type_of(value).to_owned()));
        }
    }
    let rows = rows("element");
    let told = rows.iter().map(|row| (quoted(&row[0]).remove(0), quoted(&row[1]).remove(0), row[2].clone()));
    assert_eq!(told.collect::<BTreeSet<_>>(), known);
    let words = |member: &str| {
        let row = rows.iter().find(|row| quoted(&row[1])[0] == member).unwrap();
        quoted(&row[3])
    };
    assert_eq!(words("match"), MatchMode::ALL.map(MatchMode::as_str));
    assert_eq!(words("type"), CustomType::ALL.map(CustomType::as_str));
}
