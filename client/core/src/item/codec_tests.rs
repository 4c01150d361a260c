//! There is one encoding: everything else that looks like a document is refused.

#![allow(clippy::unwrap_used)]

use lockstep_proto::ids::DeviceId;
use minicbor::Decoder;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use super::value_codec::{encoded_len, read_value, write_value};
use super::*;

const DEVICE: [u8; 17] = [0x50, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1];
const LATER_DEVICE: [u8; 17] = [0x50, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2];
const STAMP: &[u8] = &[0x83, 5, 0, 0];
const LATER_STAMP: &[u8] = &[0x83, 6, 0, 0];

fn array(elements: &[&[u8]]) -> Vec<u8> {
    [&[0x80 + u8::try_from(elements.len()).unwrap()], elements.concat().as_slice()].concat()
}

fn document(devices: &[u8], fields: &[u8], stamps: &[u8]) -> Vec<u8> {
    [&[0xa3], b"\x61d".as_slice(), devices, b"\x61f", fields, b"\x61s", stamps].concat()
}

/// A document of one register, its stamps at 5 and 6 milliseconds by one device.
fn register(register: &[u8]) -> Vec<u8> {
    let fields = [b"\xa1\x61a".as_slice(), register].concat();
    document(&array(&[&DEVICE]), &fields, &array(&[STAMP, LATER_STAMP]))
}

/// A document of one value.
fn value(value: &[u8]) -> Vec<u8> {
    tables(&array(&[&DEVICE]), &array(&[STAMP]), value)
}

fn tables(devices: &[u8], stamps: &[u8], value: &[u8]) -> Vec<u8> {
    document(devices, &[b"\xa1\x61a\x82\x80\x82\x00".as_slice(), value].concat(), stamps)
}

fn key(head: &[u8], key: &[u8]) -> Vec<u8> {
    let fields = [b"\xa1".as_slice(), head, key, b"\x82\x80\x82\x00\x01"].concat();
    document(&array(&[&DEVICE]), &fields, &array(&[STAMP]))
}

#[test]
fn the_skeletons_of_these_tests_are_documents() {
    let longest = [0x79, 0x02, 0x00];
    for bytes in [
        value(&[1]),
        register(&array(&[&[0x80], &[0x82, 1, 1], &[0x82, 0, 2]])),
        register(&array(&[&[0x81, 0], &[0x82, 1, 1]])),
        register(&array(&[&[0x81, 0], &[0x82, 1, 1], &[0x82, 0, 2]])),
        register(&array(&[&[0x80], &[0x83, 1, 1, 0x81, 0], &[0x82, 0, 2]])),
        key(&longest, &[b'k'; 512]),
        document(&[0x80], &[0xa0], &[0x80]),
    ] {
        assert_eq!(Document::from_bytes(&bytes).unwrap().to_bytes(), bytes);
    }
}

