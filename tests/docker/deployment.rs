//! One compose file, brought up as its first lines and `.env.example` say.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};

use super::engine::{docker, output, wait_until};

/// Containers of one compose file; gone, with their volumes, when dropped.
pub(super) struct Deployment {
    folder: tempfile::TempDir,
    file: &'static str,
    /// The port of this machine that leads to the server.
    port: u16,
}

impl Deployment {
    /// Copies what stands in `deploy`, fills in `.env` and brings the containers up until the server is healthy.
    ///
    /// `settings` are lines of `.env`; `{port}` in them stands for a free port.
    pub(super) fn up(file: &'static str, settings: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("lockstep").rand_bytes(12).tempdir().unwrap();
        let port = free_port();
        let deployment = Self { folder, file, port };
        output(Command::new("cp").arg("-r").arg(source()).arg(deployment.folder.path()));
        let example = std::fs::read_to_string(deployment.path(".env.example")).unwrap();
        let settings = settings.replace("{port}", &port.to_string());
        std::fs::write(deployment.path(".env"), format!("{example}\n{settings}\n")).unwrap();
        if let Some(command) = deployment.preparation() {
            output(Command::new("sh").args(["-ec", &command]).current_dir(deployment.path("")));
        }
        deployment.up_again();
        deployment
    }

    /// The command that the compose file says to type first.
    fn preparation(&self) -> Option<String> {
        let text = std::fs::read_to_string(self.path(self.file)).unwrap();
        let lines = text.lines().map_while(|line| line.strip_prefix('#'));
        lines.filter_map(|line| line.strip_prefix("     ")).map(str::to_owned).next()
    }

    /// A file of the folder with the compose files.
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("deploy").join(name)
    }

    /// What `docker-compose -f FILE ARGUMENTS…` prints. It must succeed.
    pub(super) fn compose(&self, arguments: &[&str]) -> String {
        String::from_utf8(output(&mut self.command(arguments))).unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("docker-compose");
        // A name of its own, as the folder's is everybody's.
        let project = self.folder.path().file_name().unwrap().to_str().unwrap().to_lowercase();
        command.args(["-p", &project, "-f", self.file]).args(arguments).current_dir(self.path(""));
        command
    }

    /// Brings everything up and waits until all of it is healthy.
    pub(super) fn up_again(&self) {
        self.compose(&["up", "-d", "--no-build"]);
        self.wait();
    }

    /// Waits until the server is healthy.
    pub(super) fn wait(&self) {
        wait_until(&self.container("server"), "{{.State.Health.Status}}", "healthy");
    }

    /// Names of all services.
    pub(super) fn services(&self) -> Vec<String> {
        self.compose(&["config", "--services"]).lines().map(str::to_owned).collect()
    }

    /// The id of a service's container.
    pub(super) fn container(&self, service: &str) -> String {
        self.compose(&["ps", "-q", service]).trim().to_owned()
    }

    /// The process of a service's container, by its id on this machine.
    pub(super) fn process(&self, service: &str) -> String {
        docker(&["inspect", "--format", "{{.State.Pid}}", &self.container(service)])
    }

    /// What a service has logged.
    pub(super) fn log(&self, service: &str) -> String {
        let container = self.container(service);
        let output = Command::new("docker").args(["logs", &container]).output().unwrap();
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
    }

    /// The one command that the log says to type on a device.
    pub(super) fn told_to_type(&self) -> String {
        let log = self.log("server");
        assert!(log.contains("listens on http://0.0.0.0:7390"), "{log}");
        let told = log.lines().find_map(|line| line.find("lockstep signup").map(|start| &line[start..]));
        told.unwrap_or_else(|| panic!("{log}")).to_owned()
    }

    /// The port of this machine that leads to the server.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// A folder for files of the test.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Deployment {
    fn drop(&mut self) {
        // Nothing here panics: it may be a panic that ends the test.
        if std::thread::panicking() {
            let log = self.command(&["logs", "--tail", "40"]).output();
            eprintln!(
                "{}",
                log.map(|log| String::from_utf8_lossy(&log.stdout).into_owned()).unwrap_or_default()
            );
        }
        let _ = self.command(&["down", "--volumes", "--timeout", "1"]).output();
    }
}

/// A port that nobody listens on, below those that the system gives to connections, and another one at each call.
fn free_port() -> u16 {
    static CALLS: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + (std::process::id() % 10_000) as u16;
    loop {
        let port = first + CALLS.fetch_add(1, Ordering::Relaxed);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// The folder with the compose files.
fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("deploy")
}
