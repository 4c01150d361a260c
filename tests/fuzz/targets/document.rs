//! Documents of a hostile member: whatever decodes has one encoding, merges by the laws and can be shown.

use std::hint::black_box;

use lockstep_client::item::merge::{Merged, merge, merge_fitting};
use lockstep_client::item::views::{Kind, Login};
use lockstep_client::item::{Author, Document, MAX_DOCUMENT_BYTES};
use lockstep_client::tools::Query;
use lockstep_proto::ids::DeviceId;

use super::seeds::{Fields, field, vectors};

/// Up to three documents, each with its length before it; or the whole input as one.
pub(crate) fn run(input: &[u8]) {
    if let Some(document) = decode(input) {
        show(&document);
        laws(&document, &document, &document);
    }
    let mut fields = Fields(input);
    let documents = [fields.field(), fields.field(), fields.field()].map(decode);
    match documents {
        [Some(a), Some(b), c] => laws(&a, &b, c.as_ref().unwrap_or(&Document::default())),
        [Some(one), None, _] => show(&one),
        _ => {}
    }
}

fn decode(bytes: &[u8]) -> Option<Document> {
    let document = Document::from_bytes(bytes).ok()?;
    assert!(bytes.len() <= MAX_DOCUMENT_BYTES);
    assert!(document.to_bytes() == bytes, "decoding, then encoding, is the identity");
    Some(document)
}

/// What is merged is a document again, and the laws hold.
fn laws(a: &Document, b: &Document, c: &Document) {
    let ab = merge(a, b);
    assert!(ab == merge(b, a), "merge commutes");
    assert!(merge(a, a) == *a && merge(&ab, a) == ab && merge(&ab, &ab) == ab, "merge is idempotent");
    assert!(merge(&ab, c) == merge(a, &merge(b, c)), "merge is associative");
    let bytes = ab.to_bytes();
    if bytes.len() <= MAX_DOCUMENT_BYTES {
        assert!(Document::from_bytes(&bytes).unwrap() == ab, "what is merged can be read");
    }
    match merge_fitting(a, b) {
        Merged::One(one) => assert!(one == ab),
        Merged::Apart { stays, leaves } => {
            assert!([&stays, &leaves].iter().all(|part| part.to_bytes().len() <= MAX_DOCUMENT_BYTES));
        }
    }
    show(&ab);
}

/// Everything that looks at a document, and an edit of it.
fn show(document: &Document) {
    let login = Login::of(document);
    black_box((login.username(), login.password(), login.totp(), login.uris(), login.passkeys()));
    black_box((document.name(), document.notes(), document.is_favourite(), document.archived_ms()));
    black_box((document.created_ms(), document.tags().count(), document.custom_fields(), Kind::of(document)));
    black_box((document.conflicts(), document.trash_state(), document.ahead_ms(0), document.updated_ms()));
    black_box(Query::parse("tag:home is:favourite mail").matches(document));
    let before = document.clone();
    let mut edited = document.clone();
    let author = Author { now_ms: 1_700_000_000_000, device: DeviceId([9; 16]) };
    match edited.edit(author).set("password", "fuzz").trash().apply() {
        Ok(_) => {
            assert!(edited.text("password") == Some("fuzz"), "an edit beats what it has seen");
            assert!(merge(&edited, document) == edited, "an edit holds what it was made on");
            assert!(decode(&edited.to_bytes()).is_some() || edited.to_bytes().len() > MAX_DOCUMENT_BYTES);
        }
        Err(_) => assert!(edited == before, "a refused edit changes nothing"),
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let documents = vectors("document", &["bytes"]);
    let pairs = vectors("merge", &["a", "b"]);
    let three = documents.windows(3).map(|three| three.iter().flat_map(|bytes| field(bytes)).collect());
    let two = pairs.chunks(2).step_by(4).map(|pair| pair.iter().flat_map(|bytes| field(bytes)).collect());
    let mut seeds: Vec<Vec<u8>> = three.chain(two).filter(|seed: &Vec<u8>| seed.len() < 8_192).collect();
    seeds.extend(documents);
    seeds
}
