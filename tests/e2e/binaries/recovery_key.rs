//! The Recovery Key changes with its sheet at hand, and what is broken off in between loses no sheet.

use std::path::Path;

use lockstep_crypto::kit::RecoverySheet;
use serde_json::Value as Json;

use super::gate::Gate;
use super::life_cycle::whats;
use super::programs::PASSWORD;
use super::screen::Terminal;
use super::{Machine, Outcome, ServerProcess};

/// `kit recovery ARGUMENTS…` on the laptop, with a folder for the sheet.
pub(super) fn kit_recovery(machine: &Machine, folder: &str, arguments: &[&str]) -> Outcome {
    let folder = machine.path(folder);
    let rest = ["--kit-dir", folder.to_str().unwrap()];
    machine.run("laptop", &[&["kit", "recovery"], arguments, &rest].concat())
}

/// The sheet of the sign-up.
pub(super) fn first_sheet(machine: &Machine) -> String {
    machine.path("papers/lockstep-recovery-sheet.txt").to_str().unwrap().to_owned()
}

pub(super) fn written(outcome: &Json) -> String {
    outcome["recovery_sheet"].as_str().unwrap_or_else(|| panic!("no sheet: {outcome}")).to_owned()
}

/// Whether the server takes the account back with this sheet, as far as a person is asked.
fn opens(machine: &Machine, profile: &str, sheet: &str) -> bool {
    let folder = machine.path(profile);
    let arguments = ["recover", "--sheet", sheet, "--kit-dir", folder.to_str().unwrap()];
    match machine.run(profile, &arguments).failure_after_notes().as_str() {
        "usage" => true,
        "recovery-refused" => false,
        other => panic!("{other}"),
    }
}

#[test]
fn the_sheet_at_hand_makes_way_for_a_new_one_at_once() {
    let server = ServerProcess::start();
    let (machine, other) = (Machine::new(), Machine::new());
    machine.sign_up("laptop", server.url());
    other.sign_up("laptop", server.url());
    machine.sign_in("phone");
    let first = first_sheet(&machine);
    let look = machine.json("laptop", &["kit", "recovery"]);
    assert_eq!(
        look,
        serde_json::json!({"announced": null, "changed": false, "recovery_sheet": null, "in_step": true})
    );
    assert_eq!(machine.json("laptop", &["--offline", "kit", "recovery"])["in_step"], false);

    // Nothing is changed by halves, without a sheet, or with another.
    let unasked = kit_recovery(&machine, "new", &["--new"]).ends(2);
    assert!(unasked.failure() == "usage" && unasked.out.contains("--lost"), "{unasked:?}");
    assert_eq!(
        machine.run("laptop", &["kit", "recovery", "--new", "--sheet", &first]).ends(2).failure(),
        "usage"
    );
    assert_eq!(
        kit_recovery(&machine, "new", &["--offline", "--new", "--sheet", &first]).ends(2).failure(),
        "usage"
    );
    let kit = machine.kit();
    assert_eq!(
        kit_recovery(&machine, "new", &["--new", "--sheet", kit.to_str().unwrap()]).ends(2).failure(),
        "usage"
    );
    let theirs = kit_recovery(&machine, "new", &["--new", "--sheet", &first_sheet(&other)]).ends(3);
    assert!(theirs.failure() == "other-recovery-key" && theirs.out.contains("another account"), "{theirs:?}");
    assert!(opens(&machine, "a", &first));

    let changed = kit_recovery(&machine, "new", &["--new", "--sheet", &first]).done().json();
    assert_eq!((&changed["changed"], &changed["announced"]), (&true.into(), &Json::Null));
    let second = written(&changed);
    let files = std::fs::read_dir(machine.path("new")).unwrap().count();
    assert_eq!(files, 2, "the sheet as text and as a page, and no Kit");
    assert!(!opens(&machine, "b", &first) && opens(&machine, "c", &second));
    let old = kit_recovery(&machine, "newer", &["--new", "--sheet", &first]).ends(3);
    assert!(old.failure() == "other-recovery-key" && old.out.contains("newer sheet"), "{old:?}");
    let told = kit_recovery(&machine, "new", &["--new", "--sheet", &second]).ends(2);
    assert!(told.out.contains("never overwritten"), "{told:?}");

    // From standard input, after the password.
    let text = std::fs::read_to_string(&second).unwrap();
    let folder = machine.path("newer");
    let typed = ["kit", "recovery", "--new", "--sheet", "-", "--kit-dir", folder.to_str().unwrap()];
    let third = machine.run_with("laptop", &typed, &[PASSWORD, &text]).done().json();
    assert!(!opens(&machine, "d", &second) && opens(&machine, "e", &written(&third)));

    machine.json("phone", &["sync"]);
    let events = machine.json("phone", &["security"]);
    let changes = whats(&events).into_iter().filter(|what| what == "recovery-key-changed").count();
    assert_eq!(changes, 2, "{events}");
}

