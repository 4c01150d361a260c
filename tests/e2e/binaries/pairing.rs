//! Pairing through the real binaries, as two people at two screens would, with real key stretching.

use std::io::{BufRead as _, BufReader};
use std::process::Child;

use serde_json::Value as Json;

use super::programs::PASSWORD;
use super::{Machine, ServerProcess};

/// `lockstep device pair` that waits for a new device.
struct Inviting {
    child: Child,
    errors: BufReader<std::process::ChildStderr>,
    link: String,
    code: String,
}

impl Inviting {
    fn start(machine: &Machine, profile: &str) -> Self {
        let mut child = machine.start(profile, &["--yes", "device", "pair"], &[PASSWORD]);
        let mut errors = BufReader::new(child.stderr.take().unwrap());
        let (mut link, mut code) = (String::new(), String::new());
        let mut said = String::new();
        while code.is_empty() {
            let mut line = String::new();
            assert!(errors.read_line(&mut line).unwrap() > 0, "{said}");
            if let Some(found) = line.trim().strip_prefix("lockstep join '") {
                link = found.trim_end_matches('\'').to_owned();
            }
            if let Some(found) = line.trim().strip_prefix("Pairing code: ") {
                code = found.to_owned();
            }
            said.push_str(&line);
        }
        Self { child, errors, link, code }
    }

    /// The result, and what was said on standard error meanwhile.
    fn ends(self, code: i32) -> (Json, String) {
        let Self { child, errors, .. } = self;
        let said: Vec<String> = errors.lines().map_while(Result::ok).collect();
        let output = child.wait_with_output().unwrap();
        let out = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(code), "{out} {said:?}");
        (serde_json::from_str(&out).unwrap(), said.join("\n"))
    }
}

fn words(said: &str) -> &str {
    said.lines().find_map(|line| line.strip_prefix("The words here: ")).unwrap()
}

#[test]
fn a_new_device_joins_by_link_or_by_typed_code_and_both_edit() {
    let server = ServerProcess::start();
    let machine = Machine::new();
    machine.sign_up("laptop", server.url());
    machine.json("laptop", &["add", "--title", "Bank", "--username", "anna"]);

    let inviting = Inviting::start(&machine, "laptop");
    let joined = machine.run("phone", &["--yes", "join", &inviting.link, "--device-name", "phone"]).done();
    let (let_in, said) = inviting.ends(0);
    assert_eq!(let_in["name"], "phone");
    assert_eq!(let_in["words"], words(&joined.err));
    assert_eq!(words(&said), words(&joined.err));
    let result = joined.json();
    assert_eq!((&result["device_id"], &result["items"]), (&let_in["device_id"], &1.into()));
    assert!(!joined.err.contains("freshness"), "{}", joined.err);

    machine.json("phone", &["edit", "Bank", "--username", "of the phone"]);
    machine.json("phone", &["add", "--title", "Mail"]);
    machine.json("laptop", &["sync"]);
    let bank = machine.json("laptop", &["get", "--offline", "Bank"]);
    assert_eq!(bank["fields"]["username"], "of the phone");
    machine.json("laptop", &["edit", "Mail", "--username", "of the laptop"]);

    let inviting = Inviting::start(&machine, "phone");
    let arguments = ["--yes", "join", "--server", server.url(), "--device-name", "tablet"];
    let typed = inviting.code.to_lowercase().replace('-', " ");
    let joined = machine.run_with("tablet", &arguments, &[&typed, PASSWORD]).done();
    let (let_in, _) = inviting.ends(0);
    assert_eq!(let_in["words"], words(&joined.err));
    assert_eq!(machine.titles("tablet"), ["Bank", "Mail"]);
    let mail = machine.json("tablet", &["get", "--offline", "Mail"]);
    assert_eq!(mail["fields"]["username"], "of the laptop");
}

#[test]
fn what_cannot_be_joined_is_said_and_leaves_no_profile() {
    let server = ServerProcess::start();
    let machine = Machine::new();
    machine.sign_up("laptop", server.url());
    let outcome = |arguments: &[&str], lines: &[&str]| machine.run_with("phone", arguments, lines);
    let by_code = ["--yes", "join", "--server", server.url()];

    assert_eq!(outcome(&["join", "lockstep://elsewhere"], &[]).ends(2).failure(), "usage");
    assert_eq!(outcome(&by_code, &["LP1-ABCDE"]).ends(2).failure(), "usage");
    let unknown = lockstep_crypto::pairing::PairingCode::from_bytes([1; 10]).expose_text();
    assert_eq!(outcome(&by_code, &[&unknown]).ends(1).failure(), "no-pairing");
    assert_eq!(outcome(&["--offline", "join", "x"], &[]).ends(2).failure(), "usage");

    let wrong = machine.run_with("laptop", &["--yes", "device", "pair"], &["guessed"]);
    assert_eq!(wrong.ends(3).failure(), "wrong-password");

    // Nobody can be asked whether the words are the same.
    let inviting = Inviting::start(&machine, "laptop");
    let unasked = outcome(&["join", &inviting.link], &[PASSWORD]).ends(2);
    assert_eq!(unasked.json()["error"]["code"], "usage");
    let (let_in, said) = inviting.ends(0);
    assert_eq!(let_in["words"], words(&said));

    // The password of another account.
    let inviting = Inviting::start(&machine, "laptop");
    let refused = outcome(&["--yes", "join", &inviting.link], &["another password"]).ends(3);
    assert_eq!(refused.json()["error"]["code"], "wrong-password");
    inviting.ends(0);
    assert_eq!(outcome(&["status"], &[]).ends(1).failure(), "no-account");
}
