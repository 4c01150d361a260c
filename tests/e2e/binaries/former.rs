//! What a field held before and what waits for a choice, by the names that people use.

use serde_json::json;

use super::{Machine, ServerProcess};

#[test]
fn a_custom_field_is_meant_by_its_name_in_conflicts_and_history() {
    let server = ServerProcess::start();
    let machine = Machine::new();
    machine.sign_up("laptop", server.url());
    machine.json("laptop", &["add", "--title", "Codes", "--set", "custom:PIN=1", "--set", "custom:PUK=1"]);
    machine.sign_in("phone");
    for (profile, value) in [("laptop", "2"), ("phone", "3")] {
        let (pin, puk) = (format!("PIN={value}"), format!("PUK={value}"));
        machine.json(profile, &["edit", "--offline", "Codes", "--set", &pin, "--set", &puk]);
    }
    machine.json("laptop", &["sync"]);
    machine.run("phone", &["sync"]).ends(5);

    let resolve =
        |field: &str| machine.run("phone", &["conflicts", "resolve", "Codes", field, "--keep", "2"]);
    assert_eq!(resolve("custom").ends(2).failure(), "usage");
    assert_eq!(resolve("username").ends(1).failure(), "no-conflict");
    resolve("pin").done();
    assert_eq!(machine.json("phone", &["get", "Codes", "--field", "PIN"])["value"], "2");
    // One field of the list waits, so that the list's name is enough.
    resolve("custom").done();
    assert_eq!(machine.json("phone", &["conflicts"])["conflicts"], json!([]));

    machine.json("phone", &["edit", "Codes", "--clear", "PIN", "--tag", "A"]);
    let history = |field: &str| machine.json("phone", &["history", "Codes", field])["fields"].clone();
    let values = history("custom:PIN")[0]["values"].clone();
    assert_eq!((&values[0]["value"], &values[1]["value"]["value"]), (&json!(null), &json!("2")), "{values}");
    assert_eq!(history("tags")[0]["field"], "tags/A");
    let take = |field: &str| machine.run("phone", &["history", "Codes", field, "--take", "2"]);
    assert_eq!(take("custom").ends(2).failure(), "usage");
    assert_eq!(take("PIN2").ends(1).failure(), "no-field");
    take("PIN").done();
    assert_eq!(machine.json("phone", &["get", "Codes", "--field", "PIN"])["value"], "2");
}
