//! Bytes that are no document, frozen with what is wrong with them.

#![allow(clippy::unwrap_used)]

use serde_json::json;

use super::value::Value;
use super::value_codec::write_value;
use super::vector_tests::{frozen, hex, unhex};
use super::*;

fn map<const N: usize>(members: [(&str, Value); N]) -> Value {
    Value::map(members)
}

fn array<const N: usize>(values: [Value; N]) -> Value {
    Value::Array(values.into())
}

fn int(int: i64) -> Value {
    Value::Int(int)
}

fn device(byte: u8) -> Value {
    Value::Bytes(vec![byte; 16])
}

fn stamp(ms: i64, counter: i64, device: i64) -> Value {
    array([int(ms), int(counter), int(device)])
}

/// A document of one device and one field, `name`, whose register is this one.
fn document(stamps: Vec<Value>, register: Value) -> Value {
    tables(vec![device(1)], stamps, "name", register)
}

fn tables(devices: Vec<Value>, stamps: Vec<Value>, field: &str, register: Value) -> Value {
    map([("d", Value::Array(devices)), ("f", Value::map([(field, register)])), ("s", Value::Array(stamps))])
}

fn bytes(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_value(value, &mut bytes);
    bytes
}

/// A register of one entry, `value` at the first stamp.
fn shows(value: Value) -> Value {
    array([array([]), array([int(0), value])])
}

/// This many entries, each written over the one before.
fn chain(entries: i64) -> Value {
    let entry = |index: i64| match index {
        0 => array([int(0), int(0)]),
        index => array([int(index), int(index), array([int(index - 1)])]),
    };
    let register = [array([])].into_iter().chain((0..entries).rev().map(entry));
    let stamps = (0..entries).map(|ms| stamp(ms, 0, 0));
    document(stamps.collect(), Value::Array(register.collect()))
}

fn nested(levels: usize) -> Value {
    (1..levels).fold(array([]), |inner, _| array([inner]))
}

