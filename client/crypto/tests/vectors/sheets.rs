//! The two sheets as text.

use lockstep_crypto::kit::{EmergencyKit, RecoverySheet, ServerUrl};
use lockstep_crypto::recovery_key::RecoveryKey;
use lockstep_crypto::secret_key::SecretKey;
use lockstep_proto::ids::{AccountId, ServerId};
use lockstep_proto::signin::KsfProfile;
use serde_json::json;

use crate::{frozen, hex, unhex_array};

const ACCOUNT: AccountId = AccountId([0xac; 32]);
const SERVER: ServerId = ServerId([0x5e; 16]);
const ADDRESS: &str = "https://vault.example:8443/a";

#[test]
fn sheets_are_frozen() {
    let server_url = || ServerUrl::new(ADDRESS).unwrap();
    let kit = EmergencyKit {
        secret_key: SecretKey::from_bytes([3; 16]),
        account_id: ACCOUNT,
        server_url: server_url(),
        server_id: SERVER,
        ksf_profile: KsfProfile::Profile1,
    };
    let sheet = RecoverySheet {
        recovery_key: RecoveryKey::from_bytes([2; 20]),
        account_id: ACCOUNT,
        server_url: server_url(),
        server_id: SERVER,
    };
    let common = json!({ "account_id": hex(&ACCOUNT.0), "server": ADDRESS, "server_id": hex(&SERVER.0) });
    let case = |name: &str, key: &[u8], text: &str| {
        let mut case = common.clone();
        case["name"] = json!(name);
        case["key"] = json!(hex(key));
        case["text"] = json!(text);
        case
    };
    let description = "An Emergency Kit (key: the Secret Key; profile 1) and a recovery sheet (key: the Recovery Key) as text";
    let cases = vec![
        case("emergency kit", &[3; 16], &kit.expose_text()),
        case("recovery sheet", &[2; 20], &sheet.expose_text()),
    ];
    let cases = frozen("sheets.json", description, cases);
    let read = EmergencyKit::parse(cases[0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(*read.secret_key.expose_bytes(), unhex_array(&cases[0]["key"]));
    let read = RecoverySheet::parse(cases[1]["text"].as_str().unwrap()).unwrap();
    assert_eq!(*read.recovery_key.expose_bytes(), unhex_array(&cases[1]["key"]));
}
