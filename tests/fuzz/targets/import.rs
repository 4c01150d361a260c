//! Exports of other programs: whatever can be read becomes documents, and every record is imported or named.

use lockstep_client::item::Document;
use lockstep_formats::bitwarden::{ImportContext, Problem, export_bitwarden_json, import_bitwarden_json};
use lockstep_proto::ids::ItemId;
use serde_json::{Value, json};

use super::seeds::read;

const NOW: ImportContext = ImportContext { now_ms: 1_600_000_000_000 };

/// The input as a file, and as what stands between the brackets of one.
pub(crate) fn run(input: &[u8]) {
    file(input);
    file(&[&b"{\"items\":["[..], input, b"]}"].concat());
}

fn file(bytes: &[u8]) {
    let Ok(report) = import_bitwarden_json(bytes, &NOW) else { return };
    let is_none = |problem: &Problem| problem.is_skipped() || matches!(problem, Problem::Repeated { .. });
    let skipped = report.problems.iter().filter(|told| is_none(&told.problem)).count();
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let valid = serde_json::from_slice::<Value>(text).ok();
    if let Some(items) = valid.as_ref().and_then(|valid| valid["items"].as_array()) {
        // A list that stands twice counts twice.
        assert!(report.records.len() + skipped >= items.len(), "every record is imported or named");
        assert!(report.remarks.is_empty(), "nothing is said of a file that is as it should be");
    }
    report.remarks.iter().for_each(|remark| drop(remark.to_string()));
    report.problems.iter().for_each(|told| drop(told.problem.to_string()));
    let documents: Vec<Document> = report.records.into_iter().map(|record| record.document).collect();
    for document in &documents {
        assert!(Document::from_bytes(&document.to_bytes()).unwrap() == *document);
    }
    let first = export(&documents);
    let again = import_bitwarden_json(&first, &NOW).unwrap();
    let again: Vec<Document> = again.records.into_iter().map(|record| record.document).collect();
    assert!(export(&again) == first, "an export is a fixed point");
}

fn export(documents: &[Document]) -> Vec<u8> {
    let ids = (0_u8..=u8::MAX).cycle().map(|number| ItemId::from_random([number; 16]));
    export_bitwarden_json(ids.zip(documents))
}

/// Some records of the sample export, each as a file of its own and with its folders.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let sample: Value = serde_json::from_slice(&read("tests/data/bitwarden-1000.json")).unwrap();
    let folders: Vec<&Value> = sample["folders"].as_array().unwrap().iter().take(2).collect();
    let items = sample["items"].as_array().unwrap().iter().step_by(41);
    let small = items.filter(|item| item.to_string().len() < 4_096);
    let file = |item| json!({ "encrypted": false, "folders": folders, "items": [item] }).to_string();
    let files: Vec<Vec<u8>> = small.map(|item| file(item).into_bytes()).collect();
    let text = String::from_utf8_lossy(&files[0]);
    let utf_16 = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let cut = files[0][..files[0].len() / 2].to_vec();
    let odd = br#"{"items":[{"type":2,"name":"\ud83d","x":1e999},{"type":2,"name":"no end},{"type":1,"name":"y"}]} x"#;
    let older = br#"{"items":[{"type":1,"deletedDate":"Wed, 01 Feb 2023 10:00:00 GMT",
        "login":{"uri":"a","uris":["b",null]}}]}"#;
    let zip = b"PK\x03\x04\x14\0\0\0\0\0\0\0\0\0\0\0\0\0".to_vec();
    [files, vec![utf_16, cut, odd.to_vec(), older.to_vec(), zip]].concat()
}
