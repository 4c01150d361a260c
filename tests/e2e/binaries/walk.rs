//! The README's walk: two devices keep one imported vault in step.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use super::plaintext::{readable, secrets, size};
use super::{Machine, ServerProcess, export_of_a_thousand};

fn read(path: &Path) -> Json {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// An export without what an import and an export may change: the order of items, folders and password histories, and
/// what brings it home.
fn normalised(mut export: Json) -> Json {
    let by_text = |list: &mut Vec<Json>| list.sort_by_key(Json::to_string);
    for item in export["items"].as_array_mut().unwrap() {
        item.as_object_mut().unwrap().remove("lockstep");
        item.get_mut("passwordHistory").and_then(Json::as_array_mut).map(by_text);
    }
    for list in ["folders", "items"] {
        export[list].as_array_mut().map(by_text);
    }
    export
}

fn export(machine: &Machine, profile: &str) -> Json {
    let path = machine.path(&format!("{profile}.json"));
    let arguments =
        ["export", "--offline", "--yes", "--format", "bitwarden-json", "-o", path.to_str().unwrap()];
    machine.json(profile, &arguments);
    read(&path)
}

#[test]
fn two_devices_keep_one_imported_vault_in_step() {
    let server = ServerProcess::start();
    let machine = Machine::new();
    machine.sign_up("laptop", server.url());
    walk(&machine, &|| server.data());
}

/// The walk of a machine whose profile `laptop` is new. `data` makes a folder with all that the server keeps.
pub(crate) fn walk(machine: &Machine, data: &dyn Fn() -> PathBuf) {
    let file = export_of_a_thousand();
    let original = read(&file);
    let mut secrets = secrets(&original);
    for folder in [data(), machine.profile("laptop")] {
        // Words of the schemas tell nothing of the vault.
        readable(&folder, &secrets)
            .iter()
            .for_each(|word| assert!(secrets.remove(word) && word.len() < 12, "{word}"));
    }
    assert!(secrets.len() > 3_000, "only {} texts", secrets.len());
    machine.json("laptop", &["unlock", "--minutes", "10"]);
    let imported = machine.json("laptop", &["import", file.to_str().unwrap(), "--format", "bitwarden-json"]);
    assert_eq!((&imported["created"], &imported["left_out"]), (&1_000.into(), &0.into()), "{imported}");
    assert_eq!(imported["sync"]["state"], "done", "{imported}");
    assert!(!imported["problems"].as_array().unwrap().is_empty());

    let signed_in = machine.sign_in("phone");
    assert_eq!(signed_in["items"], 1_000);
    machine.json("phone", &["unlock", "--minutes", "10"]);
    let (ours, theirs) = (normalised(export(machine, "phone")), normalised(original.clone()));
    for (ours, theirs) in ours["items"].as_array().unwrap().iter().zip(theirs["items"].as_array().unwrap()) {
        assert_eq!(ours, theirs);
    }
    assert_eq!(ours, theirs);
    let again = machine.json("phone", &["import", file.to_str().unwrap(), "--format", "bitwarden-json"]);
    assert_eq!((&again["created"], &again["unchanged"]), (&0.into(), &1_000.into()), "{again}");

    edited_on_both_offline(machine);
    machine.json("laptop", &["lock"]);
    machine.json("phone", &["lock"]);

    for folder in [data(), machine.profile("laptop"), machine.profile("phone")] {
        assert!(size(&folder) > 500_000, "{}", folder.display());
        assert_eq!(readable(&folder, &secrets), BTreeSet::new(), "in the clear below {}", folder.display());
    }
}

/// Both devices edit while there is no server: other fields, the same field, and one deletes what the other edits.
fn edited_on_both_offline(machine: &Machine) {
    for title in ["Bank", "Mail", "Shop"] {
        machine.json("laptop", &["add", "--title", title, "--username", "anna"]);
    }
    machine.json("phone", &["sync"]);
    let edit = |profile: &str, arguments: &[&str]| {
        let edited = machine.json(profile, &[&["edit", "--offline"], arguments].concat());
        assert_eq!((&edited["changed"], &edited["sync"]["state"]), (&true.into(), &"skipped".into()));
    };
    edit("laptop", &["Bank", "--url", "https://bank.example"]);
    edit("phone", &["Bank", "--set", "notes=ask for Eve"]);
    edit("laptop", &["Mail", "--username", "anna@laptop"]);
    edit("phone", &["Mail", "--username", "anna@phone"]);
    machine.json("laptop", &["rm", "--offline", "Shop"]);
    edit("phone", &["Shop", "--tag", "Sale"]);
    assert_eq!(machine.json("phone", &["status"])["pending"], 3);

    machine.json("laptop", &["sync"]);
    let merged = machine.run("phone", &["sync"]).ends(5).json();
    assert_eq!((&merged["merged"], &merged["conflicts"]), (&3.into(), &1.into()), "{merged}");
    machine.run("laptop", &["sync"]);

    let shown = |profile: &str, title: &str| machine.json(profile, &["get", "--offline", title]);
    for title in ["Bank", "Mail", "Shop"] {
        assert_eq!(shown("laptop", title), shown("phone", title));
    }
    let bank = shown("laptop", "Bank");
    assert_eq!(bank["fields"]["notes"], "ask for Eve");
    assert!(bank["fields"].as_object().unwrap().values().any(|field| field["uri"] == "https://bank.example"));
    assert_eq!(shown("laptop", "Shop")["trashed"], false);

    let conflicts = machine.json("laptop", &["conflicts"]);
    let values = conflicts["conflicts"][0]["values"].as_array().unwrap().clone();
    let held: Vec<_> = values.iter().map(|value| value["value"].as_str().unwrap()).collect();
    assert_eq!(held, ["anna@phone", "anna@laptop"]);
    machine.json("laptop", &["conflicts", "resolve", "Mail", "username", "--keep", "2"]);
    machine.json("phone", &["sync"]);
    assert_eq!(shown("phone", "Mail")["fields"]["username"], "anna@laptop");
    assert!(machine.json("phone", &["conflicts"])["conflicts"].as_array().unwrap().is_empty());
    assert_eq!(machine.titles("laptop"), machine.titles("phone"));
}
