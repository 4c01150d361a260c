//! Contents that nobody wrote: every one is refused with its own error, or is exactly what would be written.

#![allow(clippy::unwrap_used)]

use lockstep_client::item::Document;
use lockstep_proto::ids::{ItemId, VaultId};
use minicbor::Encoder;

use super::*;

fn item_id(number: u8) -> ItemId {
    ItemId::from_random([number; 16])
}

/// Two vaults, one of them empty, and documents of lengths whose heads differ.
fn sample(documents: &[Vec<u8>]) -> Archive<'_> {
    let ids = (1..).map(item_id);
    let items = ids.zip(documents.iter().map(Vec::as_slice)).collect();
    let full = ArchivedVault { name: "Home ü", items };
    let empty = ArchivedVault { name: "", items: Default::default() };
    let vaults = [(VaultId([1; 32]), full), (VaultId([2; 32]), empty)].into();
    Archive { made_ms: 1_700_000_000_000, vaults }
}

fn documents() -> Vec<Vec<u8>> {
    vec![Document::default().to_bytes(), Vec::new(), vec![7; 24], vec![8; 300]]
}

fn read(bytes: &[u8]) -> Result<Archive<'_>, ArchiveError> {
    let read = Archive::from_bytes(bytes);
    if let Ok(archive) = &read {
        assert_eq!(&**archive.to_bytes().unwrap(), bytes, "there is one encoding");
    }
    read
}

/// What `write` writes, read.
fn written(write: impl FnOnce(&mut Encoder<&mut Vec<u8>>)) -> Result<u64, ArchiveError> {
    let mut bytes = Vec::new();
    write(&mut Encoder::new(&mut bytes));
    read(&bytes).map(|archive| archive.made_ms)
}

fn header(out: &mut Encoder<&mut Vec<u8>>, vaults: u64) {
    out.array(4)
        .unwrap()
        .str("lockstep-archive")
        .unwrap()
        .u64(1)
        .unwrap()
        .u64(5)
        .unwrap()
        .u64(vaults)
        .unwrap();
}

fn vault(out: &mut Encoder<&mut Vec<u8>>, number: u8, items: u64) {
    out.array(3).unwrap().bytes(&[number; 32]).unwrap().str("Home").unwrap().u64(items).unwrap();
}

fn item(out: &mut Encoder<&mut Vec<u8>>, number: u8) {
    out.array(2).unwrap().bytes(item_id(number).as_bytes()).unwrap().bytes(b"document").unwrap();
}

#[test]
fn an_archive_is_what_it_was() {
    let documents = documents();
    let archive = sample(&documents);
    let bytes = archive.to_bytes().unwrap();
    assert_eq!(Archive::from_bytes(&bytes).unwrap(), archive);
    assert_eq!(archive.count_items(), 4);
    let none = Archive { made_ms: u64::MAX, vaults: Default::default() };
    assert_eq!(Archive::from_bytes(&none.to_bytes().unwrap()).unwrap(), none);
}

#[test]
fn the_buffer_of_a_content_never_moves() {
    for count in [0, 1, 5, 300] {
        let documents = vec![vec![9; 70]; count];
        let ids = (0..u8::MAX).flat_map(|high| (0..4).map(move |low| [high, low]));
        let items = ids.map(|[high, low]| {
            let mut bytes = [high; 16];
            bytes[0] = low;
            ItemId::from_random(bytes)
        });
        let items = items.zip(documents.iter().map(Vec::as_slice)).collect();
        let vaults = [(VaultId([1; 32]), ArchivedVault { name: "x", items })].into();
        let content = Archive { made_ms: u64::MAX, vaults }.to_bytes().unwrap();
        let most = 128 + 1 + count * (64 + 70);
        assert!(content.len() <= most && content.capacity() == most, "{count} items");
    }
}

#[test]
fn every_prefix_ends_early() {
    let documents = documents();
    let bytes = sample(&documents).to_bytes().unwrap();
    for end in 0..bytes.len() {
        let error = read(&bytes[..end]).unwrap_err();
        assert!(matches!(error, ArchiveError::EndsEarly { at } if at <= end), "{end} bytes: {error:?}");
    }
}

#[test]
fn every_flipped_bit_is_refused_or_is_another_content() {
    let documents = documents();
    let archive = sample(&documents);
    let bytes = archive.to_bytes().unwrap();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut changed = bytes.to_vec();
            changed[at] ^= 1 << bit;
            assert!(read(&changed).map_or(true, |other| other != archive), "bit {bit} of byte {at}");
        }
    }
}

#[test]
fn other_things_are_no_archives() {
    let with_label = |label: &str, version| {
        written(|out| {
            out.array(4).unwrap().str(label).unwrap().u64(version).unwrap().u64(5).unwrap().u64(0).unwrap();
        })
    };
    assert_eq!(with_label("lockstep-archive", 1), Ok(5));
    assert_eq!(with_label("lockstep-archivf", 1), Err(ArchiveError::NotAnArchive));
    assert_eq!(with_label("lockstep-archive", 0), Err(ArchiveError::NotAnArchive));
    for version in [2, 3, u64::MAX] {
        assert_eq!(with_label("lockstep-archive", version), Err(ArchiveError::UpdateNeeded));
    }
    for other in [&b"{\"items\":[]}"[..], b"\xff", b"\x80", b"\x81\x01", b"\x9f\xff", &[0; 100]] {
        assert_eq!(read(other), Err(ArchiveError::NotAnArchive), "{other:?}");
    }
}

