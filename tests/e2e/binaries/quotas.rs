//! No room: an account that holds what it may hold, and a server whose disk is full.

use lockstep_tests::Backend;
use rustix::process::{Resource, Rlimit, prlimit};

use super::{Machine, ServerProcess};

/// The message of a failure.
fn message(outcome: &super::Outcome) -> String {
    outcome.json()["error"]["message"].as_str().unwrap().to_owned()
}

fn pending(machine: &Machine, profile: &str) -> u64 {
    machine.json(profile, &["status"])["pending"].as_u64().unwrap()
}

fn id_of(machine: &Machine, profile: &str, key: &str) -> String {
    machine.json(profile, &["status"])[key].as_str().unwrap().to_owned()
}

#[test]
fn an_owner_over_quota_purges_removes_a_device_and_goes_on_with_more_room() {
    let server = ServerProcess::start_with(&["--signup", "open", "--account-storage", "1"]);
    let machine = Machine::new();
    machine.sign_up("laptop", server.url());
    let account = id_of(&machine, "laptop", "account_id");
    machine.json("laptop", &["add", "--title", "Bank", "--username", "anna"]);
    machine.sign_in("phone");
    machine.sign_in("tablet");
    let export = super::export_of_a_thousand();
    let import = ["import", export.to_str().unwrap(), "--format", "bitwarden-json"];

    // All of it is kept here, what fits is sent, and the owner hears what to do.
    let full = machine.run("laptop", &import).ends(1);
    assert_eq!(full.failure(), "account-full");
    let told = message(&full);
    for part in
        ["account is full on the server", "Purge what you do not need", "operator", "wait on this device"]
    {
        assert!(told.contains(part), "{told}");
    }
    let waits = pending(&machine, "laptop");
    assert!(0 < waits && waits < 1_000, "{waits}");
    machine.json("phone", &["sync"]);
    let all = machine.titles("laptop").len();
    assert!(machine.titles("phone").len() < all);
    let used = server.operate(&["quota", &account]);
    assert!(used.contains("of 1 MiB (as every account)") && used.contains("vaults: 1 of 64"), "{used}");

    // What purges is sent whatever else waits, from this device and from another.
    let purge = |profile: &str, title: &str| machine.run(profile, &["rm", title, "--purge", "--yes"]);
    machine.json("phone", &["sync"]);
    purge("phone", "Bank").done();
    let (sent, left) = {
        let waiting = machine.run("laptop", &["sync"]).ends(1);
        assert_eq!(waiting.failure(), "account-full");
        (machine.titles("laptop"), pending(&machine, "laptop"))
    };
    assert!(!sent.contains(&"Bank".to_owned()) && 0 < left && left <= waits, "{left} {waits}");

    // A device is removed, and the vault has its new key.
    let tablet = id_of(&machine, "tablet", "device_id");
    machine.run("phone", &["device", "revoke", &tablet, "--reason", "retired", "--yes"]).done();
    assert_eq!(machine.run("tablet", &["sync"]).failure(), "device-revoked");
    let epoch = |profile: &str| machine.json(profile, &["status"])["vaults"][0]["epoch"].as_u64().unwrap();
    assert_eq!(epoch("phone"), 2);

    // No server that is up is started anew for one account.
    let now = server.operate(&["quota", &account, "--storage", "16"]);
    assert!(now.contains("of 16 MiB (its own limit)"), "{now}");
    machine.json("laptop", &["sync"]);
    assert_eq!(pending(&machine, "laptop"), 0);
    machine.json("phone", &["sync"]);
    assert_eq!(machine.titles("phone"), machine.titles("laptop"));
    assert_eq!(machine.titles("phone").len(), all - 1);
}

/// Asks whether the server can answer requests, again while an answer of the last second may be given.
fn until_health(server: &ServerProcess, ready: bool) -> String {
    let asked = (0..1_000).map(|_| server.health());
    let (_, said) = asked.into_iter().find(|(is_ready, _)| *is_ready == ready).expect("it stays as it was");
    said
}

#[test]
fn on_a_full_disk_everything_is_read_nothing_is_half_written_and_it_goes_on_when_there_is_room() {
    if Backend::chosen() == Some(Backend::Postgres) {
        // The disk is another process'.
        return;
    }
    let server = ServerProcess::start();
    let machine = Machine::new();
    machine.sign_up("laptop", server.url());
    machine.json("laptop", &["add", "--title", "Before", "--username", "anna"]);
    machine.sign_in("phone");
    until_health(&server, true);
    // Every write of a file fails from here on, as on a full disk.
    let before =
        prlimit(Some(server.process()), Resource::Fsize, Rlimit { current: Some(0), maximum: None }).unwrap();
    let full = machine.run("laptop", &["add", "--title", "Meanwhile"]).ends(1);
    assert_eq!(full.failure(), "server-full");
    let told = message(&full);
    assert!(told.contains("server's storage is used up") && told.contains("wait on this device"), "{told}");
    let said = full.json()["error"]["server_says"].as_str().unwrap().to_owned();
    assert!(said.contains("The server's disk is full") && !said.ends_with('…'), "{said}");
    // It is red without anybody's waiting for a probe to be due.
    let said = until_health(&server, false);
    assert!(said.contains("507") && said.contains("disk is full"), "{said}");
    // Others read on, and a newcomer is told.
    machine.json("phone", &["sync"]);
    assert_eq!(machine.titles("phone"), ["Before"]);
    let newcomer = Machine::new().try_sign_up("newcomer", &["signup", "--server", server.url()]);
    assert_eq!(newcomer.failure(), "insufficient-storage");

    prlimit(Some(server.process()), Resource::Fsize, before).unwrap();
    until_health(&server, true);
    machine.json("laptop", &["sync"]);
    machine.json("phone", &["sync"]);
    assert_eq!(machine.titles("phone"), ["Before", "Meanwhile"]);
}

#[test]
fn when_the_servers_storage_is_used_up_new_data_stop_and_removing_goes_on() {
    if Backend::chosen() == Some(Backend::Postgres) {
        // An empty database of PostgreSQL is larger than this.
        return;
    }
    let mut server = ServerProcess::start_with(&["--signup", "open", "--storage-limit", "1"]);
    let machine = Machine::new();
    machine.sign_up("laptop", server.url());
    machine.sign_in("phone");
    let export = super::export_of_a_thousand();
    machine.json("laptop", &["import", export.to_str().unwrap(), "--format", "bitwarden-json"]);
    // It is measured once a minute, and at the start.
    server.start_again();
    let full = machine.run("laptop", &["add", "--title", "Later"]).ends(1);
    assert_eq!(full.failure(), "server-full");
    let said = full.json()["error"]["server_says"].as_str().unwrap().to_owned();
    assert!(said.contains("The server's storage is used up") && !said.ends_with('…'), "{said}");
    let newcomer = Machine::new().try_sign_up("newcomer", &["signup", "--server", server.url()]);
    assert_eq!(newcomer.failure(), "insufficient-storage");
    let phone = id_of(&machine, "phone", "device_id");
    machine.json("phone", &["sync"]);
    // What waits keeps nothing else from being sent.
    let removed =
        machine.run("laptop", &["device", "revoke", &phone, "--reason", "retired", "--yes"]).ends(1);
    assert_eq!(removed.failure(), "server-full");
    assert_eq!(machine.run("phone", &["sync"]).failure(), "device-revoked");
    assert_eq!(machine.json("laptop", &["status"])["vaults"][0]["epoch"].as_u64(), Some(2));
    assert!(server.health().0, "what is there is served");
}
