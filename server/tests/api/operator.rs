//! What an operator types: the set-up token, health, the configuration.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};

use crate::program::{bare_program, program};
use crate::tls::files;

/// A server on a port of the system's choice, and how to ask its program about it.
struct Server {
    child: Child,
    folder: PathBuf,
    arguments: Vec<String>,
    /// What it said until it told what to type.
    said: Vec<String>,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    fn start(folder: &Path, arguments: &[&str]) -> Self {
        let arguments: Vec<_> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let mut command = configured(folder, &arguments);
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        let mut said = Vec::new();
        for line in lines {
            said.push(line);
            if said.last().unwrap().contains("lockstep signup --server ") {
                break;
            }
        }
        Self { child, folder: folder.to_owned(), arguments, said }
    }

    fn ask(&self, subcommand: &str) -> Output {
        configured(&self.folder, &self.arguments).arg(subcommand).output().unwrap()
    }
}

fn configured(folder: &Path, arguments: &[String]) -> Command {
    let mut command = bare_program();
    command.arg("--data-dir").arg(folder).arg("--address-file").arg(folder.with_extension("address"));
    command.args(arguments);
    command
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap().trim()
}

#[test]
fn a_server_that_others_reach_logs_the_token_that_the_first_account_needs() {
    let folder = tempfile::tempdir().unwrap();
    let everywhere = ["--listen", "0.0.0.0:0", "--allow-plain-http"];
    // Nothing is made by asking.
    let before = configured(&folder.path().join("a"), &everywhere.map(str::to_owned))
        .arg("setup-token")
        .output()
        .unwrap();
    assert!(
        text(&before.stderr).contains("has not run yet") && !folder.path().join("a").exists(),
        "{before:?}"
    );
    let server = Server::start(&folder.path().join("a"), &everywhere);
    let token = server.ask("setup-token");
    assert!(token.status.success());
    let token = text(&token.stdout).to_owned();
    assert_eq!(token.len(), 22);
    let typed = server.said.last().unwrap();
    assert!(typed.ends_with(&format!("lockstep signup --server ADDRESS --invite {token}")), "{typed}");
    assert!(
        server.said.iter().any(|line| line.contains("whoever knows this set-up token may make the first"))
    );
    let again = Server::start(
        &folder.path().join("a"),
        &[&everywhere[..], &["--public-url", "https://vault.example.org"]].concat(),
    );
    assert!(
        again.said.last().unwrap().ends_with(&format!("--server https://vault.example.org --invite {token}"))
    );

    let open = Server::start(&folder.path().join("b"), &[&everywhere[..], &["--signup", "open"]].concat());
    assert!(open.said.last().unwrap().ends_with("lockstep signup --server ADDRESS"), "{:?}", open.said);
    assert!(open.said.iter().any(|line| line.contains("anybody may sign up")));
    assert!(text(&open.ask("setup-token").stderr).contains("needs no set-up token"));
    let restored = Server::start(&folder.path().join("c"), &[&everywhere[..], &["--restored"]].concat());
    assert!(restored.said.iter().any(|line| line.contains("nobody can tell those that were made up")));
}

#[test]
fn health_is_what_the_server_says_of_itself() {
    let folder = tempfile::tempdir().unwrap();
    let tls = files(folder.path(), "own");
    let (certificate, key) = (tls.certificate.to_str().unwrap(), tls.key.to_str().unwrap());
    for (name, more) in [("plain", &[][..]), ("tls", &["--tls-cert", certificate, "--tls-key", key])] {
        let arguments = [&["--listen", "127.0.0.1:0"], more].concat();
        let mut server = Server::start(&folder.path().join(name), &arguments);
        let well = server.ask("health");
        assert!(well.status.success() && well.stdout.is_empty(), "{well:?}");
        server.child.kill().unwrap();
        server.child.wait().unwrap();
        let gone = server.ask("health");
        assert_eq!(gone.status.code(), Some(1));
        assert!(text(&gone.stderr).contains("nobody answers at http"), "{gone:?}");
    }
    // Something that takes connections and says nothing is not well, and does not hold who asks.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = silent.local_addr().unwrap().to_string();
    let mute = bare_program().args(["health", "--listen", &listen]).output().unwrap();
    assert_eq!(mute.status.code(), Some(1), "{mute:?}");
}

