//! The limits fit each other, and the error codes are frozen.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::vector_file::check;
use crate::api::vaults::{PostCommit, Room, StoredCommit};
use crate::api::*;
use crate::blob::BLOB_LIMIT;
use crate::bytes::Bytes;
use crate::log::{
    CHANGES_LIMIT, Change, DEVICES_LIMIT, ENTRY_LIMIT, OBSERVED_LIMIT, SEALED_LIMIT, VAULTS_LIMIT,
};

/// Bounds of a commit's and a content body's own bytes, from their layouts in PROTOCOL.md.
const COMMIT_BYTES: usize = 512 + OBSERVED_LIMIT * 72;
const CHANGE_BYTES: usize = 16 + 2 * (8 + 32);

#[test]
fn what_one_limit_allows_no_other_forbids() {
    const { assert!(BLOB_LIMIT <= COMMIT_BLOBS_LIMIT) };
    const { assert!(COMMIT_BLOBS_LIMIT < REQUEST_LIMIT) };
    const { assert!(COMMIT_BLOBS_LIMIT as u64 <= ACCOUNT_BYTES) };
    const { assert!(ACCOUNT_VAULTS <= VAULTS_LIMIT as u64) };
    const { assert!(PAGE_LIMIT < REQUEST_LIMIT) };
    const { assert!(COMMIT_BYTES < ENTRY_LIMIT && CHANGES_LIMIT * CHANGE_BYTES < ENTRY_LIMIT) };
    const { assert!(2 * ENTRY_LIMIT as u64 <= SIDES_LIMIT) };
    const { assert!(SLOT_LIMIT >= SEALED_LIMIT) };
    const { assert!(CHANGES_LIMIT <= WANTED_LIMIT) };
    const { assert!(VAULTS_LIMIT + DEVICES_LIMIT <= SLOTS_PER_REQUEST) };
    const { assert!(STEP_SECONDS < ENROLMENT_SECONDS && ENROLMENT_SECONDS < SESSION_SECONDS) };
    let change = crate::canon::to_bytes(&Change {
        item_id: crate::ids::ItemId::from_random([1; 16]),
        old_version: crate::ids::Version(1),
        old_blob_hash: crate::ids::Hash([1; 32]),
        new_version: crate::ids::Version(2),
        new_blob_hash: crate::ids::Hash([2; 32]),
    });
    assert_eq!(change.len(), CHANGE_BYTES);
}

/// The fullest commit fits into a request in either format, base64url's third included.
#[test]
fn the_fullest_commit_fits_into_a_request() {
    let per_blob = COMMIT_BLOBS_LIMIT / CHANGES_LIMIT;
    let request = PostCommit {
        commit: Bytes(vec![1; COMMIT_BYTES]),
        body: Bytes(vec![1; 4 + CHANGES_LIMIT * CHANGE_BYTES]),
        blobs: vec![Bytes(vec![0xff; per_blob]); CHANGES_LIMIT],
    };
    assert!(serde_json::to_vec(&request).unwrap().len() <= REQUEST_LIMIT);
    let mut cbor = Vec::new();
    ciborium::into_writer(&request, &mut cbor).unwrap();
    assert!(cbor.len() <= REQUEST_LIMIT);
    let stored = StoredCommit { commit: request.commit, body: request.body };
    let mut page = Vec::new();
    ciborium::into_writer(&stored, &mut page).unwrap();
    assert!(page.len() <= PAGE_LIMIT, "any commit fits into a page");
}

#[test]
fn the_limits_that_are_told_are_those_that_hold() {
    let told = serde_json::to_value(Limits::CURRENT).unwrap();
    let expected = json!({
        "request_bytes": 4_194_304, "page_bytes": 1_048_576, "blob_bytes": 1_048_576,
        "commit_blob_bytes": 2_097_152, "commit_changes": 1_024, "vaults": 64, "account_bytes": 2_147_483_648_u64,
    });
    assert_eq!(told, expected, "clients plan with these: lower ones break what they have queued");
}

#[test]
fn error_codes_are_frozen() {
    let case = |code: &ErrorCode| json!({ "code": code.as_str(), "status": code.status() });
    let cases: Vec<Value> = ErrorCode::ALL.iter().map(case).collect();
    let distinct: BTreeSet<&str> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(distinct.len(), cases.len());
    let titles: BTreeSet<&str> = ErrorCode::ALL.iter().map(|code| code.title()).collect();
    assert_eq!(titles.len(), cases.len());
    for code in &distinct {
        let plain = |byte: u8| byte == b'-' || byte.is_ascii_lowercase();
        assert!(code.bytes().all(plain) && !code.starts_with('-') && !code.ends_with('-'), "{code}");
    }
    check("error_codes", "Every stable error code with its HTTP status.", cases);
}

#[test]
fn a_problem_says_its_code_four_times_alike() {
    for code in ErrorCode::ALL {
        let problem = Problem::new(*code, "detail");
        let json = serde_json::to_value(&problem).unwrap();
        let expected = json!({ "type": format!("urn:lockstep:problem:{code}"), "title": code.title(),
            "status": code.status(), "code": code.as_str(), "detail": "detail" });
        assert_eq!(json, expected, "absent members are not written");
        assert_eq!(code.to_string(), code.as_str());
    }
    let room = Room { bytes: 1, commit_blob_bytes: 2, commit_changes: 3 };
    let full = Problem::new(ErrorCode::QuotaExceeded, "full").with_room(room).with_retry_after(9);
    let json = serde_json::to_value(&full).unwrap();
    assert_eq!(json["room"], json!({ "bytes": 1, "commit_blob_bytes": 2, "commit_changes": 3 }));
    assert_eq!(json["retry_after_seconds"], 9);
}
