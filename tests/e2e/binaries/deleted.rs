//! Delete against edit: whatever one device throws away, what another wrote meanwhile is not lost.

use super::{Machine, ServerProcess};

/// What `phone` hears of its one notice at a sync.
fn notice(machine: &Machine, profile: &str) -> String {
    let synced = machine.run(profile, &["sync"]).json();
    assert_eq!(synced["state"], "done", "{synced}");
    synced["notices"][0]["what"].as_str().unwrap_or_default().to_owned()
}

fn username(machine: &Machine, profile: &str, item: &str) -> String {
    let shown = machine.json(profile, &["get", item, "--field", "username"]);
    shown["value"].as_str().unwrap().to_owned()
}

#[test]
fn an_edit_made_meanwhile_outlives_trash_and_purge() {
    let server = ServerProcess::start();
    let machine = Machine::new();
    machine.sign_up("laptop", server.url());
    for title in ["Trashed", "Purged", "Purged first"] {
        machine.json("laptop", &["add", "--offline", "--title", title, "--username", "anna"]);
    }
    machine.json("laptop", &["sync"]);
    machine.sign_in("phone");

    // Into the trash here, edited there: it is back on both, with the edit.
    machine.json("laptop", &["rm", "Trashed"]);
    machine.json("phone", &["edit", "--offline", "Trashed", "--username", "kept"]);
    machine.json("phone", &["sync"]);
    machine.json("laptop", &["sync"]);
    for profile in ["laptop", "phone"] {
        assert!(machine.titles(profile).contains(&"Trashed".to_owned()), "{profile}");
        assert_eq!(username(&machine, profile, "Trashed"), "kept");
    }

    // Purged and sent before the edit is: the edit writes over the tombstone, and its device says so.
    machine.json("laptop", &["rm", "Purged", "--purge", "--yes"]);
    machine.json("phone", &["edit", "--offline", "Purged", "--username", "kept"]);
    assert_eq!(notice(&machine, "phone"), "brought-back");
    machine.json("laptop", &["sync"]);
    assert_eq!(username(&machine, "laptop", "Purged"), "kept");

    // Edited and sent before the purge is: the purge is dropped, and its device says so.
    machine.json("phone", &["edit", "Purged first", "--username", "kept"]);
    machine.json("laptop", &["rm", "--offline", "Purged first", "--purge", "--yes"]);
    assert_eq!(notice(&machine, "laptop"), "purge-dropped");
    assert_eq!(username(&machine, "laptop", "Purged first"), "kept");
    assert_eq!(machine.titles("laptop"), machine.titles("phone"));
}
