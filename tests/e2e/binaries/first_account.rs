//! The first account of a server that others can reach: made with the set-up token, and by nobody without it.

use std::process::{Command, Stdio};

use super::programs::program;
use super::{Machine, ServerProcess};

#[test]
fn the_first_account_is_made_by_whoever_has_the_token() {
    let server =
        ServerProcess::start_with(&["--signup", "invite", "--public-url", "https://vault.example.org"]);
    let ask = |subcommand: &str| {
        let mut command = Command::new(program("lockstep-server"));
        command.env_clear().args(server.arguments()).arg(subcommand).stdin(Stdio::null());
        command.output().unwrap()
    };
    let token = String::from_utf8(ask("setup-token").stdout).unwrap();
    let token = token.trim();
    // Looked at from beside, while it runs.
    let looked = ask("doctor");
    assert!(looked.status.success() && ask("health").status.success(), "{looked:?}");

    let (machine, other) = (Machine::new(), Machine::new());
    let sign_up = |machine: &Machine, profile: &str, invite: &[&str]| {
        machine.try_sign_up(profile, &[&["signup", "--server", server.url()], invite].concat())
    };
    for wrong in [&[][..], &["--invite", "guess"]] {
        assert_eq!(sign_up(&machine, "stranger", wrong).ends(1).failure(), "invite-needed");
    }
    sign_up(&machine, "laptop", &["--invite", token]).done();
    assert_eq!(sign_up(&other, "stranger", &["--invite", token]).ends(1).failure(), "invite-needed");
    let spent = ask("setup-token");
    let said = String::from_utf8(spent.stderr).unwrap();
    assert!(!spent.status.success() && said.contains("the set-up token is spent"), "{said}");
    let invite = String::from_utf8(ask("invite").stdout).unwrap();
    sign_up(&other, "guest", &["--invite", invite.trim()]).done();
}
