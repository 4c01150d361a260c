//! Round trips of records that no exporter would write.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use lockstep_client::item::Document;
use lockstep_proto::ids::ItemId;
use serde_json::{Value as Json, json};

use super::*;

const SEED: u64 = 0x0b17_3a2d_e200_0001;

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).unwrap()
    }

    fn odd(&mut self) -> Json {
        let values = [
            json!(null),
            json!(true),
            json!(-1),
            json!(2.5),
            json!(u64::MAX),
            json!(""),
            json!("2020-02-30T25:00:00Z"),
            json!("2021-06-01T10:00:00.1234567+02:00"),
            json!([]),
            json!([null, 1, "x", { "uri": 5, "name": false }]),
            json!({}),
            json!({ "uris": { "a": 1 }, "password": ["p"] }),
        ];
        values[self.roll(values.len())].clone()
    }

    /// Changes, adds or removes one member somewhere below.
    fn mutate(&mut self, json: &mut Json) {
        match json {
            Json::Object(members) if !members.is_empty() => {
                let key = members.keys().nth(self.roll(members.len())).unwrap().clone();
                match self.roll(6) {
                    0 => drop(members.remove(&key)),
                    1 => drop(members.insert(key, self.odd())),
                    2 => drop(members.insert(format!("new{}", self.roll(3)), self.odd())),
                    _ => self.mutate(members.get_mut(&key).unwrap()),
                }
            }
            Json::Array(values) if !values.is_empty() => {
                let place = self.roll(values.len());
                match self.roll(5) {
                    0 => drop(values.remove(place)),
                    1 => values.push(self.odd()),
                    2 => values.push(values[place].clone()),
                    _ => self.mutate(&mut values[place]),
                }
            }
            other => *other = self.odd(),
        }
    }
}

fn without_order(mut item: Json) -> Json {
    if let Some(history) = item.get_mut("passwordHistory").and_then(Json::as_array_mut) {
        history.sort_by_key(Json::to_string);
    }
    item
}

/// Whether a record became no item of its own.
fn is_no_item(problem: &Problem) -> bool {
    problem.is_skipped() || matches!(problem, Problem::Repeated { .. })
}

#[test]
fn no_mutation_of_a_record_loses_a_value() {
    println!("seed {SEED:#x}");
    let mut dice = Dice(SEED);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/bitwarden-1000.json");
    let mut export: Json = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let context = ImportContext { now_ms: 1_600_000_000_000 };
    for round in 0..4 {
        for item in export["items"].as_array_mut().unwrap() {
            (0..=dice.roll(3)).for_each(|_| dice.mutate(item));
        }
        let report = import_bitwarden_json(export.to_string().as_bytes(), &context).unwrap();
        let skipped = report.problems.iter().filter(|told| is_no_item(&told.problem)).count();
        assert_eq!(report.records.len() + skipped, 1_000);
        for record in report.records {
            let document = Document::from_bytes(&record.document.to_bytes()).unwrap();
            let exported = export_bitwarden_json([(ItemId::from_random([7; 16]), &document)]);
            let mut exported = serde_json::from_slice::<Json>(&exported).unwrap()["items"][0].take();
            exported.as_object_mut().unwrap().remove("lockstep");
            let original = export["items"][record.index].clone();
            if original.get("id").is_none_or(Json::is_null) {
                exported["id"] = original.get("id").cloned().unwrap_or_default();
                if original.get("id").is_none() {
                    exported.as_object_mut().unwrap().remove("id");
                }
            }
            assert_eq!(
                without_order(exported),
                without_order(original),
                "round {round}, item {}",
                record.index
            );
        }
    }
}