#[test]
fn every_value_has_one_encoding_and_a_known_type() {
    let cases: &[(&str, &[u8])] = &[
        ("an integer in 2 bytes that fits 1", &[0x18, 23]),
        ("in 3 that fits 2", &[0x19, 0, 255]),
        ("in 5 that fits 3", &[0x1a, 0, 0, 255, 255]),
        ("in 9 that fits 5", &[0x1b, 0, 0, 0, 0, 255, 255, 255, 255]),
        ("a negative one in 2 that fits 1", &[0x38, 0]),
        ("an integer above 63 bits", &[0x1b, 0x80, 0, 0, 0, 0, 0, 0, 0]),
        ("one below them", &[0x3b, 0x80, 0, 0, 0, 0, 0, 0, 0]),
        ("a long head of bytes", &[0x58, 1, 0]),
        ("a long head of text", &[0x78, 1, b'x']),
        ("a long head of an array", &[0x98, 1, 0]),
        ("a long head of a map", &[0xb8, 1, 0x61, b'x', 0]),
        ("endless bytes", &[0x5f, 0x41, 0, 0xff]),
        ("endless text", &[0x7f, 0x61, b'x', 0xff]),
        ("an endless array", &[0x9f, 0, 0xff]),
        ("an endless map", &[0xbf, 0x61, b'x', 0, 0xff]),
        ("keys in the order of text", &[0xa2, 0x62, b'a', b'a', 0, 0x61, b'b', 0]),
        ("keys descending", &[0xa2, 0x61, b'b', 0, 0x61, b'a', 0]),
        ("a key twice", &[0xa2, 0x61, b'a', 0, 0x61, b'a', 0]),
        ("a key that is a number", &[0xa1, 0, 0]),
        ("a key that is bytes", &[0xa1, 0x41, b'a', 0]),
        ("a float of 16 bits", &[0xf9, 0x3c, 0]),
        ("of 32 bits", &[0xfa, 0x3f, 0x80, 0, 0]),
        ("of 64 bits", &[0xfb, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0]),
        ("a tag", &[0xc1, 0]),
        ("a long tag", &[0xd8, 42, 0]),
        ("undefined", &[0xf7]),
        ("a simple value", &[0xe0]),
        ("a long simple value", &[0xf8, 0xff]),
        ("a break", &[0xff]),
        ("a reserved head", &[0x1c]),
        ("text that is no UTF-8", &[0x62, 0xc3, 0x28]),
        ("text that ends early", &[0x7a, 0xff, 0xff, 0xff, 0xff, b'x']),
        ("an array that ends early", &[0x9a, 0xff, 0xff, 0xff, 0xff, 0]),
        ("a map that ends early", &[0xba, 0xff, 0xff, 0xff, 0xff, 0x61, b'x', 0]),
    ];
    for (name, bytes) in cases {
        assert!(Document::from_bytes(&value(bytes)).is_err(), "{name}");
    }
}

