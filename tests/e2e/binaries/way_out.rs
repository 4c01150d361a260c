//! Results that cannot be written: a full disk behind standard output, a reader that went away.

use std::fs::File;
use std::io::Write as _;
use std::process::Stdio;

use super::programs::{Outcome, PASSWORD};
use super::{Machine, ServerProcess};

/// Where standard output goes.
#[derive(Clone, Copy, Debug)]
enum Drain {
    Full,
    Closed,
}

impl Drain {
    fn stdio(self) -> Stdio {
        match self {
            Self::Full => File::options().write(true).open("/dev/full").unwrap().into(),
            Self::Closed => std::io::pipe().unwrap().1.into(),
        }
    }
}

/// What a command says whose output goes there. For a person, unless the arguments say `--json`.
fn run(machine: &Machine, drain: Drain, arguments: &[&str]) -> Outcome {
    let mut command = std::process::Command::new(super::programs::program("lockstep"));
    command.env_clear().env("LOCKSTEP_HOME", machine.profile("laptop").parent().unwrap());
    command.args(["--profile", "laptop", "--password-fd", "0"]).args(arguments);
    command.stdin(Stdio::piped()).stdout(drain.stdio()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A command that needs no password reads nothing.
    let _ = writeln!(child.stdin.take().unwrap(), "{PASSWORD}");
    let output = child.wait_with_output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    Outcome { code: output.status.code(), out: String::new(), err }
}

#[test]
fn a_result_that_cannot_be_written_is_a_failure_that_says_what_is_done() {
    let server = ServerProcess::start();
    let machine = Machine::new();
    machine.sign_up("laptop", server.url());
    machine.json("laptop", &["unlock", "--minutes", "5"]);
    let totp = "otpauth://totp/x?secret=JBSWY3DPEHPK3PXP";
    let add = ["add", "--title", "Bank", "--note", &"x".repeat(100_000), "--secret", "totp=0"];
    machine.run_with("laptop", &add, &[PASSWORD, totp]).done();
    let commands: [&[&str]; 13] = [
        &["get", "Bank"],
        &["get", "Bank", "--json"],
        &["get", "Bank", "--field", "notes"],
        &["get", "Bank", "--field", "title", "--json"],
        &["list"],
        &["list", "--json"],
        &["code", "Bank"],
        &["status"],
        &["sync", "--json"],
        &["export", "--yes", "--format", "bitwarden-json"],
        &["--help"],
        &["help", "edit"],
        &["--version"],
    ];
    for drain in [Drain::Full, Drain::Closed] {
        for arguments in commands {
            let lost = run(&machine, drain, arguments).ends(1);
            assert!(lost.err.contains("could not be written whole"), "{arguments:?}: {lost:?}");
        }
        let title = format!("{drain:?}");
        let lost = run(&machine, drain, &["add", "--title", &title]).ends(1);
        assert!(lost.err.contains("what the command did is done and kept"), "{lost:?}");
        assert!(machine.titles("laptop").contains(&title), "what was added is there");
        assert_eq!(machine.json("laptop", &["status"])["pending"], 0, "and was sent");
        // A failure has its own exit code and is told where it still can be.
        let failed = run(&machine, drain, &["get", "Nowhere", "--json"]).ends(1);
        assert!(failed.err.contains("No item has the id"), "{failed:?}");
        let misunderstood = run(&machine, drain, &["frobnicate", "--json"]).ends(2);
        assert!(misunderstood.err.contains("frobnicate"), "{misunderstood:?}");
    }
    machine.json("laptop", &["lock"]);
}

#[test]
fn what_happened_to_items_is_told_until_it_could_be_written() {
    let server = ServerProcess::start();
    let machine = Machine::new();
    machine.sign_up("laptop", server.url());
    machine.sign_in("phone");
    machine.json("laptop", &["add", "--title", "Bank", "--set", "username=first"]);
    machine.json("phone", &["sync"]);
    machine.json("phone", &["edit", "Bank", "--set", "username=second"]);
    machine.json("laptop", &["edit", "Bank", "--offline", "--set", "username=third"]);
    for drain in [Drain::Full, Drain::Closed] {
        run(&machine, drain, &["sync"]).ends(1);
    }
    // It syncs, and has nothing to say of items.
    machine.json("laptop", &["password", "confirm"]);
    let told = machine.run("laptop", &["sync"]).ends(5).json();
    assert_eq!((&told["notices"][0]["what"], &told["conflicts"]), (&"conflict".into(), &1.into()), "{told}");
    let again = machine.run("laptop", &["sync"]).done().json();
    assert_eq!(again["notices"], serde_json::json!([]), "{again}");
}