/// What is read well, then what is refused: the rule that it breaks, or none, and what it is.
fn tried() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let one = || vec![stamp(5, 0, 0)];
    let two = || vec![stamp(5, 0, 0), stamp(6, 0, 0)];
    let plain = || document(one(), shows("x".into()));
    let read_well = [
        ("one field", plain()),
        ("21 entries, of which 20 are history", chain(21)),
        ("the last stamp", document(vec![stamp((1 << 48) - 1, u32::MAX.into(), 0)], shows("x".into()))),
        ("16 levels", document(one(), shows(nested(16)))),
    ];
    let long_key = "k".repeat(513);
    let refused = [
        ("R-DOCUMENT (2)", "no table of devices", map([("f", map([])), ("s", array([]))])),
        ("R-DOCUMENT (2)", "no fields", map([("d", array([])), ("s", array([]))])),
        (
            "R-DOCUMENT (2)",
            "a device that no stamp has",
            tables(vec![device(1), device(2)], one(), "name", shows("x".into())),
        ),
        (
            "R-DOCUMENT (2)",
            "a device of 15 bytes",
            tables(vec![Value::Bytes(vec![1; 15])], one(), "name", shows("x".into())),
        ),
        ("R-DOCUMENT (2)", "a stamp that nothing has", document(two(), shows("x".into()))),
        ("R-DOCUMENT (2)", "stamps that do not ascend", {
            let entry = array([int(0), "x".into(), array([int(1)])]);
            document(
                vec![stamp(6, 0, 0), stamp(5, 0, 0)],
                array([array([]), entry, array([int(1), "y".into()])]),
            )
        }),
        (
            "R-DOCUMENT (2)",
            "a stamp of a device that is not there",
            document(vec![stamp(5, 0, 1)], shows("x".into())),
        ),
        ("R-DOCUMENT (3)", "a time of 2^48", document(vec![stamp(1 << 48, 0, 0)], shows("x".into()))),
        ("R-DOCUMENT (3)", "a time before 1970", document(vec![stamp(-1, 0, 0)], shows("x".into()))),
        ("R-DOCUMENT (3)", "a counter of 2^32", document(vec![stamp(5, 1 << 32, 0)], shows("x".into()))),
        ("R-DOCUMENT (3)", "a stamp of four numbers", {
            document(vec![array([int(5), int(0), int(0), int(0)])], shows("x".into()))
        }),
        ("R-DOCUMENT (4)", "a register without an entry", document(vec![], array([array([])]))),
        (
            "R-DOCUMENT (4)",
            "an entry at a stamp that is not there",
            document(one(), array([array([]), array([int(1), "x".into()])])),
        ),
        ("R-DOCUMENT (4)", "an entry of four parts", {
            document(one(), array([array([]), array([int(0), "x".into(), array([]), int(0)])]))
        }),
        ("R-DOCUMENT (4)", "entries that are not newest first", {
            let newest = array([int(1), "y".into(), array([int(0)])]);
            document(two(), array([array([]), array([int(0), "x".into()]), newest]))
        }),
        ("R-DOCUMENT (4)", "one entry twice", {
            document(one(), array([array([]), array([int(0), "x".into()]), array([int(0), "x".into()])]))
        }),
        ("R-DOCUMENT (4)", "an entry that replaces itself", {
            document(one(), array([array([]), array([int(0), "x".into(), array([int(0)])])]))
        }),
        ("R-DOCUMENT (4)", "an empty list of what an entry replaces", {
            document(one(), array([array([]), array([int(0), "x".into(), array([])])]))
        }),
        (
            "R-DOCUMENT (5)",
            "a floor above the winner",
            document(two(), array([array([int(1)]), array([int(0), "x".into()])])),
        ),
        (
            "R-DOCUMENT (5)",
            "a floor at the winner",
            document(one(), array([array([int(0)]), array([int(0), "x".into()])])),
        ),
        ("R-DOCUMENT (5)", "two floors of one device", {
            let stamps = vec![stamp(1, 0, 0), stamp(2, 0, 0), stamp(5, 0, 0)];
            document(stamps, array([array([int(0), int(1)]), array([int(2), "x".into()])]))
        }),
        ("R-DOCUMENT (5)", "history below a floor", {
            let stamps = vec![stamp(1, 0, 0), stamp(2, 0, 0), stamp(5, 0, 0)];
            let newest = array([int(2), "y".into(), array([int(0)])]);
            document(stamps, array([array([int(1)]), newest, array([int(0), "x".into()])]))
        }),
        ("R-DOCUMENT (6)", "22 entries, of which 21 are history", chain(22)),
        ("R-DOCUMENT (6)", "history of more than 64 KiB", {
            let newest = array([int(1), "y".into(), array([int(0)])]);
            document(two(), array([array([]), newest, array([int(0), "x".repeat(65_536).into()])]))
        }),
        ("R-DOCUMENT (6)", "a field without a name", tables(vec![device(1)], one(), "", shows("x".into()))),
        (
            "R-DOCUMENT (6)",
            "a field's name of 513 bytes",
            tables(vec![device(1)], one(), &long_key, shows("x".into())),
        ),
        ("R-DOCUMENT (6)", "17 levels", document(one(), shows(nested(17)))),
        (
            "R-DOCUMENT (6)",
            "more than 1 MiB - 4 KiB",
            document(one(), shows("x".repeat(MAX_DOCUMENT_BYTES).into())),
        ),
    ];
    let mut all: Vec<_> = read_well.into_iter().map(|(name, value)| ("", name, bytes(&value))).collect();
    all.extend(refused.into_iter().map(|(rule, name, value)| (rule, name, bytes(&value))));
    let encodings = in_another_encoding(&bytes(&plain())).into_iter();
    all.extend(encodings.map(|(name, bytes)| ("R-DOCUMENT (1)", name, bytes)));
    all
}

/// The same document, or a type that documents do not have, in bytes that no writer makes.
fn in_another_encoding(plain: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    // The value is the last text before the table of stamps: 61 78, "x".
    let place = plain.windows(2).rposition(|pair| pair == [0x61, b'x']).unwrap();
    let with_value = |value: &[u8]| [&plain[..place], value, &plain[place + 2..]].concat();
    vec![
        ("nothing", Vec::new()),
        ("no map", vec![0x80]),
        ("a byte behind the document", [plain, &[0]].concat()),
        ("cut short", plain[..plain.len() - 1].to_vec()),
        ("an integer in more bytes than it needs", with_value(&[0x18, 0x05])),
        ("a length in more bytes than it needs", with_value(&[0x78, 0x01, b'x'])),
        ("a text of indefinite length", with_value(&[0x7f, 0x61, b'x', 0xff])),
        ("a list of indefinite length", with_value(&[0x9f, 0xff])),
        ("a text that is not UTF-8", with_value(&[0x61, 0xff])),
        ("a map whose keys do not ascend", with_value(&[0xa2, 0x61, b'b', 0, 0x61, b'a', 0])),
        ("a map with one key twice", with_value(&[0xa2, 0x61, b'a', 0, 0x61, b'a', 0])),
        ("a map with a key that is no text", with_value(&[0xa1, 0x01, 0x00])),
        ("a float", with_value(&[0xf9, 0x3c, 0x00])),
        ("a tag", with_value(&[0xc1, 0x05])),
        ("undefined", with_value(&[0xf7])),
        ("an integer above 2^63 - 1", with_value(&[0x1b, 0x80, 0, 0, 0, 0, 0, 0, 0])),
        ("a length that is not there", with_value(&[0x7b, 0x40, 0, 0, 0, 0, 0, 0, 0])),
    ]
}

