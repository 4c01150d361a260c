//! A person's machine: profiles in a folder, and the `lockstep` program to run on them.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value as Json;

/// The password of every account in these stories.
pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// A program built from this workspace, from the target folder that this test runs in.
pub(crate) fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().and_then(Path::parent).unwrap();
    let path = folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(
        path.is_file(),
        "{} is missing: run `cargo build --bins` with the same profile first",
        path.display()
    );
    path
}

/// A folder with profiles and papers.
pub(crate) struct Machine {
    folder: tempfile::TempDir,
    /// Certificates that it trusts besides the system's.
    ca: Option<PathBuf>,
}

/// What a command left.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Outcome {
    /// The JSON object on standard output.
    pub(crate) fn json(&self) -> Json {
        serde_json::from_str(&self.out).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// The same outcome, which must be a success.
    pub(crate) fn done(self) -> Self {
        self.ends(0)
    }

    /// The same outcome, which must have this exit code.
    pub(crate) fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        self
    }

    /// The code of the failure on standard output, which must be a sentence too, and told nowhere else.
    pub(crate) fn failure(&self) -> String {
        assert_eq!(self.err, "");
        self.failure_after_notes()
    }

    /// The same where notes for a person came before.
    pub(crate) fn failure_after_notes(&self) -> String {
        let json = self.json();
        let message = json["error"]["message"].as_str().unwrap();
        assert!(message.len() > 20 && message.ends_with('.'), "{message}");
        json["error"]["code"].as_str().unwrap().to_owned()
    }
}

impl Machine {
    /// A machine with no profile.
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), ca: None }
    }

    /// The same machine, whose owner trusts the certificates of this file.
    pub(crate) fn trusting(self, ca: PathBuf) -> Self {
        Self { ca: Some(ca), ..self }
    }

    /// A file or folder of this machine's owner, outside the profiles.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The folder of a profile.
    pub(crate) fn profile(&self, name: &str) -> PathBuf {
        self.folder.path().join("home").join(name)
    }

    /// The Emergency Kit that [`Machine::sign_up`] wrote.
    pub(crate) fn kit(&self) -> PathBuf {
        self.path("papers/lockstep-emergency-kit.txt")
    }

    /// `lockstep --json --profile PROFILE ARGUMENTS…`, not yet started.
    pub(crate) fn command(&self, profile: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program("lockstep"));
        command.env_clear().env("LOCKSTEP_HOME", self.folder.path().join("home"));
        command.envs(self.ca.as_ref().map(|file| ("LOCKSTEP_CA", file)));
        command.args(["--json", "--profile", profile, "--password-fd", "0"]).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Starts a command with these lines on its standard input.
    pub(crate) fn start(&self, profile: &str, arguments: &[&str], lines: &[&str]) -> Child {
        let mut child = self.command(profile, arguments).spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        for line in lines {
            // A command that fails early reads nothing.
            let _ = writeln!(input, "{line}");
        }
        child
    }

    /// Runs a command with the right password.
    pub(crate) fn run(&self, profile: &str, arguments: &[&str]) -> Outcome {
        self.run_with(profile, arguments, &[PASSWORD])
    }

    /// Runs a command with these lines on its standard input.
    pub(crate) fn run_with(&self, profile: &str, arguments: &[&str], lines: &[&str]) -> Outcome {
        let output = self.start(profile, arguments, lines).wait_with_output().unwrap();
        Outcome {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Makes an account.
    pub(crate) fn sign_up(&self, profile: &str, url: &str) {
        self.try_sign_up(profile, &["signup", "--server", url]).done();
    }

    /// The outcome of `lockstep signup …`, with a place for the papers and a name for the device.
    pub(crate) fn try_sign_up(&self, profile: &str, command: &[&str]) -> Outcome {
        let papers = self.path("papers");
        let rest = ["--kit-dir", papers.to_str().unwrap(), "--device-name", profile];
        self.run(profile, &[command, &rest].concat())
    }

    /// Makes a profile another device of the account.
    pub(crate) fn sign_in(&self, profile: &str) -> Json {
        let kit = self.kit();
        let arguments = ["signin", "--yes", "--kit", kit.to_str().unwrap(), "--device-name", profile];
        self.run(profile, &arguments).done().json()
    }

    /// The result of a command that must succeed.
    pub(crate) fn json(&self, profile: &str, arguments: &[&str]) -> Json {
        self.run(profile, arguments).done().json()
    }

    /// The titles of all items, ascending, those in the trash left out.
    pub(crate) fn titles(&self, profile: &str) -> Vec<String> {
        let list = self.json(profile, &["list", "--offline"]);
        let titles = list["items"].as_array().unwrap().iter();
        titles.map(|item| item["title"].as_str().unwrap().to_owned()).collect()
    }
}
