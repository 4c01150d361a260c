//! Moving in and out: importing again, an export that comes home, and what did not leave, by name.

use serde_json::{Value as Json, json};

use super::programs::PASSWORD;
use super::{Machine, ServerProcess};

#[test]
fn what_moves_in_twice_or_comes_home_is_there_once() {
    let server = ServerProcess::start();
    let machine = Machine::new();
    machine.sign_up("laptop", server.url());
    machine.json("laptop", &["unlock", "--minutes", "10"]);
    an_export_comes_home(&machine);
    a_newer_export_meets_edits(&machine);
    what_cannot_leave_is_named(&machine);

    let elsewhere = ServerProcess::start();
    let other = Machine::new();
    other.sign_up("desk", elsewhere.url());
    other.json("desk", &["unlock", "--minutes", "10"]);
    another_account_gets_the_same_items_once(&machine, &other);
}

fn export(machine: &Machine, name: &str, code: i32) -> Json {
    let path = machine.path(name);
    let arguments =
        ["export", "--check", "--yes", "--format", "bitwarden-json", "-o", path.to_str().unwrap()];
    machine.run("laptop", &arguments).ends(code).json()
}

fn import(machine: &Machine, profile: &str, file: &std::path::Path, code: i32) -> Json {
    let arguments = ["import", file.to_str().unwrap(), "--format", "bitwarden-json"];
    machine.run(profile, &arguments).ends(code).json()
}

fn an_export_comes_home(machine: &Machine) {
    let wifi = ["add", "--kind", "wifi", "--title", "Flat", "--set", "ssid=net", "--secret", "password=0"];
    machine.run_with("laptop", &wifi, &[PASSWORD, "air"]).done();
    let card = ["add", "--kind", "card", "--title", "Travel", "--url", "https://card.example"];
    machine.json("laptop", &card);
    let exported = export(machine, "home.json", 0);
    assert_eq!((&exported["items"], &exported["differences"]), (&json!(2), &json!([])));
    machine.json("laptop", &["edit", "Flat", "--set", "ssid=newer"]);
    let before = machine.json("laptop", &["get", "Flat"]);
    let home = import(machine, "laptop", &machine.path("home.json"), 0);
    let counts = ["created", "changed", "unchanged", "left_out"].map(|count| &home[count]);
    assert_eq!(counts, [0, 0, 2, 0].map(|count| json!(count)).each_ref());
    assert_eq!(machine.json("laptop", &["get", "Flat"]), before);
}

fn bitwarden(machine: &Machine, revised: &str, notes: &[(&str, &str)]) -> std::path::PathBuf {
    let item = |(number, (name, notes)): (usize, &(&str, &str))| {
        json!({ "id": format!("0a0b0c0d-0000-4000-8000-0000000000{number:02}"), "type": 2, "name": name,
            "notes": notes, "revisionDate": revised, "secureNote": { "type": 0 } })
    };
    let items: Vec<Json> = notes.iter().enumerate().map(item).collect();
    let path = machine.path("bitwarden.json");
    std::fs::write(&path, json!({ "encrypted": false, "items": items }).to_string()).unwrap();
    path
}

fn a_newer_export_meets_edits(machine: &Machine) {
    let older = bitwarden(machine, "2023-01-01T00:00:00Z", &[("One", "a"), ("Two", "a"), ("Gone", "a")]);
    assert_eq!(import(machine, "laptop", &older, 0)["created"], 3);
    machine.json("laptop", &["edit", "One", "--note", "mine"]);
    machine.json("laptop", &["edit", "Two", "--set", "username=mine"]);
    let newer = bitwarden(machine, "2024-01-01T00:00:00Z", &[("One", "b"), ("Two", "b")]);
    let done = import(machine, "laptop", &newer, 5);
    assert_eq!((&done["changed"], &done["conflicts"][0]["fields"]), (&json!(2), &json!(["notes"])));
    assert_eq!(
        (&done["conflicts"][0]["title"], &done["absent"][0]["title"]),
        (&json!("One"), &json!("Gone"))
    );
    let value =
        |title: &str, field: &str| machine.json("laptop", &["get", title, "--field", field])["value"].clone();
    assert_eq!((value("One", "notes"), value("Two", "notes")), (json!("mine"), json!("b")));
    assert_eq!((value("Two", "username"), value("Gone", "notes")), (json!("mine"), json!("a")));
    let again = import(machine, "laptop", &newer, 0);
    assert_eq!((&again["unchanged"], &again["conflicts"]), (&json!(2), &json!([])));
}

fn what_cannot_leave_is_named(machine: &Machine) {
    let exported = export(machine, "conflict.json", 5);
    let left: Vec<&Json> = exported["left_behind"].as_array().unwrap().iter().collect();
    let one = left.iter().find(|loss| loss["title"] == "One").unwrap();
    assert_eq!(one["conflicts"], json!(["notes"]));
    assert_eq!(exported["differences"], json!([]));
    machine.json("laptop", &["conflicts", "resolve", "One", "notes", "--keep", "1"]);
    let exported = export(machine, "resolved.json", 0);
    assert!(exported["left_behind"].as_array().unwrap().iter().any(|loss| loss["former_values"] != 0));
}

fn another_account_gets_the_same_items_once(machine: &Machine, other: &Machine) {
    let file = machine.path("resolved.json");
    assert_eq!(import(other, "desk", &file, 0)["created"], 5);
    assert_eq!(import(other, "desk", &file, 0)["unchanged"], 5);
    assert_eq!(other.titles("desk"), machine.titles("laptop"));
    let mut wifi = other.json("desk", &["get", "Flat", "--reveal"]);
    assert_eq!((&wifi["kind"], &wifi["fields"]["ssid"]), (&json!("wifi"), &json!("newer")));
    assert_eq!(wifi["fields"]["password"].take(), json!("air"));
}
