//! The server's half of the frozen OPAQUE vectors: what it answers, and what it refuses.

use serde_json::Value;

use super::*;

fn cases(file: &str) -> Vec<Value> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto/vectors");
    let file: Value = serde_json::from_str(&std::fs::read_to_string(folder.join(file)).unwrap()).unwrap();
    file["cases"].as_array().unwrap().clone()
}

fn unhex(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap();
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

struct Counting;

impl Random for Counting {
    fn fill(&self, out: &mut [u8]) {
        out.iter_mut().zip(1..).for_each(|(byte, count): (&mut u8, u8)| *byte = count);
    }
}

/// The server of the case, its account and record.
fn server(case: &Value) -> (OpaqueServer, AccountId, StoredRecord) {
    let member = |name: &str| unhex(&case[name]);
    // The last part is the key that accounts which are not there have: any will do.
    let setup = ["oprf_seed", "server_private_key", "server_public_key"].map(member).concat();
    let server_id = ServerId(member("server_id").try_into().unwrap());
    let record = StoredRecord { profile: KsfProfile::Profile1, upload: member("registration_upload") };
    let account_id = AccountId(member("account_id").try_into().unwrap());
    (OpaqueServer::from_setup(&setup, server_id).unwrap(), account_id, record)
}

/// What waits for KE3 after the frozen KE2.
fn waiting(case: &Value) -> OpaqueLogin {
    let state = [unhex(&case["session_key"]), unhex(&case["ke3"])].concat();
    let account_id = AccountId(unhex(&case["account_id"]).try_into().unwrap());
    OpaqueLogin {
        account_id,
        profile: KsfProfile::Profile1,
        state: ServerLogin::deserialize(&state).unwrap(),
    }
}

#[test]
fn the_frozen_registration_and_sign_in_are_answered_as_frozen() {
    for case in cases("opaque.json") {
        let (server, account_id, record) = server(&case);
        assert_eq!(server.public_key(), unhex(&case["server_public_key"]));
        let response = server.registration(&account_id, &unhex(&case["registration_request"]));
        assert_eq!(response.unwrap(), unhex(&case["registration_response"]));
        let started = server.start(&Counting, account_id, Some(&record), &unhex(&case["ke1"])).unwrap();
        // All but what depends on the random values of this answer: the evaluated element.
        assert_eq!(started.ke2[..32], unhex(&case["ke2"])[..32]);
        assert_eq!(server.finish(waiting(&case), &unhex(&case["ke3"])), Ok(()));
    }
}

#[test]
fn messages_to_the_server_that_break_a_rule_are_refused() {
    let frozen = cases("opaque.json").remove(0);
    let (server, account_id, record) = server(&frozen);
    let mut refused = 0;
    for case in cases("refused_opaque.json") {
        let bytes = unhex(&case["bytes"]);
        let found = match case["message"].as_str().unwrap() {
            "registration request" => server.registration(&account_id, &bytes).map(drop),
            "registration upload" => server.check_upload(&bytes),
            "KE1" => server.start(&Counting, account_id, Some(&record), &bytes).map(drop),
            "KE3" => server.finish(waiting(&frozen), &bytes),
            _ => continue,
        };
        assert_eq!(found.is_err(), case["rule"].is_string(), "{} of {}", case["name"], case["message"]);
        refused += usize::from(found.is_err());
    }
    assert_eq!(refused, 25);
}
