//! A lost sheet is replaced after a week, in which every device tells of it and can cancel it.

use serde_json::Value as Json;

use super::life_cycle::whats;
use super::programs::PASSWORD;
use super::recovery_key::{first_sheet, kit_recovery, written};
use super::screen::Terminal;
use super::session::{clock_shifter, shifted};
use super::{Machine, ServerProcess};

const NEW_PASSWORD: &str = "a new and better passphrase";

fn new_events(machine: &Machine, profile: &str) -> Vec<String> {
    let events = machine.json(profile, &["security", "--seen"]);
    let new = events["events"].as_array().unwrap().iter().filter(|event| event["seen"] == false);
    whats(&serde_json::json!({ "events": new.collect::<Vec<_>>() }))
}

#[test]
fn an_announced_recovery_key_is_told_everywhere_and_cancelled_by_a_new_password() {
    let server = ServerProcess::start();
    let machine = Machine::new();
    machine.sign_up("laptop", server.url());
    machine.sign_in("phone");
    machine.json("phone", &["sync"]);
    new_events(&machine, "phone");
    let folder = machine.path("wrong");
    let wrong = ["kit", "recovery", "--new", "--lost", "--kit-dir", folder.to_str().unwrap()];
    assert_eq!(machine.run_with("laptop", &wrong, &["wrong"]).ends(3).failure(), "wrong-password");
    let announced = kit_recovery(&machine, "new", &["--new", "--lost"]).done().json();
    assert_eq!(announced["changed"], false);
    let due = announced["announced"]["due"].as_str().unwrap();
    let sheet = written(&announced);

    // It does not count yet, and another one is not announced in passing.
    let uncounted = kit_recovery(&machine, "newer", &["--new", "--sheet", &sheet]).ends(3);
    assert!(
        uncounted.failure() == "other-recovery-key" && uncounted.out.contains("once it is confirmed"),
        "{uncounted:?}"
    );
    let confirm = |sheet: &str| machine.run("laptop", &["kit", "recovery", "--confirm", "--sheet", sheet]);
    assert_eq!(machine.run("laptop", &["kit", "recovery", "--confirm"]).ends(2).failure(), "usage");
    assert_eq!(confirm(&first_sheet(&machine)).ends(3).failure(), "other-announced");
    let early = confirm(&sheet).ends(1);
    assert!(early.failure() == "recovery-too-early" && early.out.contains("7 days"), "{early:?}");
    let twice = kit_recovery(&machine, "newer", &["--new", "--lost"]).ends(2);
    assert!(twice.failure() == "usage" && twice.out.contains(due), "{twice:?}");
    let again = kit_recovery(&machine, "newer", &["--new", "--lost", "--yes"]).done().json();
    assert_eq!(machine.json("laptop", &["status"])["recovery_key_announced"], again["announced"]);

    // The other device tells, today and each day.
    let mut terminal = Terminal::open(&machine, "");
    terminal.start("--profile phone sync");
    terminal.answer("Password: ", PASSWORD);
    let (said, code) = terminal.ended();
    let cancels = "`lockstep password change --profile phone` cancels it";
    assert!(
        code == 0 && said.contains("A new Recovery Key is announced") && said.contains(cancels),
        "{said}"
    );
    assert_eq!(new_events(&machine, "phone"), ["recovery-announced", "recovery-announced"]);
    let library = clock_shifter();
    for day in ["+25h", "+49h"] {
        shifted(&machine, (&library, day), "phone", &["sync"]);
        shifted(&machine, (&library, day), "phone", &["sync"]);
        assert_eq!(new_events(&machine, "phone"), ["recovery-waits"]);
    }
    machine.run_with("phone", &["password", "change"], &[PASSWORD, NEW_PASSWORD]).done();
    assert_eq!(
        machine.run_with("phone", &["kit", "recovery"], &[NEW_PASSWORD]).done().json()["announced"],
        Json::Null
    );

    // Here the password before opens the device, and only the new one is the account's.
    machine.json("laptop", &["sync"]);
    assert!(new_events(&machine, "laptop").contains(&"recovery-cancelled".to_owned()));
    let confirm = ["kit", "recovery", "--confirm"];
    let new = machine.run_with("laptop", &confirm, &[NEW_PASSWORD]).ends(3);
    assert!(new.failure() == "wrong-password" && new.out.contains("lockstep password confirm"), "{new:?}");
    let old = kit_recovery(&machine, "newest", &["--new", "--lost"]).ends(3);
    assert!(old.failure() == "not-the-password" && old.out.contains("lockstep password confirm"), "{old:?}");
    machine.run_with("laptop", &["password", "confirm"], &[PASSWORD, NEW_PASSWORD]).done();
    assert_eq!(machine.run_with("laptop", &confirm, &[NEW_PASSWORD]).ends(1).failure(), "none-announced");
}

#[test]
fn a_week_later_the_announced_key_is_confirmed_on_any_device() {
    let mut server = ServerProcess::start();
    let machine = Machine::new();
    machine.sign_up("laptop", server.url());
    machine.sign_in("phone");
    let announced = kit_recovery(&machine, "new", &["--new", "--lost"]).done().json();
    machine.json("phone", &["sync"]);
    let library = clock_shifter();
    server.start_again_at(library.clone(), "+8d");
    let later = |profile: &str, arguments: &[&str]| shifted(&machine, (&library, "+8d"), profile, arguments);
    let confirmed = later("phone", &["kit", "recovery", "--confirm", "--sheet", &written(&announced)]);
    assert_eq!((&confirmed["changed"], &confirmed["announced"]), (&true.into(), &Json::Null));
    later("laptop", &["sync"]);
    let events = later("laptop", &["security"]);
    let last =
        events["events"].as_array().unwrap().iter().rfind(|event| event["what"] == "recovery-key-changed");
    let text = last.unwrap()["text"].as_str().unwrap();
    assert!(text.contains("it had been announced. If this was not you"), "{text}");

    let folder = machine.path("newer");
    let folder = folder.to_str().unwrap();
    let new = ["kit", "recovery", "--new", "--kit-dir", folder, "--sheet"];
    let first = first_sheet(&machine);
    let old = machine.run("laptop", &[&new[..], &[&first]].concat()).ends(3);
    assert_eq!(old.failure(), "other-recovery-key");
    later("laptop", &[&new[..], &[&written(&announced)]].concat());
}