#[test]
fn the_configuration_is_checked_and_printed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("lockstep.toml");
    std::fs::write(&file, "signup = \"closed\"\ndatabase = \"postgres://ann:hunter2@db/vaults\"\n").unwrap();
    let run = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut command = bare_program();
        command.arg("--config").arg(&file).args(arguments).envs(variables.iter().copied()).output().unwrap()
    };
    assert!(run(&["config", "check"], &[]).status.success());
    let printed = run(&["config", "print", "--history-days", "9"], &[("LOCKSTEP_LOG", "json")]);
    let printed = text(&printed.stdout).to_owned();
    assert!(!printed.contains("hunter2"), "{printed}");
    for line in ["history_days = 9  # flag", "log = \"json\"  # variable", "restored = false  # default"] {
        assert!(printed.lines().any(|printed| printed == line), "{line}: {printed}");
    }
    for (arguments, variables, said) in [
        (
            &["config", "check"][..],
            &[("LOCKSTEP_SING_UP", "open")][..],
            "LOCKSTEP_SING_UP is no variable of this server. Did you mean LOCKSTEP_SIGNUP?",
        ),
        (&["config", "check"], &[("LOCKSTEP_SIGNUP", "all")], "signup (variable): it is \"all\""),
        (&["config", "print", "--history-days", "0"], &[], "1 day at least"),
        (&[], &[("LOCKSTEP_LISTEN", "localhost")], "listen (variable): "),
        (&["doctor"], &[("LOCKSTEP_LISTEN", "0.0.0.0:80")], "is not a loopback address"),
    ] {
        let refused = run(arguments, variables);
        assert_eq!(refused.status.code(), Some(2), "{refused:?}");
        assert!(refused.stdout.is_empty() && text(&refused.stderr).contains(said), "{said}: {refused:?}");
    }
    for (name, value, printed) in [
        ("LOCKSTEP_DATA_DIR", "2026", "data_dir = \"2026\"  # variable"),
        ("LOCKSTEP_DATA_DIR", "[a, b]", "data_dir = \"[a, b]\"  # variable"),
        ("LOCKSTEP_PURGED_DAYS", "31", "purged_days = 31  # variable"),
        ("LOCKSTEP_RESTORED", "true", "restored = true  # variable"),
        ("LOCKSTEP_PUBLIC_URL", "", "# public_url is not set"),
        ("LOCKSTEP_HISTORY_DAYS", "", "history_days = 365  # default"),
    ] {
        let output = run(&["config", "print"], &[(name, value)]);
        assert!(text(&output.stdout).lines().any(|line| line == printed), "{printed}: {output:?}");
    }
    let mut bytes = bare_program();
    bytes.args(["config", "check"]).env("LOCKSTEP_PUBLIC_URL", std::ffi::OsStr::from_bytes(&[0xff]));
    let bytes = bytes.output().unwrap();
    assert!(text(&bytes.stderr).contains("public_url (variable): it is not UTF-8"), "{bytes:?}");
    assert!(
        bare_program()
            .args(["config", "check"])
            .env("LOCKSTEP_CONFIG", "")
            .output()
            .unwrap()
            .status
            .success()
    );
    let refused = run(&["config", "check"], &[("LOCKSTEP_RESTORED", "perhaps")]);
    let said = "restored (variable): it is string \"perhaps\", and should be a boolean";
    assert!(text(&refused.stderr).contains(said), "{refused:?}");
    // The client's variables, and those that clusters make for a service of this name, are nobody's mistake.
    let others = [
        ("LOCKSTEP_HOME", "/home"),
        ("LOCKSTEP_PORT", "tcp://10.0.0.1:7390"),
        ("LOCKSTEP_SERVICE_HOST", "10.0.0.1"),
    ];
    assert!(run(&["config", "check"], &others).status.success());
    // A closed server starts on a folder of its own all the same.
    assert!(
        program(&folder.path().join("data")).arg("config").arg("check").output().unwrap().status.success()
    );
}