#[test]
fn members_of_later_versions_ask_for_an_update() {
    let members = |length, more: u64| {
        written(|out| {
            out.array(length).unwrap().str("lockstep-archive").unwrap().u64(1).unwrap();
            for _ in 0..more {
                out.u64(0).unwrap();
            }
        })
    };
    assert_eq!(members(5, 3), Err(ArchiveError::UpdateNeeded));
    assert!(matches!(members(3, 1), Err(ArchiveError::Malformed { what: "members are missing", .. })));
    let in_vault = written(|out| {
        header(out, 1);
        out.array(4).unwrap().bytes(&[1; 32]).unwrap();
    });
    assert_eq!(in_vault, Err(ArchiveError::UpdateNeeded));
    let in_item = written(|out| {
        header(out, 1);
        vault(out, 1, 1);
        out.array(3).unwrap().bytes(&[1; 16]).unwrap();
    });
    assert_eq!(in_item, Err(ArchiveError::UpdateNeeded));
}

#[test]
fn ids_stand_once_and_in_order() {
    let items = |numbers: &[u8]| {
        written(|out| {
            header(out, 1);
            vault(out, 1, numbers.len() as u64);
            numbers.iter().for_each(|number| item(out, *number));
        })
    };
    let vaults = |numbers: &[u8]| {
        written(|out| {
            header(out, numbers.len() as u64);
            numbers.iter().for_each(|number| vault(out, *number, 0));
        })
    };
    for read in [&items as &dyn Fn(&[u8]) -> _, &vaults] {
        assert_eq!(read(&[1, 2, 255]), Ok(5));
        for wrong in [&[1, 1][..], &[2, 1], &[1, 3, 2]] {
            let what = "an id stands twice or out of order";
            assert!(matches!(read(wrong), Err(ArchiveError::Malformed { what: told, .. }) if told == what));
        }
    }
}

#[test]
fn huge_counts_and_lengths_take_nothing() {
    let claims = |count| {
        written(|out| {
            header(out, 1);
            vault(out, 1, count);
            item(out, 1);
        })
    };
    assert_eq!(claims(1), Ok(5));
    for count in [2, 1 << 32, u64::MAX] {
        assert!(matches!(claims(count), Err(ArchiveError::EndsEarly { .. })), "{count} items");
    }
    for (count, is_possible) in [(2, true), (256, true), (257, false), (u64::MAX, false)] {
        let refused = written(|out| header(out, count)).unwrap_err();
        assert_eq!(matches!(refused, ArchiveError::EndsEarly { .. }), is_possible, "{count} vaults");
        assert_eq!(matches!(refused, ArchiveError::Malformed { .. }), !is_possible, "{count} vaults");
    }
    let documents = documents();
    let mut bytes = sample(&documents).to_bytes().unwrap().to_vec();
    let document = bytes.len() - 300 - 3 - 40;
    let at = (document..bytes.len()).find(|at| bytes[*at..].starts_with(&[0x59, 1, 44, 8])).unwrap();
    bytes.splice(at..at + 3, [0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    assert!(read(&bytes).is_err());
}

#[test]
fn what_is_not_deterministic_or_follows_is_refused() {
    let documents = documents();
    let bytes = sample(&documents).to_bytes().unwrap();
    let more = [&bytes[..], b"\x00"].concat();
    let what = "more follows after its end";
    assert_eq!(read(&more), Err(ArchiveError::Malformed { what, at: bytes.len() }));
    // The version as 0x1801, the label as a text of indefinite length, the outer array as one.
    let long_number = [&bytes[..18], &[0x18, 1], &bytes[19..]].concat();
    let what = "a number is not in its shortest form";
    assert_eq!(read(&long_number), Err(ArchiveError::Malformed { what, at: 18 }));
    let long_length = [&[0x84, 0x78, 16], &bytes[2..]].concat();
    assert!(read(&long_length).is_err());
    let open_text = [&[0x84, 0x7f, 0x70], &bytes[2..18], &[0xff], &bytes[18..]].concat();
    assert!(read(&open_text).is_err());
    let open_array = [&[0x9f], &bytes[1..]].concat();
    assert_eq!(read(&open_array), Err(ArchiveError::NotAnArchive));
}

#[test]
fn a_document_that_cannot_be_read_costs_no_other() {
    let documents = vec![Document::default().to_bytes(), b"of a later version".to_vec()];
    let content = sample(&documents).to_bytes().unwrap();
    let archive = Archive::from_bytes(&content).unwrap();
    let items = &archive.vaults[&VaultId([1; 32])].items;
    assert!(Document::from_bytes(items[&item_id(1)]).is_ok());
    assert!(Document::from_bytes(items[&item_id(2)]).is_err());
}
