//! Files that are odd, damaged, cut off or huge, and what still comes out of them.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::outline::MAX_RECORDS;
use crate::Place;
use crate::bitwarden::keys::SOURCE_ID;
use crate::bitwarden::{
    FileRemark, ImportContext, ImportError, ImportReport, Problem, import_bitwarden_json,
};

const NOW: ImportContext = ImportContext { now_ms: 1_800_000_000_000 };

fn import(bytes: &[u8]) -> ImportReport {
    import_bitwarden_json(bytes, &NOW).unwrap()
}

fn login(number: usize) -> Json {
    json!({
        "passwordHistory": [{ "lastUsedDate": "2020-01-01T00:00:00.000Z", "password": "older" }],
        "revisionDate": "2021-01-01T00:00:00.000Z", "creationDate": "2020-01-01T00:00:00.000Z", "deletedDate": null,
        "id": format!("id-{number}"), "organizationId": null, "folderId": "f1", "type": 1, "reprompt": 0,
        "name": format!("Item {number}"), "notes": "first \"line\"\nsecond {line}, [and] more", "favorite": false,
        "fields": [{ "name": "pin", "value": "1", "type": 1, "linkedId": null }],
        "login": { "uris": [{ "match": null, "uri": "https://a.example" }], "username": "anna", "password": "p{[\\",
            "totp": null, "fido2Credentials": [{ "credentialId": "c", "rpId": "a.example", "keyType": "public-key" }] },
        "collectionIds": null,
    })
}

fn file(count: usize) -> String {
    let items: Vec<Json> = (0..count).map(login).collect();
    json!({ "encrypted": false, "folders": [{ "id": "f1", "name": "Home" }], "items": items }).to_string()
}

fn ids(report: &ImportReport) -> BTreeSet<&str> {
    report.records.iter().filter_map(|record| record.document.text(SOURCE_ID)).collect()
}

/// Imports good records around a text that stands where a record should, and what is told about that.
fn between(odd: &[u8]) -> (ImportReport, Vec<Problem>) {
    let (before, after) = (login(1).to_string(), login(2).to_string());
    let file = [b"{\"items\":[", before.as_bytes(), b",\n", odd, b",\n", after.as_bytes(), b"]}"].concat();
    let report = import(&file);
    assert!(ids(&report).is_superset(&BTreeSet::from(["id-1", "id-2"])), "{}", String::from_utf8_lossy(odd));
    let problems = report.problems.iter().filter(|told| told.problem != Problem::MissingFolder);
    let told = problems.map(|told| told.problem.clone()).collect();
    (report, told)
}

