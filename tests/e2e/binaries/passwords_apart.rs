//! The account's password and the one that opens a device, where they are not the same: each refusal says what to do,
//! and that helps.

use super::programs::PASSWORD;
use super::screen::Terminal;
use super::{Machine, ServerProcess};

const NEW_PASSWORD: &str = "a new and better passphrase";

/// `device pair` on the phone with this password; what it said, if it did not come to wait for the new device.
fn pair(terminal: &mut Terminal, password: &str) -> Result<(), String> {
    terminal.start("--profile phone device pair || echo not \"paired\"");
    terminal.answer("Password: ", password);
    let said = terminal.until_either("Waiting for the new device ...", "not paired");
    let waits = said.contains("Waiting for");
    if waits {
        terminal.type_in("\u{3}");
    }
    terminal.until("shell> ");
    if waits { Ok(()) } else { Err(said.split_whitespace().collect::<Vec<_>>().join(" ")) }
}

#[test]
fn a_device_pairs_with_the_password_that_the_account_has() {
    let server = ServerProcess::start();
    let machine = Machine::new();
    machine.sign_up("laptop", server.url());
    machine.sign_in("phone");
    machine.json("laptop", &["sync"]);
    let mut terminal = Terminal::open(&machine, "");

    // New keys, and the same password: nothing is asked twice.
    machine.json("laptop", &["key", "rotate", "--yes"]);
    pair(&mut terminal, PASSWORD).unwrap();
    assert_eq!(machine.run("phone", &["password", "confirm"]).done().json()["changed"], false);
    let folder = machine.path("kit");
    let rotate = ["key", "rotate", "--yes", "--new-secret-key", "--kit-dir", folder.to_str().unwrap()];
    machine.json("laptop", &rotate);
    machine.run_with("phone", &["password", "change"], &[PASSWORD, PASSWORD]).done();

    // Another password: the one before opens the device, the new one is the account's.
    machine.run_with("laptop", &["password", "change"], &[PASSWORD, NEW_PASSWORD]).done();
    let old = pair(&mut terminal, PASSWORD).unwrap_err();
    assert!(old.contains("not the account's password") && old.contains("nothing was changed"), "{old}");
    assert!(old.contains("`lockstep password confirm`"), "{old}");
    let new = pair(&mut terminal, NEW_PASSWORD).unwrap_err();
    assert!(new.contains("The password is wrong") && new.contains("`lockstep password confirm`"), "{new}");
    terminal.start("--profile phone password confirm");
    terminal.answer("Password: ", PASSWORD);
    terminal.answer("The account's password now: ", NEW_PASSWORD);
    let (said, code) = terminal.ended();
    assert!(code == 0 && said.contains("unlocks with the account's password now"), "{said}");
    pair(&mut terminal, NEW_PASSWORD).unwrap();
}

#[test]
fn what_changes_who_gets_in_takes_no_password_that_is_out_of_date() {
    let server = ServerProcess::start();
    let machine = Machine::new();
    machine.sign_up("laptop", server.url());
    machine.sign_in("phone");
    machine.sign_in("tablet");
    machine.run_with("laptop", &["password", "change"], &[PASSWORD, NEW_PASSWORD]).done();
    let revoke = ["device", "revoke", "tablet", "--reason", "retired", "--yes"];
    let change = ["password", "change"];
    for arguments in [&change[..], &["key", "rotate", "--yes"], &revoke] {
        let old = machine.run_with("phone", arguments, &[PASSWORD, "yet another passphrase"]).ends(3);
        assert_eq!(old.failure_after_notes(), "not-the-password");
        assert!(old.out.contains("nothing was changed") && !old.out.contains("begun"), "{old:?}");
        let new = machine.run_with("phone", arguments, &[NEW_PASSWORD, "yet another passphrase"]).ends(3);
        assert_eq!(new.failure_after_notes(), "wrong-password");
    }
    machine.json("tablet", &["sync"]);
    machine.run_with("laptop", &["sync"], &[NEW_PASSWORD]).done();
    machine.run_with("phone", &["password", "confirm"], &[PASSWORD, NEW_PASSWORD]).done();
    machine.run_with("phone", &revoke, &[NEW_PASSWORD]).done();
    assert_eq!(machine.run("tablet", &["sync"]).ends(3).failure(), "device-revoked");
    // Its keys are new, its password is the same: it opens the laptop, and countersigns there.
    machine.run_with("laptop", &change, &[NEW_PASSWORD, PASSWORD]).done();
}
