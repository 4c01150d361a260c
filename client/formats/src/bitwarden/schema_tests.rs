//! ITEMS.md's table of inner fields is what this importer writes.

#![allow(clippy::unwrap_used)]

use lockstep_client::item::source::memory_field;
use lockstep_client::item::views::Kind;

use super::collections::SOURCE_COLLECTIONS;
use super::keys::{KINDS, REST, SOURCE_FOLDER, SOURCE_ID};
use super::report::SOURCE_KIND;

#[path = "../../../../proto/src/tests/tables.rs"]
mod tables;

#[test]
fn every_inner_field_stands_in_the_table_and_no_other() {
    let tables = tables::tables("../../proto/ITEMS.md");
    let table = tables.iter().find(|table| table.head[0] == "inner field").unwrap();
    let told: Vec<String> = table.rows.iter().map(|row| tables::quoted(&row[0]).remove(0)).collect();
    assert_eq!(told, [&memory_field(SOURCE_KIND), SOURCE_ID, SOURCE_FOLDER, SOURCE_COLLECTIONS, REST]);
}

#[test]
fn an_import_writes_no_field_that_the_page_does_not_have() {
    let tables = tables::tables("../../proto/ITEMS.md");
    let rows = tables.iter().filter(|table| table.head[0] == "field").flat_map(|table| &table.rows);
    let told: Vec<(String, &str)> =
        rows.map(|row| (tables::quoted(&row[0]).remove(0), row[2].as_str())).collect();
    for keys in KINDS.iter().filter(|keys| keys.kind != Kind::Note) {
        for (_, field) in keys.texts {
            let (_, kinds) = told.iter().find(|(told, _)| told == field).unwrap();
            assert!(kinds.split(", ").any(|kind| kind == keys.kind.as_str()), "{field} of {:?}", keys.kind);
        }
    }
}
