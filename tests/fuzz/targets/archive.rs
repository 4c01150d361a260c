//! Archives of anybody: a content that is read has one encoding, and a file opens whole or not at all.

use lockstep_client::item::Document;
use lockstep_formats::archive::{Archive, ArchivedVault, OpenError, Passphrase, check_sealed, open};
use lockstep_proto::ids::{ItemId, VaultId};

use super::seeds::vectors;

/// That of the frozen files.
const PASSPHRASE: &str = "fuzz";

/// The input as a content; and as a file, unless its header asks for more than this target's time.
pub(crate) fn run(input: &[u8]) {
    content(input);
    file(input);
}

fn content(bytes: &[u8]) {
    let Ok(archive) = Archive::from_bytes(bytes) else { return };
    assert!(**archive.to_bytes().unwrap() == *bytes, "a content has one encoding");
    assert!(archive.count_items() <= bytes.len() / 19);
    for document in archive.vaults.values().flat_map(|vault| vault.items.values()) {
        if let Ok(read) = Document::from_bytes(document) {
            assert!(read.to_bytes() == *document, "a document comes back byte for byte");
        }
    }
}

fn file(bytes: &[u8]) {
    let passphrase = Passphrase::new(PASSPHRASE).unwrap();
    let checked = check_sealed(bytes);
    if checked.is_ok() && !is_quick(bytes) {
        return;
    }
    match (checked, open(bytes, &passphrase)) {
        (Err(error), opened) => assert!(opened == Err(error), "nothing opens that the check refuses"),
        (Ok(()), Ok(inside)) => content(&inside),
        (Ok(()), Err(error)) => assert!(!matches!(error, OpenError::Empty | OpenError::NotAge)),
    }
}

/// Whether trying the passphrase is cheap: a work factor of one digit, in a file that is not armored.
fn is_quick(bytes: &[u8]) -> bool {
    let header = String::from_utf8_lossy(&bytes[..bytes.len().min(120)]).into_owned();
    let line = header.lines().nth(1).unwrap_or_default();
    line.starts_with("-> scrypt ") && line.rsplit(' ').next().is_some_and(|number| number.len() == 1)
}

/// The frozen contents, one of the frozen documents, and the frozen files.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = vectors("archive", &["bytes"]);
    let documents = vectors("document", &["bytes"]);
    let ids = (0_u8..=u8::MAX).map(|number| ItemId::from_random([number; 16]));
    let items = ids.zip(documents.iter().map(Vec::as_slice)).collect();
    let vaults = [(VaultId([1; 32]), ArchivedVault { name: "Home", items })].into();
    seeds.push(Archive { made_ms: 1, vaults }.to_bytes().unwrap().to_vec());
    seeds.extend(vectors("archive_sealed", &["sealed"]));
    seeds.push(b"age-encryption.org/v1\n".to_vec());
    seeds
}