#[test]
fn bytes_that_are_no_document_are_refused() {
    // The largest ones are told by what they are made of.
    let case = |(rule, name, bytes): (&str, &str, Vec<u8>)| {
        let mut case = json!({ "name": name, "bytes": hex(&bytes) });
        if !rule.is_empty() {
            case["rule"] = json!(rule);
        }
        (bytes.len() < 100_000).then_some(case)
    };
    let all = tried();
    assert!(all.iter().all(|(rule, _, bytes)| Document::from_bytes(bytes).is_err() != rule.is_empty()));
    let description =
        "Bytes. Those without a rule are documents; all others are refused, by the rule that is named.";
    let cases = frozen("refused_documents.json", description, all.into_iter().filter_map(case).collect());
    for case in &cases {
        let found = Document::from_bytes(&unhex(&case["bytes"]));
        assert_eq!(found.is_err(), case["rule"].is_string(), "{}", case["name"]);
        if let Ok(document) = found {
            assert_eq!(document.to_bytes(), unhex(&case["bytes"]), "{}", case["name"]);
        }
    }
}

/// What a tombstone holds; a list of these devices, times and counters.
fn tombstone(format: u16, seen: &[(u8, u64, u32)]) -> Vec<u8> {
    let mut bytes = [&format.to_be_bytes()[..], &(seen.len() as u32).to_be_bytes()].concat();
    for (device, ms, counter) in seen {
        bytes.extend([*device; 16]);
        bytes.extend(ms.to_be_bytes());
        bytes.extend(counter.to_be_bytes());
    }
    bytes
}

#[test]
fn bytes_that_no_tombstone_holds_are_refused() {
    let full: Vec<(u8, u64, u32)> = (1..=25).map(|device| (device, 5, 0)).collect();
    let pair = || tombstone(1, &[(1, 5, 0), (2, 7, 3)]);
    let cases = [
        ("", "nothing seen", tombstone(1, &[])),
        ("", "two devices", pair()),
        ("", "24 devices", tombstone(1, &full[..24])),
        ("", "the last stamp", tombstone(1, &[(1, (1 << 48) - 1, u32::MAX)])),
        ("R-SUITE", "another format", tombstone(2, &[(1, 5, 0)])),
        ("R-CANON (4)", "devices that do not ascend", tombstone(1, &[(2, 5, 0), (1, 5, 0)])),
        ("R-CANON (4)", "a device twice", tombstone(1, &[(1, 5, 0), (1, 6, 0)])),
        ("R-CANON (5)", "25 devices", tombstone(1, &full)),
        ("R-PURGE", "a time of 2^48", tombstone(1, &[(1, 1 << 48, 0)])),
        ("R-CANON (2)", "a byte behind it", [pair(), vec![0]].concat()),
        ("R-CANON (1)", "cut short", pair()[..20].to_vec()),
        ("R-CANON (1)", "no bytes", Vec::new()),
    ];
    let case = |(rule, name, bytes): (&str, &str, Vec<u8>)| {
        let mut case = json!({ "name": name, "bytes": hex(&bytes) });
        if !rule.is_empty() {
            case["rule"] = json!(rule);
        }
        case
    };
    let description = "What a tombstone seals. Bytes without a rule are read; all others are refused, by the rule that is named.";
    for case in frozen("refused_tombstones.json", description, cases.into_iter().map(case).collect()) {
        let bytes = unhex(&case["bytes"]);
        let found = Saw::from_bytes(&bytes);
        assert_eq!(found.is_err(), case["rule"].is_string(), "{}", case["name"]);
        if let Ok(saw) = found {
            assert_eq!(saw.to_bytes(), bytes, "{}", case["name"]);
        }
    }
}
