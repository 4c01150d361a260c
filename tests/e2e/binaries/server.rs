//! The server as a process.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use lockstep_store::postgres::testing::TestDatabase;
use lockstep_tests::Backend;
use rustix::process::Pid;

use super::programs::program;

/// A running server; killed when dropped.
pub(crate) struct ServerProcess {
    child: Option<Child>,
    folder: tempfile::TempDir,
    /// Without one, the store is the embedded one, in the folder.
    database: Option<TestDatabase>,
    url: String,
    more: Vec<&'static str>,
    /// The library that shifts its clock, and by how much.
    shift: Option<(PathBuf, &'static str)>,
}

impl ServerProcess {
    /// A server with no account, on a port of the system's choice. Its store is a file, or as `LOCKSTEP_TEST_STORE` says.
    pub(crate) fn start() -> Self {
        Self::start_with(&["--signup", "open"])
    }

    /// The same with these arguments.
    pub(crate) fn start_with(more: &[&'static str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = (Backend::chosen() == Some(Backend::Postgres)).then(TestDatabase::make);
        let (url, more) = ("http://127.0.0.1:0".to_owned(), more.to_vec());
        let mut server = Self { child: None, folder, database, url, more, shift: None };
        server.launch();
        server
    }

    /// Its address.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Its host and port.
    pub(crate) fn address(&self) -> String {
        self.url.trim_start_matches("http://").to_owned()
    }

    /// A folder with all that it keeps: a database's tables are written there as they are now.
    pub(crate) fn data(&self) -> PathBuf {
        let data = self.folder.path().join("data");
        for (table, bytes) in self.database.as_ref().map(TestDatabase::contents).unwrap_or_default() {
            std::fs::write(data.join(format!("table {table}")), bytes).unwrap();
        }
        data
    }

    /// Kills it as a power cut would.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may be dead already.
            let _ = child.kill();
            child.wait().unwrap();
        }
    }

    /// Starts it again, on the same files and the same port.
    pub(crate) fn start_again(&mut self) {
        self.kill();
        let url = self.url.clone();
        self.launch();
        assert_eq!(url, self.url);
    }

    /// The same, with a clock that is off by so much.
    pub(crate) fn start_again_at(&mut self, library: PathBuf, shift: &'static str) {
        self.shift = Some((library, shift));
        self.start_again();
    }

    /// Runs another command of its program on its files, and gives what that prints.
    pub(crate) fn operate(&self, command: &[&str]) -> String {
        let output = Command::new(program("lockstep-server"))
            .args(self.arguments())
            .args(command)
            .env_clear()
            .output();
        let output = output.unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Whether it says that it can answer requests, and what it says if not.
    pub(crate) fn health(&self) -> (bool, String) {
        let output = Command::new(program("lockstep-server"))
            .args(self.arguments())
            .arg("health")
            .env_clear()
            .output();
        let output = output.unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// Its process.
    pub(crate) fn process(&self) -> Pid {
        Pid::from_child(self.child.as_ref().unwrap())
    }

    /// What its program was called with.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let path = |name: &str| self.folder.path().join(name).to_str().unwrap().to_owned();
        let mut arguments: Vec<_> = self.more.iter().map(|&more| more.to_owned()).collect();
        arguments.extend(["--listen".to_owned(), self.address(), "--data-dir".to_owned(), path("data")]);
        arguments.extend(["--address-file".to_owned(), path("address")]);
        arguments.extend(self.database.iter().map(|database| format!("--database={}", database.url())));
        arguments
    }

    fn launch(&mut self) {
        let mut command = Command::new(program("lockstep-server"));
        command.args(self.arguments()).env_clear();
        if let Some((library, shift)) = &self.shift {
            command
                .env("LD_PRELOAD", library)
                .env("FAKETIME", shift)
                .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        }
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let said: Vec<String> =
            lines.by_ref().map_while(Result::ok).take_while(|line| !line.contains("listens on")).collect();
        let url = std::fs::read_to_string(self.folder.path().join("address"));
        self.url = url.unwrap_or_else(|_| panic!("the server did not start: {said:?}")).trim().to_owned();
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        self.child = Some(child);
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        self.kill();
    }
}
