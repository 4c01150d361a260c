//! Everyday commands on one device.

use serde_json::Value as Json;

use super::programs::PASSWORD;
use super::{Machine, ServerProcess};

#[test]
fn items_are_added_found_changed_trashed_restored_and_purged() {
    let server = ServerProcess::start();
    let machine = Machine::new();
    machine.sign_up("laptop", server.url());

    the_agent_answers_until_locked(&machine);
    machine.json("laptop", &["unlock", "--minutes", "5"]);
    secrets_are_made_kept_and_hidden(&machine);
    items_are_meant_by_title_and_id(&machine);
    lists_are_narrowed_down(&machine);
    trash_is_a_place_to_come_back_from(&machine);
    bad_files_import_nothing(&machine);
    machine.json("laptop", &["lock"]);
}

fn the_agent_answers_until_locked(machine: &Machine) {
    let without_password = |arguments: &[&str]| machine.run_with("laptop", arguments, &[]);
    assert_eq!(without_password(&["list"]).ends(2).failure(), "usage");
    assert_eq!(machine.run_with("laptop", &["unlock"], &["wrong"]).ends(3).failure(), "wrong-password");
    machine.json("laptop", &["unlock", "--minutes", "5"]);
    without_password(&["list"]).done();
    // What shows all secrets at once asks whoever has found the machine unlocked.
    let (plain, sealed) =
        (["export", "--yes", "--format", "bitwarden-json"], ["export", "--format", "lockstep"]);
    for arguments in [&plain[..], &sealed, &["conflicts", "--reveal"]] {
        let file = machine.path("everything");
        let to_file = if arguments[0] == "export" { vec!["-o", file.to_str().unwrap()] } else { Vec::new() };
        let refused = without_password(&[arguments, &to_file].concat()).ends(2);
        assert!(refused.failure() == "usage" && refused.out.contains("without a secret"), "{refused:?}");
        assert!(!file.exists());
    }
    let socket = machine.profile("laptop").join("agent.sock");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&socket).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let limits = std::fs::read_to_string(agent(machine).join("limits")).unwrap();
    let cores = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(cores.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{limits}");
    assert_eq!(without_password(&["lock"]).done().json()["was_unlocked"], true);
    assert_eq!(without_password(&["lock"]).done().json()["was_unlocked"], false);
    assert_eq!(without_password(&["list"]).ends(2).failure(), "usage");
}

/// The process that keeps a profile of this machine unlocked.
fn agent(machine: &Machine) -> std::path::PathBuf {
    let home = machine.profile("laptop").parent().unwrap().to_str().unwrap().to_owned();
    let is_agent = |process: &std::path::PathBuf| {
        let read = |name: &str| std::fs::read(process.join(name)).unwrap_or_default();
        let holds =
            |bytes: Vec<u8>, text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
        holds(read("cmdline"), "--minutes")
            && holds(read("cmdline"), "agent")
            && holds(read("environ"), &home)
    };
    let processes = std::fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
    processes.into_iter().find(is_agent).unwrap()
}

fn secrets_are_made_kept_and_hidden(machine: &Machine) {
    machine.json("laptop", &["add", "--title", "Shop", "--username", "anna", "--generate", "--length", "30"]);
    let shown = machine.json("laptop", &["get", "Shop"]);
    assert_eq!(shown["hidden"], serde_json::json!(["password"]));
    let password =
        |title: &str| machine.json("laptop", &["get", title, "--field", "password"])["value"].clone();
    assert_eq!(password("Shop").as_str().unwrap().len(), 30);
    assert_eq!(machine.json("laptop", &["get", "Shop", "--reveal"])["fields"]["password"], password("Shop"));

    let lines = [PASSWORD, "typed by hand"];
    machine.run_with("laptop", &["edit", "Shop", "--secret", "password=0"], &lines).done();
    assert_eq!(password("Shop"), "typed by hand");
    let unchanged =
        machine.run_with("laptop", &["edit", "Shop", "--secret", "password=0"], &lines).done().json();
    assert_eq!(unchanged["changed"], false);
    let card = ["add", "--kind", "card", "--title", "Travel", "--set", "brand=Visa", "--secret", "number=0"];
    machine.run_with("laptop", &card, &[PASSWORD, "4111111111111111"]).done();
    assert!(!machine.run("laptop", &["get", "Travel"]).done().out.contains("4111111111111111"));
}

