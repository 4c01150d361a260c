//! The release binaries as processes, timed from outside by GNU time.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

const PASSWORD: &str = "correct horse battery staple";

/// What a command cost.
pub(crate) struct Cost {
    /// From start to end, in seconds.
    pub(crate) seconds: f64,
    /// Of all its threads, in seconds.
    pub(crate) processor: f64,
    /// The most memory it held at once, in MiB.
    pub(crate) memory: f64,
}

fn program(name: &str) -> PathBuf {
    let bench = std::env::current_exe().unwrap();
    let path = bench.parent().and_then(Path::parent).unwrap().join(name);
    assert!(path.is_file(), "{} is missing: run `cargo build --release --bins` first", path.display());
    path
}

/// Runs `lockstep` on a profile below `home` with the right password; it must succeed.
pub(crate) fn lockstep(home: &Path, profile: &str, arguments: &[&str]) -> Cost {
    let measured = home.join("measured");
    let begun = Instant::now();
    let mut child = Command::new("/usr/bin/time")
        .args(["-f", "%U %S %M", "-o"])
        .arg(&measured)
        .arg(program("lockstep"))
        .args(["--json", "--profile", profile, "--password-fd", "0"])
        .args(arguments)
        .env_clear()
        .env("LOCKSTEP_HOME", home)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("GNU time: install the package time");
    // A command that needs no password reads nothing.
    let _ = writeln!(child.stdin.take().unwrap(), "{PASSWORD}");
    let status = child.wait().unwrap();
    let seconds = begun.elapsed().as_secs_f64();
    assert!(status.success(), "lockstep {arguments:?}: {status}");
    let measured = std::fs::read_to_string(measured).unwrap();
    let numbers: Vec<f64> = measured.split_whitespace().map(|number| number.parse().unwrap()).collect();
    let [user, system, memory] = numbers[..] else { panic!("GNU time wrote {measured:?}") };
    Cost { seconds, processor: user + system, memory: memory / 1_024.0 }
}

/// A running server; killed when dropped.
pub(crate) struct Server {
    child: Child,
    address: String,
}

impl Server {
    /// Starts a server with its files in this folder.
    pub(crate) fn start(folder: &Path, database: &str) -> Self {
        let address = folder.join("address");
        let mut child = Command::new(program("lockstep-server"))
            .args(["--listen", "127.0.0.1:0", "--signup", "open", "--database", database])
            .arg("--data-dir")
            .arg(folder.join("data"))
            .arg("--address-file")
            .arg(&address)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let listens = lines.by_ref().any(|line| line.contains("listens on"));
        assert!(listens, "the server did not start");
        std::thread::spawn(move || lines.for_each(drop));
        let address = std::fs::read_to_string(address).unwrap();
        Self { child, address: address.trim().trim_start_matches("http://").to_owned() }
    }

    /// Its host and port.
    pub(crate) fn address(&self) -> String {
        self.address.clone()
    }

    /// Starts anew to look for the most memory that it holds at once.
    pub(crate) fn forget_memory(&self) {
        std::fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5").unwrap();
    }

    /// The most memory it held at once since [`Self::forget_memory`], in MiB. A database in a process of its own is
    /// not counted.
    pub(crate) fn memory(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1_024.0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may be dead already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