#[test]
fn the_frame_and_its_tables_have_one_form() {
    let (device, stamp) = (array(&[&DEVICE]), array(&[STAMP]));
    let late = [0x83, 0x1b, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    let counter = [0x83, 5, 0x1b, 0, 0, 0, 1, 0, 0, 0, 0, 0];
    let cases = [
        ("trailing bytes", [value(&[1]), vec![0]].concat()),
        ("a document twice", [value(&[1]), value(&[1])].concat()),
        ("an end too early", value(&[1])[..20].to_vec()),
        ("a list", array(&[&device, &[0xa0], &stamp])),
        ("no stamp table", [&[0xa2], b"\x61d".as_slice(), &[0x80], b"\x61f", &[0xa0]].concat()),
        ("no device table", [&[0xa2], b"\x61f".as_slice(), &[0xa0], b"\x61s", &[0x80]].concat()),
        ("no fields", [&[0xa2], b"\x61d".as_slice(), &[0x80], b"\x61s", &[0x80]].concat()),
        ("members out of order", [&[0xa3], b"\x61f\xa0\x61d\x80\x61s".as_slice(), &[0x80]].concat()),
        ("a member twice", [&[0xa4], b"\x61d\x80\x61d\x80\x61f\xa0\x61s".as_slice(), &[0x80]].concat()),
        ("a long head of the frame", [&[0xb8, 3], &value(&[1])[1..]].concat()),
        ("an endless frame", [&[0xbf], &value(&[1])[1..], &[0xff]].concat()),
        ("an unused device", tables(&array(&[&DEVICE, &LATER_DEVICE]), &stamp, &[1])),
        ("an unused stamp", tables(&device, &array(&[STAMP, LATER_STAMP]), &[1])),
        ("a device twice", tables(&array(&[&DEVICE, &DEVICE]), &stamp, &[1])),
        ("a stamp twice", tables(&device, &array(&[STAMP, STAMP]), &[1])),
        ("devices for nothing", document(&device, &[0xa0], &[0x80])),
        ("a device of 15 bytes", tables(&array(&[&[&[0x4f], &DEVICE[2..]].concat()]), &stamp, &[1])),
        ("a device that is text", tables(&array(&[&[&[0x70], &DEVICE[1..]].concat()]), &stamp, &[1])),
        ("a stamp of two parts", tables(&device, &array(&[&[0x82, 5, 0]]), &[1])),
        ("a stamp of four parts", tables(&device, &array(&[&[0x84, 5, 0, 0, 0]]), &[1])),
        ("a stamp in the year 10889", tables(&device, &array(&[&late]), &[1])),
        ("a counter of 33 bits", tables(&device, &array(&[&counter]), &[1])),
        ("a negative time", tables(&device, &array(&[&[0x83, 0x20, 0, 0]]), &[1])),
        ("a stamp by nobody", tables(&device, &array(&[&[0x83, 5, 0, 1]]), &[1])),
        ("a field without a name", key(&[0x60], b"")),
        ("a field name of 513 bytes", key(&[0x79, 0x02, 0x01], &[b'k'; 513])),
    ];
    for (name, bytes) in cases {
        assert!(Document::from_bytes(&bytes).is_err(), "{name}");
    }
    let two = |devices: &[&[u8]]| {
        let stamps = array(&[&[0x83, 5, 0, 0], &[0x83, 6, 0, 1]]);
        document(&array(devices), b"\xa1\x61a\x83\x80\x82\x01\x01\x82\x00\x02", &stamps)
    };
    assert!(Document::from_bytes(&two(&[&DEVICE, &LATER_DEVICE])).is_ok());
    assert!(Document::from_bytes(&two(&[&LATER_DEVICE, &DEVICE])).is_err(), "devices descending");
}

#[test]
fn a_register_has_one_form() {
    // Each entry was written over the one before it, so that all but the newest are history.
    let chained = |count: u8| {
        let entry = |at: u8| match at.checked_sub(1) {
            Some(before) => vec![0x83, at, 1, 0x81, before],
            None => vec![0x82, at, 1],
        };
        let entries: Vec<u8> = (0..count).rev().flat_map(entry).collect();
        let stamps: Vec<u8> = (0..count).flat_map(|at| [0x83, at, 0, 0]).collect();
        let register = [b"\xa1\x61a".as_slice(), &[0x81 + count, 0x80], &entries].concat();
        document(&array(&[&DEVICE]), &register, &[&[0x80 + count], stamps.as_slice()].concat())
    };
    assert!(Document::from_bytes(&chained(21)).is_ok());
    assert!(matches!(Document::from_bytes(&chained(22)), Err(DecodeError::NotDeterministic)));
    let (none, low, high): (&[u8], &[u8], &[u8]) = (&[0x80], &[0x81, 0], &[0x81, 1]);
    let (older, newer): (&[u8], &[u8]) = (&[0x82, 0, 2], &[0x82, 1, 1]);
    let over: &[u8] = &[0x83, 1, 1, 0x81, 0];
    let cases: &[(&str, Vec<u8>)] = &[
        ("nothing", array(&[])),
        ("no entries", array(&[none])),
        ("floors alone", array(&[low])),
        ("no floors", array(&[newer, older])),
        ("a floor that is no list", array(&[&[0], newer, older])),
        ("floors that are null", array(&[&[0xf6], newer, older])),
        ("a floor without a stamp", array(&[&[0x81, 2], newer, older])),
        ("a floor that is null", array(&[&[0x81, 0xf6], newer, older])),
        ("floors at the end", array(&[newer, older, low])),
        ("two lists of floors", array(&[low, low, newer])),
        ("two floors of one device", array(&[&[0x82, 0, 1], newer])),
        ("a floor twice", array(&[&[0x82, 0, 0], newer])),
        ("a floor at the newest entry", array(&[high, newer, older])),
        ("a floor above the newest entry", array(&[high, older])),
        ("history at the floor", array(&[low, over, older])),
        ("entries ascending", array(&[none, older, newer])),
        ("an entry twice", array(&[none, newer, newer, older])),
        ("an entry without a value", array(&[none, newer, &[0x81, 0]])),
        ("an entry of four parts", array(&[none, &[0x84, 1, 1, 0x81, 0, 0], older])),
        ("an entry that is no list", array(&[none, newer, older, &[0xf6]])),
        ("an empty list of what it replaces", array(&[none, &[0x83, 1, 1, 0x80], older])),
        ("what it replaces is a number", array(&[none, &[0x83, 1, 1, 0], older])),
        ("an entry that replaces itself", array(&[none, &[0x83, 1, 1, 0x81, 1], older])),
        ("one that replaces a newer one", array(&[none, newer, &[0x83, 0, 2, 0x81, 1]])),
        ("one that replaces another twice", array(&[none, &[0x83, 1, 1, 0x82, 0, 0], older])),
        ("one that replaces what has no stamp", array(&[none, &[0x83, 1, 1, 0x81, 2], older])),
        ("a stamp beyond the table", array(&[none, &[0x82, 2, 1], newer, older])),
        ("a negative index", array(&[none, newer, older, &[0x82, 0x20, 1]])),
    ];
    for (name, bytes) in cases {
        assert!(Document::from_bytes(&register(bytes)).is_err(), "{name}");
    }
}

#[test]
fn values_are_nested_sixteen_levels_deep_and_no_deeper() {
    let nested = |levels: usize| value(&[vec![0x81; levels - 1], vec![1]].concat());
    assert!(Document::from_bytes(&nested(MAX_VALUE_DEPTH)).is_ok());
    assert!(matches!(Document::from_bytes(&nested(MAX_VALUE_DEPTH + 1)), Err(DecodeError::TooDeep)));
    assert!(matches!(Document::from_bytes(&nested(900_000)), Err(DecodeError::TooDeep)));
    let larger = value(&vec![0x81; MAX_DOCUMENT_BYTES]);
    assert!(
        matches!(Document::from_bytes(&larger), Err(DecodeError::TooLarge { found }) if found == larger.len())
    );
}

fn any_value() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-300_i64..300).prop_map(Value::from),
        vec(any::<u8>(), 0..40).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    scalar.prop_recursive(4, 32, 5, |below| {
        prop_oneof![
            vec(below.clone(), 0..5).prop_map(Value::Array),
            btree_map("[a-c]{0,3}|.{0,30}", below, 0..5).prop_map(Value::Map),
        ]
    })
}

