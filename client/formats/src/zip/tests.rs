#![allow(clippy::unwrap_used)]

use std::io::Write as _;

use flate2::Compression;
use flate2::write::DeflateEncoder;
use rawzip::ZipArchiveWriter;

use super::*;

/// An archive of these files.
pub(crate) fn archive(files: &[(&str, &[u8])], method: CompressionMethod) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = ZipArchiveWriter::new(&mut bytes);
    for (path, content) in files {
        let (mut entry, config) = writer.new_file(path).compression_method(method).start().unwrap();
        let descriptor = if method == CompressionMethod::DEFLATE {
            let mut data = config.wrap(DeflateEncoder::new(&mut entry, Compression::best()));
            data.write_all(content).unwrap();
            let (encoder, descriptor) = data.finish().unwrap();
            encoder.finish().unwrap();
            descriptor
        } else {
            let mut data = config.wrap(&mut entry);
            data.write_all(content).unwrap();
            data.finish().unwrap().1
        };
        entry.finish(descriptor).unwrap();
    }
    writer.finish().unwrap();
    bytes
}

/// The same archive with other bytes in every header of the central directory, counted from its signature.
fn with_header(mut bytes: Vec<u8>, offset: usize, value: &[u8]) -> Vec<u8> {
    let starts: Vec<usize> =
        (0..bytes.len() - 4).filter(|start| bytes[*start..].starts_with(b"PK\x01\x02")).collect();
    for start in starts {
        bytes[start + offset..start + offset + value.len()].copy_from_slice(value);
    }
    bytes
}

const FILES: [(&str, &[u8]); 4] = [
    ("attachments/id-1/data.json", b"an attachment"),
    ("data.json", b"{\"items\":[]}"),
    ("attachments/id-1/photo.jpg", b"\xff\xd8"),
    ("readme.txt", b""),
];

#[test]
fn the_export_is_unpacked_and_all_other_files_are_named() {
    for method in [CompressionMethod::STORE, CompressionMethod::DEFLATE] {
        let bytes = archive(&FILES, method);
        assert!(is_zip(&bytes));
        let unpacked = unpack(&bytes).unwrap();
        assert_eq!(unpacked.export, b"{\"items\":[]}");
        assert_eq!(
            unpacked.others,
            ["attachments/id-1/data.json", "attachments/id-1/photo.jpg", "readme.txt"]
        );
    }
    let inside =
        archive(&[("export/data.json", b"{}"), ("a\\b\\data.json", b"[]")], CompressionMethod::STORE);
    assert_eq!(unpack(&inside).unwrap().export, b"{}");
}

#[test]
fn an_archive_without_a_readable_export_is_refused() {
    let none = archive(&[("data.csv", b"a,b")], CompressionMethod::STORE);
    assert_eq!(unpack(&none), Err(ZipError::NoExport));
    assert_eq!(unpack(&archive(&[], CompressionMethod::STORE)), Err(ZipError::NoExport));
    let good = archive(&FILES, CompressionMethod::DEFLATE);
    assert_eq!(unpack(&with_header(good.clone(), 8, &[1, 0])), Err(ZipError::Encrypted));
    assert_eq!(unpack(&with_header(good.clone(), 10, &[12, 0])), Err(ZipError::Method));
    assert_eq!(unpack(&with_header(good.clone(), 16, &[1, 2, 3, 4])), Err(ZipError::Damaged));
    for length in [4, 30, good.len() / 2, good.len() - 1] {
        assert_eq!(unpack(&good[..length]), Err(ZipError::Damaged), "{length}");
    }
}

#[test]
fn a_bomb_is_not_unpacked() {
    let zeros = vec![0; 2_000_000];
    let honest = archive(&[("data.json", &zeros)], CompressionMethod::DEFLATE);
    assert!(honest.len() < 10_000);
    assert_eq!(unpack(&honest).unwrap().export.len(), 2_000_000);
    // It says that it is small, or too large.
    let small = with_header(honest.clone(), 24, &1_000_u32.to_le_bytes());
    assert_eq!(unpack(&small), Err(ZipError::Damaged));
    let limit = u32::try_from(MAX_UNPACKED_BYTES).unwrap() + 1;
    assert_eq!(unpack(&with_header(honest, 24, &limit.to_le_bytes())), Err(ZipError::TooLarge));
    let names: Vec<String> = (0..=MAX_ENTRIES).map(|number| number.to_string()).collect();
    let many: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
    assert_eq!(unpack(&archive(&many, CompressionMethod::STORE)), Err(ZipError::TooMany));
}

#[test]
fn no_damage_of_an_archive_panics() {
    let good = archive(&FILES, CompressionMethod::DEFLATE);
    for place in 0..good.len() {
        for byte in [0, 1, 0x7f, 0xff, good[place] ^ 1] {
            let mut damaged = good.clone();
            damaged[place] = byte;
            if let Ok(unpacked) = unpack(&damaged) {
                assert!(unpacked.export.len() < 100);
            }
        }
    }
}
