//! The tables of HTTP.md say what the types, the bounds and the error codes are, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use ciborium::Value as Cbor;

use super::api_refusals::{OPTIONAL, cbor_at, pointers};
use super::api_samples::{Sample, samples};
use super::tables::{Table, quoted, tables};
use crate::api::pairing::{PAIRING_MESSAGE_LIMIT, PAIRING_SECONDS, PAIRING_WAIT_SECONDS, RENDEZVOUS_LENGTH};
use crate::api::*;
use crate::blob::BLOB_LIMIT;
use crate::log::CHANGES_LIMIT;

fn of_kind(first: &str) -> Vec<Table> {
    let found: Vec<Table> = tables("HTTP.md").into_iter().filter(|table| table.head[0] == first).collect();
    assert!(!found.is_empty(), "HTTP.md has no table of {first}");
    found
}

/// The first number, whose thousands may be set off by commas.
pub(super) fn number(cell: &str) -> Option<u64> {
    let start = cell.find(|sign: char| sign.is_ascii_digit())?;
    let digits = cell[start..].chars().take_while(|sign| sign.is_ascii_digit() || *sign == ',');
    digits.filter(char::is_ascii_digit).collect::<String>().parse().ok()
}

fn rows(first: &str) -> Vec<Vec<String>> {
    of_kind(first).into_iter().flat_map(|table| table.rows).collect()
}

/// Type name → its members with their kinds, as the tables have them.
fn types() -> BTreeMap<String, Vec<(String, String)>> {
    let mut types = BTreeMap::<String, Vec<(String, String)>>::new();
    for row in rows("member") {
        let name = quoted(&row[0]).remove(0);
        let (of, member) = name.split_once('.').unwrap();
        let members = types.entry(of.to_owned()).or_default();
        assert!(members.iter().all(|(known, _)| known != member), "{name} twice");
        members.push((member.to_owned(), row[1].clone()));
    }
    types
}

/// What is at each place of a value, as a walk through the tables finds it: pointer → kind, and whether it may be
/// absent.
fn expand(
    types: &BTreeMap<String, Vec<(String, String)>>,
    kind: &str,
    at: &str,
    found: &mut BTreeMap<String, (String, bool)>,
) {
    if let Some(element) = kind.strip_prefix("list ") {
        found.insert(format!("{at}/0"), (element.to_owned(), false));
        expand(types, element, &format!("{at}/0"), found);
    }
    for (member, kind) in types.get(kind).into_iter().flatten() {
        let pointer = format!("{at}/{member}");
        let plain = kind.strip_suffix('?').unwrap_or(kind);
        found.insert(pointer.clone(), (plain.to_owned(), plain != kind));
        expand(types, plain, &pointer, found);
    }
}

fn with(sample: &Sample, pointer: &str, value: Cbor) -> bool {
    let mut cbor = sample.cbor.clone();
    *cbor_at(&mut cbor, pointer) = value;
    (sample.read)(&cbor).is_some()
}

fn is_of_kind(sample: &Sample, pointer: &str, kind: &str, types: &BTreeSet<&str>) -> bool {
    let text = sample.tree.pointer(pointer).unwrap().as_str();
    let cbor = cbor_at(&mut sample.cbor.clone(), pointer).clone();
    let length = cbor.as_bytes().map(Vec::len);
    let takes = |value: u64| with(sample, pointer, Cbor::from(value));
    match kind {
        "bytes" => length.is_some_and(|length| ![16, 32, 64].contains(&length)) && text.is_some(),
        "uuid" => length == Some(16) && text.is_some_and(|text| text.len() == 36),
        "u16" => cbor.is_integer() && !takes(1 << 16),
        "u32" => cbor.is_integer() && takes(u64::from(u32::MAX)) && !takes(1 << 32),
        "u64" => cbor.is_integer() && takes(u64::MAX),
        "bool" => cbor.is_bool(),
        "text" => cbor.is_text() && with(sample, pointer, Cbor::from("some text")),
        "word" => cbor.is_text() && !with(sample, pointer, Cbor::from("some text")),
        _ if kind.starts_with("list ") => cbor.is_array(),
        _ if kind.starts_with('[') => length == number(kind).map(|length| length as usize),
        _ => cbor.is_map() && types.contains(kind),
    }
}