fn items_are_meant_by_title_and_id(machine: &Machine) {
    let id = |json: Json| json["id"].as_str().unwrap().to_owned();
    let first = id(machine.json("laptop", &["add", "--title", "Twin", "--tag", "Work"]));
    let second = id(machine.json("laptop", &["add", "--title", "Twin", "--url", "https://twin.example/a"]));
    let ambiguous = machine.run("laptop", &["edit", "Twin", "--note", "which?"]).ends(1);
    assert_eq!(ambiguous.failure(), "ambiguous-item");
    assert!(ambiguous.out.contains(&first) && ambiguous.out.contains(&second));
    machine.json(
        "laptop",
        &["edit", &second[..13], "--title", "Second twin", "--url", "https://twin.example/b"],
    );
    machine.json("laptop", &["edit", "Second twin", "--remove-url", "https://twin.example/a"]);
    let fields = machine.json("laptop", &["get", &second])["fields"].clone();
    let uris: Vec<_> =
        fields.as_object().unwrap().values().filter_map(|field| field["uri"].as_str()).collect();
    assert_eq!(uris, ["https://twin.example/b"]);
    machine.json("laptop", &["edit", "Twin", "--untag", "Work"]);
    assert_eq!(machine.json("laptop", &["get", &first])["tags"], serde_json::json!([]));
    assert_eq!(machine.run("laptop", &["get", "Nowhere"]).ends(1).failure(), "no-item");
    assert_eq!(machine.run("laptop", &["get", "Twin", "--field", "totp"]).ends(1).failure(), "no-field");
    assert_eq!(machine.run("laptop", &["edit", "Twin"]).ends(2).failure(), "usage");
    assert_eq!(machine.run("laptop", &["edit", "Twin", "--remove-url", "x"]).ends(2).failure(), "usage");
}

fn lists_are_narrowed_down(machine: &Machine) {
    let titles = |arguments: &[&str]| {
        let list = machine.json("laptop", &[&["list"], arguments].concat());
        let items = list["items"].as_array().unwrap().iter();
        items.map(|item| item["title"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(titles(&[]), ["Second twin", "Shop", "Travel", "Twin"]);
    assert_eq!(titles(&["--search", "twin.example"]), ["Second twin"]);
    assert_eq!(titles(&["--search", "kind:card"]), ["Travel"]);
    assert_eq!(titles(&["--search", "typed by hand"]), [""; 0], "passwords are not searched");
    assert_eq!(titles(&["--vault", "Personal"]).len(), 4);
    assert_eq!(machine.run("laptop", &["list", "--vault", "Other"]).ends(2).failure(), "usage");
}

fn trash_is_a_place_to_come_back_from(machine: &Machine) {
    let trash = || machine.json("laptop", &["list", "--trash"])["items"].as_array().unwrap().len();
    machine.json("laptop", &["rm", "Shop"]);
    assert_eq!(trash(), 1);
    assert!(!machine.titles("laptop").contains(&"Shop".to_owned()));
    machine.json("laptop", &["restore", "Shop"]);
    assert_eq!(trash(), 0);
    let unsure = machine.run_with("laptop", &["rm", "Shop", "--purge"], &[PASSWORD]).ends(2);
    assert_eq!(unsure.failure(), "usage");
    assert!(machine.titles("laptop").contains(&"Shop".to_owned()));
    machine.json("laptop", &["rm", "Shop", "--purge", "--yes"]);
    assert_eq!(machine.run("laptop", &["get", "Shop"]).ends(1).failure(), "no-item");
    assert_eq!(machine.json("laptop", &["status"])["pending"], 0);
}

fn bad_files_import_nothing(machine: &Machine) {
    let import = |content: &[u8]| {
        let path = machine.path("import.json");
        std::fs::write(&path, content).unwrap();
        machine.run("laptop", &["import", path.to_str().unwrap(), "--format", "bitwarden-json"])
    };
    let before = machine.titles("laptop");
    for content in [&b"no json"[..], b"", b"[]", b"\xff\xfe", br#"{"encrypted":true,"items":[]}"#] {
        assert_eq!(import(content).ends(1).failure(), "import");
    }
    let missing = machine.path("missing.json");
    let arguments = ["import", missing.to_str().unwrap(), "--format", "bitwarden-json"];
    assert_eq!(machine.run("laptop", &arguments).ends(1).failure(), "file");
    assert_eq!(machine.titles("laptop"), before);

    let odd = import(br#"{"items":[{"id":"a","type":2,"name":"Kept","secureNote":{"type":0}}, 7, null]}"#)
        .ends(1)
        .json();
    assert_eq!((&odd["created"], &odd["left_out"]), (&1.into(), &2.into()), "{odd}");
    let export = machine.path("export.json");
    let arguments = ["export", "--format", "bitwarden-json", "-o", export.to_str().unwrap()];
    assert_eq!(machine.run("laptop", &arguments).ends(2).failure(), "usage");
    assert!(!export.exists());
}
