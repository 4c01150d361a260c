//! Devices, passwords and keys as a person changes them, through the programs.

use serde_json::Value as Json;

use super::programs::PASSWORD;
use super::{Machine, ServerProcess};

const NEW_PASSWORD: &str = "a new and better passphrase";

pub(super) fn whats(events: &Json) -> Vec<String> {
    let events = events["events"].as_array().unwrap().iter();
    events.map(|event| event["what"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn devices_come_and_go() {
    let server = ServerProcess::start();
    let machine = Machine::new();
    machine.sign_up("laptop", server.url());
    machine.json("laptop", &["add", "--title", "Bank", "--username", "anna"]);
    machine.sign_in("phone");
    let kit = machine.kit();
    let signin = ["signin", "--yes", "--kit", kit.to_str().unwrap(), "--device-name", "tablet"];
    let shown = machine.run("tablet", &signin).done().err;
    for said in ["made the account, on 20", "with the Emergency Kit, on 20", "is the word of the device"] {
        assert!(shown.contains(said), "{shown}");
    }
    machine.json("laptop", &["sync"]);
    machine.json("phone", &["sync"]);

    machine.json("laptop", &["device", "rename", "tablet", "old tablet"]);
    let list = machine.json("laptop", &["device", "list"]);
    let names: Vec<_> =
        list["devices"].as_array().unwrap().iter().map(|device| device["name"].clone()).collect();
    assert!(names.contains(&Json::from("old tablet")) && names.len() == 3, "{list}");
    // Dates are the devices' own word, of today.
    let is_a_date = |value: &Json| value.as_str().is_some_and(|date| date.ends_with('Z') && date > "2026");
    let devices = list["devices"].as_array().unwrap();
    assert!(devices.iter().all(|device| is_a_date(&device["claimed"]["added"])), "{list}");
    assert!(devices.iter().all(|device| device["claimed"]["removed"].is_null()), "{list}");
    assert!(is_a_date(&list["claimed"]["password_changed"]), "{list}");
    let unknown = machine.run("laptop", &["device", "rename", "fridge", "x"]).ends(1);
    assert_eq!(unknown.failure(), "no-device");

    // A wrong password, no answer to the question, no reason: nothing is removed.
    let revoke = ["device", "revoke", "old tablet", "--reason", "retired"];
    let wrong = machine.run_with("laptop", &[&revoke[..], &["--yes"]].concat(), &["wrong"]).ends(3);
    assert_eq!(wrong.failure(), "wrong-password");
    assert_eq!(machine.run("laptop", &revoke).ends(2).failure(), "usage");
    assert_eq!(
        machine.run("laptop", &["device", "revoke", "old tablet", "--yes"]).ends(2).failure(),
        "usage"
    );
    assert_eq!(
        machine
            .run("laptop", &["device", "revoke", "laptop", "--yes", "--reason", "retired"])
            .ends(1)
            .failure(),
        "device"
    );

    let removed = machine.json("laptop", &[&revoke[..], &["--yes"]].concat());
    assert_eq!(removed["removed"], serde_json::json!(["old tablet"]));
    let list = machine.json("laptop", &["device", "list"]);
    let gone = list["devices"].as_array().unwrap().iter().find(|device| device["active"] == false).unwrap();
    assert!(is_a_date(&gone["claimed"]["removed"]), "{list}");
    let refused = machine.run("tablet", &["sync"]).ends(3);
    assert_eq!(refused.failure(), "device-revoked");
    assert_eq!(machine.titles("tablet"), ["Bank"], "what is on it stays readable");
    machine.json("laptop", &["add", "--title", "After"]);
    machine.json("phone", &["sync"]);
    assert_eq!(machine.titles("phone"), ["After", "Bank"]);
    let events = machine.json("phone", &["security"]);
    assert!(whats(&events).contains(&"device-removed".to_owned()), "{events}");

    // A loss: a new password, a new Kit, and a list of what to change.
    let papers = machine.path("new-papers");
    let folder = papers.to_str().unwrap();
    let lost = ["device", "revoke", "phone", "--reason", "lost", "--yes", "--kit-dir", folder];
    let lost = machine.run_with("laptop", &lost, &[PASSWORD, NEW_PASSWORD]).done().json();
    let exposed: Vec<_> =
        lost["exposed"].as_array().unwrap().iter().map(|item| item["title"].clone()).collect();
    assert_eq!(exposed, ["After", "Bank"]);
    let kit = lost["emergency_kit"].as_str().unwrap();
    let old_kit = machine.kit();
    let sign_in = |profile: &str, kit: &str, password: &str| {
        machine.run_with(profile, &["signin", "--yes", "--kit", kit], &[password])
    };
    assert_eq!(sign_in("new", old_kit.to_str().unwrap(), NEW_PASSWORD).ends(3).failure(), "signin-refused");
    sign_in("new", kit, NEW_PASSWORD).done();
    assert_eq!(
        machine.run_with("new", &["list", "--offline"], &[NEW_PASSWORD]).done().json()["items"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert_eq!(machine.run("laptop", &["list"]).ends(3).failure(), "wrong-password");
}

#[test]
fn a_password_changes_and_the_other_devices_follow() {
    let server = ServerProcess::start();
    let machine = Machine::new();
    machine.sign_up("laptop", server.url());
    machine.sign_in("phone");
    let change = ["password", "change"];
    assert_eq!(
        machine.run_with("laptop", &change, &["wrong", NEW_PASSWORD]).ends(3).failure(),
        "wrong-password"
    );
    machine.run_with("laptop", &change, &[PASSWORD, NEW_PASSWORD]).done();
    machine.json("phone", &["add", "--title", "Still signed in"]);
    let confirm = ["password", "confirm"];
    assert_eq!(machine.run_with("phone", &confirm, &[PASSWORD, "guess"]).ends(3).failure(), "signin-refused");
    let confirmed = machine.run_with("phone", &confirm, &[PASSWORD, NEW_PASSWORD]).done().json();
    assert_eq!(confirmed["changed"], true);
    machine.run_with("phone", &["sync"], &[NEW_PASSWORD]).done();
    machine.run_with("laptop", &["sync"], &[NEW_PASSWORD]).done();
    assert_eq!(machine.run("phone", &["sync"]).ends(3).failure(), "wrong-password");

    let rotated = machine.run_with("laptop", &["key", "rotate", "--yes"], &[NEW_PASSWORD]).done().json();
    assert_eq!(rotated["emergency_kit"], Json::Null);
    let folder = machine.path("kit-again");
    let kit =
        machine.run_with("laptop", &["kit", "--kit-dir", folder.to_str().unwrap()], &[NEW_PASSWORD]).done();
    let written = std::fs::read_to_string(kit.json()["emergency_kit"].as_str().unwrap()).unwrap();
    let before = std::fs::read_to_string(machine.kit()).unwrap();
    assert_eq!(written, before, "a rotation without a new Secret Key keeps the Kit");
    assert_eq!(
        machine.run("laptop", &["kit", "--kit-dir", machine.path("x").to_str().unwrap()]).ends(3).failure(),
        "wrong-password"
    );
    let events = machine.run_with("phone", &["sync"], &[NEW_PASSWORD]).done();
    drop(events);
    let events = machine.run_with("phone", &["security", "--seen"], &[NEW_PASSWORD]).done().json();
    let what = whats(&events);
    assert!(
        what.contains(&"keys-changed".to_owned()) && what.contains(&"password-changed".to_owned()),
        "{events}"
    );
}

#[test]
fn the_recovery_sheet_takes_an_account_back() {
    let server = ServerProcess::start();
    let machine = Machine::new();
    machine.sign_up("laptop", server.url());
    machine.json("laptop", &["add", "--title", "Bank"]);
    let sheet = machine.path("papers/lockstep-recovery-sheet.txt");
    let sheet = sheet.to_str().unwrap();
    let papers = machine.path("new-papers");
    let folder = papers.to_str().unwrap();
    let recover = |profile: &str, sheet: &str, folder: &str| {
        let arguments = ["recover", "--yes", "--sheet", sheet, "--kit-dir", folder];
        machine.run_with(profile, &arguments, &[NEW_PASSWORD])
    };
    let kit = machine.kit();
    assert_eq!(recover("new", kit.to_str().unwrap(), folder).ends(2).failure(), "usage");
    let recovered = recover("new", sheet, folder).done().json();
    assert_eq!(recovered["items"], 1, "{recovered}");
    let list = machine.run_with("new", &["list", "--offline"], &[NEW_PASSWORD]).done().json();
    assert_eq!(list["items"][0]["title"], "Bank");
    assert_eq!(machine.run("laptop", &["sync"]).ends(3).failure(), "device-revoked");
    let again = machine.path("again");
    assert_eq!(recover("late", sheet, again.to_str().unwrap()).ends(3).failure(), "recovery-refused");
    let events = machine.run_with("new", &["security"], &[NEW_PASSWORD]).done().json();
    assert!(whats(&events).contains(&"recovery-key-used".to_owned()), "{events}");
    let sheet = recovered["recovery_sheet"].as_str().unwrap();
    let last = machine.path("last");
    recover("newest", sheet, last.to_str().unwrap()).done();
}

#[test]
fn a_device_without_evidence_says_so_and_a_file_that_is_none_is_refused() {
    let server = ServerProcess::start();
    let machine = Machine::new();
    machine.sign_up("laptop", server.url());
    let file = machine.path("evidence");
    let file = file.to_str().unwrap();
    assert_eq!(machine.run("laptop", &["evidence", "export", file]).ends(1).failure(), "no-evidence");
    std::fs::write(file, b"no evidence").unwrap();
    assert_eq!(machine.run("laptop", &["evidence", "verify", file]).ends(6).failure(), "no-evidence");
}