#[test]
fn every_member_of_every_type_stands_in_the_tables_with_its_kind_and_nothing_else_does() {
    let types = types();
    let names: BTreeSet<&str> = types.keys().map(String::as_str).collect();
    let mut reached = BTreeSet::new();
    let mut optional = BTreeSet::new();
    for sample in samples() {
        assert!(names.contains(sample.name), "{} stands in no table", sample.name);
        reached.insert(sample.name.to_owned());
        let mut told = BTreeMap::new();
        expand(&types, sample.name, "", &mut told);
        let mut found = Vec::new();
        pointers(&sample.tree, "", &mut found);
        // One element stands for its list.
        let found: BTreeSet<&str> =
            found.iter().map(String::as_str).filter(|pointer| !pointer.ends_with("/1")).collect();
        assert_eq!(told.keys().map(String::as_str).collect::<BTreeSet<_>>(), found, "{}", sample.name);
        for (pointer, (kind, may_be_absent)) in told {
            assert!(is_of_kind(&sample, &pointer, &kind, &names), "{}{pointer} is no {kind}", sample.name);
            if may_be_absent {
                optional.insert(format!("{}{pointer}", sample.name));
            }
            reached.insert(kind.strip_prefix("list ").unwrap_or(&kind).to_owned());
        }
    }
    assert_eq!(optional, OPTIONAL.into_iter().map(str::to_owned).collect());
    let unused: Vec<&&str> = names.iter().filter(|name| !reached.contains(**name)).collect();
    assert!(unused.is_empty(), "types that no request or answer has: {unused:?}");
}

#[test]
fn every_request_and_answer_is_one_of_a_route() {
    let mut named = BTreeSet::from(["Problem".to_owned()]);
    for row in rows("route") {
        assert_eq!(quoted(&row[0]).len(), 1, "{row:?}");
        named.extend([&row[2], &row[3]].into_iter().flat_map(|cell| quoted(cell)));
    }
    named.remove("{}");
    let samples: BTreeSet<String> = samples().iter().map(|sample| sample.name.to_owned()).collect();
    assert_eq!(named, samples);
}

#[test]
fn every_error_code_stands_in_the_table_with_its_status_and_is_one_of_some_route() {
    let told: Vec<(String, String)> =
        rows("code").into_iter().map(|row| (quoted(&row[0]).remove(0), row[1].clone())).collect();
    let known = ErrorCode::ALL.iter().filter(|code| **code != ErrorCode::Unknown);
    let known: Vec<_> = known.map(|code| (code.as_str().to_owned(), code.status().to_string())).collect();
    assert_eq!(told, known);
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/HTTP.md")).unwrap();
    let (routes, _) = text.split_once("## Bounds").unwrap();
    for (code, _) in &told {
        assert!(routes.contains(&format!("`{code}`")), "no route is refused as {code}");
    }
    for row in rows("route") {
        for code in quoted(&row[4]) {
            assert!(told.iter().any(|(known, _)| *known == code), "{}: {code} is no code", row[0]);
        }
    }
}

#[test]
fn every_bound_is_the_one_that_holds() {
    let told: Vec<u64> = rows("bound").iter().map(|row| number(&row[1]).unwrap()).collect();
    // What anybody may send is bounded by the server's router; its tests know the number.
    let small = 64 << 10;
    let expected = [
        REQUEST_LIMIT as u64,
        small,
        2 * PAIRING_MESSAGE_LIMIT as u64,
        HEAL_ACCOUNT_LIMIT as u64,
        BODY_DEPTH as u64,
        PAGE_LIMIT as u64,
        BLOB_LIMIT as u64,
        COMMIT_BLOBS_LIMIT as u64,
        CHANGES_LIMIT as u64,
        SLOT_LIMIT as u64,
        SLOTS_PER_REQUEST as u64,
        WANTED_LIMIT as u64,
        u64::from(VERSIONS_LIMIT),
        HEAL_COMMITS_LIMIT as u64,
        SIDES_LIMIT,
        OVERTAKEN_LIMIT as u64,
        ACCOUNT_BYTES,
        ACCOUNT_VAULTS,
        PAIRING_MESSAGE_LIMIT as u64,
        RENDEZVOUS_LENGTH as u64,
        u64::from(PAIRING_SECONDS),
        u64::from(PAIRING_WAIT_SECONDS),
        u64::from(STEP_SECONDS),
        u64::from(ENROLMENT_SECONDS),
        u64::from(SESSION_SECONDS),
        u64::from(BAR_SECONDS),
        u64::from(RECOVERY_WAIT_SECONDS),
    ];
    assert_eq!(told, expected, "in the order of the table");
}
