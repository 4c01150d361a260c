//! Files in the way that they are sealed, and files that were changed, cut, or are of another kind.

#![allow(clippy::unwrap_used)]

use std::io::Write as _;
use std::iter;

use age::Encryptor;
use age::armor::{ArmoredWriter, Format};

use super::*;

const QUICK: WorkFactor = WorkFactor::new(1).unwrap();
const CONTENT: &[u8] = b"what is in it";

fn passphrase(text: &str) -> Passphrase {
    Passphrase::new(text).unwrap()
}

fn sealed(content: &[u8]) -> Vec<u8> {
    seal(content, &passphrase("right"), QUICK).unwrap()
}

fn opened(file: &[u8]) -> Result<Vec<u8>, OpenError> {
    let opened = open(file, &passphrase("right")).map(|content| content.to_vec());
    if let Err(error) = check_sealed(file) {
        assert_eq!(opened, Err(error), "what shows without the passphrase is told before it is asked for");
    }
    opened
}

fn armored(file: &[u8]) -> Vec<u8> {
    let mut writer = ArmoredWriter::wrap_output(Vec::new(), Format::AsciiArmor).unwrap();
    writer.write_all(file).unwrap();
    writer.finish().unwrap()
}

#[test]
fn what_is_sealed_opens_with_its_passphrase_alone() {
    let file = sealed(CONTENT);
    assert_eq!(opened(&file).unwrap(), CONTENT);
    assert_eq!(opened(&armored(&file)).unwrap(), CONTENT);
    assert_eq!(open(&file, &passphrase("wrong")).unwrap_err(), OpenError::WrongPassphrase);
    assert_eq!(open(&armored(&file), &passphrase("right ")).unwrap_err(), OpenError::WrongPassphrase);
    assert!(!file.windows(4).any(|bytes| bytes == b"what"));
    assert_ne!(sealed(CONTENT), file, "each file has its own salt and key");
}

#[test]
fn contents_of_every_length_around_a_chunk_come_back() {
    const CHUNK: usize = 64 * 1_024;
    for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 5] {
        let content: Vec<u8> = (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let file = sealed(&content);
        assert!(opened(&file).unwrap() == content && opened(&armored(&file)).unwrap() == content);
    }
}

#[test]
fn a_passphrase_opens_in_whatever_form_it_is_typed() {
    let composed = seal(CONTENT, &passphrase("Gerät"), QUICK).unwrap();
    assert!(open(&composed, &passphrase("Gera\u{308}t")).is_ok());
    // Another program seals to what was typed.
    let mut recipient = age::scrypt::Recipient::new("Gera\u{308}t".into());
    recipient.set_work_factor(1);
    let typed = encrypted(&[&recipient as _]);
    assert!(open(&typed, &passphrase("Gera\u{308}t")).is_ok());
    assert_eq!(open(&typed, &passphrase("Gerät")).unwrap_err(), OpenError::WrongPassphrase);
}

fn encrypted(recipients: &[&dyn age::Recipient]) -> Vec<u8> {
    let encryptor = Encryptor::with_recipients(recipients.iter().copied()).unwrap();
    let mut writer = encryptor.wrap_output(Vec::new()).unwrap();
    writer.write_all(CONTENT).unwrap();
    writer.finish().unwrap()
}

#[test]
fn every_changed_byte_is_noticed() {
    let file = sealed(CONTENT);
    for at in 0..file.len() {
        for bit in [0, 2, 5] {
            let mut changed = file.clone();
            changed[at] ^= 1 << bit;
            let error = opened(&changed).unwrap_err();
            assert_ne!(error, OpenError::Empty, "bit {bit} of byte {at}");
        }
    }
    let mut last = file;
    *last.last_mut().unwrap() ^= 1;
    assert_eq!(opened(&last), Err(OpenError::Damaged));
}

