//! What is mended in a value, and that nothing else is.

#![allow(clippy::unwrap_used)]

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::mend::{Mended, mend};
use super::parse::parse;

const NOTHING: Mended = Mended { bytes: false, surrogates: false, escapes: false, numbers: false };

fn read(value: &[u8]) -> (Json, Mended) {
    let parsed = parse(value).unwrap();
    (parsed.json, parsed.mended)
}

#[test]
fn json_is_not_changed() {
    for value in [
        r#"{"a":[1,-2.5e-7,true,false,null,"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude42"], "b" : {} }"#,
        "\"ü日🙂\u{7f}\u{a0}\"",
        "[0,-0,0.0,1e2,1E+2,9223372036854775807,18446744073709551615,-9223372036854775808,100000000000000000000]",
    ] {
        assert_eq!(mend(value.as_bytes()), (value.to_owned(), NOTHING));
    }
}

#[test]
fn control_characters_in_texts_are_kept() {
    let (json, mended) = read(b"{\"a\n\": \"one\r\ntwo\tthree\0\x1f\"}");
    assert_eq!((json, mended), (json!({ "a\n": "one\r\ntwo\tthree\0\u{1f}" }), NOTHING));
}

#[test]
fn half_a_surrogate_pair_becomes_one_replacement_character() {
    for (value, text) in [
        (&br#""cut \ud83d""#[..], "cut \u{fffd}"),
        (br#""\udc00 note""#, "\u{fffd} note"),
        (br#""\ud83d\ud83d\ude42""#, "\u{fffd}🙂"),
        (br#""\ud83d\n""#, "\u{fffd}\n"),
        (br#""\uDE42\uD83D""#, "\u{fffd}\u{fffd}"),
        (b"\"\xed\xa0\xbd x\"", "\u{fffd} x"),
    ] {
        assert_eq!(read(value), (json!(text), Mended { surrogates: true, ..NOTHING }));
    }
    assert_eq!(read(b"\"\xed\xa0\xbd\xed\xb9\x82\""), (json!("🙂"), NOTHING));
}

#[test]
fn bytes_that_are_no_utf_8_are_windows_1252() {
    for (value, text) in [
        (&b"\"M\xfcller & S\xf6hne\""[..], "Müller & Söhne"),
        (b"\"\x80 5\"", "€ 5"),
        (b"\"\x93quoted\x94\"", "“quoted”"),
        (b"\"\xc3\x28 \xe2\x82\"", "Ã( â‚"),
        (b"\"\xc3\xbc and \xfc\"", "ü and ü"),
    ] {
        assert_eq!(read(value), (json!(text), Mended { bytes: true, ..NOTHING }));
    }
}

#[test]
fn a_backslash_that_escapes_nothing_is_a_backslash() {
    for (value, text) in [
        (r#""C:\xampp""#, r"C:\xampp"),
        (r#""it\'s""#, r"it\'s"),
        (r#""\u12""#, r"\u12"),
        (r#""\u+123""#, r"\u+123"),
        ("\"one\\\ntwo\"", "one\\\ntwo"),
        ("\"\\é\"", r"\é"),
    ] {
        assert_eq!(read(value.as_bytes()), (json!(text), Mended { escapes: true, ..NOTHING }));
    }
}

#[test]
fn numbers_that_cannot_be_held_are_texts_of_the_same_digits() {
    for number in [
        "1e999",
        "-1e999",
        "1e-999",
        "123456789012345678901234567890",
        "18446744073709551617",
        "007",
        "+1",
        ".5",
        "1.",
        "0x1F",
        "1e",
        "--1",
        "NaN",
        "-Infinity",
    ] {
        let value = format!("[{number}, 1]");
        assert_eq!(read(value.as_bytes()), (json!([number, 1]), Mended { numbers: true, ..NOTHING }));
    }
}

proptest! {
    #[test]
    fn any_value_that_a_parser_takes_is_the_same_when_mended(text in any::<String>(), float in any::<f64>()) {
        let value = json!({ "text": text, "number": if float.is_finite() { float } else { 0.0 } });
        let (json, mended) = read(value.to_string().as_bytes());
        prop_assert_eq!(json, value);
        prop_assert_eq!(mended, NOTHING);
    }

    #[test]
    fn any_bytes_between_quotes_are_a_text(bytes in vec(any::<u8>(), 0..60)) {
        let inside: Vec<u8> = bytes.into_iter().filter(|byte| !matches!(byte, b'"' | b'\\')).collect();
        let (json, mended) = read(&[b"\"", &inside[..], b"\""].concat());
        if let Ok(text) = std::str::from_utf8(&inside) {
            prop_assert_eq!(json, json!(text));
            prop_assert_eq!(mended, NOTHING);
        } else {
            prop_assert!(mended.bytes || mended.surrogates || json.as_str().unwrap().chars().count() < inside.len());
        }
    }

    #[test]
    fn any_bytes_are_mended_without_a_panic(bytes in vec(any::<u8>(), 0..200)) {
        let (text, _) = mend(&bytes);
        prop_assert!(text.len() <= bytes.len() * 6 + 6);
        let _ = parse(&bytes);
    }
}