proptest! {
    #[test]
    fn every_value_survives_and_its_length_is_known(value in any_value()) {
        let mut bytes = Vec::new();
        write_value(&value, &mut bytes);
        prop_assert_eq!(encoded_len(&value), bytes.len());
        prop_assert!(read_value(&mut Decoder::new(&bytes), MAX_VALUE_DEPTH).unwrap() == value);
        let author = Author { now_ms: 7, device: DeviceId([1; 16]) };
        let document = Draft::by("note", author).unwrap().set("a", value.clone()).set("b/c", value).build().unwrap();
        prop_assert!(Document::from_bytes(&document.to_bytes()).unwrap() == document);
    }

    #[test]
    fn whatever_decodes_encodes_to_the_same_bytes(bytes in vec(any::<u8>(), 0..300), body in vec(any::<u8>(), 0..40)) {
        for bytes in [bytes, value(&body), register(&body), tables(&body, &array(&[STAMP]), &[1]), key(&body, b"")] {
            if let Ok(document) = Document::from_bytes(&bytes) {
                prop_assert_eq!(document.to_bytes(), bytes);
            }
        }
    }

    #[test]
    fn a_document_with_one_byte_changed_added_or_removed_is_refused_or_another(
        held in any_value(), place in any::<proptest::sample::Index>(), byte in any::<u8>(), how in 0..3,
    ) {
        let author = Author { now_ms: 7, device: DeviceId([1; 16]) };
        let mut document = Draft::by("note", author).unwrap().set("a", held).build().unwrap();
        document.edit(author).set("a", "later").trash().apply().unwrap();
        let whole = document.to_bytes();
        let (mut bytes, place) = (whole.clone(), place.index(whole.len()));
        match how {
            0 => bytes[place] = byte,
            1 => bytes.insert(place, byte),
            _ => drop(bytes.remove(place)),
        }
        if let Ok(read) = Document::from_bytes(&bytes) {
            prop_assert_eq!(read == document, bytes == whole);
            prop_assert_eq!(read.to_bytes(), bytes);
        }
    }
}