#[test]
fn every_cut_file_is_noticed() {
    let file = sealed(&[3; 70_000]);
    let places = (0..400).chain((400..file.len()).step_by(997)).chain(file.len() - 20..file.len());
    for end in places {
        let error = opened(&file[..end]).unwrap_err();
        match end {
            0 => assert_eq!(error, OpenError::Empty),
            1..140 => assert_eq!(error, OpenError::Cut, "{end} bytes"),
            _ => assert!(matches!(error, OpenError::Cut | OpenError::Damaged), "{end} bytes: {error:?}"),
        }
    }
    let text = armored(&file);
    for end in (1..text.len() - 1).step_by(331) {
        let error = opened(&text[..end]).unwrap_err();
        assert!(matches!(error, OpenError::Cut | OpenError::Damaged), "{end} of the text: {error:?}");
    }
    assert_eq!(opened(&[&file[..], b"more"].concat()), Err(OpenError::Damaged));
}

#[test]
fn other_files_are_told_apart() {
    for other in [&b"{\"encrypted\":false}"[..], b"PK\x03\x04", b"   ", b"bge-encryption.org/v1\n", &[0; 64]]
    {
        assert_eq!(opened(other), Err(OpenError::NotAge), "{other:?}");
    }
    let file = sealed(CONTENT);
    let later = [b"age-encryption.org/v9", &file[21..]].concat();
    assert_eq!(opened(&later), Err(OpenError::UpdateNeeded));
    assert_eq!(opened(&[b" ", &file[..]].concat()), Err(OpenError::NotAge));
}

#[test]
fn a_file_for_keys_is_told_apart_however_many_they_are() {
    let key = age::x25519::Identity::generate().to_public();
    for count in [1, 200] {
        let file = encrypted(&vec![&key as &dyn age::Recipient; count]);
        assert_eq!(opened(&file), Err(OpenError::ForKeys), "{count} keys");
        assert_eq!(opened(&armored(&file)), Err(OpenError::ForKeys), "{count} keys");
    }
}

#[test]
fn a_dear_file_is_refused_before_its_price_is_paid() {
    let file = sealed(CONTENT);
    let text = String::from_utf8_lossy(&file[..80]).into_owned();
    let line = text.lines().nth(1).unwrap();
    let end = text.find(line).unwrap() + line.len();
    for (number, expected) in [
        ("21", OpenError::TooCostly { log_n: 21 }),
        ("63", OpenError::TooCostly { log_n: 63 }),
        ("64", OpenError::TooCostly { log_n: 64 }),
        ("255", OpenError::TooCostly { log_n: 255 }),
        ("0", OpenError::Damaged),
        ("256", OpenError::Damaged),
        ("018", OpenError::Damaged),
    ] {
        let changed = [&file[..end - 1], number.as_bytes(), &file[end..]].concat();
        assert_eq!(opened(&changed), Err(expected), "2^{number}");
    }
}

#[test]
fn a_header_without_an_end_is_not_parsed() {
    let lines: String = iter::repeat_n("-> x y\nAAAA\n", 100_000).collect();
    let keys = format!("age-encryption.org/v1\n{lines}");
    assert_eq!(opened(keys.as_bytes()), Err(OpenError::ForKeys));
    let long = format!("age-encryption.org/v1\n-> scrypt {}", "A".repeat(1_000_000));
    assert_eq!(opened(long.as_bytes()), Err(OpenError::Damaged));
}

#[test]
fn work_factors_have_an_end() {
    assert_eq!((WorkFactor::new(0), WorkFactor::new(21)), (None, None));
    assert_eq!(WorkFactor::new(20), Some(WorkFactor::MOST));
    assert_eq!(WorkFactor::STANDARD.log_n(), 18);
    let file = seal(b"", &passphrase("right"), WorkFactor::new(10).unwrap()).unwrap();
    assert!(String::from_utf8_lossy(&file[..100]).lines().nth(1).unwrap().ends_with(" 10"));
}