#[test]
fn at_a_terminal_the_key_is_typed_and_the_sheet_shown_until_it_is_written_down() {
    let server = ServerProcess::start();
    let machine = Machine::new();
    machine.sign_up("laptop", server.url());
    let sheet = RecoverySheet::parse(&std::fs::read_to_string(first_sheet(&machine)).unwrap()).unwrap();
    let mut terminal = Terminal::open(&machine, "");
    let question = "as your present recovery sheet has it: ";
    let command = "--profile laptop kit recovery";
    terminal.start(&format!("{command} --new"));
    terminal.answer("Password: ", PASSWORD);
    terminal.answer(question, "LR1-AAAAA");
    let (said, code) = terminal.ended();
    assert!(code == 2 && said.contains("no Recovery Key") && said.contains("Nothing was changed"), "{said}");

    terminal.start(&format!("{command} --new"));
    terminal.answer("Password: ", PASSWORD);
    terminal.answer(question, &sheet.recovery_key.expose_text());
    let shown = terminal.answer("It is shown only once. [y/N] ", "n");
    assert!(shown.contains("Recovery Key:") && !shown.contains("Secret Key:"), "{shown}");
    let (said, code) = terminal.ended();
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("run `lockstep kit recovery --profile laptop` again"), "{said}");

    terminal.start(command);
    terminal.answer("Password: ", PASSWORD);
    let again = terminal.answer("It is shown only once. [y/N] ", "y");
    let key = |shown: &str| shown[shown.rfind("LR1-").unwrap()..].lines().next().unwrap().to_owned();
    assert_eq!(key(&again), key(&shown));
    let (said, code) = terminal.ended();
    assert!(code == 0 && said.contains("Every earlier recovery sheet is void"), "{said}");
    terminal.start(command);
    terminal.answer("Password: ", PASSWORD);
    let (said, code) = terminal.ended();
    assert!(code == 0 && said.contains("No new Recovery Key is announced"), "{said}");
}

/// Starts `kit recovery …` on the laptop and kills it when the server has taken the link.
fn killed(machine: &Machine, gate: &Gate, arguments: &[&str]) {
    let folder = machine.path("never");
    let rest = ["--kit-dir", folder.to_str().unwrap()];
    gate.arm("account/links");
    let mut child =
        machine.start("laptop", &[&["kit", "recovery", "--new"], arguments, &rest].concat(), &[PASSWORD]);
    gate.wait();
    child.kill().unwrap();
    child.wait().unwrap();
    gate.cut();
}

#[test]
fn what_is_killed_between_the_change_and_the_paper_loses_no_sheet() {
    let mut server = ServerProcess::start();
    let gate = Gate::before(server.address());
    let machine = Machine::new();
    machine.sign_up("laptop", gate.url());
    let first = first_sheet(&machine);
    killed(&machine, &gate, &["--sheet", &first]);
    assert!(!opens(&machine, "a", &first));

    // Which sheet counts cannot be told without the server.
    server.kill();
    let away = kit_recovery(&machine, "new", &[]).ends(4);
    assert!(
        away.failure() == "server-unreachable" && away.out.contains("keep the sheet that you have"),
        "{away:?}"
    );
    server.start_again();
    let nowhere = machine.run("laptop", &["kit", "recovery"]).ends(2);
    assert!(nowhere.failure() == "usage" && nowhere.out.contains("waits to be handed out"), "{nowhere:?}");
    let folder = machine.path("new");
    let wrong = ["kit", "recovery", "--kit-dir", folder.to_str().unwrap()];
    assert_eq!(machine.run_with("laptop", &wrong, &["wrong"]).ends(3).failure(), "wrong-password");
    let handed_out = kit_recovery(&machine, "new", &[]).done().json();
    assert_eq!(handed_out["changed"], true);
    assert!(opens(&machine, "b", &written(&handed_out)));
    assert_eq!(kit_recovery(&machine, "newer", &[]).done().json()["recovery_sheet"], Json::Null);

    // The same command again is the other way to go on.
    let second = written(&handed_out);
    killed(&machine, &gate, &["--sheet", &second]);
    let again = kit_recovery(&machine, "newer", &["--new", "--sheet", &second]).done().json();
    assert!(opens(&machine, "c", &written(&again)));
}

#[test]
fn an_announced_key_whose_sheet_is_not_out_is_not_confirmed_and_a_cancelled_one_is_dropped() {
    let server = ServerProcess::start();
    let gate = Gate::before(server.address());
    let machine = Machine::new();
    machine.sign_up("laptop", gate.url());
    machine.sign_in("phone");
    killed(&machine, &gate, &["--lost"]);
    let folder = machine.path("x");
    let sign_up = ["signup", "--kit-dir", folder.to_str().unwrap()];
    assert_eq!(machine.run("laptop", &sign_up).ends(1).failure(), "account-exists");
    let early = machine.run("laptop", &["kit", "recovery", "--confirm"]).ends(1);
    assert!(early.failure() == "unfinished" && early.out.contains("have it on paper"), "{early:?}");
    let handed_out = kit_recovery(&machine, "new", &["--new", "--lost"]).done().json();
    assert_eq!(handed_out["changed"], false);
    assert!(handed_out["announced"]["due"].is_string() && Path::new(&written(&handed_out)).is_file());

    let yes = ["--lost", "--yes"];
    killed(&machine, &gate, &yes);
    machine.run_with("phone", &["password", "change"], &[PASSWORD, "another passphrase"]).done();
    let dropped = kit_recovery(&machine, "newer", &[]).done().json();
    assert_eq!((&dropped["announced"], &dropped["recovery_sheet"]), (&Json::Null, &Json::Null));
    assert!(opens(&machine, "a", &first_sheet(&machine)));
}