#[test]
fn an_odd_record_among_good_ones_is_mended_and_named() {
    let cases: [(&[u8], Problem); 8] = [
        (br#"{"type":2,"name":"Title cut in an emoji \ud83d"}"#, Problem::HalfCharacters),
        (br#"{"type":2,"name":"x","notes":"\udc00 note"}"#, Problem::HalfCharacters),
        (b"{\"type\":2,\"name\":\"M\xfcller\"}", Problem::NotUtf8),
        (br#"{"type":2,"name":"C:\Windows"}"#, Problem::UnknownEscape),
        (br#"{"type":2,"name":"x","number":1e999}"#, Problem::NumberAsText),
        (br#"{"type":2,"name":"x","number":NaN}"#, Problem::NumberAsText),
        (
            br#"{"type":2,"name":"x","notes":"one","notes":"two"}"#,
            Problem::RepeatedMember { member: "notes".to_owned() },
        ),
        (br#"{"type":"\ud800","name":"x"}"#, Problem::UnknownKind { number: "?".to_owned() }),
    ];
    for (odd, problem) in cases {
        let (report, told) = between(odd);
        assert!(told.contains(&problem), "{told:?} {}", String::from_utf8_lossy(odd));
        assert_eq!((report.records.len(), report.is_complete()), (3, true));
    }
    let (report, told) = between(b"{\"type\":2,\"name\":\"a\tb\nc\x01\"}");
    assert_eq!((report.records[1].document.name(), told), ("a\tb\nc\u{1}", vec![]));
    let (report, _) = between(br#"{"type":2,"name":"Title cut in an emoji \ud83d"}"#);
    assert_eq!(report.records[1].document.name(), "Title cut in an emoji \u{fffd}");
    assert_eq!(report.problems[1].name.as_deref(), Some("Title cut in an emoji \u{fffd}"));
}

#[test]
fn a_record_that_cannot_be_read_is_left_out_and_named_with_its_place() {
    let deep = format!(r#"{{"type":2,"name":"broken","x":{}1{}}}"#, "[".repeat(5_000), "]".repeat(5_000));
    let long = format!(r#"{{"type":2,"name":"broken","x":"{}"}}"#, "y".repeat(9_000_000));
    let cases = [
        (deep.as_str(), "nested too deeply"),
        (long.as_str(), "longer than any item"),
        (r#"{"type":2,"name":"broken","x":}"#, "damaged"),
        (r#"{"type":2,"name":"broken" "x":1}"#, "damaged"),
        (r#"{"type":2,"name":"broken","x":tru}"#, "damaged"),
        (r#"{"type":2,"name":"broken","x":"a "quoted" word"}"#, "damaged"),
        (r#"{"type":2,"name":"broken","x":"no end}"#, "damaged"),
        (r#"{"type":2,"name":"broken","x":[1}"#, "damaged"),
        (r#"{"type":2,"name":"broken","x":{"y":1}"#, "damaged"),
        (r#"{"type":2,"name":"broken","x":1}}"#, ""),
        (r#""type":2,"name":"broken"}"#, "damaged"),
    ];
    for (odd, says) in cases {
        let (report, told) = between(odd.as_bytes());
        let start = &odd[..odd.len().min(60)];
        let left_out = report.problems.iter().find(|told| told.problem.is_skipped());
        if let Some(left_out) = left_out {
            let said = left_out.problem.to_string();
            assert!(said.contains(says) && said.contains("at line 2, column 1"), "{start}: {said}");
            assert!(
                left_out.index == 1 && left_out.name.as_deref() == Some("broken"),
                "{start}: {left_out:?}"
            );
        }
        assert_eq!(left_out.is_some(), !says.is_empty(), "{start}: {told:?}");
        assert!(!report.is_complete(), "{start}");
    }
}

#[test]
fn a_file_that_is_cut_off_gives_its_complete_records_and_says_where_it_ends() {
    let records: Vec<String> = (0..3).map(|number| format!("\n{}", login(number))).collect();
    let whole = format!("{{\"items\":[{}]}}", records.join(","));
    let ends: Vec<usize> = records.iter().map(|record| whole.find(record).unwrap() + record.len()).collect();
    let report = import(&whole.as_bytes()[..ends[0] + 42]);
    assert_eq!(report.remarks, [FileRemark::EndsEarly { at: Place { line: 3, column: 41 } }]);
    assert_eq!((ids(&report), report.is_complete()), (BTreeSet::from(["id-0"]), false));
    assert_eq!(
        report.problems.last().unwrap().problem,
        Problem::Incomplete { at: Place { line: 3, column: 1 } }
    );
    for length in 1..whole.len() {
        match import_bitwarden_json(&whole.as_bytes()[..length], &NOW) {
            Ok(report) => {
                assert!(
                    matches!(report.remarks[..], [FileRemark::EndsEarly { .. }]),
                    "{length}: {:?}",
                    report.remarks
                );
                assert_eq!(
                    report.records.len(),
                    ends.iter().filter(|end| **end <= length).count(),
                    "{length}"
                );
            }
            Err(error) => assert!(matches!(error, ImportError::EndsEarly { .. }), "{length}: {error}"),
        }
    }
}

#[test]
fn what_follows_the_json_is_ignored_and_said_or_read_if_it_is_more_of_it() {
    let report = import(format!("{}\n-- end of export --\n", file(2)).as_bytes());
    assert_eq!(report.remarks, [FileRemark::TrailingText { at: Place { line: 2, column: 1 } }]);
    assert_eq!((report.records.len(), report.is_complete()), (2, true));
    let two = format!("{}{}", file(1), file(3));
    let report = import(two.as_bytes());
    // The first record of both is the same.
    assert!(report.problems.iter().any(|told| told.problem == Problem::Repeated { first: 0 }));
    assert_eq!((report.records.len(), report.remarks.len(), report.is_complete()), (3, 0, true));
    let nuls = [file(2).as_bytes(), &[0; 4_096]].concat();
    assert!(import(&nuls).remarks.is_empty());
}

#[test]
fn utf_16_and_byte_order_marks_are_read() {
    let text = file(3).replace("Item 1", "Müller & Söhne 日本語 🙂");
    let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let marked = |mark: &[u8], bytes: &[u8]| [mark, bytes].concat();
    let files = [
        marked(b"\xef\xbb\xbf", text.as_bytes()),
        marked(b"\xff\xfe", &little),
        marked(b"\xfe\xff", &big),
        marked(b"\xff\xfe", &[&little[..], &[0, 0]].concat()),
        little,
        big,
    ];
    for bytes in files {
        let report = import(&bytes);
        assert_eq!(report.records.len(), 3);
        assert_eq!(report.records[1].document.name(), "Müller & Söhne 日本語 🙂");
        assert!(report.problems.is_empty() && report.is_complete());
    }
}

#[test]
fn broken_members_of_the_file_cost_only_themselves() {
    let item = login(1);
    for (before, left_out) in [
        (r#""encrypted":falsf,"#, vec!["encrypted"]),
        (r#""folders":[{"id":"f1","name":"Home}],"#, vec!["folders"]),
        (r#""folders":[{"id":"f1""name":"Home"}],"#, vec!["folders"]),
        (r#""folders":[[[{,"#, vec!["folders"]),
        (r#""folders":,"#, vec!["folders"]),
        (r#""folders";[],"#, vec![]),
        (r#"folders:[],"#, vec![]),
        (r#""fold"#, vec![]),
    ] {
        let text = format!(r#"{{{before}"items":[{item}]}}"#);
        let report =
            import_bitwarden_json(text.as_bytes(), &NOW).unwrap_or_else(|error| panic!("{before}: {error}"));
        let named: Vec<&str> = report.left_out.iter().map(String::as_str).collect();
        assert_eq!((ids(&report), named), (BTreeSet::from(["id-1"]), left_out), "{before}");
        assert!(!report.is_complete(), "{before}");
    }
}

proptest! {
    #[test]
    fn one_byte_that_is_another_costs_only_its_own_record(
        place in 0.0..1.0_f64, byte in any::<u8>(), count in 1_usize..6,
    ) {
        let mut bytes = file(count).into_bytes();
        let at = (place * bytes.len() as f64) as usize;
        let owner = (0..count).find(|number| {
            let record = login(*number).to_string();
            let start = file(count).find(&record).unwrap();
            (start..start + record.len()).contains(&at)
        });
        bytes[at] = byte;
        match import_bitwarden_json(&bytes, &NOW) {
            Ok(report) => {
                let found = ids(&report);
                for number in (0..count).filter(|number| Some(*number) != owner) {
                    let id = format!("id-{number}");
                    let damaged = String::from_utf8_lossy(&bytes);
                    prop_assert!(found.contains(id.as_str()), "{id} is missing from {found:?}: {damaged}");
                }
            }
            Err(error) => {
                let said = error.to_string();
                let names_its_place = said.contains(", column ");
                let says_why = matches!(error, ImportError::NotAnExport | ImportError::Encrypted);
                prop_assert!(names_its_place || says_why, "{said}");
                prop_assert!(owner.is_none(), "{said}");
            }
        }
    }

    #[test]
    fn any_cut_stretch_never_panics_and_the_records_before_it_come_in(from in 0.0..1.0_f64, length in 0_usize..400) {
        let bytes = file(4).into_bytes();
        let from = (from * bytes.len() as f64) as usize;
        let damaged = [&bytes[..from], &bytes[(from + length).min(bytes.len())..]].concat();
        if let Ok(report) = import_bitwarden_json(&damaged, &NOW) {
            let complete = String::from_utf8_lossy(&bytes[..from]).matches("\"type\":1}").count();
            prop_assert!(report.records.len() + 1 >= complete);
        }
    }
}

#[test]
fn huge_files_of_nothing_are_bounded() {
    let begin = b"{\"items\":[".to_vec();
    let brackets = |bracket: u8| [begin.clone(), vec![bracket; 10_000_000]].concat();
    for bytes in [brackets(b'['), brackets(b'{'), brackets(b'"'), brackets(b'0')] {
        let report = import(&bytes);
        assert!(report.records.is_empty() && !report.is_complete());
        assert!(report.problems.len() <= 1, "{}", report.problems.len());
    }
    let all = vec![b'['; 200_000_000];
    assert!(matches!(import_bitwarden_json(&all, &NOW), Err(ImportError::NotJson { .. })));
}

#[test]
fn a_million_entries_are_told_of_and_more_are_left_out() {
    let many = [b"{\"items\":[".to_vec(), b"0,".repeat(MAX_RECORDS + 5), b"]}".to_vec()].concat();
    let report = import(&many);
    assert_eq!(report.problems.len(), MAX_RECORDS);
    let at = Place { line: 1, column: 11 + 2 * MAX_RECORDS };
    assert_eq!(report.remarks, [FileRemark::TooMany { limit: MAX_RECORDS, at }]);
}

#[test]
fn faults_that_look_like_records_cost_time_in_proportion_only() {
    let unended = r#"{"type":1,"name":"x,"#.repeat(60_000);
    let nested = r#"[{"a":"#.repeat(300_000);
    let blanks = format!("{{{}", " ".repeat(400)).repeat(20_000);
    for odd in [unended, nested, blanks] {
        let report = import(format!(r#"{{"items":[{odd}"#).as_bytes());
        assert!(!report.is_complete());
    }
}
